/** Finds the octets of a FETCH section (RFC 3501 §6.4.5; FE-07 to FE-19) in the stored structure, without parsing. */
import type { PartRange } from '../../model/message-digest.ts'

export interface SectionSpec {
  /** Part numbers, outermost first; empty = the message itself. */
  readonly part: readonly number[]
  readonly text?: 'HEADER' | 'HEADER.FIELDS' | 'HEADER.FIELDS.NOT' | 'TEXT' | 'MIME' | undefined
  /** Of HEADER.FIELDS and HEADER.FIELDS.NOT. */
  readonly fields?: readonly string[] | undefined
}

export type LocatedSection =
  | { readonly kind: 'range'; readonly start: number; readonly end: number }
  | {
      readonly kind: 'header-fields'
      readonly headerStart: number
      readonly headerEnd: number
      readonly names: readonly string[]
      readonly not: boolean
    }

/** The part of that number; undefined: there is none. */
export const partAt = (structure: PartRange, numbers: readonly number[]): PartRange | undefined =>
  numbers.length === 0 ? structure : descend(structure, numbers)

/** undefined: there is no such part (answered NIL). */
export function locateSection(structure: PartRange, section: SectionSpec): LocatedSection | undefined {
  const found = partAt(structure, section.part)
  if (!found) return undefined
  const range = (start: number, end: number): LocatedSection => ({ kind: 'range', start, end })
  if (section.text === undefined)
    return section.part.length === 0
      ? range(found.headerStart, found.bodyEnd)
      : range(found.bodyStart, found.bodyEnd)
  if (section.text === 'MIME') return range(found.headerStart, found.bodyStart)
  // HEADER and TEXT of a part are those of the message that it encloses (FE-14, FE-15).
  const message = section.part.length === 0 ? found : isMessage(found) ? found.parts[0] : undefined
  if (!message) return undefined
  if (section.text === 'TEXT') return range(message.bodyStart, message.bodyEnd)
  if (section.text === 'HEADER') return range(message.headerStart, message.bodyStart)
  return {
    kind: 'header-fields',
    headerStart: message.headerStart,
    headerEnd: message.bodyStart,
    names: section.fields ?? [],
    not: section.text === 'HEADER.FIELDS.NOT',
  }
}

const isMessage = (part: PartRange): boolean =>
  part.type === 'message/rfc822' || part.type === 'message/global'
const isMultipart = (part: PartRange): boolean => part.type.startsWith('multipart/')

function descend(message: PartRange, numbers: readonly number[]): PartRange | undefined {
  // `at` is an entity whose parts the next number chooses from; a message that is no multipart has one part, itself.
  let at: PartRange | undefined = message
  let fresh = true
  for (const number of numbers) {
    if (!at) return undefined
    if (!fresh && isMessage(at)) {
      at = at.parts[0]
      if (!at) return undefined
      fresh = true
    }
    if (isMultipart(at)) {
      at = at.parts[number - 1]
      fresh = false
    } else if (fresh && number === 1) fresh = false
    else return undefined
  }
  return at
}

/**
 * The header fields of those names (or, with `not`, all others) as they stand, continuation lines with their field, and
 * the empty line that ends the block where the message has one (FE-07 to FE-09).
 */
export function filterHeader(header: Uint8Array, names: readonly string[], not: boolean): Uint8Array {
  const wanted = new Set(names.map((name) => name.toLowerCase()))
  const text = Buffer.from(header.buffer, header.byteOffset, header.length).toString('latin1')
  let out = ''
  let keep = false
  let at = 0
  let ended = false
  while (at < text.length) {
    const newline = text.indexOf('\n', at)
    const next = newline < 0 ? text.length : newline + 1
    const line = text.slice(at, next)
    at = next
    if (line === '\r\n' || line === '\n') {
      ended = true
      break
    }
    if (line[0] !== ' ' && line[0] !== '\t') {
      const colon = line.indexOf(':')
      const name = (colon < 0 ? line : line.slice(0, colon)).trimEnd().toLowerCase()
      keep = wanted.has(name) !== not
    }
    if (keep) out += line
  }
  return Buffer.from(ended ? `${out}\r\n` : out, 'latin1')
}
