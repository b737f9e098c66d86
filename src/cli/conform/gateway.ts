/**
 * The gateway of one case: the product's own acceptor, queue, engine, doors and adapters in a temporary folder. Only the
 * clock, the ids and the places where octets leave are the case's (GEN-001, GEN-010).
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSqlite } from '../../db/sqlite/engine.ts'
import { createMm7Server, type Mm7Server } from '../../inbound/mm7/server.ts'
import { createSmtpServer } from '../../inbound/smtp/server.ts'
import { isRefusal } from '../../model/refusal.ts'
import type { SmtpEnvelope, SmtpSession } from '../../model/smtp-envelope.ts'
import type { EpochMs } from '../../model/units.ts'
import { createMailboxAdapter } from '../../outbound/mailbox.ts'
import { createMm4Adapter } from '../../outbound/mm4.ts'
import { createMm7SubmitAdapter } from '../../outbound/mm7-submit.ts'
import { createSmtpRelayAdapter } from '../../outbound/smtp-relay.ts'
import type { Adapter } from '../../queue/adapter.ts'
import { Mm4Answers } from '../../queue/mm4-answers.ts'
import { createRunner, type Runner } from '../../queue/runner.ts'
import type { Spool } from '../../queue/spool.ts'
import { type Acceptor, createAcceptor } from '../../routing/accept.ts'
import { createReporter } from '../../routing/reports.ts'
import type { CaseSettings } from './case-folder.ts'
import { fixtureIds } from './fixture-ids.ts'
import type { FakePeers } from './peers.ts'

/** How the network shows the client of an SMTP session. */
export type SessionOfCase = Pick<SmtpSession, 'peer' | 'ehlo' | 'ip' | 'port' | 'auth'>

export interface CaseGateway {
  readonly spool: Spool
  readonly acceptor: Acceptor
  readonly mm7: Mm7Server
  /** The MM7 endpoint on a port of the loopback address, for clients that stand for `ip`. */
  mm7Door(ip: string): Promise<number>
  /** A listener for one session; the port it got on the loopback address. */
  smtpDoor(session: SessionOfCase): Promise<{ readonly port: number; close(): Promise<void> }>
  /** Does all that is due at the clock's time. */
  runDue(): Promise<void>
  setClock(now: EpochMs): void
  readonly log: readonly string[]
  close(): Promise<void>
}

const limits = {
  messageOctets: 52_428_800,
  maxRecipients: 100,
  maxConnections: 10,
  maxPerIp: 10,
  commandMs: 20_000,
  dataMs: 20_000,
  maxErrors: 20,
  receivedFields: 100,
}

export async function openGateway(
  settings: CaseSettings,
  clock: EpochMs,
  peers: FakePeers,
): Promise<CaseGateway> {
  const folder = await mkdtemp(join(tmpdir(), 'lemonade-conform-'))
  let now = clock
  const log: string[] = []
  const note = (level: string, message: string, fields?: Readonly<Record<string, unknown>>): void => {
    log.push(`${level}: ${message}${fields ? ` ${JSON.stringify(fields)}` : ''}`)
  }
  const engine = await openSqlite(folder, { now: () => now })
  const ids = fixtureIds(settings.gateway.host)
  const { spool } = engine
  let runner: Runner | undefined
  const mm4Answers = new Mm4Answers()
  const acceptor = createAcceptor({
    settings,
    spool,
    ids,
    now: () => now,
    directory: engine.directory,
    maxRecipients: limits.maxRecipients,
    remember: (queueId, octets, message) => runner?.remember(queueId, octets, message),
    wake: () => {},
    mm4Answers,
    log: note,
  })
  const adapters: Adapter[] = [
    createMailboxAdapter(settings),
    createSmtpRelayAdapter(settings, peers.smtp, async (domain) => ({ kind: 'hosts', hosts: [domain] })),
    createMm7SubmitAdapter(settings, peers.mm7),
    createMm4Adapter(settings, peers.smtp, mm4Answers),
  ]
  runner = createRunner({
    spool,
    adapters,
    now: () => now,
    ids,
    read: (entry, octets) => acceptor.read(entry, octets),
    reports: createReporter({ settings, ids, acceptor, originals: engine.spool.originals, log: note }),
    concurrency: { total: 1, perTarget: 1 },
    log: note,
  })
  // A loopback connection stands for the client that the case names.
  let mm7Client: string | undefined
  let mm7Port: number | undefined
  const mm7 = await createMm7Server({
    clientIp: (ip) => mm7Client ?? ip,
    settings,
    allowPlaintext: 'always',
    limits: {
      messageOctets: limits.messageOctets,
      xmlOctets: 262_144,
      headerOctets: 16_384,
      maxConnections: 10,
      maxPerIp: 10,
      requestMs: 20_000,
    },
    accept: (request, context) => acceptor.mm7(request, context),
    duplicate: (key, hash, at) => spool.duplicate(key, hash, at),
    now: () => now,
    log: note,
  })

  return {
    spool,
    acceptor,
    mm7,
    log,
    setClock: (at) => {
      now = at
    },
    async runDue() {
      await runner.runDue()
    },
    async mm7Door(ip) {
      mm7Client = ip
      mm7Port ??= (await mm7.listen('127.0.0.1', 0)).port
      return mm7Port
    },
    async smtpDoor(session) {
      // The loopback connection stands for the client's own: what the network knows of it comes from the case.
      const shown = (seen: SmtpSession): SmtpSession => ({ ...seen, ...session, ehlo: seen.ehlo })
      const server = createSmtpServer({
        host: settings.gateway.host,
        smtputf8: settings.smtputf8,
        limits,
        checkRecipient: (address, seen, mailFrom) => acceptor.recipient(address, shown(seen), mailFrom),
        accept: async (envelope: SmtpEnvelope, octets) => {
          const accepted = await acceptor.mail({ ...envelope, session: shown(envelope.session) }, octets)
          if (isRefusal(accepted)) note('info', `refused: ${accepted.text}`)
          return accepted
        },
        peerOf: () => session.peer,
        now: () => now,
        log: note,
      })
      const { port } = await server.listen('127.0.0.1', 0)
      return { port, close: () => server.close() }
    },
    async close() {
      await mm7.close()
      await runner.stop(0)
      await engine.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
