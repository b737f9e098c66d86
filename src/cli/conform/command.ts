/** `lemonade conform DIR...`: runs every case below the folders (fixtures/rfc4356/README.md). */
import { writeFile } from 'node:fs/promises'
import { findCases } from './case-folder.ts'
import { jsonOf, junitOf, lineOf } from './results.ts'
import { type CaseResult, runCase } from './run-case.ts'

export interface ConformOptions {
  /** Ids of the only cases to run. */
  readonly only?: readonly string[] | undefined
  readonly json?: string | undefined
  readonly junit?: string | undefined
}

/**
 * Prints a line for each case and what differs in each that fails; the exit code: 0 all pass, 1 some fail, 2 no case.
 * @throws Fault 'not-found', 'malformed' when a folder or a case file cannot be read
 */
export async function conform(
  dirs: readonly string[],
  options: ConformOptions,
  out: (text: string) => void,
): Promise<number> {
  const only = options.only && options.only.length > 0 ? new Set(options.only) : undefined
  const cases = findCases(dirs).filter((one) => !only || only.has(one.json.id))
  if (cases.length === 0) {
    out('no case was found\n')
    return 2
  }
  const results: CaseResult[] = []
  for (const one of cases) {
    const result = await runCase(one)
    results.push(result)
    out(lineOf(result))
  }
  const failed = results.filter((r) => !r.pass).length
  out(`${results.length - failed} passed, ${failed} failed\n`)
  if (options.json !== undefined) await writeFile(options.json, jsonOf(results))
  if (options.junit !== undefined) await writeFile(options.junit, junitOf(results))
  return failed === 0 ? 0 : 1
}
