/** What the runner asks about outcomes, and gets: DSNs and reports to be enqueued. */
import type { AcceptedMessage, DeliveryRecord, NewQueueEntry, Outcome } from '../model/queue.ts'
import type { Refusal } from '../model/refusal.ts'
import type { EpochMs } from '../model/units.ts'
import { temporary } from './local-outcomes.ts'

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

/** A failure that cannot be reported now is not final yet: nothing fails in silence (QUE-003). */
export async function reported(
  input: ReportInput,
  ask: (input: ReportInput) => Promise<Reports>,
  log: (level: 'error', message: string, fields: Readonly<Record<string, unknown>>) => void,
): Promise<{ readonly outcomes: readonly Outcome[]; readonly reports: Reports }> {
  const { delivery, outcomes } = input
  if (outcomes.length === 0) return { outcomes, reports: { entries: [], delayReported: [] } }
  try {
    return { outcomes, reports: await ask(input) }
  } catch (error) {
    const { queueId } = delivery.entry
    log('error', 'what became of a message cannot be reported', { queueId, error: String(error) })
    const later = outcomes.map((o) =>
      o.state === 'failed' || o.state === 'expired'
        ? temporary(o.index, 'its failure cannot be reported')
        : o,
    )
    return { outcomes: later, reports: { entries: [], delayReported: [] } }
  }
}
