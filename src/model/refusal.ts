/**
 * Why a message, or one recipient of it, is not taken: mapping.md 1.4, one reason for every interface.
 * A refusal is a value: being refused is a normal outcome.
 */
export type RefusalReason =
  | 'malformed'
  | 'bad-recipient'
  | 'unknown-recipient'
  | 'bad-sender'
  /** An address that only SMTPUTF8 can carry, towards a peer that does not offer it (RFC 6531 §3.5). */
  | 'non-ascii-address'
  /** The same of a header that recipients of ASCII addresses would get. */
  | 'utf8-header'
  | 'sender-hiding'
  | 'reply-charging'
  | 'content-refused'
  /** It would have to be encoded for the next hop, and cannot be (RFC 3030 §3, RFC 6152 §3). */
  | 'unconvertible'
  /** The next hop cannot do what the sender insists on (RFC 2852 §4.1.4.1). */
  | 'not-capable'
  | 'too-large'
  /** It would have to be changed, and its sender forbids that (CNT-076). */
  | 'adaptation-denied'
  | 'privacy'
  /** Of all recipients, told to who submits (RFC 4468 §6). */
  | 'mailbox-full'
  | 'not-authorised'
  | 'identity'
  | 'operation-denied'
  | 'loop'
  | 'expired'
  /** More than are taken in a minute (SEC-036). */
  | 'too-many'
  | 'temporary'

export interface Refusal {
  readonly refused: RefusalReason
  /** For people; names the reason, never a secret (MAP-168). */
  readonly text: string
  /** The address concerned, exactly as the peer wrote it. */
  readonly address?: string | undefined
}

export const refusal = (reason: RefusalReason, text: string, address?: string): Refusal =>
  address === undefined ? { refused: reason, text } : { refused: reason, text, address }

export const isRefusal = (value: unknown): value is Refusal =>
  typeof value === 'object' && value !== null && 'refused' in value
