/** Content-Type and Content-Disposition in WSP's binary form (WAP-230 §8.4.2.4, §8.4.2.24, §8.4.2.53; MAP-228). */
import { charsetMib, charsetName } from './charsets.ts'
import { corrupt } from './fault.ts'
import { mediaNumber, mediaTypes } from './media.ts'
import type { ContentType } from './pdu.ts'
import type { Reader } from './reader.ts'
import type { Writer } from './writer.ts'

type Parameter = ContentType['params'][number]

/** How the value of a well-known parameter is written, by its number. */
const parameters = new Map<
  number,
  readonly [string, 'charset' | 'text' | 'value' | 'media' | 'integer' | 'other']
>([
  [0x00, ['q', 'other']],
  [0x01, ['charset', 'charset']],
  [0x02, ['level', 'other']],
  [0x03, ['type', 'integer']],
  [0x05, ['name', 'text']],
  [0x06, ['filename', 'text']],
  [0x07, ['differences', 'other']],
  [0x08, ['padding', 'integer']],
  [0x09, ['type', 'media']],
  [0x0a, ['start', 'text']],
  [0x0b, ['start-info', 'text']],
  [0x0c, ['comment', 'text']],
  [0x0d, ['domain', 'text']],
  [0x0e, ['max-age', 'integer']],
  [0x0f, ['path', 'text']],
  [0x10, ['secure', 'other']],
  [0x11, ['sec', 'integer']],
  [0x12, ['mac', 'value']],
  [0x13, ['creation-date', 'integer']],
  [0x14, ['modification-date', 'integer']],
  [0x15, ['read-date', 'integer']],
  [0x16, ['size', 'integer']],
  [0x17, ['name', 'value']],
  [0x18, ['filename', 'value']],
  [0x19, ['start', 'value']],
  [0x1a, ['start-info', 'value']],
  [0x1b, ['comment', 'value']],
  [0x1c, ['domain', 'value']],
  [0x1d, ['path', 'value']],
])

/** Numbers that we write: the oldest form of each, which every handset knows. */
const written = new Map<string, number>([
  ['name', 0x05],
  ['filename', 0x06],
  ['start', 0x0a],
  ['start-info', 0x0b],
])

const mediaName = (number: number): string => mediaTypes[number] ?? `application/x-wsp-${number}`

/** The number of a type that has none of ours, as we name it when it comes. */
const foreignNumber = (type: string): number | undefined => {
  const digits = /^application\/x-wsp-(\d{1,9})$/.exec(type)?.[1]
  return digits === undefined ? undefined : Number(digits)
}

const numberOf = (type: string): number | undefined => mediaNumber(type) ?? foreignNumber(type)

export function readContentType(reader: Reader, maxParams: number): ContentType {
  const first = reader.peek()
  if (first >= 0x80) return { type: mediaName(reader.shortInteger()), params: [] }
  if (first > 31) return textual(reader.text())
  const value = reader.within(reader.valueLength())
  const opening = value.peek()
  const media =
    opening > 31 && opening < 0x80 ? textual(value.text()) : { type: mediaName(value.integer()), params: [] }
  return { type: media.type, params: [...media.params, ...readParameters(value, maxParams)] }
}

/** Some write the parameters into the text: the type is what stands before the first semicolon. */
function textual(text: string): ContentType {
  const type = (text.split(';')[0] ?? '').trim().toLowerCase()
  if (!/^[!-~]+\/[!-~]+$/.test(type)) throw corrupt('a content type was expected')
  return { type, params: [] }
}

function readParameters(reader: Reader, max: number): Parameter[] {
  const params: Parameter[] = []
  while (reader.left > 0) {
    if (params.length >= max) throw corrupt('too many parameters')
    const first = reader.peek()
    if (first > 31 && first < 0x80) {
      const name = reader.text().toLowerCase()
      params.push({ name, value: reader.left === 0 ? '' : untyped(reader) })
      continue
    }
    const [name, kind] = parameters.get(reader.integer()) ?? ['', 'other']
    if (reader.left === 0) break
    const value = typed(reader, kind)
    if (value !== undefined) params.push({ name, value })
  }
  return params
}

function typed(reader: Reader, kind: string): string | undefined {
  const first = reader.peek()
  switch (kind) {
    case 'charset':
      // Any-charset says nothing; a few write the name.
      if (first === 0x80) {
        reader.octet()
        return undefined
      }
      return first > 31 && first < 0x80 ? reader.text() : charsetName(reader.integer())
    case 'media':
      return first >= 0x80 ? mediaName(reader.shortInteger()) : reader.text().toLowerCase()
    case 'integer':
      return first > 31 && first < 0x80 ? reader.text() : String(reader.integer())
    case 'text':
    case 'value':
      return untyped(reader)
    default:
      reader.anyValue()
      return undefined
  }
}

/** Untyped-value, and Text-value within it: an integer, nothing, a token, or text after a quotation mark. */
function untyped(reader: Reader): string {
  const first = reader.peek()
  if (first >= 0x80 || (first > 0 && first < 31)) return String(reader.integer())
  const text = reader.text()
  return text.startsWith('"') ? text.slice(1) : text
}

export function writeContentType(value: ContentType, writer: Writer): void {
  const number = numberOf(value.type)
  if (value.params.length === 0) {
    if (number !== undefined && number < 128) writer.shortInteger(number)
    else writer.text(value.type)
    return
  }
  writer.counted((inner) => {
    if (number === undefined) inner.text(value.type)
    else inner.integer(number)
    writeParameters(value.params, inner)
  })
}

function writeParameters(params: readonly Parameter[], writer: Writer): void {
  for (const { name, value } of params) {
    const known = written.get(name)
    const mib = name === 'charset' ? charsetMib(value) : undefined
    const media = name === 'type' && /^[!-~]+\/[!-~]+$/.test(value) ? value : undefined
    if (mib !== undefined) writer.shortInteger(0x01).integer(mib)
    else if (media !== undefined) {
      const number = numberOf(media)
      writer.shortInteger(0x09)
      if (number !== undefined && number < 128) writer.shortInteger(number)
      else writer.text(media)
    } else if (known !== undefined) textValue(value, writer.shortInteger(known))
    else if (/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name)) textValue(value, writer.text(name))
  }
}

/** A token as it is; what could be taken for something else after a quotation mark. */
const textValue = (value: string, writer: Writer): Writer =>
  /^$|^[#-~!][ -~]*$/.test(value) ? writer.text(value) : writer.text(`"${value}`)

const dispositions = ['form-data', 'attachment', 'inline']

export function readDisposition(
  reader: Reader,
  maxParams: number,
): { type: string; params: Parameter[] } | undefined {
  const first = reader.peek()
  // Without a length it is one octet or a token, as some write it.
  if (first >= 0x80) return one(dispositions[reader.octet() & 0x7f])
  if (first > 31) return one(reader.text().split(';')[0]?.trim().toLowerCase())
  const value = reader.within(reader.valueLength())
  if (value.left === 0) return undefined
  const type = value.peek() >= 0x80 ? dispositions[value.octet() & 0x7f] : value.text().toLowerCase()
  const params = readParameters(value, maxParams)
  return type === undefined ? undefined : { type, params }
}

const one = (type: string | undefined): { type: string; params: Parameter[] } | undefined =>
  type === undefined ? undefined : { type, params: [] }

export function writeDisposition(
  value: { readonly type: string; readonly params: readonly Parameter[] },
  writer: Writer,
): void {
  writer.counted((inner) => {
    const number = dispositions.indexOf(value.type)
    if (number >= 0) inner.octet(0x80 + number)
    else inner.text(value.type)
    writeParameters(value.params, inner)
  })
}
