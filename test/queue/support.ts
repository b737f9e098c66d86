/** A runner over a real spool, with one adapter and a clock for the test to set. */
import { openSqlite } from '../../src/db/sqlite/engine.ts'
import { createIds } from '../../src/ids.ts'
import type { NewQueueEntry, Outcome } from '../../src/model/queue.ts'
import type { DeliveryJob } from '../../src/queue/adapter.ts'
import type { Reports } from '../../src/queue/outcome-reports.ts'
import { createRunner, type RunnerOptions } from '../../src/queue/runner.ts'
import { tempFolder } from '../support/temp.ts'

export const relayed = (index: number): Outcome => ({
  index,
  state: 'relayed',
  status: { code: '2.0.0', text: 'ok' },
})
export const deferred = (index: number): Outcome => ({
  index,
  state: 'deferred',
  status: { code: '4.0.0', text: 'later' },
})
export const noReports: Reports = { entries: [], delayReported: [] }

export function queueEntry(
  queueId: string,
  now: number,
  delivery: Partial<NewQueueEntry['deliveries'][number]> = {},
): NewQueueEntry {
  return {
    queueId,
    receivedAt: now,
    origin: { carrier: 'report', reports: [] },
    octets: [Buffer.from('x')],
    sender: '',
    deliveries: [
      {
        target: 'x:peer',
        recipients: [{ index: 0, address: 'a' }],
        dueAt: now,
        expiresAt: now + 432_000_000,
        ...delivery,
      },
    ],
  }
}

export async function runnerOver(
  deliver: (job: DeliveryJob) => Promise<readonly Outcome[]>,
  over: Partial<RunnerOptions> = {},
  folder = tempFolder(),
) {
  const clock = { now: Date.now(), elapsed: 0 }
  const engine = await openSqlite(folder, { now: () => clock.now })
  const logged: string[] = []
  const runner = createRunner({
    spool: engine.spool,
    adapters: [
      {
        kinds: ['x', 'mx'],
        deliver: async (job) => ({ outcomes: await deliver(job) }),
        close: async () => {},
      },
    ],
    now: () => clock.now,
    elapsed: () => clock.elapsed,
    ids: createIds('gw.example.net'),
    read: () => {
      throw new Error('not read')
    },
    reports: async () => noReports,
    concurrency: { total: 8, perTarget: 4 },
    settleRetryMs: 1,
    log: (level, message) => void logged.push(`${level}: ${message}`),
    ...over,
  })
  return {
    folder,
    spool: engine.spool,
    runner,
    clock,
    logged,
    async close() {
      await runner.stop(2000)
      await engine.close()
    },
  }
}
