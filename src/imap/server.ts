/** The IMAP listeners: sockets, TLS, connection limits, and the clock that ends silent sessions. */
import { randomBytes } from 'node:crypto'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { createSecureContext, createServer as createTlsServer } from 'node:tls'
import type { Account, Directory } from '../auth/credentials.ts'
import type { SaslServices } from '../auth/sasl.ts'
import type { EpochMs } from '../model/units.ts'
import type { MailStore } from '../store/store.ts'
import { createRegistry } from './capabilities.ts'
import { Channel } from './channel.ts'
import { Literals } from './literals.ts'
import type { ImapLimits, Services } from './services.ts'
import { Session } from './session.ts'
import { createUrls, type UrlauthOptions, type Urls } from './urls.ts'
import { Mailboxes } from './view/mailboxes.ts'

export interface ImapServerOptions {
  /** Our name in the greeting. */
  readonly host: string
  readonly store: MailStore
  readonly sasl: SaslServices
  /** Whose URLs are good: who has an account now (RFC 4467 §7). */
  readonly directory: Pick<Directory, 'find'>
  readonly urlauth?: UrlauthOptions | undefined
  /** For literals on their way in; on the disk of the store, so that there is room for both or for none. */
  readonly folder: string
  /** `ca`: authority of client certificates, for EXTERNAL. */
  readonly tls?: { readonly key: string; readonly cert: string; readonly ca?: string | undefined } | undefined
  readonly allowPlaintext: 'never' | 'loopback' | 'always'
  /** UNAUTHENTICATE (RFC 8437 §3); default true. */
  readonly unauthenticate?: boolean | undefined
  readonly limits: ImapLimits
  readonly now: () => EpochMs
  readonly log: Services['log']
}

export interface ImapServer {
  /** What URLs of this server give: for the submission server's BURL, too. */
  readonly urls: Urls
  listen(
    host: string,
    port: number,
    options?: { readonly implicitTls?: boolean },
  ): Promise<{ readonly host: string; readonly port: number }>
  /** No new connections; sessions are told BYE. */
  close(): Promise<void>
}

/** How often silent sessions are looked for. */
const sweepMs = 1000
/** For clients to take the last of their answers, when the server closes. */
const lastWordMs = 2000
/** Sweeps until the account of each session has been looked up. */
const accountCheckSweeps = 5

export function createImapServer(options: ImapServerOptions): ImapServer {
  const { limits, now } = options
  const sessions = new Set<Session>()
  const perIp = new Map<string, number>()
  const perUser = new Map<number, number>()
  const servers: Server[] = []
  const ports = new Set<number>()
  let origins = 0
  const tls = options.tls && {
    key: options.tls.key,
    cert: options.tls.cert,
    ...(options.tls.ca ? { ca: options.tls.ca, requestCert: true, rejectUnauthorized: false } : {}),
    minVersion: 'TLSv1.2' as const,
    // A phone that comes back within the day resumes its session, on either port (RC-15). Early data stays off: commands
    // in it could be replayed (SC-08).
    ticketKeys: randomBytes(48),
    sessionIdContext: 'imap',
    sessionTimeout: 86_400,
    // Another protocol's TLS session is not ours to take over (SC-07).
    ALPNProtocols: ['imap'],
  }
  const services: Services = {
    host: options.host,
    store: options.store,
    sasl: options.sasl,
    mailboxes: new Mailboxes(options.store),
    outgoing: { octets: 0, limit: limits.heldOctets / 2 },
    literals: new Literals(options.folder, {
      memoryOctets: limits.heldOctets / 4,
      loadedOctets: limits.heldOctets / 4,
    }),
    urls: createUrls(
      { host: options.host, store: options.store, isOurPort: (port) => ports.has(port) },
      options.directory,
      options.urlauth,
    ),
    registry: createRegistry(),
    secureContext: tls && createSecureContext(tls),
    requestCert: options.tls?.ca !== undefined,
    allowPlaintext: options.allowPlaintext,
    mayUnauthenticate: options.unauthenticate ?? true,
    limits,
    now,
    log: options.log,
    newOrigin: () => ++origins,
    enter(account: Account) {
      const count = perUser.get(account.id) ?? 0
      if (count >= limits.maxPerUser) return false
      perUser.set(account.id, count + 1)
      return true
    },
    leave: (account) => less(perUser, account.id),
  }

  // A handshake is not waited for any longer than a login.
  const accept = (socket: Socket): void => {
    socket.setNoDelay(true)
    // What was sent before the client closed its side is answered; one that goes in the middle of a handshake is gone.
    socket.allowHalfOpen = true
    const ip = (socket.remoteAddress ?? '').replace(/^::ffff:/, '')
    const count = perIp.get(ip) ?? 0
    if (sessions.size >= limits.maxConnections || count >= limits.maxPerIp) {
      socket.on('error', () => socket.destroy())
      socket.end('* BYE too many connections, try again later\r\n')
      setTimeout(() => socket.destroy(), 1000).unref()
      return
    }
    perIp.set(ip, count + 1)
    const session = new Session(
      services,
      (self) =>
        new Channel(
          socket,
          (octets) => self.feed(octets),
          () => self.inputEnded(),
          () => self.closed(),
        ),
      ip,
    )
    sessions.add(session)
    socket.once('close', () => {
      sessions.delete(session)
      less(perIp, ip)
    })
    session.greet()
  }

  let sweeps = 0
  /** Ends sessions of accounts that were removed, and of their namesakes made since: they are not theirs. */
  const checkAccount = async (session: Session, account: Account): Promise<void> => {
    const found = await options.directory.find(account.address)
    if (found?.id !== account.id && session.account === account) session.bye('the account was removed')
  }

  const sweep = setInterval(() => {
    const at = now()
    sweeps += 1
    for (const session of sessions) {
      if (session.deadline <= at) session.bye(session.account ? 'idle for too long' : 'login took too long')
      else session.tick(at)
      const { account, origin } = session
      // A few of them each time: the directory is asked of each session once in that many seconds.
      if (account && origin % accountCheckSweeps === sweeps % accountCheckSweeps)
        checkAccount(session, account).catch((error: unknown) =>
          options.log('warn', 'the directory cannot be asked', { error: String(error) }),
        )
    }
  }, sweepMs)
  sweep.unref()

  return {
    urls: services.urls,
    async listen(host, port, { implicitTls = false } = {}) {
      const server: Server = implicitTls
        ? createTlsServer({ ...tls, handshakeTimeout: limits.preAuthMs }, accept)
        : createServer({ allowHalfOpen: true }, accept)
      // A handshake that fails is the client's affair.
      server.on('tlsClientError', () => {})
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen(port, host, resolve)
      })
      servers.push(server)
      const bound = (server.address() as AddressInfo).port
      ports.add(bound)
      return { host, port: bound }
    },
    async close() {
      clearInterval(sweep)
      const closed = servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())))
      for (const session of sessions) session.bye('the server is shutting down', 'UNAVAILABLE')
      // Nobody who stops reading now holds up the end.
      const cut = setTimeout(() => {
        for (const session of sessions) session.channel.destroy()
      }, lastWordMs)
      await Promise.all(closed)
      clearTimeout(cut)
    },
  }
}

function less<K>(counts: Map<K, number>, key: K): void {
  const left = (counts.get(key) ?? 1) - 1
  if (left > 0) counts.set(key, left)
  else counts.delete(key)
}
