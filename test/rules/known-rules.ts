/** The rules of both checklists (fixtures/rules.json), and who names them: tests by their text, cases by `covers`. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface Rule {
  readonly id: string
  /** MUST, SHOULD, MAY, their negations; CHOICE = how a contradiction of the sources is resolved. */
  readonly level: string
  readonly section: string
}

const root = fileURLToPath(new URL('../../', import.meta.url))

export const rules = JSON.parse(readFileSync(join(root, 'fixtures/rules.json'), 'utf8')) as readonly Rule[]
const known = new Map(rules.map((rule) => [rule.id, rule]))
const prefixes = new Set(rules.map((rule) => rule.id.replace(/-\d+[a-z]?$/, '')))

const filesBelow = (folder: string, pattern: RegExp): string[] =>
  (readdirSync(join(root, folder), { recursive: true }) as string[])
    .filter((name) => pattern.test(name))
    .map((name) => join(root, folder, name))
    .sort()

/** Single ids, and ranges: `MAP-101 to MAP-105`. */
export function idsIn(text: string): string[] {
  const found: string[] = []
  for (const match of text.matchAll(
    /(?<![\w-])([A-Z][A-Z0-9]{0,5})-(\d{2,3})([a-z])?(?![\w-])(?: to \1-(\d{2,3})\b)?/g,
  )) {
    const [, prefix = '', from = '', letter = '', to] = match
    if (!prefixes.has(prefix)) continue
    if (to === undefined) found.push(`${prefix}-${from}${letter}`)
    // Inside a range only what exists counts: numbers have gaps.
    else
      for (let n = Number(from); n <= Number(to); n++) {
        const id = `${prefix}-${String(n).padStart(from.length, '0')}`
        if (known.has(id)) found.push(id)
      }
  }
  return found
}

/** Titles of tests and what stands in scenario files: whatever quotes an id in test/. */
export interface Named {
  readonly byTests: ReadonlyMap<string, readonly string[]>
  readonly byCases: ReadonlyMap<string, readonly string[]>
  /** Ids that no checklist has, with where they stand. */
  readonly unknown: readonly string[]
}

export function namedRules(): Named {
  const byTests = new Map<string, string[]>()
  const byCases = new Map<string, string[]>()
  const unknown: string[] = []
  const note = (map: Map<string, string[]>, id: string, where: string): void => {
    if (!known.has(id)) unknown.push(`${where}: ${id}`)
    else if (!map.get(id)?.includes(where)) map.set(id, [...(map.get(id) ?? []), where])
  }
  for (const file of filesBelow('test', /\.(ts|txt|md|yaml)$/)) {
    if (file.includes('/test/rules/')) continue
    for (const id of idsIn(readFileSync(file, 'utf8'))) note(byTests, id, relative(root, file))
  }
  for (const file of filesBelow('fixtures', /(^|\/)case\.json$/)) {
    const { id, covers } = JSON.parse(readFileSync(file, 'utf8')) as { id: string; covers: readonly string[] }
    for (const rule of covers) note(byCases, rule, id)
  }
  return { byTests, byCases, unknown }
}
