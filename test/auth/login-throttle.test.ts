import { beforeAll, expect, test } from 'vitest'
import { createLoginThrottle, networkOf } from '../../src/auth/login-throttle.ts'
import { type Bench, createBench, outcome, scramLogin } from './support.ts'

const throttle = (entries?: number) => {
  const clock = { now: 0 }
  return { clock, t: createLoginThrottle({ now: () => clock.now, ...(entries ? { entries } : {}) }) }
}
const fail = (t: ReturnType<typeof createLoginThrottle>, times: number, peer: string, user: string) => {
  for (let i = 0; i < times; i++) t.failed(peer, user)
}

test('SA-17: delay per account grows to a cap, from wherever it is tried, and is forgotten in time', () => {
  const { t, clock } = throttle()
  const delays = Array.from({ length: 9 }, (_, i) => {
    t.failed(`192.0.2.${i}`, 'alice')
    return t.delayMs('198.51.100.1', 'alice')
  })
  expect(delays).toEqual([0, 250, 500, 1000, 2000, 4000, 8000, 8000, 8000])
  expect(t.delayMs('198.51.100.1', 'bob')).toBe(0)
  clock.now += 4 * 60_000
  expect(t.delayMs('198.51.100.1', 'alice')).toBe(2000)
  fail(t, 1000, '192.0.2.1', 'alice')
  clock.now += 20 * 60_000
  expect(t.delayMs('198.51.100.1', 'alice')).toBe(0)
})

test('SA-17: delay per address, whatever names are tried; an IPv6 network is one address', () => {
  const { t } = throttle()
  for (let i = 0; i < 12; i++) t.failed('192.0.2.1', `user${i}`)
  expect(t.delayMs('192.0.2.1', 'another')).toBe(15_000)
  expect(t.delayMs('::ffff:192.0.2.1', 'another')).toBe(15_000)
  expect(t.delayMs('192.0.2.2', 'another')).toBe(0)
  for (let i = 0; i < 12; i++) t.failed(`2001:db8:0:1::${i.toString(16)}`, `user${i}`)
  expect(t.delayMs('2001:DB8::1:ffff:0:0:9', '')).toBe(15_000)
  expect(t.delayMs('2001:db8:0:2::1', '')).toBe(0)
  expect(networkOf('fe80::1%eth0')).toBe('fe80:0:0:0')
  expect(networkOf('::1')).toBe('0:0:0:0')
})

test('SA-17: who logged in from there before is not held up by others; a success clears no counter', () => {
  const { t } = throttle()
  t.succeeded('192.0.2.1', 'alice')
  fail(t, 50, '192.0.2.1', 'bob')
  fail(t, 50, '198.51.100.9', 'alice')
  expect(t.delayMs('192.0.2.1', 'alice')).toBe(0)
  expect(t.delayMs('198.51.100.9', 'alice')).toBe(15_000)
  t.succeeded('192.0.2.1', 'mallory')
  expect(t.delayMs('192.0.2.1', 'bob')).toBe(15_000)
  // Its own failures count, and in the end it is a stranger.
  fail(t, 3, '192.0.2.1', 'alice')
  expect(t.delayMs('192.0.2.1', 'alice')).toBe(500)
  fail(t, 5, '192.0.2.1', 'alice')
  expect(t.delayMs('192.0.2.1', 'alice')).toBe(15_000)
})

test('SA-17: memory is bounded; those seen last are kept', () => {
  const { t } = throttle(100)
  for (let i = 0; i < 10_000; i++) {
    fail(t, 1, '192.0.2.1', `${'x'.repeat(1000)}${i}`)
    if (i % 50 === 0) fail(t, 1, '198.51.100.1', 'alice')
  }
  expect(t.delayMs('203.0.113.1', 'alice')).toBe(8000)
  expect(t.delayMs('192.0.2.1', '')).toBe(15_000)
  expect(t.delayMs('203.0.113.1', `${'x'.repeat(1000)}0`)).toBe(0)
})

let bench: Bench
beforeAll(async () => {
  bench = await createBench()
  await bench.engine.directory.put('alice@example.net', 'pencil')
})

test('SA-17, ST-07: every mechanism waits and counts; unknown users like known ones; a right password is taken', async () => {
  const attempt = (user: string, password: string, peer: string) =>
    outcome(bench.context({ peer }), 'PLAIN', `\0${user}\0${password}`)
  for (const user of ['alice@example.net', 'nobody@example.net']) {
    bench.waits.length = 0
    for (let i = 0; i < 4; i++) await attempt(user, 'wrong', `192.0.2.${i}`)
    await scramLogin(bench.context({ peer: '192.0.2.4' }), 'SCRAM-SHA-256', { user, password: 'wrong' })
    expect(bench.waits, user).toEqual([250, 500, 1000])
  }
  bench.waits.length = 0
  expect(await attempt('alice@example.net', 'pencil', '192.0.2.77')).toHaveProperty('done')
  expect(await attempt('alice@example.net', 'pencil', '192.0.2.77')).toHaveProperty('done')
  expect(bench.waits).toEqual([2000])
})
