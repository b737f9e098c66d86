/** The octets of a section as they are stored: for BODY[...], CATENATE, URLFETCH and BURL alike. */
import type { AsciiForm } from '../model/message-digest.ts'
import type { MailStore, Message, OctetRange } from '../store/store.ts'
import { shownPieces } from '../wire/mime/replaced.ts'
import { filterHeader, locateSection, type SectionSpec } from '../wire/mime/section.ts'

/** Larger pieces flow at the reader's pace. */
const streamFrom = 65_536

export interface SectionOctets {
  readonly size: number
  readonly content: Uint8Array | AsyncIterable<Uint8Array>
}

/** Of the octets of the section; `octets` undefined: to the end. */
export interface Window {
  readonly start: number
  readonly octets: number | undefined
}

/**
 * undefined: there is no such part (FE-13, FE-15). The message must have been read with its digest. `form`: as it is shown
 * to those who do not know 8-bit header fields, else as it is stored.
 */
export async function sectionOctets(
  store: MailStore,
  message: Message,
  section: SectionSpec,
  window?: Window,
  form?: AsciiForm,
): Promise<SectionOctets | undefined> {
  const at = locateSection(form?.structure ?? message.digest.structure, section)
  const read = form ? shownReader(store, message.blob, form) : storedReader(store, message.blob)
  if (!at) return undefined
  if (at.kind === 'header-fields') {
    const header = await read({ start: at.headerStart, end: at.headerEnd }, true)
    const wanted = filterHeader(header, at.names, at.not)
    // The window cuts what was chosen, not what it was chosen from (FE-21).
    const { start, end } = cut({ start: 0, end: wanted.length }, window)
    return { size: end - start, content: wanted.subarray(start, end) }
  }
  const range = cut({ start: at.start, end: at.end }, window)
  const size = range.end - range.start
  if (size === 0) return { size, content: new Uint8Array(0) }
  return { size, content: size > streamFrom ? read(range, false) : await read(range, true) }
}

interface Reader {
  (range: OctetRange, whole: true): Promise<Uint8Array>
  (range: OctetRange, whole: false): AsyncIterable<Uint8Array>
}

const storedReader = (store: MailStore, blob: number): Reader =>
  ((range: OctetRange, whole: boolean) =>
    whole ? store.readBlob(blob, range) : store.streamBlob(blob, range)) as Reader

function shownReader(store: MailStore, blob: number, { replacements }: AsciiForm): Reader {
  async function* stream({ start, end }: OctetRange): AsyncGenerator<Uint8Array> {
    for (const piece of shownPieces(replacements, start, end))
      if ('by' in piece) yield Buffer.from(piece.by, 'latin1')
      else yield* store.streamBlob(blob, piece)
  }
  return ((range: OctetRange, whole: boolean) =>
    whole ? collected({ content: stream(range) }) : stream(range)) as Reader
}

function cut(range: OctetRange, window: Window | undefined): OctetRange {
  if (!window) return range
  const start = Math.min(range.start + window.start, range.end)
  return { start, end: Math.min(start + (window.octets ?? range.end), range.end) }
}

/** The message that a URL names; undefined when it is not there, or UIDVALIDITY is another (CA-15, UA-35). */
export async function messageOf(
  store: MailStore,
  account: number,
  source: { readonly mailbox: string; readonly uidValidity: number | undefined; readonly uid: number },
): Promise<Message | undefined> {
  return store.read(account, async (view) => {
    const mailbox = await view.mailbox(source.mailbox)
    if (!mailbox?.selectable) return undefined
    if (source.uidValidity !== undefined && source.uidValidity !== mailbox.uidValidity) return undefined
    const uids = [{ from: source.uid, to: source.uid }]
    for await (const [message] of view.messages(mailbox.id, { uids, digest: true })) return message
    return undefined
  })
}

/** All of it in memory: for what will be stored or sent whole. */
export async function collected({ content }: Pick<SectionOctets, 'content'>): Promise<Uint8Array> {
  if (content instanceof Uint8Array) return content
  const pieces: Uint8Array[] = []
  for await (const piece of content) pieces.push(piece)
  return Buffer.concat(pieces)
}
