/** BODY[...], BODY.PEEK[...], RFC822 and its kin: octets of the message, straight from the store (FE-06 to FE-23). */
import type { Message, OctetRange } from '../../store/store.ts'
import { type ParsedSection, type Partial, partialSpec, sectionSpec } from '../../wire/imap/section.ts'
import type { CommandInput } from '../../wire/imap/tokens.ts'
import { filterHeader, locateSection } from '../../wire/mime/section.ts'
import type { Session } from '../session.ts'
import { type FetchItem, type ItemValue, octetsValue } from './item.ts'

/** Larger pieces flow at the client's pace. */
const streamFrom = 65_536

export const bodyItem = (input: CommandInput): FetchItem =>
  input.peek() === '['
    ? sectionItem(input, false)
    : { label: 'BODY', digest: true, text: (m) => `BODY ${m.digest.body}` }

export const bodyPeekItem = (input: CommandInput): FetchItem => sectionItem(input, true)

function sectionItem(input: CommandInput, peek: boolean): FetchItem {
  input.expect('[')
  const parsed = sectionSpec(input)
  input.expect(']')
  const partial = partialSpec(input)
  const origin = partial ? `<${partial.start}>` : ''
  return octetsItem(`BODY[${parsed.label}]${origin}`, parsed.section, partial, !peek)
}

export const rfc822Items: Readonly<Record<string, () => FetchItem>> = {
  RFC822: () => octetsItem('RFC822', { part: [] }, undefined, true),
  'RFC822.HEADER': () => octetsItem('RFC822.HEADER', { part: [], text: 'HEADER' }, undefined, false),
  'RFC822.TEXT': () => octetsItem('RFC822.TEXT', { part: [], text: 'TEXT' }, undefined, true),
}

const octetsItem = (
  label: string,
  section: ParsedSection['section'],
  partial: Partial | undefined,
  seen: boolean,
): FetchItem => ({
  label,
  digest: true,
  seen,
  load: (message, session) => loadSection(label, section, partial, message, session),
})

async function loadSection(
  label: string,
  section: ParsedSection['section'],
  partial: Partial | undefined,
  message: Message,
  session: Session,
): Promise<ItemValue> {
  const { store } = session.services
  const at = locateSection(message.digest.structure, section)
  // No such part (FE-13, FE-15).
  if (!at) return { text: `${label} NIL` }
  if (at.kind === 'header-fields') {
    const header = await store.readBlob(message.blob, { start: at.headerStart, end: at.headerEnd })
    const wanted = filterHeader(header, at.names, at.not)
    // A partial cuts what was chosen, not what it was chosen from (FE-21).
    const { start, end } = cut({ start: 0, end: wanted.length }, partial)
    return octetsValue(label, wanted.subarray(start, end))
  }
  const range = cut({ start: at.start, end: at.end }, partial)
  const octets = range.end - range.start
  if (octets > streamFrom)
    return { text: `${label} {${octets}}\r\n`, octets: store.streamBlob(message.blob, range) }
  return octetsValue(label, octets > 0 ? await store.readBlob(message.blob, range) : new Uint8Array(0))
}

function cut(range: OctetRange, partial: Partial | undefined): OctetRange {
  if (!partial) return range
  const start = Math.min(range.start + partial.start, range.end)
  return { start, end: Math.min(start + partial.octets, range.end) }
}
