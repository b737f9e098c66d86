/** How adapters reach their peers: interfaces, so that a conformance run can stand in for the network. */

import type { Peer } from '../model/settings.ts'
import type { EnvelopePath } from '../model/smtp-envelope.ts'
import type { HttpContent } from '../wire/mm7/message.ts'

export interface Mm7Answer {
  readonly httpStatus: number
  readonly retryAfterSeconds?: number | undefined
  readonly contentType: string
  readonly body: Uint8Array
}

export interface Mm7Transport {
  /** @throws Error when no HTTP answer came (time-out, reset, name not found) */
  post(peer: Peer, content: HttpContent, signal: AbortSignal): Promise<Mm7Answer>
  close(): Promise<void>
}

export interface SmtpHop {
  readonly host: string
  readonly port?: number | undefined
  /** implicit: TLS from the first octet, as on a port of its own (QUIRKS 44). */
  readonly tls?: 'never' | 'opportunistic' | 'required' | 'implicit' | undefined
  readonly login?: { readonly user: string; readonly password: string } | undefined
}

export interface SmtpReplyLine {
  readonly code: number
  /** '5.1.1' or ''. */
  readonly enhanced: string
  readonly text: string
}

export interface OutgoingEnvelope {
  readonly mailFrom: EnvelopePath
  readonly rcptTo: readonly (EnvelopePath & { readonly path: string })[]
}

export interface SmtpSent {
  /** One for each RCPT, in order; all the same when MAIL was refused. */
  readonly recipients: readonly (SmtpReplyLine & { readonly path: string; readonly accepted: boolean })[]
  /** Reply to the end of data; absent when every recipient was refused. */
  readonly final?: SmtpReplyLine | undefined
}

export interface SmtpConversation {
  /** EHLO keywords in upper case -> their parameters. */
  readonly extensions: ReadonlyMap<string, string>
  readonly remoteMta: string
  /** @throws Error when the connection is lost before the last reply */
  send(envelope: OutgoingEnvelope, octets: readonly Uint8Array[]): Promise<SmtpSent>
  quit(): void
}

export interface SmtpTransport {
  /** @throws Error when no connection, greeting or EHLO could be had */
  open(hop: SmtpHop, signal: AbortSignal): Promise<SmtpConversation>
  close(): Promise<void>
}
