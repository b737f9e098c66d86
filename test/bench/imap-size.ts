/**
 * What commands cost in mailboxes of different sizes: processor time of the server, all threads, for each of them.
 * `node test/bench/imap-size.ts [size ...]`; two processes, loopback, about a minute.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSaslServices } from '../../src/auth/services.ts'
import { type Engine, openSqlite } from '../../src/db/sqlite/engine.ts'
import { createImapServer } from '../../src/imap/server.ts'
import type { Mailbox } from '../../src/store/store.ts'
import { digestMessage } from '../../src/wire/mime/digest.ts'
import { fillInbox } from '../support/large-mailbox.ts'

const sizes = process.argv.slice(2).map(Number)
if (sizes.length === 0) sizes.push(10_000, 100_000, 1_000_000)
const addressOf = (size: number): string => `of${size}@example.net`

/** What the other process is asked to do, and when it has done it. */
interface Work {
  readonly port: number
  /** `first`: said before, once; the work: `command`, so many times over, `ON` in it being `+` and `-` in turn. */
  readonly first: readonly string[]
  readonly command: string
  readonly times: number
  /** Another connection is in IDLE meanwhile. */
  readonly watched?: boolean
}

class Line {
  readonly socket: Socket
  octets = 0
  #tail = ''
  #waiting: { readonly pattern: RegExp; readonly done: () => void } | undefined

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1')
    this.socket.setNoDelay(true)
    this.socket.on('data', (chunk) => {
      this.octets += chunk.length
      this.#tail = (this.#tail + chunk.toString('latin1')).slice(-2000)
      if (!this.#waiting?.pattern.test(this.#tail)) return
      const { done } = this.#waiting
      this.#waiting = undefined
      done()
    })
  }

  heard(pattern: RegExp): Promise<void> {
    this.#tail = ''
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`not heard: ${pattern}; ${this.#tail}`)), 30_000)
      const done = (): void => {
        clearTimeout(late)
        resolve()
      }
      this.#waiting = { pattern, done }
    })
  }

  async command(text: string): Promise<void> {
    const answered = this.heard(/^t (OK|NO|BAD)[^\n]*\n$/m)
    this.socket.write(`t ${text}\r\n`)
    await answered
  }
}

async function clients(): Promise<void> {
  process.on('message', async (work: Work | 'go') => {
    if (work === 'go') return
    const { port, first, command, times, watched } = work
    const open = async (): Promise<Line> => {
      const line = new Line(port)
      for (const each of first) await line.command(each)
      return line
    }
    const line = await open()
    const idle = watched ? await open() : undefined
    if (idle) {
      const idling = idle.heard(/^\+ [^\n]*\n/m)
      idle.socket.write('t IDLE\r\n')
      await idling
    }
    const go = once(process, 'message')
    process.send?.('ready')
    await go
    line.octets = 0
    for (let i = 0; i < times; i++) {
      const told = idle?.heard(/^\* \d+ (EXISTS|FETCH)[^\n]*\n/m)
      await line.command(command.replace('ON', i % 2 ? '-' : '+'))
      await told
    }
    process.send?.(line.octets / times)
    line.socket.destroy()
    idle?.socket.destroy()
  })
}

async function inboxIn(engine: Engine, size: number): Promise<{ account: number; box: Mailbox }> {
  const account = (await engine.directory.find(addressOf(size)))?.id ?? 0
  const box = await engine.store.read(account, (view) => view.mailbox('INBOX'))
  if (!box) throw new Error('no INBOX')
  return { account, box }
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'lemonade-size-'))
  const octets = Buffer.from(
    `From: a@example.org\r\nTo: b@example.net\r\nSubject: hi\r\nMessage-ID: <a@x>\r\n\r\n${'text\r\n'.repeat(200)}`,
  )
  let engine = await openSqlite(folder, { now: Date.now })
  for (const size of sizes) {
    await engine.directory.put(addressOf(size), 'secret')
    const { account: id, box } = await inboxIn(engine, size)
    const message = { octets: [octets], digest: digestMessage(octets), internalDate: Date.now(), flags: [] }
    await engine.store.write(id, [{ op: 'append', mailbox: box.id, messages: [message] }])
  }
  await engine.close()
  for (const size of sizes) fillInbox(join(folder, 'lemonade.sqlite'), addressOf(size), size)
  engine = await openSqlite(folder, { now: Date.now })
  // Passwords are made to be slow to check; that is not what is measured here.
  const credentials = { verify: async (address: string) => engine.directory.find(address) }
  const server = createImapServer({
    host: 'mail.example.net',
    store: engine.store,
    directory: engine.directory,
    folder,
    sasl: createSaslServices({ ...engine, credentials }, {}, Date.now),
    allowPlaintext: 'always',
    limits: {
      messageOctets: 1_000_000,
      maxConnections: 100,
      maxPerIp: 100,
      maxPerUser: 100,
      lineOctets: 65_536,
      heldOctets: 100_000_000,
      preAuthMs: 60_000,
      idleMs: 1_800_000,
    },
    now: Date.now,
    log: (level, message, fields) => {
      if (level !== 'info') console.error(message, fields)
    },
  })
  const { port } = await server.listen('127.0.0.1', 0)
  const child = fork(import.meta.filename, ['client'])

  /** Milliseconds of processor time for one command, and the octets of its answer. */
  async function cost(work: Omit<Work, 'port'>): Promise<[ms: number, octets: number]> {
    child.send({ ...work, port })
    await once(child, 'message')
    globalThis.gc?.()
    const before = process.cpuUsage()
    child.send('go')
    const [answer] = (await once(child, 'message')) as [number]
    const { user, system } = process.cpuUsage(before)
    return [(user + system) / 1000 / work.times, answer]
  }

  const inboxOf = async (size: number): Promise<Mailbox> => (await inboxIn(engine, size)).box
  const select = (size: number): string[] => [`LOGIN ${addressOf(size)} secret`, 'SELECT INBOX']
  const rows: [
    what: string,
    times: number,
    first: (size: number) => string[],
    command: (size: number, box: Mailbox) => string,
    watched?: boolean,
  ][] = [
    ['SELECT, first', 1, (size) => select(size).slice(0, 1), () => 'SELECT INBOX'],
    ['SELECT again', 100, (size) => select(size).slice(0, 1), () => 'SELECT INBOX'],
    [
      'STATUS',
      200,
      (size) => select(size).slice(0, 1),
      () => 'STATUS INBOX (MESSAGES UNSEEN UIDNEXT UIDVALIDITY HIGHESTMODSEQ SIZE)',
    ],
    [
      'LIST RETURN (STATUS)',
      200,
      (size) => select(size).slice(0, 1),
      () => 'LIST "" * RETURN (SPECIAL-USE STATUS (MESSAGES UNSEEN))',
    ],
    [
      'the newest 50, as a list',
      100,
      select,
      (size) => `FETCH ${size - 49}:${size} (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)`,
    ],
    ['STORE of one message', 100, select, (size) => `STORE ${size - 5} ONFLAGS (\\Flagged)`],
    ['append, told to one in IDLE', 100, select, () => 'APPEND INBOX {19+}\r\nSubject: hi\r\n\r\nhi\r\n'],
    ['STORE, told to one in IDLE', 100, select, (size) => `STORE ${size - 5} ONFLAGS (\\Flagged)`, true],
    ['SEARCH RETURN (COUNT) UNSEEN', 20, select, () => 'SEARCH RETURN (COUNT) UNSEEN'],
    ['UID FETCH 1:* FLAGS', 1, select, () => 'UID FETCH 1:* (FLAGS)'],
    [
      'changed since, 10 of all',
      20,
      select,
      (_, { highestModSeq }) => `UID FETCH 1:* (FLAGS) (CHANGEDSINCE ${highestModSeq - 10})`,
    ],
    [
      'SELECT QRESYNC, 10 changed',
      20,
      (size) => [...select(size).slice(0, 1), 'ENABLE QRESYNC'],
      (_, { uidValidity, highestModSeq }) => `SELECT INBOX (QRESYNC (${uidValidity} ${highestModSeq - 10}))`,
    ],
  ]
  console.log(
    `${'processor time of the server, ms'.padEnd(34)}${sizes.map((s) => s.toLocaleString('en').padStart(12)).join('')}  octets`,
  )
  for (const [what, times, first, command, watched = /IDLE/.test(what)] of rows) {
    const told: string[] = []
    let answer = 0
    for (const size of sizes) {
      const [ms, octets] = await cost({
        first: first(size),
        command: command(size, await inboxOf(size)),
        times,
        watched,
      })
      told.push(ms.toFixed(ms < 1 ? 3 : 1).padStart(12))
      answer = octets
    }
    console.log(`${what.padEnd(34)}${told.join('')}  ${Math.round(answer)}`)
  }
  child.kill()
  await server.close()
  await engine.close()
  rmSync(folder, { recursive: true, force: true })
}

if (process.argv[2] === 'client') await clients()
else await main()
