/** BINARY[...], BINARY.PEEK[...], BINARY.SIZE[...] (RFC 3516 §4): a part without its transfer encoding. */
import type { Message } from '../../store/store.ts'
import { collected, sectionOctets } from '../../urlauth/section-octets.ts'
import { type Partial, partialSpec, sectionPart } from '../../wire/imap/section.ts'
import type { CommandInput } from '../../wire/imap/tokens.ts'
import { decodedStream, windowOf } from '../../wire/mime/decode-stream.ts'
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
      const decoded = await decodedPart(message, session, section.part)
      if (decoded === undefined) return { text: `${label} NIL` }
      if (decoded instanceof Uint8Array) return binaryValue(label, cutTo(decoded, partial))
      const { start, end } = rangeOf(partial)
      // The size and whether there is a NUL are told first: large parts are decoded twice, and never held whole.
      const { size, hasNul } = await measured(windowOf(decoded(), start, end))
      return size === 0
        ? { text: `${label} ""` }
        : {
            text: `${label} ${hasNul ? '~' : ''}{${size}}\r\n`,
            stream: { size, content: windowOf(decoded(), start, end) },
          }
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
      const decoded = await decodedPart(message, session, section.part)
      const size = typeof decoded === 'function' ? (await measured(decoded())).size : (decoded?.length ?? 0)
      return { text: `${label} ${size}` }
    },
  }
}

/** NUL can only stand in a literal8; without one a plain literal tells as much (BI-02). */
export const binaryValue = (label: string, octets: Uint8Array): ItemValue =>
  octets.length === 0
    ? { text: `${label} ""` }
    : { text: `${label} ${octets.includes(0) ? '~' : ''}{${octets.length}}\r\n`, octets }

const rangeOf = (partial: Partial | undefined): { readonly start: number; readonly end: number } =>
  partial
    ? { start: partial.start, end: partial.start + partial.octets }
    : { start: 0, end: Number.POSITIVE_INFINITY }

function cutTo(octets: Uint8Array, partial: Partial | undefined): Uint8Array {
  const { start, end } = rangeOf(partial)
  return octets.subarray(start, Math.min(end, octets.length))
}

async function measured(
  pieces: AsyncIterable<Uint8Array>,
): Promise<{ readonly size: number; readonly hasNul: boolean }> {
  let size = 0
  let hasNul = false
  for await (const piece of pieces) {
    size += piece.length
    hasNul ||= piece.includes(0)
  }
  return { size, hasNul }
}

/** Encoded parts up to that size are decoded once, in memory. */
const inMemoryOctets = 262_144

/**
 * The octets, or how to have them read and decoded in pieces, as often as it is called. undefined: there is no such part
 * (BI-15).
 * @throws Fault 'content-refused' for an encoding that nobody knows (BI-04)
 */
async function decodedPart(
  message: Message,
  session: Session,
  numbers: readonly number[],
): Promise<Uint8Array | (() => AsyncIterable<Uint8Array>) | undefined> {
  const form = shownForm(message, session)
  const section = { part: numbers }
  const { store } = session.services
  const found = await sectionOctets(store, message, section, undefined, form)
  if (!found) return undefined
  // The whole message is octets as it stands (BI-08).
  const part = numbers.length === 0 ? identity : partAt((form ?? message.digest).structure, numbers)
  if (!part) return undefined
  if (found.size <= inMemoryOctets) return decodeTransfer(part, await collected(found)) ?? unknownEncoding()
  if (!decodedStream(part, nothing())) return unknownEncoding()
  return async function* () {
    const { content } = (await sectionOctets(store, message, section, undefined, form)) ?? found
    yield* decodedStream(part, content instanceof Uint8Array ? once(content) : content) ?? nothing()
  }
}

const identity = { type: 'message/rfc822', encoding: 'binary' }

async function* nothing(): AsyncGenerator<Uint8Array> {}
async function* once(octets: Uint8Array): AsyncGenerator<Uint8Array> {
  yield octets
}

function unknownEncoding(): never {
  throw coded('content-refused', 'the transfer encoding of the part is not known', 'UNKNOWN-CTE')
}
