/** A spool that says in the audit trail what it took and what was cancelled, once it is on disk. */
import type { NeutralMessage } from '../model/neutral.ts'
import type { Spool } from '../queue/spool.ts'
import type { AuditRecords } from './records.ts'

export interface AuditedSpool {
  readonly spool: Spool
  /** Before it is enqueued: what its content is. */
  expect(queueId: string, message: NeutralMessage | undefined): void
}

/** Messages between being read and being on disk. */
const maxExpected = 10_000

export function auditedSpool(spool: Spool, records: AuditRecords | undefined): AuditedSpool {
  if (!records) return { spool, expect: () => {} }
  const expected = new Map<string, NeutralMessage>()
  return {
    expect(queueId, message) {
      if (message && expected.size < maxExpected) expected.set(queueId, message)
    },
    spool: {
      ...spool,
      async enqueue(entries, lease) {
        try {
          const leased = await spool.enqueue(entries, lease)
          for (const entry of entries) records.accepted(entry, expected.get(entry.queueId))
          return leased
        } finally {
          for (const { queueId } of entries) expected.delete(queueId)
        }
      },
      async cancel(queueId, indices, now, text) {
        const count = await spool.cancel(queueId, indices, now, text)
        if (count.cancelled > 0)
          records.cancelled(queueId, text === undefined ? 'sender' : 'operator', count.cancelled)
        return count
      },
    },
  }
}
