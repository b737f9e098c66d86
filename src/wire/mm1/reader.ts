/** WSP primitives from octets (WAP-230 §8.1.2, §8.4.2; MAP-223). Everything that overruns is a Mm1Fault. */
import { decodeText } from '../mime/charset.ts'
import { charsetName, isWide } from './charsets.ts'
import { corrupt } from './fault.ts'

/** Longest text of one value, octets. */
const maxText = 65_536

export class Reader {
  readonly #octets: Buffer
  #at: number
  readonly end: number

  constructor(octets: Uint8Array, start = 0, end = octets.length) {
    this.#octets = Buffer.from(octets.buffer, octets.byteOffset, octets.length)
    this.#at = start
    this.end = end
  }

  get at(): number {
    return this.#at
  }
  get left(): number {
    return this.end - this.#at
  }

  peek(): number {
    const octet = this.#at < this.end ? this.#octets[this.#at] : undefined
    if (octet === undefined) throw corrupt('the PDU ends early')
    return octet
  }

  octet(): number {
    const octet = this.peek()
    this.#at++
    return octet
  }

  /** A view of the next octets. */
  take(length: number): Buffer {
    if (length > this.left) throw corrupt('a length is greater than what is there')
    this.#at += length
    return this.#octets.subarray(this.#at - length, this.#at)
  }

  /** A reader of the next octets, which are then behind this one. */
  within(length: number): Reader {
    if (length > this.left) throw corrupt('a length is greater than what is there')
    const inner = new Reader(this.#octets, this.#at, this.#at + length)
    this.#at += length
    return inner
  }

  /** At most five octets, at most 32 bits. */
  uintvar(): number {
    let value = 0
    for (let i = 0; i < 5; i++) {
      const octet = this.octet()
      value = value * 128 + (octet & 0x7f)
      if (octet < 0x80) {
        if (value > 0xffffffff) throw corrupt('an integer is too large')
        return value
      }
    }
    throw corrupt('an integer does not end')
  }

  shortInteger(): number {
    const octet = this.octet()
    if (octet < 0x80) throw corrupt('a short integer was expected')
    return octet & 0x7f
  }

  /** Length and big-endian octets; what does not fit a double exactly is refused. */
  longInteger(): number {
    const length = this.octet()
    if (length === 0 || length > 30) throw corrupt('a long integer was expected')
    let value = 0
    for (const octet of this.take(length)) value = value * 256 + octet
    if (!Number.isSafeInteger(value)) throw corrupt('an integer is too large')
    return value
  }

  integer(): number {
    return this.peek() >= 0x80 ? this.shortInteger() : this.longInteger()
  }

  valueLength(): number {
    const first = this.octet()
    if (first < 31) return first
    if (first === 31) return this.uintvar()
    throw corrupt('a value length was expected')
  }

  /** The octets up to a NUL, the quote octet dropped. */
  textOctets(): Buffer {
    const found = this.#octets.indexOf(0, this.#at)
    if (found < 0 || found >= this.end) throw corrupt('a text does not end')
    if (found - this.#at > maxText) throw corrupt('a text is too long')
    const text = this.take(found - this.#at)
    this.#at++
    return unquoted(text)
  }

  /** UTF-8 where it is that, else windows-1252: Text-string has no charset of its own. */
  text(): string {
    return decodeText(this.textOctets(), undefined)
  }

  /** Encoded-string-value: text, or a charset and text in it (OMA MMS ENC §7.3.). */
  encodedString(): string {
    const first = this.peek()
    if (first === 0) {
      this.octet()
      return ''
    }
    if (first > 31) return this.text()
    const value = this.within(this.valueLength())
    if (value.left === 0) return ''
    const charset = value.integer()
    const octets = value.take(value.left)
    if (octets.length > maxText) throw corrupt('a text is too long')
    return decodeText(unquoted(withoutNul(octets, isWide(charset))), charsetName(charset))
  }

  /** Passes over a value of any kind (WAP-230 §8.4.1.2) and gives its octets. */
  anyValue(): Buffer {
    const start = this.#at
    const first = this.peek()
    if (first < 32) this.within(this.valueLength())
    else if (first < 0x80) this.textOctets()
    else this.octet()
    return this.#octets.subarray(start, this.#at)
  }
}

/** 0x7F before an octet from 0x7F up says that text begins there (MAP-223). */
const unquoted = (octets: Buffer): Buffer =>
  octets[0] === 0x7f && (octets[1] ?? 0) >= 0x7f ? octets.subarray(1) : octets

/** The NUL at the end of the text; of two-octet characters it has two octets, though many write one. */
function withoutNul(octets: Buffer, wide: boolean): Buffer {
  let { length } = octets
  if (wide) {
    if (length % 2 === 1) length--
    else if (length >= 2 && octets[length - 1] === 0 && octets[length - 2] === 0) length -= 2
    return octets.subarray(0, length)
  }
  const nul = octets.indexOf(0)
  return nul < 0 ? octets : octets.subarray(0, nul)
}
