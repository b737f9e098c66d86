/** Clock, identifiers and chance come in as values (GEN-001), so that a run can be repeated octet for octet. */
import type { EpochMs } from './units.ts'

export interface Clock {
  now(): EpochMs
}

/**
 * Identifiers of one accepted message or of one delivery of it. The n-th call of a kind gives the same identifier each
 * time the same scope is opened: a retry or a restart sends what was sent before (GEN-003) without storing it.
 */
export interface Ids {
  /** MM7 TransactionID, X-Mms-Transaction-ID. */
  transactionId(): string
  /** RFC 5322 msg-id with brackets. */
  messageId(): string
  /** The id by which the MMS side knows a message: SubmitRsp MessageID. At most 40 visible ASCII characters. */
  mmsMessageId(): string
  /** Content-ID with brackets. */
  contentId(): string
  /** A MIME boundary: letters, digits, "=_-" at most; need not be checked against content (>= 64 random bits). */
  boundary(): string
}

export interface IdSource {
  /** A new queue id, >= 64 bits of randomness (SEC-050). */
  queueId(): string
  /** The ids of an accepted message (scope '') or of one delivery of it (its number in decimal). */
  of(queueId: string, scope: string): Ids
  /** Uniform in [0, 1): retry jitter (QUE-010). */
  random(): number
}
