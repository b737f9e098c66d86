import { expect, test } from 'vitest'
import { openSqlite } from '../../src/db/sqlite/engine.ts'
import { createIds } from '../../src/ids.ts'
import type { Outcome } from '../../src/model/queue.ts'
import { createRunner } from '../../src/queue/runner.ts'
import { tempFolder } from '../support/temp.ts'

const relayed = (index: number): Outcome => ({
  index,
  state: 'relayed',
  status: { code: '2.0.0', text: 'ok' },
})

/** `count` entries to each target, due at once; a runner whose adapter hangs on the targets that `isDown` names. */
async function setup(
  counts: Readonly<Record<string, number>>,
  isDown: (target: string) => boolean,
  leaseMs?: number,
) {
  const engine = await openSqlite(tempFolder())
  const clock = { now: 1_000_000 }
  const sent: string[] = []
  const claimed: number[] = []
  let hanging = 0
  let release: () => void = () => {}
  const up = new Promise<void>((resolve) => {
    release = resolve
  })
  const { spool } = engine
  const runner = createRunner({
    spool: {
      ...spool,
      async claim(...args) {
        const found = await spool.claim(...args)
        claimed.push(found.length)
        return found
      },
    },
    adapters: [
      {
        kinds: ['x'],
        async deliver({ delivery, serve }) {
          sent.push(`${delivery.target} ${delivery.entry.queueId}`)
          if (isDown(delivery.target)) {
            hanging++
            await up
          }
          return { outcomes: serve.map(relayed) }
        },
        close: async () => {},
      },
    ],
    now: () => clock.now,
    ids: createIds('gw.example.net'),
    read: () => {
      throw new Error('not read')
    },
    reports: async () => ({ entries: [], delayReported: [] }),
    concurrency: { total: 8, perTarget: 4 },
    ...(leaseMs === undefined ? {} : { leaseMs }),
    log: () => {},
  })
  for (const [target, count] of Object.entries(counts))
    await spool.enqueue(
      Array.from({ length: count }, (_, n) => ({
        queueId: `${target}-${n}`,
        receivedAt: clock.now,
        origin: { carrier: 'report' as const, reports: [] },
        octets: [Buffer.from('x')],
        sender: '',
        deliveries: [
          {
            target,
            recipients: [{ index: 0, address: 'a' }],
            dueAt: clock.now,
            expiresAt: clock.now + 1e9,
          },
        ],
      })),
    )
  return {
    spool,
    runner,
    clock,
    sent,
    claimed,
    hanging: () => hanging,
    release,
    async close() {
      release()
      await runner.stop(2000)
      await engine.close()
    },
  }
}

test('QUE-002: peers that hang take neither every place nor the whole queue into memory', async () => {
  const down = { 'x:a': 2000, 'x:b': 200, 'x:c': 200 }
  const gateway = await setup({ ...down, 'x:good': 50 }, (target) => target !== 'x:good')
  gateway.runner.start()
  await expect.poll(() => gateway.sent.filter((s) => s.startsWith('x:good')).length).toBe(50)
  for (let i = 0; i < 20; i++) gateway.runner.wake()
  await new Promise((resolve) => setTimeout(resolve, 200))
  // Three places for each place of a target, whatever waits behind them.
  expect(gateway.claimed.reduce((sum, n) => sum + n, 0)).toBeLessThanOrEqual(50 + 3 * 12)
  expect(gateway.hanging()).toBeLessThanOrEqual(9)
  await gateway.close()
})

test('QUE-002: nothing is sent twice when the clock leaps, or an attempt takes longer than its lease', async () => {
  const gateway = await setup({ 'x:slow': 10 }, () => true, 60_000)
  gateway.runner.start()
  await expect.poll(gateway.hanging).toBe(4)
  for (let i = 0; i < 5; i++) {
    gateway.clock.now += 100_000
    gateway.runner.wake()
    await new Promise((resolve) => setTimeout(resolve, 30))
  }
  gateway.release()
  await expect.poll(async () => (await gateway.spool.list({})).length).toBe(0)
  expect(gateway.sent.length).toBe(10)
  expect(new Set(gateway.sent).size).toBe(10)
  await gateway.close()
})
