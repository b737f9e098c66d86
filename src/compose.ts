/** Builds and connects the parts; the only file that knows them all. */
import { readFile } from 'node:fs/promises'
import { createOperations, type Operations } from './admin/operations.ts'
import { leaveDoor, newToken } from './admin/remote.ts'
import { createMetrics, type Metrics, startAdmin } from './admin/server.ts'
import { createAudit } from './audit/audit.ts'
import { auditedSpool } from './audit/audited-spool.ts'
import type { AuditTrail } from './audit/trail.ts'
import { createSaslServices, tokenLimits } from './auth/services.ts'
import { type Config, storeFolder } from './config.ts'
import { type Engine, openSqlite } from './db/sqlite/engine.ts'
import { createIds } from './ids.ts'
import { createImapServer } from './imap/server.ts'
import { createMm7Server } from './inbound/mm7/server.ts'
import { createSmtpServer, type SmtpServer, type SmtpServerOptions } from './inbound/smtp/server.ts'
import { createSubmission } from './inbound/smtp/submission-services.ts'
import { listening } from './listening.ts'
import type { Log } from './log.ts'
import { speaksFrom } from './model/network.ts'
import type { IdSource } from './model/providers.ts'
import { isRefusal } from './model/refusal.ts'
import { createMailboxAdapter } from './outbound/mailbox.ts'
import { createMm4Adapter } from './outbound/mm4.ts'
import { createMm7SubmitAdapter } from './outbound/mm7-submit.ts'
import { createMm7Transport } from './outbound/mm7-transport.ts'
import { resolveMx } from './outbound/mx.ts'
import { createSmtpRelayAdapter } from './outbound/smtp-relay.ts'
import { createSmtpTransport } from './outbound/smtp-transport.ts'
import { watchHighWater } from './queue/high-water.ts'
import { startHousekeeping } from './queue/housekeeping.ts'
import { Mm4Answers } from './queue/mm4-answers.ts'
import { createRunner, type Runner } from './queue/runner.ts'
import { type Acceptor, createAcceptor } from './routing/accept.ts'
import { createReporter } from './routing/reports.ts'
import { createRequeue } from './routing/requeue.ts'
import { createSenders } from './routing/senders.ts'
import { createSubmitted } from './routing/submission.ts'
import { tlsPair } from './tls.ts'

/** Keys of `listen` in the configuration file. */
export type Listener = keyof Config['listen']

export interface Gateway {
  /** What `serve` prints when it is ready: a port 0 has become the one it got. */
  readonly addresses: Readonly<Partial<Record<Listener, string>>>
  readonly engine: Engine
  readonly operations: Operations
  /** Drains: no new work, what is in flight is finished within limits.drainSeconds. */
  close(): Promise<void>
}

export interface ComposeOptions {
  readonly now?: () => number
  /** Milliseconds by a clock that nobody sets. */
  readonly elapsed?: () => number
  readonly ids?: IdSource
}

/** Refused commands before an SMTP connection is closed; Received fields before a message is a loop (QUE-040). */
const smtpErrors = 20
const receivedFields = 100

interface Parts {
  readonly acceptor: Acceptor
  /** For what users submit. */
  readonly submitted: Acceptor['mail']
  readonly runner: Runner
  readonly operations: Operations
  readonly trail: AuditTrail | undefined
}

/** Routing, queue and the doors out, without a listener: also what the command line works with while nothing runs. */
export function assemble(
  engine: Engine,
  config: Config,
  log: Log,
  { now = Date.now, elapsed, ids = createIds(config.gateway.host, now) }: ComposeOptions = {},
  metrics?: Metrics,
): Parts {
  const { spool, directory } = engine
  const hasRoom = async (address: string, octets: number): Promise<boolean> => {
    const account = await directory.find(address)
    return account === undefined || engine.store.hasRoom(account.id, octets)
  }
  const audit = createAudit(storeFolder(config.store), config.audit, now, log)
  const audited = auditedSpool({ ...spool, enqueue: (entries) => runner.enqueue(entries) }, audit?.records)
  const mm4Answers = new Mm4Answers()
  const smtpTransport = createSmtpTransport({ host: config.gateway.host })
  const acceptor: Acceptor = createAcceptor({
    settings: config,
    spool: audited.spool,
    ids,
    now,
    directory,
    maxRecipients: config.limits.recipients,
    rates: config.rates,
    remember: (queueId, octets, message) => {
      audited.expect(queueId, message)
      runner.remember(queueId, octets, message)
    },
    wake: () => runner.wake(),
    mm4Answers,
    idle: (deliveryId) => runner.idle(deliveryId),
    log,
  })
  const runner: Runner = createRunner({
    spool,
    ...(elapsed ? { elapsed } : {}),
    adapters: [
      createMailboxAdapter(config, async (account) => (await directory.find(account)) !== undefined, hasRoom),
      createMm7SubmitAdapter(config, createMm7Transport()),
      createSmtpRelayAdapter(config, smtpTransport, resolveMx),
      createMm4Adapter(config, smtpTransport, mm4Answers),
    ],
    now,
    ids,
    read: acceptor.read,
    reports: createReporter({ settings: config, ids, acceptor, originals: spool.originals, log }),
    concurrency: { total: config.limits.deliveriesAtOnce, perTarget: config.limits.deliveriesPerPeer },
    log,
    onWritten: (delivery, settlement) => audit?.records.settled(delivery, settlement),
    ...(metrics ? { onSettled: metrics.settled } : {}),
  })
  const submitted = createSubmitted(acceptor, ids, config, hasRoom)
  const { recipients: maxRecipients } = config.limits
  const requeue = createRequeue({ settings: config, spool, acceptor, maxRecipients })
  const operations = createOperations({ ...engine, spool: audited.spool, runner, requeue, now, audit })
  return { acceptor, submitted, runner, operations, trail: audit?.trail }
}

/**
 * Opens the store, starts every listener and the queue.
 * @throws Fault 'in-use' when the store or a port is taken; then nothing is left open
 */
export async function compose(config: Config, log: Log, options: ComposeOptions = {}): Promise<Gateway> {
  const folder = storeFolder(config.store)
  const engine = await openSqlite(folder, {
    now: options.now ?? Date.now,
    tokens: tokenLimits(config.auth.tokens),
    searchText: new URL('./wire/mime/search-text.ts', import.meta.url),
  })
  const closing: (() => Promise<unknown>)[] = [() => engine.close()]
  const close = async (): Promise<void> => {
    // One that fails must not leave the store open behind it.
    const failed: unknown[] = []
    for (const end of closing.splice(0).reverse()) await end().catch((error: unknown) => failed.push(error))
    if (failed.length > 0) throw failed[0]
  }
  try {
    const gateway = await start(config, log, options, engine, folder, closing)
    return { ...gateway, engine, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** Pushes how to end each thing it starts onto `closing`; they end in the opposite order. */
async function start(
  config: Config,
  log: Log,
  options: ComposeOptions,
  engine: Engine,
  folder: string,
  closing: (() => Promise<unknown>)[],
): Promise<Pick<Gateway, 'addresses' | 'operations'>> {
  const { limits, gateway, listen, auth } = config
  const { spool } = engine
  const now = options.now ?? Date.now
  const tls = await tlsPair(config.tls, folder, gateway.host)
  await configuredAccounts(config, engine)

  const highWater = await watchHighWater({
    spool,
    folder,
    marks: {
      entries: limits.queueEntries,
      octets: limits.queueOctets,
      ageMs: limits.queueAgeHours * 3_600_000,
      freeOctets: limits.freeOctets,
    },
    now,
    log,
  })
  closing.push(async () => highWater.stop())
  const isFull = (): boolean => highWater.reason() !== undefined
  const metrics = createMetrics(spool, now, isFull)
  const { acceptor, submitted, runner, operations, trail } = assemble(engine, config, log, options, metrics)
  closing.push(async () => trail?.flush())
  const mm7Options = {
    settings: config,
    allowPlaintext: auth.allowPlaintext,
    limits: {
      messageOctets: limits.messageOctets,
      xmlOctets: limits.xmlOctets,
      headerOctets: limits.httpHeaderOctets,
      maxConnections: limits.connections,
      maxPerIp: limits.connectionsPerIp,
      requestMs: limits.mm7RequestSeconds * 1000,
    },
    accept: async (...[request, context]: Parameters<Acceptor['mm7']>) => {
      // Reports are taken all the same: they end what waits.
      if (isFull() && /^(?:Submit|Deliver)Req$/.test(request.operation))
        return { status: 4006, details: 'too much is waiting here: try again later' }
      const result = await acceptor.mm7(request, context)
      if (result.status === 1000 || result.status === 1100) metrics.accepted('mm7')
      return result
    },
    duplicate: spool.duplicate,
    now,
    log,
  }
  const mm7 = await createMm7Server(mm7Options)
  const mm7s = listen.mm7s === undefined ? undefined : await createMm7Server({ ...mm7Options, tls })
  const smtpOptions: SmtpServerOptions = {
    host: gateway.host,
    tls,
    smtputf8: config.smtputf8,
    limits: {
      messageOctets: limits.messageOctets,
      maxRecipients: limits.recipients,
      maxConnections: limits.connections,
      maxPerIp: limits.connectionsPerIp,
      commandMs: limits.smtpCommandSeconds * 1000,
      dataMs: limits.smtpDataSeconds * 1000,
      maxErrors: smtpErrors,
      receivedFields,
      deliverBySeconds: limits.deliverBySeconds,
    },
    checkRecipient: acceptor.recipient,
    isFull,
    async accept(envelope, octets) {
      const accepted = await acceptor.mail(envelope, octets)
      if (!isRefusal(accepted)) metrics.accepted('smtp')
      return accepted
    },
    peerOf: (ip) => smtpPeerOf(config, ip),
    now,
    log,
  }
  const smtp = createSmtpServer(smtpOptions)
  // One for IMAP and submission: who guesses at both doors is counted once.
  const sasl = createSaslServices(engine, auth, now)
  const userTls = auth.external ? { ...tls, ca: await readFile(auth.external.ca, 'utf8') } : tls
  const imap = createImapServer({
    host: gateway.host,
    store: engine.store,
    sasl,
    directory: engine.directory,
    folder: storeFolder(config.store),
    unauthenticate: auth.unauthenticate,
    urlauth: config.urlauth,
    tls: userTls,
    allowPlaintext: auth.allowPlaintext,
    limits: {
      messageOctets: limits.messageOctets,
      maxConnections: limits.connections,
      maxPerIp: limits.connectionsPerIp,
      maxPerUser: limits.imapConnectionsPerUser,
      heldOctets: limits.imapHeldOctets,
      lineOctets: limits.imapLineOctets,
      preAuthMs: limits.imapPreAuthSeconds * 1000,
      idleMs: limits.imapIdleSeconds * 1000,
    },
    now,
    log,
  })
  const submit = createSmtpServer({
    ...smtpOptions,
    tls: userTls,
    async accept(envelope, octets) {
      const accepted = await submitted(envelope, octets)
      if (!isRefusal(accepted)) metrics.accepted('submission')
      return accepted
    },
    submission: createSubmission(config.submission ?? {}, {
      gateway,
      limits,
      sasl,
      allowPlaintext: auth.allowPlaintext,
      mayUse: createSenders(config, config.submission?.senders ?? {}, engine.directory),
      urls: imap.urls,
      holds: spool.holds,
      now,
    }),
  })
  const overTls = (server: Pick<SmtpServer, 'listen'>) => ({
    listen: (host: string, port: number) => server.listen(host, port, { implicitTls: true }),
  })
  const token = newToken()
  let ready = false
  let drainUntil = 0
  const drainMs = (): number => Math.max(0, drainUntil - Date.now())

  const addresses: Partial<Record<Listener, string>> = {}
  const opened = async (
    key: Listener,
    server: { listen(host: string, port: number): Promise<{ host: string; port: number }> } | undefined,
    url: (address: string) => string = (address) => address,
  ): Promise<void> => {
    const wanted = listen[key]
    if (!server || wanted === undefined) return
    const { host, port } = await listening(key, wanted, server)
    addresses[key] = url(`${host.includes(':') ? `[${host}]` : host}:${port}`)
  }
  // Admin first, so that it ends last and says meanwhile that the others drain.
  await opened(
    'admin',
    {
      async listen(host, port) {
        const started = await startAdmin(
          { metrics, ready: () => ready, problem: engine.problem, operations, token, log },
          host,
          port,
        )
        closing.push(started.close)
        return started
      },
    },
    (address) => `http://${address}`,
  )
  closing.push(await leaveDoor(folder, { url: addresses.admin ?? '', token }))
  closing.push(() => runner.stop(drainMs()))
  closing.push(
    startHousekeeping({
      spool,
      now,
      keepMs: limits.settledHours * 3_600_000,
      keepContentMs: limits.contentHours * 3_600_000,
      also: async () => trail?.purge(),
      log,
    }),
  )
  // A listener more is a line more, here and below.
  closing.push(() => Promise.all([mm7, mm7s, smtp, submit, imap].map((server) => server?.close(drainMs()))))
  await opened('mm7', mm7, (address) => `http://${address}/mm7`)
  await opened('mm7s', mm7s, (address) => `https://${address}/mm7`)
  await opened('smtp', smtp)
  await opened('submission', submit)
  await opened('submissions', overTls(submit))
  await opened('imap', imap)
  await opened('imaps', overTls(imap))

  runner.start()
  ready = true
  closing.push(async () => {
    ready = false
    drainUntil = Date.now() + limits.drainSeconds * 1000
  })
  const { admin, ...doors } = addresses
  return { addresses: { ...doors, ...(admin === undefined ? {} : { admin }) }, operations }
}

/** The peer that speaks SMTP or MM4 from this address. */
const smtpPeerOf = (config: Config, ip: string): string | null =>
  Object.entries(config.peers).find(([, peer]) => peer.interface !== 'mm7' && speaksFrom(peer, ip))?.[0] ??
  null

/** Accounts of the configuration exist, with the password that stands there. */
async function configuredAccounts(config: Config, engine: Engine): Promise<void> {
  const { credentials, directory, store } = engine
  const ensure = async ({ address, password, quota }: Config['accounts'][number]): Promise<void> => {
    if (!(await credentials.verify(address, password))) await directory.put(address, password)
    const account = quota && (await directory.find(address))
    if (account)
      await store.write(account.id, [{ op: 'quota', octets: quota.octets, messages: quota.messages }])
  }
  // A few at a time: the key derivation runs in threads.
  const waiting = [...config.accounts]
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift()) await ensure(next)
  }
  await Promise.all([1, 2, 3, 4].map(work))
}
