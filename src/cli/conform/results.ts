/** What a conformance run prints and writes: lines, JSON, JUnit. */
import type { CaseResult } from './run-case.ts'

export const lineOf = (result: CaseResult): string => {
  const head = `${result.pass ? 'ok  ' : 'FAIL'} ${result.id}  ${result.title}\n`
  if (result.pass) return head
  const diff = result.diff.split('\n').map((line) => `       ${line}\n`)
  return `${head}     rules: ${result.rules.join(', ')}\n${diff.join('')}`
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

export function junitOf(results: readonly CaseResult[]): string {
  const failed = results.filter((r) => !r.pass).length
  const cases = results.map((r) => {
    const open = `  <testcase classname="conform" name="${escaped(`${r.id} ${r.title}`)}"`
    return r.pass
      ? `${open}/>`
      : `${open}><failure message="${escaped(r.rules.join(', '))}">${escaped(r.diff)}</failure></testcase>`
  })
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuite name="conform" tests="${results.length}" failures="${failed}">\n${cases.join('\n')}\n</testsuite>\n`
}

const escaped = (text: string): string =>
  text
    .replace(/[^\t\n\r\x20-\uffff]/g, '\ufffd')
    .replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c] ?? c)
