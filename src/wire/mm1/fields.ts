/** The header fields of MM1 by code, each with its syntax (OMA MMS ENC §7.2, §7.3; MAP-222, MAP-224). */
import { corrupt } from './fault.ts'
import type { Mm1Headers, Mm1When } from './pdu.ts'
import type { Reader } from './reader.ts'
import type { Writer } from './writer.ts'

interface Codec<T> {
  read(reader: Reader): T
  write(value: T, writer: Writer): void
}

export interface FieldSyntax {
  readonly code: number
  readonly key: keyof Mm1Headers
  readonly codec: Codec<unknown>
  /** The field may stand more than once. */
  readonly list: boolean
}

const octet: Codec<number> = {
  read(reader) {
    const value = reader.octet()
    if (value < 0x80) throw corrupt('a code was expected')
    return value
  },
  write: (value, writer) => writer.octet(value),
}
const text: Codec<string> = {
  read: (reader) => reader.text(),
  write: (value, writer) => writer.text(value),
}
const encoded: Codec<string> = {
  read: (reader) => reader.encodedString(),
  write: (value, writer) => writer.encodedString(value),
}
const long: Codec<number> = {
  // A short integer is what some write for small sizes.
  read: (reader) => reader.integer(),
  write: (value, writer) => writer.longInteger(value),
}
const version: Codec<string> = {
  read(reader) {
    const value = reader.shortInteger()
    // 0xF in the lower half: no minor number (WAP-230 §8.4.2.3).
    const minor = value & 0x0f
    return minor === 15 ? String(value >> 4) : `${value >> 4}.${minor}`
  },
  write(value, writer) {
    const [major = 1, minor = 15] = value.split('.').map(Number)
    writer.shortInteger(((major & 7) << 4) | (minor & 15))
  },
}
const when: Codec<Mm1When> = {
  read(reader) {
    const value = reader.within(reader.valueLength())
    const token = value.octet()
    if (token === 0x80) return { absolute: value.integer() }
    if (token === 0x81) return { relative: value.integer() }
    throw corrupt('neither an absolute nor a relative time')
  },
  write(value, writer) {
    writer.counted((inner) =>
      'absolute' in value
        ? inner.octet(0x80).longInteger(value.absolute)
        : inner.octet(0x81).longInteger(value.relative),
    )
  },
}
const from: Codec<string | null> = {
  read(reader) {
    const value = reader.within(reader.valueLength())
    const token = value.octet()
    if (token === 0x81) return null
    if (token === 0x80) return value.encodedString()
    throw corrupt('neither an address nor the token for one')
  },
  write(value, writer) {
    writer.counted((inner) => {
      if (value === null) inner.octet(0x81)
      else inner.octet(0x80).encodedString(value)
    })
  },
}
const messageClass: Codec<number | string> = {
  read: (reader) => (reader.peek() >= 0x80 ? reader.octet() : reader.text()),
  write: (value, writer) => (typeof value === 'number' ? writer.octet(value) : writer.text(value)),
}
const sentBy: Codec<{ index: number; address: string }> = {
  read(reader) {
    const value = reader.within(reader.valueLength())
    return { index: value.integer(), address: value.encodedString() }
  },
  write: ({ index, address }, writer) => writer.counted((w) => w.integer(index).encodedString(address)),
}
const sentDate: Codec<{ index: number; date: number }> = {
  read(reader) {
    const value = reader.within(reader.valueLength())
    return { index: value.integer(), date: value.integer() }
  },
  write: ({ index, date }, writer) => writer.counted((w) => w.integer(index).longInteger(date)),
}

type Value<K extends keyof Mm1Headers> = Exclude<Mm1Headers[K], undefined>

const field = <K extends keyof Mm1Headers>(code: number, key: K, codec: Codec<Value<K>>): FieldSyntax => ({
  code,
  key,
  codec,
  list: false,
})

const fields = <K extends keyof Mm1Headers>(
  code: number,
  key: K,
  codec: Codec<Value<K> extends readonly (infer One)[] ? One : never>,
): FieldSyntax => ({ code, key, codec, list: true })

/** In the order in which they are written: transaction and version come first, 0x84 is not here (MAP-220). */
export const fieldSyntax: readonly FieldSyntax[] = [
  field(0x98, 'transactionId', text),
  field(0x8d, 'version', version),
  field(0x8b, 'messageId', text),
  field(0x85, 'date', long),
  field(0x89, 'from', from),
  fields(0x97, 'to', encoded),
  fields(0x82, 'cc', encoded),
  fields(0x81, 'bcc', encoded),
  field(0x96, 'subject', encoded),
  field(0x8a, 'messageClass', messageClass),
  field(0x88, 'expiry', when),
  field(0x87, 'deliveryTime', when),
  field(0x8f, 'priority', octet),
  field(0x94, 'senderVisibility', octet),
  field(0x86, 'deliveryReport', octet),
  field(0x90, 'readReport', octet),
  field(0x91, 'reportAllowed', octet),
  field(0x92, 'responseStatus', octet),
  field(0x93, 'responseText', encoded),
  field(0x95, 'status', octet),
  field(0x99, 'retrieveStatus', octet),
  field(0x9a, 'retrieveText', encoded),
  field(0x9b, 'readStatus', octet),
  field(0x8e, 'messageSize', long),
  field(0x83, 'contentLocation', text),
  field(0x9c, 'replyCharging', octet),
  field(0x9d, 'replyChargingDeadline', when),
  field(0x9e, 'replyChargingId', text),
  field(0x9f, 'replyChargingSize', long),
  fields(0xa0, 'previouslySentBy', sentBy),
  fields(0xa1, 'previouslySentDate', sentDate),
  field(0xa2, 'store', octet),
  field(0xa3, 'mmState', octet),
  field(0xa5, 'storeStatus', octet),
  field(0xa6, 'storeStatusText', encoded),
  field(0xb1, 'distributionIndicator', octet),
  field(0xb6, 'statusText', encoded),
  field(0xb7, 'applicId', text),
  field(0xb8, 'replyApplicId', text),
  field(0xb9, 'auxApplicInfo', text),
  field(0xba, 'contentClass', octet),
  field(0xbb, 'drmContent', octet),
  field(0xbc, 'adaptationAllowed', octet),
  field(0xbd, 'replaceId', text),
  field(0xbe, 'cancelId', text),
  field(0xbf, 'cancelStatus', octet),
]

export const fieldByCode: ReadonlyMap<number, FieldSyntax> = new Map(fieldSyntax.map((f) => [f.code, f]))
