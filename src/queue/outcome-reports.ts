/** What the runner asks about outcomes, and gets: DSNs and reports to be enqueued. */
import type { AcceptedMessage, DeliveryRecord, NewQueueEntry, Outcome } from '../model/queue.ts'
import type { Refusal } from '../model/refusal.ts'
import type { EpochMs } from '../model/units.ts'

export interface ReportInput {
  readonly delivery: DeliveryRecord
  readonly outcomes: readonly Outcome[]
  readonly octets: () => Promise<Uint8Array>
  /** The accepted message, read again by its carrier. */
  readonly message: () => Promise<AcceptedMessage | Refusal>
  readonly now: EpochMs
}

export interface Reports {
  readonly entries: readonly NewQueueEntry[]
  /** Recipients whose sender is told with them that they are late. */
  readonly delayReported: readonly number[]
}
