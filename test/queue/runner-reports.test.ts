import { expect, test } from 'vitest'
import { openSqlite } from '../../src/db/sqlite/engine.ts'
import { createIds } from '../../src/ids.ts'
import { createRunner } from '../../src/queue/runner.ts'
import { tempFolder } from '../support/temp.ts'

test('QUE-003: what failed and cannot be reported is not final; it is, with its report, once it can', async () => {
  const engine = await openSqlite(tempFolder())
  const { spool } = engine
  let now = 1_000_000
  const entry = {
    queueId: 'Q1',
    receivedAt: now,
    origin: { carrier: 'report', reports: [] },
    octets: [Buffer.from('x')],
    sender: 'alice@example.org',
    deliveries: [
      { target: 'none:peer', recipients: [{ index: 0, address: 'a' }], dueAt: now, expiresAt: now + 600_000 },
    ],
  } as const
  const asked: string[] = []
  const runner = createRunner({
    spool,
    adapters: [
      {
        kinds: ['none'],
        deliver: async () => ({
          outcomes: [{ index: 0, state: 'failed', status: { code: '5.1.1', text: 'no' } }],
        }),
        close: async () => {},
      },
    ],
    now: () => now,
    ids: createIds('gw.example.net'),
    read: () => {
      throw new Error('not read')
    },
    reports: async ({ outcomes }) => {
      asked.push(outcomes[0]!.state)
      if (asked.length < 3) throw new Error('the disk says no')
      return { entries: [{ ...entry, queueId: 'R1', deliveries: [] }], delayReported: [] }
    },
    concurrency: { total: 1, perTarget: 1 },
    log: () => {},
  })
  await spool.enqueue([entry])
  const state = async () => (await spool.list({ queueId: 'Q1' }))[0]!.deliveries[0]!.recipients[0]!.state
  expect(await runner.runDue()).toBe(1)
  expect(await state()).toBe('deferred')
  // Past its time it is not tried in a circle, but by schedule.
  now += 700_000
  expect(await runner.runDue()).toBe(1)
  expect([await state(), await spool.nextDue()]).toEqual(['deferred', expect.any(Number)])
  expect((await spool.nextDue())!).toBeGreaterThan(now)
  now = (await spool.nextDue())!
  await runner.runDue()
  expect(asked).toEqual(['failed', 'expired', 'expired'])
  expect(await state()).toBe('expired')
  expect(await spool.list({ queueId: 'R1' })).toHaveLength(1)
  await runner.stop(0)
  await engine.close()
})
