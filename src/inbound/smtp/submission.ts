/** What a submission listener has beside the MX side's: who may submit, as whom, and what (RFC 6409). */
import type { PlaintextPolicy } from '../../auth/channel.ts'
import type { SaslServices } from '../../auth/sasl.ts'
import type { BurlSource } from './burl-source.ts'

export interface Holds {
  readonly maxSeconds: number
  /** Whether the user may have one more. */
  readonly room: (user: string) => Promise<'room' | 'user-full' | 'system-full'>
}

export interface Submission {
  readonly sasl: SaslServices
  readonly allowPlaintext: PlaintextPolicy
  /** Nothing but STARTTLS before TLS (RFC 3207 §4). */
  readonly tlsFirst: boolean
  /** Below it every command is answered 554 (RFC 3207 §4.1). */
  readonly minimumTls: 'TLSv1.2' | 'TLSv1.3'
  /** Connections that one account may have open. */
  readonly maxPerUser: number
  /** Whether the user may send as this address (RFC 6409 §6.1). */
  readonly mayUse: (user: string, path: string) => Promise<boolean>
  /** FUTURERELEASE; absent: it is not offered. */
  readonly holds?: Holds | undefined
  /** Where URLs of BURL are fetched from; absent: BURL is not offered. */
  readonly burl?: BurlSource | undefined
  /** Single-label domains that are names all the same; any other is not qualified (RFC 6409 §4.2). */
  readonly isOwnDomain: (domain: string) => boolean
}
