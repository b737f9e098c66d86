/** Reads one command from left to right (RFC 3501 §9). Every wrong token is Fault 'malformed'. */
import { isUtf8 } from 'node:buffer'
import { Fault } from '../../model/fault.ts'
import type { OctetString } from '../../model/units.ts'
import type { CommandPart } from './framing.ts'
import { decodeUtf7 } from './utf7.ts'

/** '*' is the largest number in use. Ends may stand in either order (FE-01). */
export type NumberSet = readonly { readonly from: number | '*'; readonly to: number | '*' }[]

const maxNumber = 4_294_967_295
const atomChars = /[^\x00-\x20(){%*"\\\]\x7f-\xff]*/y
const astringChars = /[^\x00-\x20(){%*"\\\x7f-\xff]*/y
const listChars = /[^\x00-\x20(){"\\\x7f-\xff]*/y
const tagChars = /[^\x00-\x20(){%*"\\+\x7f-\xff]*/y
const digits = /[0-9]*/y
const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']

export class CommandInput {
  readonly #parts: readonly CommandPart[]
  readonly utf8: boolean
  readonly #givenNames = new Map<string, string>()
  #part = 0
  #at = 0

  /** With `utf8`, quoted strings may hold UTF-8 and mailbox names are UTF-8 (RFC 6855 §3, RFC 9051 §4.3). */
  constructor(parts: readonly CommandPart[], utf8 = false) {
    this.#parts = parts
    this.utf8 = utf8
  }

  get #text(): string {
    const part = this.#parts[this.#part]
    return typeof part === 'string' ? part : ''
  }

  fail(expected: string): never {
    throw new Fault('malformed', `expected ${expected}`)
  }

  /** The next character; '' at the end of a line or before a literal. */
  peek(): string {
    return this.#text[this.#at] ?? ''
  }

  /** The character after the space that comes next; '' when there is none. */
  peekBehindSpace(): string {
    return this.peek() === ' ' ? (this.#text[this.#at + 1] ?? '') : ''
  }

  /** Takes the character if it comes next. */
  try(character: string): boolean {
    if (this.peek() !== character) return false
    this.#at += 1
    return true
  }

  expect(character: string): this {
    if (!this.try(character)) this.fail(character === ' ' ? 'a space' : `"${character}"`)
    return this
  }

  sp(): this {
    return this.expect(' ')
  }

  /** Everything up to the end of the line. */
  rest(): OctetString {
    return this.#run(/[\s\S]*/y)
  }

  end(): void {
    if (this.#part < this.#parts.length - 1 || this.#at < this.#text.length)
      this.fail('the end of the command')
  }

  #run(pattern: RegExp): string {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0] ?? ''
    this.#at += found.length
    return found
  }

  #some(pattern: RegExp, what: string): string {
    return this.#run(pattern) || this.fail(what)
  }

  tag(): string {
    return this.#some(tagChars, 'a tag')
  }

  atom(): OctetString {
    return this.#some(atomChars, 'an atom')
  }

  /** An atom in upper case: keywords have no case (SY-16). */
  word(): string {
    return this.atom().toUpperCase()
  }

  /** Takes the word if it comes next as a whole word, in any case. */
  tryWord(word: string): boolean {
    const at = this.#at
    const found = this.#run(atomChars)
    if (found.toUpperCase() === word) return true
    this.#at = at
    return false
  }

  /** Letters, digits, dots: the name of a FETCH item, which may be followed by "[". */
  itemName(): string {
    return this.#some(/[A-Za-z0-9.]*/y, 'a data item').toUpperCase()
  }

  digits(): string {
    return this.#some(digits, 'a number')
  }

  number(): number {
    const text = this.digits()
    const value = Number(text)
    // RFC 3501 §9 number: 32 bits (SY-22).
    if (value > maxNumber) this.fail('a number below 4294967296')
    return value
  }

  nzNumber(): number {
    if (this.peek() === '0') this.fail('a number above 0')
    return this.number()
  }

  nzNumberOrStar(): number | '*' {
    return this.try('*') ? '*' : this.nzNumber()
  }

  get atLiteral(): boolean {
    return this.#at >= this.#text.length && this.#part + 1 < this.#parts.length
  }

  #takeLiteral(): Buffer {
    const literal = this.#parts[this.#part + 1]
    if (!this.atLiteral || literal === undefined || typeof literal === 'string') return this.fail('a literal')
    this.#part += 2
    this.#at = 0
    return literal
  }

  literal(): Buffer {
    const literal = this.#takeLiteral()
    // CHAR8 leaves NUL out (SY-08).
    if (literal.includes(0)) this.fail('a literal without NUL')
    return literal
  }

  /** A literal, or a literal8 whose octets may be anything (RFC 3516 §4.4). */
  literal8(): { readonly octets: Buffer; readonly binary: boolean } {
    if (!this.try('~')) return { octets: this.literal(), binary: false }
    return { octets: this.#takeLiteral(), binary: true }
  }

  #quoted(): OctetString {
    this.expect('"')
    let value = ''
    for (;;) {
      value += this.#run(this.utf8 ? /[^\x00\r\n"\\]*/y : /[^\x00\r\n"\\\x80-\xff]*/y)
      if (this.try('"')) {
        if (this.utf8 && !isUtf8(Buffer.from(value, 'latin1'))) this.fail('UTF-8')
        return value
      }
      if (!this.try('\\')) this.fail('the end of a quoted string')
      const escaped = this.peek()
      if (escaped !== '"' && escaped !== '\\') this.fail('an escaped quote or backslash')
      value += escaped
      this.#at += 1
    }
  }

  /** A string that may not be a literal. */
  quoted(): OctetString {
    return this.#quoted()
  }

  string(): OctetString {
    if (this.peek() === '"') return this.#quoted()
    return this.literal().toString('latin1')
  }

  nstring(): OctetString | undefined {
    if (this.peek() === '"' || this.atLiteral) return this.string()
    if (this.word() !== 'NIL') this.fail('a string or NIL')
    return undefined
  }

  /** A string, a literal8, or NIL: undefined (RFC 5464 §5 value). */
  nstring8(): Buffer | undefined {
    if (this.peek() === '~' || this.atLiteral) return this.literal8().octets
    const text = this.nstring()
    return text === undefined ? undefined : Buffer.from(text, 'latin1')
  }

  /** A list of options follows, and behind it more: no list of what comes last. */
  optionsFollow(): boolean {
    return this.peek() === '(' && /^\((?:maxsize|depth) /i.test(this.#text.slice(this.#at, this.#at + 10))
  }

  astring(): OctetString {
    if (this.peek() === '"' || this.atLiteral) return this.string()
    return this.#some(astringChars, 'a string')
  }

  /** A mailbox name in Unicode. @throws Fault 'content-refused' for a name that is not modified UTF-7 (MB-04) */
  mailbox(): string {
    return this.mailboxOf(this.astring())
  }

  mailboxOf(octets: OctetString): string {
    if (!this.utf8) return unicodeName(octets)
    const given = /[\x80-\xff]/.test(octets) ? utf8Name(octets) : octets
    const name = plainName(given)
    if (name !== given) this.#givenNames.set(name, given)
    return name
  }

  /** How the client spelled a mailbox name that was normalised (RFC 9051 §5.1); undefined: as it is. */
  givenName(name: string): string | undefined {
    return this.#givenNames.get(name)
  }

  /** Pattern of LIST, as it stands. */
  listMailbox(): OctetString {
    if (this.peek() === '"' || this.atLiteral) return this.string()
    return this.#some(listChars, 'a mailbox pattern')
  }

  /** A set, or "$": the result that SEARCH saved (RFC 5182 §2.1). */
  messages(): NumberSet | '$' {
    return this.try('$') ? '$' : this.numberSet()
  }

  numberSet(): NumberSet {
    const set: { from: number | '*'; to: number | '*' }[] = []
    do {
      const from = this.nzNumberOrStar()
      set.push({ from, to: this.try(':') ? this.nzNumberOrStar() : from })
    } while (this.try(','))
    return set
  }

  /** One flag in the spelling of the client; \Recent is the server's alone (SE-14). */
  flag(): string {
    const system = this.try('\\')
    const name = this.atom()
    if (system && name.toUpperCase() === 'RECENT') this.fail('a flag that a client may set')
    return system ? `\\${name}` : name
  }

  flagList(): string[] {
    this.expect('(')
    const flags: string[] = []
    while (!this.try(')')) {
      if (flags.length > 0) this.sp()
      flags.push(this.flag())
    }
    return flags
  }

  /** RFC 3501 §9 date-time, to milliseconds since 1970. */
  dateTime(): { readonly epochMs: number; readonly offsetMinutes: number } {
    const match =
      /^([ 0-3]\d)-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)$/.exec(this.#quoted()) ??
      this.fail('a date and time')
    const [hour, minute, second, zoneHour, zoneMinute] = [4, 5, 6, 8, 9].map((i) => Number(match[i])) as [
      number,
      number,
      number,
      number,
      number,
    ]
    const day = this.#day(match[1], match[2], match[3])
    if (hour > 23 || minute > 59 || second > 60 || zoneHour > 23 || zoneMinute > 59)
      this.fail('a time of day')
    const east = (match[7] === '-' ? -1 : 1) * (zoneHour * 60 + zoneMinute)
    return { epochMs: day + ((hour * 60 + minute - east) * 60 + second) * 1000, offsetMinutes: east }
  }

  /** A date of SEARCH, quoted or not, as midnight UTC (SY-31). */
  date(): number {
    const text = this.peek() === '"' ? this.#quoted() : this.atom()
    const match = /^(\d{1,2})-([A-Za-z]{3})-(\d{4})$/.exec(text) ?? this.fail('a date')
    return this.#day(match[1], match[2], match[3])
  }

  #day(day: string | undefined, month: string | undefined, year: string | undefined): number {
    const number = Number(day)
    const index = months.indexOf((month ?? '').toLowerCase())
    const at = new Date(0)
    at.setUTCFullYear(Number(year), index, number)
    if (index < 0 || at.getUTCMonth() !== index || at.getUTCDate() !== number) this.fail('a date that exists')
    return at.getTime()
  }
}

export const unicodeName = (octets: OctetString): string => {
  const name = decodeUtf7(octets)
  if (name === undefined) throw new Fault('content-refused', 'the mailbox name is not modified UTF-7')
  return name
}

function utf8Name(octets: OctetString): string {
  const buffer = Buffer.from(octets, 'latin1')
  if (!isUtf8(buffer)) throw new Fault('malformed', 'expected UTF-8')
  return buffer.toString('utf8')
}

/** Net-Unicode without controls and line separators (MB-07). */
function plainName(name: string): string {
  if (/[\x00-\x1f\x7f-\x9f\u2028\u2029]/.test(name) || !name.isWellFormed())
    throw new Fault('content-refused', 'the mailbox name holds control characters')
  return name.normalize('NFC')
}
