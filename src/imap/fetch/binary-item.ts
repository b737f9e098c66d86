/** BINARY[...], BINARY.PEEK[...], BINARY.SIZE[...] (RFC 3516 §4): a part without its transfer encoding. */
import type { PartRange } from '../../model/message-digest.ts'
import type { Message } from '../../store/store.ts'
import { collected, sectionOctets } from '../../urlauth/section-octets.ts'
import { type Partial, partialSpec, sectionPart } from '../../wire/imap/section.ts'
import type { CommandInput } from '../../wire/imap/tokens.ts'
import { decodeTransfer } from '../../wire/mime/decode-transfer.ts'
import { partAt } from '../../wire/mime/section.ts'
import { coded } from '../response-for.ts'
import type { Session } from '../session.ts'
import type { FetchItem, ItemValue } from './item.ts'
import { shownForm } from './shown-form.ts'

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
    digest: ['detail', 'ascii'],
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
    digest: ['detail', 'ascii'],
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
  const form = shownForm(message, session)
  const section = { part: numbers }
  const found = await sectionOctets(session.services.store, message, section, undefined, form)
  const octets = found && (await collected(found))
  // The whole message is octets as it stands (BI-08).
  if (!octets || numbers.length === 0) return octets
  const part = partAt((form ?? message.digest).structure, numbers)
  return part && decodePart(part, octets)
}

/** @throws Fault 'content-refused' for an encoding that nobody knows */
export function decodePart(part: PartRange, body: Uint8Array): Uint8Array {
  const decoded = decodeTransfer(part, body)
  if (!decoded)
    throw coded('content-refused', 'the transfer encoding of the part is not known', 'UNKNOWN-CTE')
  return decoded
}
