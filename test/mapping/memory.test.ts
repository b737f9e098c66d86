/** What translating a large message costs, in a process of its own. */
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const program = fileURLToPath(new URL('../support/translate-large.ts', import.meta.url))

test.each([
  'to-mms',
  'to-mail',
  'to-mm4',
  'from-mm4',
  'to-mm1',
  'from-mm1',
])('QUE-050: a message of 50 MiB is translated within three times its size in memory (%s)', (way) => {
  const out = execFileSync(process.execPath, [program, way], { encoding: 'utf8', timeout: 60_000 })
  const { octets, written, grown, ms } = JSON.parse(out) as Record<string, number>
  expect(octets).toBeGreaterThan(50_000_000)
  // On MM1 nothing is in base64.
  expect(written).toBeGreaterThanOrEqual(way === 'to-mm1' ? octets! * 0.73 : octets!)
  // The message itself is one of the three.
  expect(grown! / octets!).toBeLessThan(2)
  expect(ms).toBeLessThan(20_000)
}, 70_000)
