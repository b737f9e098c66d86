/** The SMTP listener on the MX side: sockets, TLS, connection limits (QUE-031, SEC-026, RFC 5321). */

import type { AddressInfo } from 'node:net'
import { createServer, type Server, type Socket } from 'node:net'
import { createSecureContext, TLSSocket } from 'node:tls'
import type { Refusal } from '../../model/refusal.ts'
import type { SmtpEnvelope, SmtpSession } from '../../model/smtp-envelope.ts'
import type { EpochMs } from '../../model/units.ts'
import { reply, writeReply } from '../../wire/smtp/replies.ts'
import { SmtpConnection } from './connection.ts'

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
}

export interface SmtpServerOptions {
  /** Our name in the greeting and in EHLO. */
  readonly host: string
  readonly tls?: { readonly key: string; readonly cert: string } | undefined
  readonly smtputf8: boolean
  readonly limits: SmtpServerLimits
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
  readonly now: () => EpochMs
  readonly log: (
    level: 'info' | 'warn' | 'error',
    message: string,
    fields?: Readonly<Record<string, unknown>>,
  ) => void
}

export interface SmtpServer {
  listen(host: string, port: number): Promise<{ host: string; port: number }>
  /** No new connections; those that are idle get 421, those in a transaction may end it within `drainMs`. */
  close(drainMs?: number): Promise<void>
}

export function createSmtpServer(options: SmtpServerOptions): SmtpServer {
  const open = new Set<SmtpConnection>()
  const perIp = new Map<string, number>()
  const secureContext = options.tls && createSecureContext({ ...options.tls, minVersion: 'TLSv1.2' })
  let server: Server | undefined
  let port = 25

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
      ip,
      port,
      secure: secureContext ? (plain) => new TLSSocket(plain, { isServer: true, secureContext }) : undefined,
    })
    open.add(connection)
    socket.once('close', () => {
      open.delete(connection)
      const left = (perIp.get(ip) ?? 1) - 1
      if (left > 0) perIp.set(ip, left)
      else perIp.delete(ip)
    })
  }

  return {
    async listen(host, wanted) {
      const created = createServer(accept)
      server = created
      await new Promise<void>((resolve, reject) => {
        created.once('error', reject)
        created.listen(wanted, host, resolve)
      })
      port = (created.address() as AddressInfo).port
      return { host, port }
    },
    async close(drainMs = 10_000) {
      const closed = new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve()))
      for (const connection of open) connection.shutdown()
      const late = setTimeout(() => {
        for (const connection of open) connection.destroy()
      }, drainMs)
      await closed
      clearTimeout(late)
    },
  }
}
