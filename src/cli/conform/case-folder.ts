/** A worked case as its folder holds it (fixtures/rfc4356/README.md). */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Fault } from '../../model/fault.ts'
import type { Settings } from '../../model/settings.ts'
import type { EpochMs } from '../../model/units.ts'
import type { OriginalState } from './seed-originals.ts'
import type { QueueState } from './state.ts'

export interface CaseJson {
  readonly id: string
  readonly title: string
  readonly covers: readonly string[]
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
  has(file: string): boolean
  octets(file: string): Buffer
  parsed<T>(file: string): T
}

const bundledDefaults = fileURLToPath(new URL('../../../fixtures/rfc4356/defaults.json', import.meta.url))

/**
 * Every folder with a case.json at or below `roots`, in the order of their names.
 * @throws Fault 'not-found' when a root does not exist; 'malformed' when a JSON file cannot be read
 */
export function findCases(roots: readonly string[]): Case[] {
  const folders = roots.flatMap((root) => {
    const path = resolve(root)
    if (!existsSync(path)) throw new Fault('not-found', `${root} does not exist`)
    return statSync(path).isDirectory() ? foldersBelow(path, 0) : []
  })
  return [...new Set(folders)].map(readCase)
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

export function readCase(folder: string): Case {
  const own = join(dirname(folder), 'defaults.json')
  const json = parsedFile<CaseJson>(join(folder, 'case.json'))
  const defaults = parsedFile<CaseSettings>(existsSync(own) ? own : bundledDefaults)
  const settings = merged(defaults, json.config ?? {}) as CaseSettings
  return {
    json,
    folder,
    settings,
    clock: Date.parse(settings.clock),
    has: (file) => existsSync(join(folder, file)),
    octets: (file) => readFileSync(join(folder, file)),
    parsed: <T>(file: string) => parsedFile<T>(join(folder, file)),
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
