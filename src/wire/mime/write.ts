/** Writes a MIME entity: transfer encodings of CNT-008, fresh boundaries, CRLF throughout (RFC 2045, 2046, 2387). */

import type { Field, Param, Part } from '../../model/neutral.ts'
import { tidyBase64 } from './base64.ts'
import { base64Lines } from './base64-lines.ts'
import { writeField, writeParameter } from './write-header.ts'

export interface WriteOptions {
  /** Gives a boundary that occurs in no content. */
  readonly boundary: () => string
  /** Text goes out as 8bit instead of quoted-printable (MM7 content, MM7-026). */
  readonly eightBit: boolean
}

const crlf = Buffer.from('\r\n')

/** Header fields of the entity (Content-*), and its body. */
export interface WrittenEntity {
  readonly fields: readonly Field[]
  readonly body: readonly Uint8Array[]
}

export function writeEntity(part: Part, options: WriteOptions): WrittenEntity {
  if (part.kind === 'multi') return multi(part, options)
  if (part.kind === 'opaque') {
    const encoding = part.headers.find((h) => h.name.toLowerCase() === 'content-transfer-encoding')
    const fields = [
      contentType(part.type, part.params),
      ...(encoding ? [encoding] : []),
      ...others(part.headers),
    ]
    return { fields, body: [part.body.octets()] }
  }
  return leaf(part, options)
}

type Multi = Extract<Part, { kind: 'multi' }>
type Leaf = Extract<Part, { kind: 'leaf' }>

function multi(part: Multi, options: WriteOptions): WrittenEntity {
  const boundary = options.boundary()
  const params = part.params.filter((p) => p.name !== 'boundary')
  const body: Uint8Array[] = []
  let label: readonly Field[] = []
  for (const child of part.parts) {
    const entity = writeEntity(child, options)
    // A container says the widest of what is in it (RFC 2045 §6.4).
    if (!options.eightBit && entity.fields.some(isEightBit))
      label = [{ name: 'Content-Transfer-Encoding', value: '8bit' }]
    const header = entity.fields.map((f) => writeField(f.name, f.value)).join('')
    body.push(
      Buffer.from(`${body.length === 0 ? '' : '\r\n'}--${boundary}\r\n${header}\r\n`, 'latin1'),
      ...entity.body,
    )
  }
  body.push(Buffer.from(`\r\n--${boundary}--\r\n`, 'latin1'))
  const type = contentType(
    `multipart/${part.subtype}`,
    [...params, { name: 'boundary', value: boundary }],
    true,
  )
  return { fields: [type, ...label, ...others(part.headers)], body }
}

const isEightBit = ({ name, value }: Field): boolean =>
  name.toLowerCase() === 'content-transfer-encoding' && value.trim().toLowerCase() === '8bit'

function leaf(part: Leaf, options: WriteOptions): WrittenEntity {
  if (neverEncoded.test(part.type)) return message(part, options)
  const isText = part.type.startsWith('text/') || part.type === 'application/smil'
  // What goes out as base64 may never have to be decoded.
  const octets = isText ? part.body.octets() : undefined
  // Some peers take a presentation in 7 bits alone (QUIRKS 19).
  const eightBit = options.eightBit && part.type !== 'application/smil'
  const encoding = octets ? textEncoding(octets, eightBit) : ('base64' as const)
  const fields = [
    contentType(part.type, part.params),
    ...(encoding === '7bit' ? [] : [{ name: 'Content-Transfer-Encoding', value: encoding }]),
    ...others(part.headers),
  ]
  if (!octets || encoding === 'base64') return { fields, body: [base64Body(part)] }
  return { fields, body: [encoding === 'quoted-printable' ? encodeQuotedPrintable(octets) : octets] }
}

/** These know no encoding but 7bit, 8bit and binary, if as much (RFC 2046 §5.2; RFC 3464 §2.1; RFC 8098 §3.1). */
const neverEncoded = /^message\/(?:rfc822|partial|external-body|delivery-status|disposition-notification)$/

/** What must not be encoded: on an 8-bit way as it is, else in 7 bits or as octets that are no message to anybody. */
function message(part: Leaf, { eightBit }: WriteOptions): WrittenEntity {
  const octets = part.body.octets()
  const found = textEncoding(octets, eightBit)
  if (found === 'quoted-printable' && !eightBit) {
    const field = { name: 'Content-Transfer-Encoding', value: 'base64' }
    const fields = [contentType('application/octet-stream', []), field, ...others(part.headers)]
    return { fields, body: [base64Body(part)] }
  }
  const encoding = found === 'quoted-printable' ? 'binary' : found
  const field = { name: 'Content-Transfer-Encoding', value: encoding }
  const fields = [
    contentType(part.type, part.params),
    ...(encoding === '7bit' ? [] : [field]),
    ...others(part.headers),
  ]
  return { fields, body: [octets] }
}

const others = (headers: readonly Field[]): Field[] =>
  headers.filter((h) => !/^content-(type|transfer-encoding)$/i.test(h.name))

function contentType(type: string, params: readonly Param[], quoteBoundary = false): Field {
  const text = params.map((p) =>
    quoteBoundary && p.name === 'boundary' ? `; boundary="${p.value}"` : writeParameter(p.name, p.value),
  )
  return { name: 'Content-Type', value: `${type}${text.join('')}` }
}

/** ASCII with lines that SMTP can carry needs none; so does 8-bit text where the way is 8-bit clean. */
function textEncoding(octets: Uint8Array, eightBit: boolean): '7bit' | '8bit' | 'quoted-printable' {
  let line = 0
  let high = false
  for (let i = 0; i < octets.length; i++) {
    const c = octets[i] ?? 0
    if (c === 10) {
      if (octets[i - 1] !== 13) return 'quoted-printable'
      line = 0
      continue
    }
    if (c === 0 || (c === 13 && octets[i + 1] !== 10) || ++line > 998) return 'quoted-printable'
    if (c > 126 || (c < 32 && c !== 9 && c !== 13)) high = true
  }
  // On an 8-bit way plain text is said to be 8bit as well: it may turn up with other characters next time.
  return eightBit ? '8bit' : high ? 'quoted-printable' : '7bit'
}

/** Base64 in lines of 76; content that came so is passed on as it is. */
function base64Body({ body }: Leaf): Uint8Array {
  const { encoded } = body
  return encoded?.encoding === 'base64' && tidyBase64(encoded.octets)
    ? encoded.octets
    : base64Lines(body.octets())
}

/** RFC 2045 §6.7, text mode: CRLF stays, lines of at most 76 characters. */
export function encodeQuotedPrintable(octets: Uint8Array): Uint8Array {
  const out: string[] = []
  let line = ''
  const put = (unit: string): void => {
    if (line.length + unit.length > 75) {
      out.push(`${line}=`)
      line = ''
    }
    line += unit
  }
  for (let i = 0; i < octets.length; i++) {
    const c = octets[i] ?? 0
    if (c === 13 && octets[i + 1] === 10) {
      out.push(line)
      line = ''
      i++
      continue
    }
    const endsLine = i + 1 >= octets.length || (octets[i + 1] === 13 && octets[i + 2] === 10)
    const plain = (c >= 33 && c <= 126 && c !== 61) || ((c === 32 || c === 9) && !endsLine)
    // "From " and a lone dot at the start of a line come to harm on the way.
    const risky = line === '' && (c === 46 || c === 70)
    put(plain && !risky ? String.fromCharCode(c) : `=${c.toString(16).toUpperCase().padStart(2, '0')}`)
  }
  out.push(line)
  return Buffer.from(out.join('\r\n'), 'latin1')
}

/** A whole message: the header fields given, with `utf8` in UTF-8 (RFC 6532), MIME-Version, then the entity. */
export function writeMessage(
  header: readonly Field[],
  part: Part,
  options: WriteOptions & { readonly utf8?: boolean },
): Uint8Array[] {
  const entity = writeEntity(part, options)
  const own = [{ name: 'MIME-Version', value: '1.0' }, ...entity.fields]
  const block =
    header.map((f) => writeField(f.name, f.value, options.utf8)).join('') +
    own.map((f) => writeField(f.name, f.value)).join('')
  const last = entity.body[entity.body.length - 1]
  const ends = last !== undefined && last.length >= 2 && last[last.length - 1] === 10
  return [Buffer.from(`${block}\r\n`, 'utf8'), ...entity.body, ...(ends ? [] : [crlf])]
}
