import { expect, test } from 'vitest'
import { checkStore } from '../../src/db/sqlite/check.ts'
import { openSqlite } from '../../src/db/sqlite/engine.ts'
import { deferred, noReports, queueEntry, relayed, runnerOver } from './support.ts'

test('QUE-002: an outcome that the store refuses is a dead letter after a few tries: seen, never sent twice, never lost', async () => {
  let sent = 0
  let reports = 0
  const gateway = await runnerOver(
    async ({ serve }) => {
      sent++
      return serve.map((index) => (index === 0 ? relayed(index) : deferred(index)))
    },
    {
      // An id that is taken: the store refuses the whole settlement, each time.
      reports: async ({ delivery, now }) => {
        reports++
        return delivery.entry.queueId === 'BAD'
          ? { ...noReports, entries: [queueEntry('BAD', now)] }
          : noReports
      },
    },
  )
  const { spool, runner, clock } = gateway
  const recipients = [0, 1].map((index) => ({ index, address: `r${index}@example.org` }))
  await spool.enqueue([queueEntry('BAD', clock.now, { recipients }), queueEntry('GOOD', clock.now)])
  runner.start()
  await expect.poll(async () => (await spool.stats()).deadLetters).toBe(1)
  await expect.poll(async () => (await spool.list({})).map((e) => e.entry.queueId)).toEqual(['BAD'])
  const seen = async () => (await spool.list({ queueId: 'BAD' }))[0]!.deliveries[0]!
  const dead = await seen()
  expect(dead.held?.by).toBe('dead-letter')
  expect(dead.held?.reason).toContain('0 relayed ok; 1 deferred later')
  expect(dead.recipients.map((r) => r.state)).toEqual(['relayed', 'deferred'])
  expect(gateway.logged.filter((l) => l.includes('dead letter'))).toHaveLength(1)

  // Nobody tries it again, whatever the time.
  expect(sent).toBe(2)
  clock.now += 300_000_000
  runner.wake()
  expect(await spool.retry('BAD', clock.now)).toBe(true)
  runner.wake()
  await spool.nextDue()
  expect(sent).toBe(2)
  expect(reports).toBe(2)
  await gateway.close()

  // After a restart it is still there; let go, only what was not taken is sent.
  const served: (readonly number[])[] = []
  const again = await runnerOver(
    async ({ serve }) => {
      served.push(serve)
      return serve.map(relayed)
    },
    {},
    gateway.folder,
  )
  expect((await again.spool.stats()).deadLetters).toBe(1)
  expect(await again.spool.letGo('BAD', again.clock.now)).toBe(1)
  again.runner.start()
  await expect.poll(async () => (await again.spool.stats()).entries).toBe(0)
  expect(served).toEqual([[1]])
  await again.close()
  expect((await checkStore(gateway.folder)).problems).toEqual([])
})

test('QUE-002: a dead letter of which nothing is left to send is closed when it is let go', async () => {
  const gateway = await runnerOver(async ({ serve }) => serve.map(relayed), {
    reports: async ({ now }) => ({ ...noReports, entries: [queueEntry('BAD', now)] }),
  })
  const { spool, runner, clock } = gateway
  await spool.enqueue([queueEntry('BAD', clock.now)])
  runner.start()
  await expect.poll(async () => (await spool.stats()).deadLetters).toBe(1)
  await spool.letGo('BAD', clock.now)
  runner.wake()
  await expect.poll(async () => (await spool.stats()).entries).toBe(0)
  expect(await spool.stats()).toMatchObject({ deadLetters: 0, held: 0 })
  await gateway.close()
})

test('QUE-054: what is held while it is under way waits once its attempt is over, also over a restart', async () => {
  let go: () => void = () => {}
  const gone = new Promise<void>((resolve) => {
    go = resolve
  })
  let sent = 0
  const gateway = await runnerOver(async ({ serve }) => {
    sent++
    await gone
    return serve.map(deferred)
  })
  const { spool, runner, clock } = gateway
  await spool.enqueue([queueEntry('Q', clock.now)])
  runner.start()
  await expect.poll(() => sent).toBe(1)
  expect(await spool.hold('Q', 'look at it', clock.now)).toBe(1)
  go()
  const delivery = async () => (await spool.list({ queueId: 'Q' }))[0]!.deliveries[0]!
  await expect.poll(async () => (await delivery()).attempts).toBe(1)
  expect((await delivery()).held).toMatchObject({ by: 'operator', reason: 'look at it' })
  expect((await delivery()).dueAt).toBeLessThan(clock.now + 120_000)
  expect(await spool.nextDue()).toBeGreaterThan(clock.now + 1e12)
  await gateway.close()
  const engine = await openSqlite(gateway.folder)
  expect(await engine.spool.claim(clock.now + 1e10, clock.now + 2e10, 10)).toEqual([])
  expect(await engine.spool.letGo('Q', clock.now + 1e10)).toBe(1)
  expect(await engine.spool.claim(clock.now + 1e10, clock.now + 2e10, 10)).toHaveLength(1)
  await engine.close()
})
