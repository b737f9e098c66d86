/** The data items of FETCH (RFC 3501 §6.4.5) as values. */
import type { SectionSpec } from '../mime/section.ts'
import { astring } from './encode.ts'
import type { CommandInput } from './tokens.ts'

export type SimpleItem =
  | 'UID'
  | 'FLAGS'
  | 'INTERNALDATE'
  | 'RFC822.SIZE'
  | 'ENVELOPE'
  | 'BODY'
  | 'BODYSTRUCTURE'

export interface SectionItem {
  readonly section: SectionSpec
  readonly partial?: { readonly start: number; readonly octets: number } | undefined
  /** The name in the answer, as asked for but without .PEEK (FE-06). */
  readonly label: string
  /** .PEEK, and header items: \Seen is left alone (FE-23). */
  readonly peek: boolean
}

export type FetchItem = SimpleItem | SectionItem

const macros: Readonly<Record<string, readonly FetchItem[]>> = {
  FAST: ['FLAGS', 'INTERNALDATE', 'RFC822.SIZE'],
  ALL: ['FLAGS', 'INTERNALDATE', 'RFC822.SIZE', 'ENVELOPE'],
  FULL: ['FLAGS', 'INTERNALDATE', 'RFC822.SIZE', 'ENVELOPE', 'BODY'],
}
const simple = new Set<string>(['UID', 'FLAGS', 'INTERNALDATE', 'RFC822.SIZE', 'ENVELOPE', 'BODYSTRUCTURE'])

/** One item, a macro, or a list of items; macros cannot stand in a list (FE-05). */
export function fetchItems(input: CommandInput): FetchItem[] {
  if (input.try('(')) {
    const items = [fetchItem(input, input.itemName())]
    while (input.try(' ')) items.push(fetchItem(input, input.itemName()))
    input.expect(')')
    return [...new Map(items.map((item) => [typeof item === 'string' ? item : item.label, item])).values()]
  }
  const name = input.itemName()
  return [...(macros[name] ?? [fetchItem(input, name)])]
}

function fetchItem(input: CommandInput, name: string): FetchItem {
  if (simple.has(name)) return name as SimpleItem
  switch (name) {
    case 'BODY':
      return input.peek() === '[' ? sectionItem(input, false) : 'BODY'
    case 'BODY.PEEK':
      return sectionItem(input, true)
    case 'RFC822':
      return { section: { part: [] }, label: name, peek: false }
    case 'RFC822.HEADER':
      return { section: { part: [], text: 'HEADER' }, label: name, peek: true }
    case 'RFC822.TEXT':
      return { section: { part: [], text: 'TEXT' }, label: name, peek: false }
    default:
      return input.fail('a data item')
  }
}

function sectionItem(input: CommandInput, peek: boolean): SectionItem {
  input.expect('[')
  const { section, label } = sectionSpec(input)
  input.expect(']')
  if (!input.try('<')) return { section, label: `BODY[${label}]`, peek }
  const start = input.number()
  input.expect('.')
  const octets = input.nzNumber()
  input.expect('>')
  return { section, partial: { start, octets }, label: `BODY[${label}]<${start}>`, peek }
}

function sectionSpec(input: CommandInput): { section: SectionSpec; label: string } {
  const part: number[] = []
  let dot = false
  while (/[0-9]/.test(input.peek())) {
    part.push(input.nzNumber())
    dot = input.try('.')
    if (!dot) break
    if (part.length > 100) input.fail('fewer part numbers')
  }
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
