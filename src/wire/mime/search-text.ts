/** What SEARCH looks through: decoded header fields and the decoded text of a message (RFC 3501 §6.4.4). */
import { casemap } from '../../model/casemap.ts'
import { decodeText } from './charset.ts'
import { decodeWords } from './encoded-words.ts'
import { type MimeNode, storeScanLimits } from './node.ts'
import { allFields, decodeBody, scanMessage } from './scan.ts'

/** Decoded text of one message that is looked through at the most: 8 Mi characters. */
const maxCharacters = 8 * 1024 * 1024

/** All values of a header field, decoded. */
export const headerTexts = (octets: Uint8Array, node: MimeNode, name: string): string[] =>
  allFields(octets, node, name).map(decodeWords)

export interface SearchableText {
  /** The header block, one decoded field a line. */
  readonly header: string
  /** Part headers and text of all text parts, those of enclosed messages too. */
  readonly body: string
}

export function searchableText(octets: Uint8Array): SearchableText {
  const node = scanMessage(octets, storeScanLimits)
  const pieces: string[] = []
  let length = 0
  const add = (text: string): void => {
    if (length > maxCharacters) return
    pieces.push(text)
    length += text.length
  }
  const walk = (part: MimeNode, top: boolean): void => {
    if (!top) add(headerOf(octets, part))
    if (part.parts.length > 0) for (const child of part.parts) walk(child, false)
    else if (part.type === 'text' || part.type === 'message' || part.type === 'multipart')
      add(decodeText(decodeBody(octets, part), part.params.find((p) => p.name === 'charset')?.value))
  }
  walk(node, true)
  return { header: headerOf(octets, node), body: pieces.join('\n') }
}

/** Characters folded between two pauses. */
const foldedAtOnce = 65_536

/** A long text as SEARCH compares it (RFC 5255 §4.2), in pieces: it pauses between them. */
export function* folded(text: string): Generator<void, string, void> {
  let out = ''
  let start = 0
  while (start < text.length) {
    let end = start + foldedAtOnce
    // A pair of surrogates is one character.
    const last = text.charCodeAt(end - 1)
    if (last >= 0xd800 && last < 0xdc00) end += 1
    out += casemap(text.slice(start, end))
    start = end
    yield
  }
  return out
}

/** Whether a text holds a needle as SEARCH compares (RFC 5255 §4.2): what decides where the store only says `maybe`. */
export function textHolds(text: SearchableText, scope: 'text' | 'body', needle: string): boolean {
  const wanted = casemap(needle)
  return casemap(text.body).includes(wanted) || (scope === 'text' && casemap(text.header).includes(wanted))
}

/** The same for the fields of one name; an empty needle asks for the field alone (SR-06). */
export function headerHolds(text: SearchableText, field: string, needle: string): boolean {
  const folded = casemap(needle)
  const start = `${field.toUpperCase()}: `
  return text.header
    .split('\n')
    .some(
      (line) =>
        line.slice(0, start.length).toUpperCase() === start &&
        casemap(line.slice(start.length)).includes(folded),
    )
}

const headerOf = (octets: Uint8Array, node: MimeNode): string =>
  node.fields
    .map((field) => {
      const value = Buffer.from(
        octets.buffer,
        octets.byteOffset + field.valueStart,
        field.end - field.valueStart,
      )
      return `${field.name}: ${decodeWords(
        value
          .toString('latin1')
          .replace(/\r?\n(?=[ \t])/g, '')
          .trim(),
      )}`
    })
    .join('\n')
