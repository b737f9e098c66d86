/** The section of BODY[...] and BINARY[...] (RFC 3501 §6.4.5, §9 section). */
import type { SectionSpec } from '../mime/section.ts'
import { astring } from './encode.ts'
import type { CommandInput } from './tokens.ts'

export interface ParsedSection {
  readonly section: SectionSpec
  /** As it stands in the answer. */
  readonly label: string
}

export interface Partial {
  readonly start: number
  readonly octets: number
}

const maxDepth = 100

/** From after "[" to before "]". */
export function sectionSpec(input: CommandInput): ParsedSection {
  const { part, dot } = partNumbers(input)
  const prefix = part.join('.')
  if (part.length > 0 && !dot) return { section: { part }, label: prefix }
  if (part.length === 0 && input.peek() === ']') return { section: { part }, label: '' }
  const text = input.itemName()
  const label = prefix === '' ? text : `${prefix}.${text}`
  if (text === 'HEADER' || text === 'TEXT' || (text === 'MIME' && part.length > 0))
    return { section: { part, text }, label }
  if (text !== 'HEADER.FIELDS' && text !== 'HEADER.FIELDS.NOT') return input.fail('a section')
  input.sp().expect('(')
  const fields = [input.astring()]
  while (input.try(' ')) fields.push(input.astring())
  input.expect(')')
  return { section: { part, text, fields }, label: `${label} (${fields.map(astring).join(' ')})` }
}

/** section-binary: part numbers, or nothing (RFC 3516 §7). */
export function sectionPart(input: CommandInput): ParsedSection {
  const { part, dot } = partNumbers(input)
  if (dot) input.fail('a part number')
  return { section: { part }, label: part.join('.') }
}

function partNumbers(input: CommandInput): { part: number[]; dot: boolean } {
  const part: number[] = []
  let dot = false
  while (/[0-9]/.test(input.peek())) {
    part.push(input.nzNumber())
    dot = input.try('.')
    if (!dot) break
    if (part.length > maxDepth) input.fail('fewer part numbers')
  }
  return { part, dot }
}

/** `<start.octets>` behind a section, where it stands. */
export function partialSpec(input: CommandInput): Partial | undefined {
  if (!input.try('<')) return undefined
  const start = input.number()
  input.expect('.')
  const octets = input.nzNumber()
  input.expect('>')
  return { start, octets }
}
