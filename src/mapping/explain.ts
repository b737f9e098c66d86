/** Says which row of the table wrote what: `lemonade translate --explain`. */
import type { MappingContext } from './context.ts'
import type { Element } from './element.ts'

/** Runs one row, and tells `ctx.explain` of the names that are new after it. */
export function explained<T>(
  ctx: MappingContext,
  row: Pick<Element, 'name' | 'source'>,
  names: () => readonly string[],
  write: () => T,
): T {
  if (!ctx.explain) return write()
  const before = new Map<string, number>()
  for (const name of names()) before.set(name, (before.get(name) ?? 0) + 1)
  const result = write()
  for (const name of names()) {
    const left = before.get(name) ?? 0
    if (left > 0) before.set(name, left - 1)
    else ctx.explain(name, rowShown(row))
  }
  return result
}

/** A row as it is told of. */
export const rowShown = ({ name, source }: Pick<Element, 'name' | 'source'>): string => `${name} (${source})`

/** Rows that are no information element. */
export const otherRows = {
  trace: { name: 'Trace', source: 'RFC 4356 §2.1.3.2, RFC 5321 §4.4' },
  passThrough: { name: 'Fields not in Table 1', source: 'RFC 4356 §2.1.3' },
  content: { name: 'Content', source: 'RFC 4356 §2.1.3.2, §2.1.3.3' },
  protocol: { name: 'Version, type and ids', source: 'RFC 4356 §2.1.3.3' },
} as const
