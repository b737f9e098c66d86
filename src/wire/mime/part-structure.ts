/**
 * BODYPARTSTRUCTURE (RFC 5259 §9, RFC 5524 §3.2): the structure of one part, cut out of the BODYSTRUCTURE that is stored
 * with its message. No message is parsed again.
 */
import type { OctetString, Octets } from '../../model/units.ts'

/** Positions in a body-type-1part (RFC 3501 §9 body). */
const encoding = 5
const size = 6
const textLines = 7
const enclosedBody = 8

/** The elements of a parenthesised list as they stand. */
export function elements(list: OctetString): OctetString[] {
  const found: OctetString[] = []
  let at = 1
  while (at < list.length - 1) {
    if (list[at] === ' ') {
      at += 1
      continue
    }
    const end = elementEnd(list, at)
    found.push(list.slice(at, end))
    at = end
  }
  return found
}

/** One past the element that begins there. */
function elementEnd(text: OctetString, from: number): number {
  let depth = 0
  let at = from
  do {
    const character = text[at]
    if (character === '"') {
      at += 1
      while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1
      at += 1
    } else if (character === '{') {
      const brace = text.indexOf('}', at)
      at = brace + 3 + Number(text.slice(at + 1, brace))
    } else if (character === '(' || character === ')') {
      depth += character === '(' ? 1 : -1
      at += 1
    } else {
      const start = at
      while (at < text.length && !/[()"{ ]/.test(text[at] ?? '')) at += 1
      if (at === start) at += 1
    }
  } while (depth > 0 && at < text.length)
  return at
}

const isMultipart = (parts: readonly OctetString[]): boolean => parts[0]?.[0] === '('
const isMessage = (parts: readonly OctetString[]): boolean =>
  parts[0] === '"MESSAGE"' && /^"(?:RFC822|GLOBAL)"$/.test(parts[1] ?? '') && parts[enclosedBody]?.[0] === '('

/** Of the part with those numbers, [] = the message's own body; undefined: there is none. */
export function partStructure(
  bodyStructure: OctetString,
  numbers: readonly number[],
): OctetString | undefined {
  let at: OctetString = bodyStructure
  // A message that is no multipart has one part, itself (RFC 3501 §6.4.5).
  let fresh = true
  for (const number of numbers) {
    let parts = elements(at)
    if (!fresh && isMessage(parts)) {
      at = parts[enclosedBody] ?? ''
      parts = elements(at)
      fresh = true
    }
    if (isMultipart(parts)) {
      const child = parts[number - 1]
      if (child?.[0] !== '(') return undefined
      // Behind the children come the subtype and its lists.
      if (parts.slice(0, number).some((part) => part[0] !== '(')) return undefined
      at = child
      fresh = false
    } else if (fresh && number === 1) fresh = false
    else return undefined
  }
  return at
}

/** The body of the message that a part encloses. */
export function enclosedStructure(structure: OctetString): OctetString | undefined {
  const parts = elements(structure)
  return isMessage(parts) ? parts[enclosedBody] : undefined
}

export interface Measured {
  readonly octets: Octets
  readonly lines: number
  /** As identity encodings go: lines of 7bit or 8bit text, or anything at all (RFC 2045 §6.2). */
  readonly encoding: '7BIT' | '8BIT' | 'BINARY'
}

/** What a part is once its transfer encoding was taken away (RFC 5524 §3.2, UA-39). */
export function withIdentityEncoding(structure: OctetString, decoded: Measured): OctetString {
  const parts = elements(structure)
  if (isMultipart(parts)) return structure
  parts[encoding] = `"${decoded.encoding}"`
  parts[size] = String(decoded.octets)
  if (parts[0] === '"TEXT"') parts[textLines] = String(decoded.lines)
  return `(${parts.join(' ')})`
}

/** Header fields: text that RFC 6522 §3 has a name for. */
export const headerStructure = ({ octets, lines, encoding }: Measured): OctetString =>
  `("TEXT" "RFC822-HEADERS" ("CHARSET" "${encoding === '7BIT' ? 'US-ASCII' : 'UTF-8'}") NIL NIL "${encoding}" ${octets} ${lines} NIL NIL NIL NIL)`

/** A whole message. */
export const messageStructure = (
  { octets, lines, encoding }: Measured,
  digest: { readonly envelope: OctetString; readonly bodyStructure: OctetString },
): OctetString =>
  `("MESSAGE" "RFC822" NIL NIL NIL "${encoding}" ${octets} ${digest.envelope} ${digest.bodyStructure} ${lines} NIL NIL NIL NIL)`

/** RFC 2045 §2.7, §2.8: a line of 7bit or 8bit data is no longer than this, its CR LF not counted. */
const maxLineOctets = 998

export class Measure {
  #octets = 0
  #lines = 0
  #line = 0
  #last = 0
  #eightBit = false
  #nul = false
  #binary = false

  add(piece: Uint8Array): this {
    this.#octets += piece.length
    for (const octet of piece) {
      if (octet === 10) {
        this.#lines += 1
        if (this.#last !== 13) this.#binary = true
        this.#line = 0
      } else {
        if (this.#last === 13) this.#binary = true
        if (octet >= 0x80) this.#eightBit = true
        else if (octet === 0) this.#nul = true
        this.#line += 1
        // The CR counts as one here.
        if (this.#line > maxLineOctets + 1) this.#binary = true
      }
      this.#last = octet
    }
    return this
  }

  get hasNul(): boolean {
    return this.#nul
  }

  get result(): Measured {
    return {
      octets: this.#octets,
      // A last line without its end is one, too, as in the stored structure.
      lines: this.#lines + (this.#octets > 0 && this.#last !== 10 ? 1 : 0),
      encoding: this.#binary || this.#nul ? 'BINARY' : this.#eightBit ? '8BIT' : '7BIT',
    }
  }
}
