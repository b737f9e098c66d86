/** BODY[...], BODY.PEEK[...], RFC822 and its kin: octets of the message, straight from the store (FE-06 to FE-23). */
import type { Message } from '../../store/store.ts'
import { sectionOctets } from '../../urlauth/section-octets.ts'
import { type ParsedSection, type Partial, partialSpec, sectionSpec } from '../../wire/imap/section.ts'
import type { CommandInput } from '../../wire/imap/tokens.ts'
import type { Session } from '../session.ts'
import type { FetchItem, ItemValue } from './item.ts'
import { shownData, shownForm } from './shown-form.ts'

export const bodyItem = (input: CommandInput): FetchItem =>
  input.peek() === '['
    ? sectionItem(input, false)
    : {
        label: 'BODY',
        digest: ['body', 'ascii'],
        text: (m, session) => `BODY ${shownData(m, session, 'body')}`,
      }

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
  digest: ['detail', 'ascii'],
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
  const found = await sectionOctets(
    session.services.store,
    message,
    section,
    partial,
    shownForm(message, session),
  )
  if (!found) return { text: `${label} NIL` }
  if (found.size === 0) return { text: `${label} ""` }
  const { size, content } = found
  const text = `${label} {${size}}\r\n`
  return content instanceof Uint8Array ? { text, octets: content } : { text, stream: { size, content } }
}
