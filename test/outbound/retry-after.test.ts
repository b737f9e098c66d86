import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, expect, test } from 'vitest'
import { createMm7Transport } from '../../src/outbound/mm7-transport.ts'
import { nextAttempt } from '../../src/queue/schedule.ts'

test('QUE-015: Retry-After in seconds or as a date overrides the schedule, an hour at the most', async () => {
  let said = ''
  const server = createServer((_, res) => {
    res.setHeader('Retry-After', said)
    res.end('<x/>')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  afterAll(() => void server.close())
  const transport = createMm7Transport()
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mm7`
  const told = async (value: string) => {
    said = value
    const content = { contentType: 'text/xml', body: [Buffer.from('<x/>')] }
    return (await transport.post({ interface: 'mm7', url }, content, new AbortController().signal))
      .retryAfterSeconds
  }
  expect(await told('120')).toBe(120)
  const date = (await told(new Date(Date.now() + 90_000).toUTCString()))!
  expect(date).toBeGreaterThan(80)
  expect(date).toBeLessThanOrEqual(91)
  expect(await told(new Date(0).toUTCString())).toBe(0)
  for (const nonsense of ['soon', '-1', '1e9', '99999999999'])
    expect((await told(nonsense)) ?? 0).toBeLessThan(1e9)
  await transport.close()

  expect(nextAttempt(1, 0, 0.5, 120_000)).toBe(120_000)
  expect(nextAttempt(1, 0, 0.5, 7_200_000)).toBe(3_600_000)
  // A peer that says "at once" is not asked in a circle.
  expect(nextAttempt(1, 0, 0.5, 0)).toBe(1000)
  expect(nextAttempt(1, 0, 0.5)).toBe(60_000)
})
