/**
 * The strings that SORT takes from addresses: RFC 5256 §3 (FROM, TO, CC) and RFC 5957 §3 define them over the ENVELOPE,
 * and the stored ENVELOPE is what is read here.
 */
import type { OctetString } from '../../model/units.ts'
import { subjectParts } from '../../wire/mime/base-subject.ts'
import { decodeWords } from '../../wire/mime/encoded-words.ts'

/** Unicode, not collated yet; the empty string where there is nothing. */
export interface EnvelopeValues {
  readonly from: string
  readonly to: string
  readonly cc: string
  readonly displayFrom: string
  readonly displayTo: string
  /** The subject is a reply or a forward (RFC 5256 §3 REFERENCES). */
  readonly isReply: boolean
}

type Nstring = OctetString | undefined
interface EnvelopeAddress {
  readonly name: Nstring
  readonly mailbox: Nstring
  readonly host: Nstring
}

/** @throws RangeError for what digestMessage() did not write */
export function envelopeValues(envelope: OctetString): EnvelopeValues {
  const reader = new EnvelopeReader(envelope)
  reader.take('(')
  reader.nstring()
  reader.take(' ')
  const subject = reader.nstring() ?? ''
  reader.take(' ')
  const from = reader.firstAddress()
  for (const _ of ['sender', 'reply-to']) reader.take(' ').firstAddress()
  const to = reader.take(' ').firstAddress()
  const cc = reader.take(' ').firstAddress()
  return {
    from: decodeWords(from?.mailbox ?? ''),
    to: decodeWords(to?.mailbox ?? ''),
    cc: decodeWords(cc?.mailbox ?? ''),
    displayFrom: displayValue(from),
    displayTo: displayValue(to),
    isReply: subjectParts(decodeWords(subject)).isReply,
  }
}

/** DISPLAY sort value (RFC 5957 §3; SO-08). */
function displayValue(address: EnvelopeAddress | undefined): string {
  if (!address) return ''
  const name = decodeWords(address.name ?? '')
  if (name !== '') return name
  const mailbox = decodeWords(address.mailbox ?? '')
  // ENVELOPE has an empty host where the address had none (EN-07): "joe@" is nothing that anybody is shown.
  return address.host ? `${mailbox}@${decodeWords(address.host)}` : mailbox
}

class EnvelopeReader {
  readonly #text: OctetString
  #at = 0

  constructor(text: OctetString) {
    this.#text = text
  }

  take(octet: string): this {
    if (this.#text[this.#at] !== octet) throw new RangeError('not an envelope')
    this.#at += 1
    return this
  }

  nstring(): Nstring {
    const text = this.#text
    if (text.startsWith('NIL', this.#at)) {
      this.#at += 3
      return undefined
    }
    if (text[this.#at] === '{') {
      const start = text.indexOf('\n', this.#at) + 1
      const end = start + Number.parseInt(text.slice(this.#at + 1, start), 10)
      this.#at = end
      return text.slice(start, end)
    }
    this.take('"')
    const start = this.#at
    let escaped = false
    for (; text[this.#at] !== '"'; this.#at += 1) {
      if (text[this.#at] === '\\') {
        escaped = true
        this.#at += 1
      }
      if (this.#at >= text.length) throw new RangeError('not an envelope')
    }
    const value = text.slice(start, this.#at)
    this.#at += 1
    return escaped ? value.replace(/\\(.)/g, '$1') : value
  }

  /** The first of an address list; the others are passed over. */
  firstAddress(): EnvelopeAddress | undefined {
    if (this.#text[this.#at] !== '(') {
      this.nstring()
      return undefined
    }
    this.take('(')
    let first: EnvelopeAddress | undefined
    while (this.#text[this.#at] === '(') {
      this.take('(')
      const name = this.nstring()
      this.take(' ').nstring()
      const mailbox = this.take(' ').nstring()
      const host = this.take(' ').nstring()
      this.take(')')
      first ??= { name, mailbox, host }
    }
    this.take(')')
    return first
  }
}
