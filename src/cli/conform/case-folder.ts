/** A worked case as its folder holds it (fixtures/rfc4356/README.md). */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Fault } from '../../model/fault.ts'
import type { Settings } from '../../model/settings.ts'
import type { EpochMs } from '../../model/units.ts'
import { caseJsonProblems, fileProblems, folderProblems } from './case-check.ts'
import type { OriginalState } from './seed-originals.ts'
import type { QueueState } from './state.ts'

export interface CaseJson {
  readonly id: string
  readonly title: string
  readonly covers: readonly string[]
  readonly files?: readonly string[]
  readonly peer?: string
  readonly config?: Readonly<Record<string, unknown>>
  readonly state?: { readonly originals?: readonly OriginalState[]; readonly queue?: readonly QueueState[] }
  readonly repeatInput?: number
  readonly advanceTo?: string
  readonly networkMsisdn?: string
  readonly matrix?: boolean
  readonly mustContain?: Readonly<Record<string, readonly string[]>>
  readonly ignore?: readonly string[]
  readonly ignoreDsnFields?: readonly string[]
  readonly bytesBody?: string
}

/** What the file of common configuration says beside the settings. */
export interface CaseSettings extends Settings {
  readonly clock: string
  /** EHLO keywords of a next hop, by peer. */
  readonly nextHop: Readonly<Record<string, readonly string[]>>
}

export interface Case {
  readonly json: CaseJson
  readonly folder: string
  readonly settings: CaseSettings
  readonly clock: EpochMs
  /** What is wrong with the folder itself, a line each: such a case fails without being run. */
  readonly problems: readonly string[]
  has(file: string): boolean
  octets(file: string): Buffer
  parsed<T>(file: string): T
}

const bundledDefaults = fileURLToPath(new URL('../../../fixtures/rfc4356/defaults.json', import.meta.url))

/**
 * Every folder with a case.json at or below `roots`, in the order of their names. One with an id that another has before
 * it, like one that cannot be read, has that among its problems.
 * @throws Fault 'not-found' when a root does not exist
 */
export function findCases(roots: readonly string[]): Case[] {
  const found = new Map<string, string>()
  for (const root of roots) {
    const path = resolve(root)
    if (!existsSync(path)) throw new Fault('not-found', `${root} does not exist`)
    if (!statSync(path).isDirectory()) throw new Fault('not-found', `${root} is no folder`)
    for (const folder of foldersBelow(path, 0)) if (!found.has(folder)) found.set(folder, path)
  }
  const ids = new Map<string, string>()
  return [...found].map(([folder, root]) => {
    const one = readCase(folder, root)
    const before = ids.get(one.json.id)
    if (before === undefined) ids.set(one.json.id, folder)
    return before === undefined
      ? one
      : { ...one, problems: [`case.json: the id ${one.json.id} is that of ${before} too`, ...one.problems] }
  })
}

function foldersBelow(path: string, depth: number): string[] {
  if (existsSync(join(path, 'case.json'))) return [path]
  if (depth > 8) return []
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== 'node_modules')
    .map((entry) => entry.name)
    .sort()
    .flatMap((name) => foldersBelow(join(path, name), depth + 1))
}

/** @param root nothing outside of it is read; the case's own folder when it is not given */
export function readCase(folder: string, root: string = folder): Case {
  const files = {
    folder,
    has: (file: string) => existsSync(join(folder, file)),
    octets: (file: string) => readFileSync(join(folder, file)),
    parsed: <T>(file: string) => parsedFile<T>(join(folder, file)),
  }
  const broken = (settings: CaseSettings, problems: readonly string[]): Case => {
    const json = { id: basename(folder), title: '(broken case)', covers: [] }
    return { ...files, json, settings, clock: Date.parse(settings.clock), problems }
  }
  const own = join(dirname(folder), 'defaults.json')
  const unreadable = fileProblems(folder, root, 'case.json')
  if (unreadable.length > 0) return broken(bundledSettings(), unreadable)
  try {
    const json = parsedFile<CaseJson>(join(folder, 'case.json'))
    const defaults = parsedFile<CaseSettings>(existsSync(own) ? own : bundledDefaults)
    const wrong = caseJsonProblems(json)
    if (wrong.length > 0) return broken(defaults, wrong)
    const settings = merged(defaults, json.config ?? {}) as CaseSettings
    const problems = folderProblems(folder, root, json, settings)
    return { ...files, json, settings, clock: Date.parse(settings.clock), problems }
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    return broken(bundledSettings(), [error.message])
  }
}

function parsedFile<T>(path: string): T {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T
  } catch (error) {
    throw new Fault('malformed', `${path}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The common configuration of the bundled cases. */
export const bundledSettings = (): CaseSettings => parsedFile<CaseSettings>(bundledDefaults)

/** Objects merge deeply; arrays and scalars replace. */
export function merged(base: unknown, over: unknown): unknown {
  if (!isPlain(base) || !isPlain(over)) return over === undefined ? base : over
  const result: Record<string, unknown> = { ...base }
  for (const [key, value] of Object.entries(over)) result[key] = merged(base[key], value)
  return result
}
