/** An IMAP server on the real engine in a temporary folder. */
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Directory } from '../../src/auth/credentials.ts'
import { createSaslServices } from '../../src/auth/services.ts'
import { openSqlite } from '../../src/db/sqlite/engine.ts'
import { createImapServer } from '../../src/imap/server.ts'
import type { ImapLimits } from '../../src/imap/services.ts'
import type { UrlauthOptions } from '../../src/imap/urls.ts'
import type { MailStore } from '../../src/store/store.ts'
import { tlsPair } from '../../src/tls.ts'
import { digestMessage } from '../../src/wire/mime/digest.ts'
import { textSafe } from '../../src/wire/mime/text-safe.ts'

export interface TestImap {
  readonly host: string
  readonly port: number
  readonly tlsPort: number
  readonly store: MailStore
  readonly directory: Directory
  readonly folder: string
  /** What the server logged above `info`. */
  readonly logged: string[]
  /** What it logged as `info`. */
  readonly told: string[]
  /** Puts a message into a mailbox, which is made when it does not exist. */
  deliver(
    address: string,
    mailbox: string,
    octets: Uint8Array | string,
    flags?: readonly string[],
  ): Promise<number>
  /** Resolves when everything is in the full-text index. */
  indexed(): Promise<void>
  close(): Promise<void>
}

export interface TestImapOptions {
  readonly accounts?: readonly { readonly address: string; readonly password: string }[]
  readonly now?: () => number
  readonly limits?: Partial<ImapLimits>
  readonly allowPlaintext?: 'never' | 'loopback' | 'always'
  /** With the full-text index, as the gateway runs. */
  readonly indexed?: boolean
  readonly auth?: Parameters<typeof createSaslServices>[1]
  /** How passwords are kept; where many connections are made, something quicker than the default. */
  readonly derive?: NonNullable<Parameters<typeof openSqlite>[1]>['derive']
  /** Failed logins do not slow down those that follow. */
  readonly unthrottled?: boolean
  readonly urlauth?: UrlauthOptions
  readonly unauthenticate?: boolean
  /** Authority of client certificates. */
  readonly ca?: string
  /** A store that exists already; it is not removed. */
  readonly folder?: string
}

/** For suites of many logins, where what a password costs is not what is looked at. */
export const quickPasswords: NonNullable<TestImapOptions['derive']> = async (password, salt) =>
  createHash('sha256').update(password).update(salt).digest()

export const testLimits: ImapLimits = {
  messageOctets: 52_428_800,
  maxConnections: 1000,
  maxPerIp: 1000,
  maxPerUser: 1000,
  heldOctets: 268_435_456,
  lineOctets: 65_536,
  preAuthMs: 60_000,
  idleMs: 1_800_000,
}

export async function startImap(options: TestImapOptions = {}): Promise<TestImap> {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'lemonade-imap-'))
  const now = options.now ?? Date.now
  const searchText = new URL('../../src/wire/mime/search-text.ts', import.meta.url)
  const engine = await openSqlite(folder, {
    now,
    ...(options.indexed ? { searchText } : {}),
    ...(options.derive ? { derive: options.derive } : {}),
  })
  const { store, directory } = engine
  for (const { address, password } of options.accounts ?? [
    { address: 'alice@example.net', password: 'secret' },
  ])
    await directory.put(address, password)
  const logged: string[] = []
  const told: string[] = []
  const sasl = createSaslServices(engine, options.auth ?? {}, now)
  const server = createImapServer({
    host: 'mail.example.net',
    store,
    sasl: options.unthrottled ? { ...sasl, sleep: () => Promise.resolve() } : sasl,
    directory,
    folder,
    urlauth: options.urlauth,
    unauthenticate: options.unauthenticate,
    tls: { ...(await tlsPair(undefined, folder, 'mail.example.net')), ca: options.ca },
    allowPlaintext: options.allowPlaintext ?? 'loopback',
    limits: { ...testLimits, ...options.limits },
    now,
    log: (level, message, fields) => {
      ;(level === 'info' ? told : logged).push(`${message} ${JSON.stringify(fields)}`)
    },
  })
  const { port } = await server.listen('127.0.0.1', 0)
  const { port: tlsPort } = await server.listen('127.0.0.1', 0, { implicitTls: true })
  return {
    host: '127.0.0.1',
    port,
    tlsPort,
    store,
    directory,
    folder,
    logged,
    told,
    async deliver(address, mailbox, octets, flags = []) {
      const account = await directory.find(address)
      if (!account) throw new Error(`no account ${address}`)
      const whole = textSafe(
        typeof octets === 'string' ? Buffer.from(octets.replace(/\r?\n/g, '\r\n')) : Uint8Array.from(octets),
      )
      const found = await store.read(account.id, (view) => view.mailbox(mailbox))
      if (!found) await store.write(account.id, [{ op: 'create', name: mailbox }])
      const target = found ?? (await store.read(account.id, (view) => view.mailbox(mailbox)))
      const [result] = await store.write(account.id, [
        {
          op: 'append',
          mailbox: target!.id,
          messages: [{ octets: [whole], digest: digestMessage(whole), internalDate: now(), flags }],
        },
      ])
      return result?.op === 'append' ? result.uids[0]! : 0
    },
    indexed: () => engine.indexed(),
    async close() {
      await server.close()
      await engine.close()
      if (!options.folder) rmSync(folder, { recursive: true, force: true })
    },
  }
}
