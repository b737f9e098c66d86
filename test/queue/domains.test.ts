import { expect, test } from 'vitest'
import { checkConfig } from '../../src/config.ts'
import { isRefusal } from '../../src/model/refusal.ts'
import { createWays } from '../../src/routing/ways.ts'
import { testConfig } from '../support/gateway.ts'
import { queueEntry, relayed, runnerOver } from './support.ts'

test('QUE-053: each mail domain is a target of its own', async () => {
  const settings = checkConfig(testConfig({ routes: [{ match: 'domain:*', to: 'mx' }] }), 'test')
  const ways = createWays(settings, {
    find: async () => undefined,
    list: async () => [],
    put: async () => false,
    remove: async () => false,
  })
  const way = await ways.of(
    { kind: 'mail', value: 'a@Example.ORG', raw: 'a@Example.ORG' },
    { peer: null, relay: true },
  )
  expect(isRefusal(way) ? way : way.target).toBe('mx:example.org')
  const stranger = { kind: 'mail', value: 'a@example.org', raw: 'a@example.org' } as const
  expect(await ways.of(stranger, { peer: null, relay: false })).toMatchObject({ refused: 'not-authorised' })
})

test('QUE-053: hundreds of domains that hang hold up neither other domains for good nor configured peers', async () => {
  let release: () => void = () => {}
  const up = new Promise<void>((resolve) => {
    release = resolve
  })
  let hanging = 0
  const done: string[] = []
  const gateway = await runnerOver(async ({ delivery, serve }) => {
    if (delivery.target.startsWith('mx:dead')) {
      hanging++
      await up
    } else done.push(delivery.entry.queueId)
    return serve.map(relayed)
  })
  const { spool, runner, clock } = gateway
  // A slow domain with a queue that is longer than what is looked at first, then many that hang, then a peer's.
  await spool.enqueue(
    Array.from({ length: 600 }, (_, n) => queueEntry(`D-${n}`, clock.now, { target: 'mx:dead.example' })),
  )
  await spool.enqueue(
    Array.from({ length: 300 }, (_, n) =>
      queueEntry(`E-${n}`, clock.now, { target: `mx:dead-${n}.example` }),
    ),
  )
  await spool.enqueue(Array.from({ length: 30 }, (_, n) => queueEntry(`P-${n}`, clock.now)))
  runner.start()
  await expect.poll(() => done.filter((id) => id.startsWith('P')).length).toBe(30)
  // Accepted meanwhile, for a configured peer.
  await runner.enqueue([queueEntry('P-new', clock.now)])
  await expect.poll(() => done.includes('P-new')).toBe(true)
  // Of eight places domains have six at the most, and one domain four.
  expect(hanging).toBeLessThanOrEqual(6)
  expect(hanging).toBeGreaterThan(1)

  // Many at once for domains: they wait in the spool, not in memory.
  const accepted = await Promise.all(
    Array.from({ length: 100 }, (_, n) =>
      runner.enqueue([queueEntry(`G-${n}`, clock.now, { target: `mx:good-${n}.example` })]),
    ),
  )
  expect(accepted.flat().length).toBeLessThanOrEqual(3 * 6)
  release()
  await expect.poll(async () => (await spool.stats()).entries, { timeout: 15_000 }).toBe(0)
  expect(done.filter((id) => id.startsWith('G')).length).toBe(100)
  await gateway.close()
})

test('QUE-053: a domain with a long queue and another that is behind it take turns', async () => {
  const order: string[] = []
  let first: (() => void) | undefined
  const gateway = await runnerOver(async ({ delivery, serve }) => {
    order.push(delivery.target)
    if (delivery.target === 'mx:big.example' && order.length <= 4)
      await new Promise<void>((resolve) => {
        const before = first
        first = () => {
          before?.()
          resolve()
        }
      })
    return serve.map(relayed)
  })
  const { spool, runner, clock } = gateway
  await spool.enqueue(
    Array.from({ length: 500 }, (_, n) => queueEntry(`B-${n}`, clock.now, { target: 'mx:big.example' })),
  )
  await spool.enqueue([queueEntry('S', clock.now, { target: 'mx:small.example' })])
  runner.start()
  await expect.poll(() => order.includes('mx:small.example')).toBe(true)
  expect(order.length).toBeLessThan(20)
  first?.()
  await expect.poll(async () => (await spool.stats()).entries, { timeout: 15_000 }).toBe(0)
  await gateway.close()
})
