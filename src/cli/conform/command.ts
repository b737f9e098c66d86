/** `lemonade conform DIR...`: runs every case below the folders (fixtures/rfc4356/README.md). */
import { writeFile } from 'node:fs/promises'
import { type Case, findCases } from './case-folder.ts'
import { jsonOf, junitOf, lineOf } from './results.ts'
import { type CaseResult, runCase } from './run-case.ts'

export interface ConformOptions {
  /** Ids of the only cases to run. */
  readonly only?: readonly string[] | undefined
  readonly json?: string | undefined
  readonly junit?: string | undefined
}

/**
 * Prints a line for each case and what differs in each that fails; the exit code: 0 all pass, 1 some fail, 2 no case, or none with an id of
 * `only`.
 * @throws Fault 'not-found' when a folder does not exist
 */
export async function conform(
  dirs: readonly string[],
  options: ConformOptions,
  out: (text: string) => void,
): Promise<number> {
  const { cases, missing } = chosenCases(dirs, options.only ?? [])
  for (const id of missing) out(`no case has the id ${id}\n`)
  if (cases.length === 0) {
    if (missing.length === 0) out('no case was found\n')
    return 2
  }
  const results = await inOrder(cases, runCase, (result) => out(lineOf(result)))
  const failed = results.filter((r) => !r.pass).length
  out(`${results.length - failed} passed, ${failed} failed\n`)
  if (options.json !== undefined) await writeFile(options.json, jsonOf(results))
  if (options.junit !== undefined) await writeFile(options.junit, junitOf(results))
  if (failed > 0) return 1
  return missing.length > 0 ? 2 : 0
}

/** The cases below the folders, or those of them with the ids of `only`, and the ids that none has. */
export function chosenCases(
  dirs: readonly string[],
  only: readonly string[],
): { readonly cases: readonly Case[]; readonly missing: readonly string[] } {
  const all = findCases(dirs)
  if (only.length === 0) return { cases: all, missing: [] }
  return {
    cases: all.filter((one) => only.includes(one.json.id)),
    missing: only.filter((id) => !all.some((one) => one.json.id === id)),
  }
}

/** Each case waits most of its time for the disk, so a few run at once. */
const atOnce = 4

/** Runs them a few at once; `done` is called in their order. */
async function inOrder(
  cases: readonly Case[],
  run: (one: Case) => Promise<CaseResult>,
  done: (result: CaseResult) => void,
): Promise<readonly CaseResult[]> {
  const running = new Map<number, Promise<CaseResult>>()
  const results: CaseResult[] = []
  let next = 0
  for (let n = 0; n < cases.length; n++) {
    for (let one = cases[next]; one && next < n + atOnce; one = cases[next]) running.set(next++, run(one))
    const result = await running.get(n)
    if (!result) break
    running.delete(n)
    results.push(result)
    done(result)
  }
  return results
}
