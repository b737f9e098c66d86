/** The section of an IMAP URL as FETCH knows it (RFC 5092 §6: what stands in BODY.PEEK[<section>]). */
import type { SectionSpec } from '../mime/section.ts'
import { sectionSpec } from './section.ts'
import { CommandInput } from './tokens.ts'
import type { ImapMessagePart } from './url.ts'

/** undefined: not a section-spec. */
export function urlSection(url: Pick<ImapMessagePart, 'section'>): SectionSpec | undefined {
  if (url.section === undefined) return { part: [] }
  try {
    const input = new CommandInput([url.section])
    const { section } = sectionSpec(input)
    input.end()
    return section
  } catch {
    return undefined
  }
}

/** What ";PARTIAL=" leaves of so many octets; a start behind the end leaves nothing (CA-16). */
export function urlRange(
  url: Pick<ImapMessagePart, 'partial'>,
  size: number,
): { start: number; end: number } {
  const start = Math.min(url.partial?.start ?? 0, size)
  return { start, end: Math.min(size, start + (url.partial?.octets ?? size)) }
}
