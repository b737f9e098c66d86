/**
 * Comparators of SEARCH, SORT and THREAD (RFC 4790, 5051, 5255 §4). Each gives every string a key once; comparing is
 * then comparing keys, so that keys can be stored.
 */
import type { OctetString } from '../../model/units.ts'
import { unicodeCasemapKey } from './unicode-casemap.ts'

/** Unicode, or the decoded octets of a text that could not be converted to it (RFC 5255 §4.6 step (b) failed). */
export type CollationText = string | Uint8Array

export type CollationOperation = 'equality' | 'order' | 'substring'

export interface Collation {
  readonly name: string
  readonly operations: readonly CollationOperation[]
  /** Of valid text: two strings are equal when their keys are; order is that of the octets. */
  readonly key: (text: string) => OctetString
}

const utf8 = (text: string): OctetString =>
  /^[\x00-\x7f]*$/.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1')

/** RFC 4790 §9.3. */
export const octetCollation: Collation = {
  name: 'i;octet',
  operations: ['equality', 'order', 'substring'],
  key: utf8,
}

/** RFC 4790 §9.2: the letters a to z, and no others, lose their case. */
export const asciiCasemap: Collation = {
  name: 'i;ascii-casemap',
  operations: ['equality', 'order', 'substring'],
  key: (text) => utf8(text.replace(/[a-z]+/g, (letters) => letters.toUpperCase())),
}

/** RFC 4790 §9.1: numbers of any size; what starts with no digit is positive infinity. No substring operation. */
export const asciiNumeric: Collation = {
  name: 'i;ascii-numeric',
  operations: ['equality', 'order'],
  key: (text) => {
    const digits = /^[0-9]+/.exec(text)?.[0].replace(/^0+/, '')
    // The longer of two numbers without leading zeros is the larger one.
    return digits === undefined ? '~' : String(digits.length).padStart(10, '0') + digits
  },
}

/** RFC 5051; the default comparator (IN-02). */
export const unicodeCasemap: Collation = {
  name: 'i;unicode-casemap',
  operations: ['equality', 'order', 'substring'],
  key: unicodeCasemapKey,
}

/** What COMPARATOR may choose: SEARCH and SORT need all three operations (RFC 5255 §4.4). */
export const installedCollations: readonly Collation[] = [unicodeCasemap, asciiCasemap, octetCollation]

/** No octet of UTF-8: keys of failed strings sort behind all others and equal none of them. */
const failed = '\xff'

const asOctets = (octets: Uint8Array): OctetString =>
  Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString('latin1')

const isValid = (text: CollationText): text is string => typeof text === 'string' && text.isWellFormed()

/** The octets that i;octet compares when conversion failed: of a string with a lone surrogate, its UTF-16. */
const rawOctets = (text: CollationText): OctetString =>
  typeof text === 'string' ? Buffer.from(text, 'utf16le').swap16().toString('latin1') : asOctets(text)

/**
 * Key for the ordering and equality operations, an octet string: compare with `<` and `===`. Strings that could not be
 * converted come behind all others, among themselves by i;octet (IN-06).
 */
export const sortKey = (collation: Collation, text: CollationText): OctetString =>
  isValid(text) ? collation.key(text) : failed + rawOctets(text)

/**
 * Prepares the substring operation for one search string: the returned test says whether a text contains it. A text
 * that could not be converted is searched by i;octet for the UTF-8 of the search string (IN-05).
 */
export function substringOf(collation: Collation, wanted: string): (text: CollationText) => boolean {
  const key = sortKey(collation, wanted)
  const octets = utf8(wanted)
  return (text) => (isValid(text) ? collation.key(text).includes(key) : rawOctets(text).includes(octets))
}

/** For texts whose key is stored: the same as substringOf on sortKey(collation, text). */
export function keyContains(collation: Collation, wanted: string): (key: OctetString) => boolean {
  const wantedKey = sortKey(collation, wanted)
  const octets = utf8(wanted)
  return (key) => (key.startsWith(failed) ? key.slice(1).includes(octets) : key.includes(wantedKey))
}

export interface Negotiated {
  readonly active: Collation
  /** Everything that matched, in the order of the arguments; the response lists it when it is more than one. */
  readonly matching: readonly Collation[]
}

/**
 * The arguments of COMPARATOR (RFC 5255 §4.7; RFC 4790 §3.2, §3.3): identifiers with wildcards, or "default". The first
 * match becomes active. undefined: none matches, NO [BADCOMPARATOR]. 'malformed': not a collation-order, BAD.
 */
export function negotiateCollation(
  wanted: readonly string[],
  installed: readonly Collation[] = installedCollations,
  fallback: Collation = unicodeCasemap,
): Negotiated | 'malformed' | undefined {
  const matching = new Set<Collation>()
  for (const argument of wanted) {
    if (argument.toLowerCase() === 'default') {
      matching.add(fallback)
      continue
    }
    // collation-order = ["+" / "-"] collation-wild. A reversed order is nothing that SEARCH could be given.
    const match = /^([+-]?)((?:\*|[A-Za-z]\*?)(?:[A-Za-z0-9\-;=.]\*?)*)$/.exec(argument)
    if (!match || argument.length > 255) return 'malformed'
    if (match[1] === '-') continue
    const pattern = (match[2] ?? '').toLowerCase()
    for (const collation of installed) if (matchesWild(pattern, collation.name)) matching.add(collation)
  }
  const [active] = matching
  return active && { active, matching: [...matching] }
}

/** "*" stands for any characters; pieces are looked for from left to right, so the cost is linear. */
function matchesWild(pattern: string, name: string): boolean {
  const pieces = pattern.split('*')
  const [first = '', ...rest] = pieces
  if (rest.length === 0) return first === name
  const last = rest.pop() ?? ''
  if (!name.startsWith(first)) return false
  let at = first.length
  for (const piece of rest) {
    const found = name.indexOf(piece, at)
    if (found < 0) return false
    at = found + piece.length
  }
  return name.length - at >= last.length && name.endsWith(last)
}
