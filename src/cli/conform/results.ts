/** What a conformance run prints and writes: lines, JSON, JUnit. */
import { XMLBuilder } from 'fast-xml-parser'
import type { CaseResult } from './run-case.ts'

export const lineOf = (result: CaseResult): string => {
  const head = `${result.pass ? 'ok  ' : 'FAIL'} ${result.id}  ${result.title}\n`
  if (result.pass) return head
  const diff = result.diff.split('\n').map((line) => `       ${line}\n`)
  const rules = result.rules.length > 0 ? `     rules: ${result.rules.join(', ')}\n` : ''
  return `${head}${rules}${diff.join('')}`
}

/** A case that cannot be run against a live gateway. */
export const leftOutLine = (one: { readonly id: string; readonly title: string }, reason: string): string =>
  `--   ${one.id}  ${one.title} (left out: ${reason})\n`

export const jsonOf = (
  results: readonly CaseResult[],
  leftOut?: readonly { readonly id: string; readonly reason: string }[],
): string => {
  const passed = results.filter((r) => r.pass).length
  const cases = results.map(({ id, pass, rules, diff }) => ({ id, pass, rules, diff }))
  return `${JSON.stringify({ passed, failed: results.length - passed, cases, leftOut }, undefined, 2)}\n`
}

const junit = new XMLBuilder({
  ignoreAttributes: false,
  attributeNamePrefix: '@',
  format: true,
  suppressEmptyNode: true,
})

export function junitOf(
  results: readonly CaseResult[],
  leftOut: readonly { readonly id: string; readonly reason: string }[] = [],
): string {
  const run = results.map((r) => ({
    '@classname': 'conform',
    '@name': legal(`${r.id} ${r.title}`),
    ...(r.pass ? {} : { failure: { '@message': legal(r.rules.join(', ')), '#text': legal(r.diff) } }),
  }))
  const skipped = leftOut.map(({ id, reason }) => ({
    '@classname': 'conform',
    '@name': legal(id),
    skipped: { '@message': legal(reason) },
  }))
  const testcase = [...run, ...skipped]
  const failures = results.filter((r) => !r.pass).length
  return junit.build({
    '?xml': { '@version': '1.0', '@encoding': 'UTF-8' },
    testsuite: {
      '@name': 'conform',
      '@tests': testcase.length,
      '@failures': failures,
      '@skipped': skipped.length,
      testcase,
    },
  })
}

/** Characters that XML 1.0 cannot hold at all. */
const legal = (text: string): string => text.replace(/[^\t\n\r\x20-\uffff]/g, '\ufffd')
