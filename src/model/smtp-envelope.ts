/** What an SMTP transaction says beside the message (RFC 5321 §2.3.1). */
import type { EpochSeconds } from './units.ts'

export interface EnvelopePath {
  /** Without angle brackets; null = "<>". Domain as written. */
  readonly path: string | null
  /** ESMTP parameters as written: keyword in upper case -> value ('' when it has none). */
  readonly params: Readonly<Record<string, string>>
}

export interface SmtpSession {
  /** Key of Settings.peers when the client is a known peer. */
  readonly peer: string | null
  /** The client's EHLO name, and its address. */
  readonly ehlo: string
  readonly ip: string
  readonly port: number
  /** The authenticated user, or null. */
  readonly auth: string | null
  readonly tls: boolean
  /** false after HELO. */
  readonly esmtp: boolean
}

export interface SmtpEnvelope {
  readonly session: SmtpSession
  readonly mailFrom: EnvelopePath
  readonly rcptTo: readonly (EnvelopePath & { readonly path: string })[]
  /** Instant of the positive reply; BY and HOLDFOR count from here. */
  readonly receivedAt: EpochSeconds
  /** The content may hold what DATA cannot carry: a NUL, a bare CR or LF, a body said to be binary (RFC 3030 §3). */
  readonly binary?: boolean | undefined
}
