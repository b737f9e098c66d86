/** A door out of the gateway: one adapter for each kind of route target. */

import type { Ids } from '../model/providers.ts'
import type { AcceptedMessage, DeliveryRecord, MailboxDelivery, Outcome } from '../model/queue.ts'
import type { Refusal } from '../model/refusal.ts'
import type { EpochMs } from '../model/units.ts'

export interface DeliveryJob {
  readonly delivery: DeliveryRecord
  /** Positions (RecipientRecord.index) still to be served by this attempt. */
  readonly serve: readonly number[]
  readonly now: EpochMs
  /** Ids of this delivery (IdSource.of(queueId, String(delivery.number))). */
  readonly ids: Ids
  /** The accepted octets as they came. */
  octets(): Promise<Uint8Array>
  /** The accepted message, read again by its carrier. */
  message(): Promise<AcceptedMessage | Refusal>
}

export interface DeliveryResult {
  /** One for each index of `serve`. */
  readonly outcomes: readonly Outcome[]
  readonly peerMessageId?: string | undefined
  /** The peer asked for a pause (Retry-After, QUE-015), milliseconds. */
  readonly retryAfterMs?: number | undefined
  readonly mailbox?: readonly MailboxDelivery[] | undefined
}

export interface Adapter {
  /** Kind of target that it serves: 'store', 'smtp', 'mx', 'mm7-submit', 'mm7-deliver', 'mm4'. */
  readonly kinds: readonly string[]
  /** Never throws for a peer's failure: that is an Outcome. A thrown error counts as 'deferred' 4.3.0 and is logged as a bug. */
  deliver(job: DeliveryJob, signal: AbortSignal): Promise<DeliveryResult>
  close(): Promise<void>
}
