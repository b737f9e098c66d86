/** The worked cases through the whole gateway (GEN-010 to GEN-012). The list of those that pass may only grow. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import { type Case, findCases } from '../src/cli/conform/case-folder.ts'
import { type CaseResult, runCase } from '../src/cli/conform/run-case.ts'
import type { Cut } from '../src/cli/conform/smtp-dialogue.ts'
import { passing } from './conform-passing.ts'

const folders = ['rfc4356', 'rfc4356-more']
  .map((name) => fileURLToPath(new URL(`../fixtures/${name}/`, import.meta.url)))
  .filter((path) => existsSync(path))
const cases = findCases(folders)

async function runAll(chosen: readonly Case[], cut?: Cut): Promise<Map<string, CaseResult>> {
  const results = new Map<string, CaseResult>()
  const left = [...chosen]
  const work = async (): Promise<void> => {
    for (let one = left.shift(); one; one = left.shift()) results.set(one.json.id, await runCase(one, cut))
  }
  await Promise.all([work(), work(), work()])
  return results
}

describe('GEN-010, GEN-011: every case through the real pipeline', () => {
  let results = new Map<string, CaseResult>()
  beforeAll(async () => {
    results = await runAll(cases)
  }, 120_000)

  test('there are cases, and no two have one id', () => {
    expect(cases.length).toBeGreaterThanOrEqual(82)
    expect(new Set(cases.map((c) => c.json.id)).size).toBe(cases.length)
  })

  test.each(cases.map((c) => c.json.id))('%s', (id) => {
    const result = results.get(id)!
    // A case that is not listed and passes must be listed, so that it cannot be lost again.
    if (passing.has(id)) expect(result.diff).toBe('')
    else expect(result.pass, `${id} passes: list it in conform-passing.ts`).toBe(false)
  })
})

/** Seeded, so that a failure can be repeated. */
function randomCut(seed: number): Cut {
  let state = seed
  const next = (): number => {
    state = (state * 1103515245 + 12345) % 2147483648
    return state / 2147483648
  }
  return (octets) => {
    const pieces: Buffer[] = []
    for (let at = 0; at < octets.length; ) {
      const end = Math.min(octets.length, at + 1 + Math.floor(next() * 300))
      pieces.push(octets.subarray(at, end))
      at = end
    }
    return pieces
  }
}

const atLineEnds: Cut = (octets) => {
  const pieces: Buffer[] = []
  for (let at = 0; at < octets.length; ) {
    const found = octets.indexOf('\r\n', at)
    const end = found < 0 ? octets.length : found + 2
    pieces.push(octets.subarray(at, end))
    at = end
  }
  return pieces
}

test.each([
  ['at every line end', atLineEnds],
  ['at random places', randomCut(4356)],
])(
  'GEN-012: the cases that come by SMTP or MM7, cut %s',
  async (_name, cut) => {
    const chosen = cases.filter(
      (c) =>
        passing.has(c.json.id) &&
        (c.has('input.envelope.json') || c.has('input.http')) &&
        !c.has('pairs.json') &&
        !c.has('expected.model.json'),
    )
    const results = await runAll(chosen, cut)
    expect([...results.values()].filter((r) => !r.pass).map((r) => `${r.id}: ${r.diff}`)).toEqual([])
  },
  180_000,
)
