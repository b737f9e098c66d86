import { expect, test } from 'vitest'
import { deferred, noReports, queueEntry, relayed, runnerOver } from './support.ts'

const dayMs = 86_400_000

test('QUE-010, QUE-014: a clock that leaps five days ahead gives nothing up that was never tried', async () => {
  const sent: string[] = []
  const expired: string[] = []
  const gateway = await runnerOver(
    async ({ delivery, serve }) => {
      sent.push(delivery.entry.queueId)
      return serve.map(deferred)
    },
    {
      reports: async ({ delivery, outcomes }) => {
        if (outcomes.some((o) => o.state === 'expired')) expired.push(delivery.entry.queueId)
        return noReports
      },
    },
  )
  const { spool, runner, clock } = gateway
  await spool.enqueue([
    queueEntry('OURS', clock.now),
    // The sender asked for an hour: then it must not go out any more (RFC 2852 §4.1.3).
    queueEntry('SENDERS', clock.now, { expiresAt: clock.now + 3_600_000 }),
  ])
  clock.now += 6 * dayMs
  runner.start()
  await expect.poll(() => expired).toEqual(['SENDERS'])
  await expect.poll(() => sent).toEqual(['OURS'])
  await expect.poll(async () => (await spool.list({}))[0]?.deliveries[0]?.attempts).toBe(1)
  // Tried, and its time is over.
  clock.now += 120_000
  runner.wake()
  await expect.poll(() => expired).toEqual(['SENDERS', 'OURS'])
  expect(sent).toEqual(['OURS'])
  await gateway.close()
})

test('QUE-010: deliveries put off by a clock that was ahead are brought back when it is set right', async () => {
  const sent: string[] = []
  const fates = { up: false }
  const gateway = await runnerOver(async ({ delivery, serve }) => {
    sent.push(delivery.entry.queueId)
    return serve.map(fates.up ? relayed : deferred)
  })
  const { spool, runner, clock } = gateway
  const right = clock.now
  const year = 365 * dayMs
  clock.now = right + year
  await spool.enqueue([
    queueEntry('AHEAD', clock.now),
    queueEntry('AHEAD-TOMORROW', clock.now, { dueAt: clock.now + dayMs }),
    // No limit of ours, so that it does not expire in the year that never was.
    queueEntry('LONG', right, { expiresAt: right + 2 * year }),
  ])
  runner.start()
  await expect.poll(() => sent.includes('AHEAD') && sent.includes('LONG')).toBe(true)
  const one = async (queueId: string) => (await spool.list({ queueId, open: false }))[0]!
  await expect.poll(async () => (await one('AHEAD')).deliveries[0]!.attempts).toBe(1)
  await expect.poll(async () => (await one('LONG')).deliveries[0]!.attempts).toBe(1)

  sent.length = 0
  fates.up = true
  clock.now = right + 60_000
  runner.wake()
  // Due later than any pause allows: now. What was accepted in a time that is not yet: as long after now as it was then.
  await expect.poll(() => sent).toEqual(['LONG'])
  clock.now += 120_000
  clock.elapsed += 120_000
  runner.wake()
  await expect.poll(() => sent).toEqual(['LONG', 'AHEAD'])
  const moved = await one('AHEAD-TOMORROW')
  expect(moved.entry.receivedAt).toBe(right + 60_000)
  expect(moved.deliveries[0]!.dueAt).toBe(right + 60_000 + dayMs)
  expect(moved.deliveries[0]!.expiresAt).toBe(right + 60_000 + 5 * dayMs)
  // What its sender wants to be late is no work of the clock (QUE-020).
  expect(await spool.clockSetBack(clock.now)).toBe(0)
  expect(gateway.logged.some((l) => l.includes('the clock was set'))).toBe(true)
  await gateway.close()
})

test('QUE-010: what a clock ahead left behind is found at the next start, too', async () => {
  const first = await runnerOver(async ({ serve }) => serve.map(deferred))
  const right = first.clock.now
  first.clock.now += 365 * dayMs
  await first.spool.enqueue([
    { ...queueEntry('Q', first.clock.now), duplicateKey: { key: 'k', hash: 'h', response: 'r' } },
  ])
  first.runner.start()
  await expect.poll(async () => (await first.spool.list({}))[0]?.deliveries[0]?.attempts).toBe(1)
  await first.close()

  const second = await runnerOver(async ({ serve }) => serve.map(relayed), {}, first.folder)
  second.clock.now = right
  second.runner.start()
  await expect.poll(() => second.logged.length).toBe(1)
  second.clock.now += 120_000
  second.runner.wake()
  await expect.poll(async () => (await second.spool.stats()).entries).toBe(0)
  // And the answer to a repeated request is kept for a day, not for a year.
  expect(await second.spool.duplicate('k', 'h', right + dayMs - 1)).toEqual({ response: 'r' })
  expect(await second.spool.duplicate('k', 'h', right + dayMs + 1)).toBeUndefined()
  await second.close()
})
