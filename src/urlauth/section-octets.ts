/** The octets of a section as they are stored: for BODY[...], CATENATE, URLFETCH and BURL alike. */
import type { MailStore, Message, OctetRange } from '../store/store.ts'
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

/** undefined: there is no such part (FE-13, FE-15). The message must have been read with its digest. */
export async function sectionOctets(
  store: MailStore,
  message: Message,
  section: SectionSpec,
  window?: Window,
): Promise<SectionOctets | undefined> {
  const at = locateSection(message.digest.structure, section)
  if (!at) return undefined
  if (at.kind === 'header-fields') {
    const header = await store.readBlob(message.blob, { start: at.headerStart, end: at.headerEnd })
    const wanted = filterHeader(header, at.names, at.not)
    // The window cuts what was chosen, not what it was chosen from (FE-21).
    const { start, end } = cut({ start: 0, end: wanted.length }, window)
    return { size: end - start, content: wanted.subarray(start, end) }
  }
  const range = cut({ start: at.start, end: at.end }, window)
  const size = range.end - range.start
  if (size === 0) return { size, content: new Uint8Array(0) }
  const content =
    size > streamFrom ? store.streamBlob(message.blob, range) : await store.readBlob(message.blob, range)
  return { size, content }
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
export async function collected({ content }: SectionOctets): Promise<Uint8Array> {
  if (content instanceof Uint8Array) return content
  const pieces: Uint8Array[] = []
  for await (const piece of content) pieces.push(piece)
  return Buffer.concat(pieces)
}
