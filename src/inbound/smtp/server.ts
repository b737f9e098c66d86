/** The SMTP listeners, of the MX side and of submission: sockets, TLS, connection limits (QUE-031, SEC-026, RFC 5321). */

import type { AddressInfo } from 'node:net'
import { createServer, type Server, type Socket } from 'node:net'
import { createSecureContext, createServer as createTlsServer, TLSSocket } from 'node:tls'
import type { Account } from '../../auth/credentials.ts'
import type { Refusal } from '../../model/refusal.ts'
import type { SmtpEnvelope, SmtpSession } from '../../model/smtp-envelope.ts'
import type { EpochMs } from '../../model/units.ts'
import { reply, writeReply } from '../../wire/smtp/replies.ts'
import { SmtpConnection } from './connection.ts'
import { mxProfile, submissionProfile } from './profile.ts'
import type { Submission } from './submission.ts'

export interface SmtpServerLimits {
  readonly messageOctets: number
  readonly maxRecipients: number
  readonly maxConnections: number
  readonly maxPerIp: number
  /** Wait for a command (RFC 5321 §4.5.3.2.7), and for each block of content. Milliseconds. */
  readonly commandMs: number
  readonly dataMs: number
  /** Refused commands before the connection is closed. */
  readonly maxErrors: number
  /** Received fields before a message is a loop (QUE-040). */
  readonly receivedFields: number
  /** Least time that BY with R may ask for (RFC 2852 §2); absent: any. Seconds. */
  readonly deliverBySeconds?: number | undefined
}

export interface SmtpServerOptions {
  /** Our name in the greeting and in EHLO. */
  readonly host: string
  readonly tls?:
    | {
        readonly key: string
        readonly cert: string
        /** Authority of client certificates, PEM; present: they are asked for. */
        readonly ca?: string | undefined
      }
    | undefined
  readonly smtputf8: boolean
  readonly limits: SmtpServerLimits
  /** No new mail is taken until there is room (QUE-051). */
  readonly isFull?: (() => boolean) | undefined
  readonly checkRecipient: (
    address: string,
    session: SmtpSession,
    mailFrom: string | null,
  ) => Promise<{ readonly ok: true } | Refusal>
  /** Resolves when the message is durable (QUE-001). */
  readonly accept: (
    envelope: SmtpEnvelope,
    octets: readonly Uint8Array[],
  ) => Promise<{ readonly queueId: string } | Refusal>
  readonly peerOf: (ip: string) => string | null
  /** Present: a submission listener. */
  readonly submission?: Submission | undefined
  readonly now: () => EpochMs
  readonly log: (
    level: 'info' | 'warn' | 'error',
    message: string,
    fields?: Readonly<Record<string, unknown>>,
  ) => void
}

export interface SmtpServer {
  listen(
    host: string,
    port: number,
    options?: { readonly implicitTls?: boolean },
  ): Promise<{ host: string; port: number }>
  /** No new connections; those that are idle get 421, those in a transaction may end it within `drainMs`. */
  close(drainMs?: number): Promise<void>
}

export function createSmtpServer(options: SmtpServerOptions): SmtpServer {
  const open = new Set<SmtpConnection>()
  const perIp = new Map<string, number>()
  const perUser = new Map<number, number>()
  const profile = options.submission ? submissionProfile : mxProfile
  const tls = options.tls && {
    key: options.tls.key,
    cert: options.tls.cert,
    ...(options.tls.ca ? { ca: options.tls.ca, requestCert: true } : {}),
    rejectUnauthorized: false,
    minVersion: 'TLSv1.2' as const,
    // Another protocol's TLS session is not ours to take over (SC-07).
    ALPNProtocols: ['smtp'],
  }
  const secureContext = tls && createSecureContext(tls)
  const servers: Server[] = []

  const enter = (account: Account): boolean => {
    const count = perUser.get(account.id) ?? 0
    if (count >= (options.submission?.maxPerUser ?? 0)) return false
    perUser.set(account.id, count + 1)
    return true
  }

  const accept = (socket: Socket): void => {
    socket.setNoDelay(true)
    socket.on('error', () => socket.destroy())
    const ip = (socket.remoteAddress ?? '').replace(/^::ffff:/, '')
    const count = perIp.get(ip) ?? 0
    if (open.size >= options.limits.maxConnections || count >= options.limits.maxPerIp) {
      socket.end(writeReply(reply(421, '4.7.0', `${options.host} too many connections, try again later`)))
      setTimeout(() => socket.destroy(), 1000).unref()
      return
    }
    perIp.set(ip, count + 1)
    const connection = new SmtpConnection(socket, {
      ...options,
      profile,
      ip,
      port: socket.localPort ?? 0,
      hasTls: secureContext !== undefined,
      enter,
      leave: (account) => less(perUser, account.id),
      secure: secureContext
        ? (plain) =>
            new TLSSocket(plain, {
              isServer: true,
              secureContext,
              requestCert: options.tls?.ca !== undefined,
              rejectUnauthorized: false,
            })
        : undefined,
    })
    open.add(connection)
    socket.once('close', () => {
      open.delete(connection)
      less(perIp, ip)
      connection.ended()
    })
  }

  return {
    async listen(host, wanted, { implicitTls = false } = {}) {
      // A handshake is not waited for any longer than a command.
      const server: Server =
        implicitTls && tls
          ? createTlsServer({ ...tls, handshakeTimeout: Math.min(options.limits.commandMs, 120_000) }, accept)
          : createServer(accept)
      // A handshake that fails is the client's affair.
      server.on('tlsClientError', () => {})
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen(wanted, host, resolve)
      })
      servers.push(server)
      return { host, port: (server.address() as AddressInfo).port }
    },
    async close(drainMs = 10_000) {
      const closed = servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())))
      for (const connection of open) connection.shutdown()
      const late = setTimeout(() => {
        for (const connection of open) connection.destroy()
      }, drainMs)
      await Promise.all(closed)
      clearTimeout(late)
    },
  }
}

function less<K>(counts: Map<K, number>, key: K): void {
  const left = (counts.get(key) ?? 1) - 1
  if (left > 0) counts.set(key, left)
  else counts.delete(key)
}
