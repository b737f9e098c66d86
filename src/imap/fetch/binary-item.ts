/** BINARY[...], BINARY.PEEK[...], BINARY.SIZE[...] (RFC 3516 §4): a part without its transfer encoding. */
import type { PartRange } from '../../model/message-digest.ts'
import type { Message } from '../../store/store.ts'
import { type Partial, partialSpec, sectionPart } from '../../wire/imap/section.ts'
import type { CommandInput } from '../../wire/imap/tokens.ts'
import { decodeQuotedPrintable } from '../../wire/mime/quoted-printable.ts'
import { decodeBase64 } from '../../wire/mime/scan.ts'
import { partAt } from '../../wire/mime/section.ts'
import { coded } from '../response-for.ts'
import type { Session } from '../session.ts'
import type { FetchItem, ItemValue } from './item.ts'

export const binaryItem = (input: CommandInput): FetchItem => item(input, true)
export const binaryPeekItem = (input: CommandInput): FetchItem => item(input, false)

function item(input: CommandInput, seen: boolean): FetchItem {
  input.expect('[')
  const { section, label: part } = sectionPart(input)
  input.expect(']')
  const partial = partialSpec(input)
  const label = `BINARY[${part}]${partial ? `<${partial.start}>` : ''}`
  return {
    label,
    digest: true,
    seen,
    async load(message, session) {
      const octets = await decodedPart(message, session, section.part)
      return octets === undefined ? { text: `${label} NIL` } : binaryValue(label, windowOf(octets, partial))
    },
  }
}

export function binarySizeItem(input: CommandInput): FetchItem {
  input.expect('[')
  const { section, label: part } = sectionPart(input)
  input.expect(']')
  const label = `BINARY.SIZE[${part}]`
  return {
    label,
    digest: true,
    async load(message, session) {
      const octets = await decodedPart(message, session, section.part)
      return { text: `${label} ${octets?.length ?? 0}` }
    },
  }
}

/** NUL can only stand in a literal8; without one a plain literal tells as much (BI-02). */
export const binaryValue = (label: string, octets: Uint8Array): ItemValue =>
  octets.length === 0
    ? { text: `${label} ""` }
    : { text: `${label} ${octets.includes(0) ? '~' : ''}{${octets.length}}\r\n`, octets }

function windowOf(octets: Uint8Array, partial: Partial | undefined): Uint8Array {
  return partial ? octets.subarray(partial.start, partial.start + partial.octets) : octets
}

/** undefined: there is no such part (BI-15). @throws Fault 'content-refused' for an encoding that nobody knows (BI-04) */
async function decodedPart(
  message: Message,
  session: Session,
  numbers: readonly number[],
): Promise<Uint8Array | undefined> {
  const { structure } = message.digest
  const { store } = session.services
  // The whole message is octets as it stands (BI-08).
  if (numbers.length === 0) return store.readBlob(message.blob)
  const part = partAt(structure, numbers)
  if (!part) return undefined
  const body = await store.readBlob(message.blob, { start: part.bodyStart, end: part.bodyEnd })
  return decodePart(part, body)
}

/** @throws Fault 'content-refused' for an encoding that nobody knows */
export function decodePart(part: PartRange, body: Uint8Array): Uint8Array {
  switch (part.encoding) {
    case 'base64':
      return lines(part, decodeBase64(body))
    case 'quoted-printable':
      return lines(part, decodeQuotedPrintable(body))
    case '7bit':
    case '8bit':
    case 'binary':
      return lines(part, body)
    default:
      throw coded('content-refused', 'the transfer encoding of the part is not known', 'UNKNOWN-CTE')
  }
}

/** Lines of text end with CR LF, however they were encoded (RFC 3516 §6). */
function lines(part: PartRange, octets: Uint8Array): Uint8Array {
  if (!part.type.startsWith('text/') || !octets.includes(10)) return octets
  const text = Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString('latin1')
  return /(?<!\r)\n/.test(text) ? Buffer.from(text.replace(/\r?\n/g, '\r\n'), 'latin1') : octets
}
