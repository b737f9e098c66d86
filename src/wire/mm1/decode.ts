/** MM1 PDU from octets (OMA MMS ENC §6, §7; MAP-220 to MAP-229). Any input ends in a PDU or a Mm1Fault. */
import { readContentType, readDisposition } from './content-type.ts'
import { corrupt, Mm1Fault, unsupportedMessage } from './fault.ts'
import { fieldByCode } from './fields.ts'
import {
  defaultMm1Limits,
  isMultipart,
  type Mm1Body,
  type Mm1Headers,
  type Mm1Limits,
  type Mm1Part,
  type Mm1Pdu,
  type OtherHeader,
  pduTypes,
} from './pdu.ts'
import { Reader } from './reader.ts'

const contentTypeCode = 0x84
const messageTypeCode = 0x8c

interface Budget {
  readonly limits: Mm1Limits
  parts: number
}

/** @throws Mm1Fault with the X-Mms-Response-Status and, if it was reached, the transaction id */
export function decodePdu(octets: Uint8Array, limits: Mm1Limits = defaultMm1Limits): Mm1Pdu {
  const headers: Record<string, unknown> = {}
  try {
    return decode(new Reader(octets), headers, { limits, parts: 0 })
  } catch (error) {
    if (!(error instanceof Mm1Fault)) throw error
    const id = headers.transactionId
    throw new Mm1Fault(
      error.kind,
      error.message,
      error.responseStatus,
      typeof id === 'string' ? id : undefined,
    )
  }
}

function decode(reader: Reader, headers: Record<string, unknown>, budget: Budget): Mm1Pdu {
  const others: OtherHeader[] = []
  let code: number | undefined
  let content: Mm1Pdu['content']
  for (let count = 0; reader.left > 0; count++) {
    if (count >= budget.limits.headers) throw corrupt('too many headers')
    const first = reader.peek()
    if (first < 0x80) {
      // An application header: name and value in text, which MM1 gives no meaning.
      if (first < 32) throw corrupt('a header was expected')
      reader.text()
      reader.text()
      continue
    }
    reader.octet()
    if (first === messageTypeCode) {
      code = reader.octet()
      continue
    }
    if (first === contentTypeCode) {
      const contentType = readContentType(reader, budget.limits.params)
      content = { contentType, body: readBody(reader, contentType.type, 0, budget) }
      break
    }
    const syntax = fieldByCode.get(first)
    if (!syntax) {
      others.push({ code: first, octets: Uint8Array.from(reader.anyValue()) })
      continue
    }
    const value = syntax.codec.read(reader)
    const before = headers[syntax.key] as unknown[] | undefined
    headers[syntax.key] = syntax.list ? [...(before ?? []), value] : value
  }
  if (code === undefined) throw corrupt('X-Mms-Message-Type is missing')
  const type = pduTypes[code as keyof typeof pduTypes]
  if (type === undefined)
    throw new Mm1Fault('unsupported', `PDU type 0x${code.toString(16)} is not known`, unsupportedMessage)
  return { type, headers: headers as Mm1Headers, others, ...(content === undefined ? {} : { content }) }
}

function readBody(reader: Reader, type: string, depth: number, budget: Budget): Mm1Body {
  if (!isMultipart(type)) {
    // A view: a PDU may be as large as a message.
    const { buffer, byteOffset, length } = reader.take(reader.left)
    return { kind: 'octets', octets: new Uint8Array(buffer, byteOffset, length) }
  }
  if (depth >= budget.limits.depth) throw corrupt('multiparts are nested too deep')
  const parts: Mm1Part[] = []
  // No multipart has parts of no octets: a great number without the octets for it is a lie.
  const count = reader.uintvar()
  if (count > reader.left) throw corrupt('there are fewer parts than are told')
  for (let i = 0; i < count; i++) {
    if (++budget.parts > budget.limits.parts) throw corrupt('too many parts')
    const headerLength = reader.uintvar()
    const dataLength = reader.uintvar()
    const header = reader.within(headerLength)
    const data = reader.within(dataLength)
    parts.push(readPart(header, data, depth, budget))
  }
  return { kind: 'parts', parts }
}

function readPart(header: Reader, data: Reader, depth: number, budget: Budget): Mm1Part {
  const { limits } = budget
  const contentType = readContentType(header, limits.params)
  const fields: { name: string; value: string }[] = []
  const found: {
    contentId?: string
    contentLocation?: string
    disposition?: NonNullable<Mm1Part['disposition']>
  } = {}
  while (header.left > 0) {
    if (fields.length >= limits.headers) throw corrupt('too many headers')
    const first = header.peek()
    if (first < 32) throw corrupt('a header was expected')
    if (first < 0x80) {
      const name = header.text()
      // The length of the header has the last word: a value may lack its NUL.
      fields.push({ name, value: header.left === 0 ? '' : header.text() })
      continue
    }
    switch (header.octet() & 0x7f) {
      case 0x0e:
        found.contentLocation = header.text()
        break
      case 0x40:
        found.contentId = bareId(header.text())
        break
      case 0x2e:
      case 0x45: {
        const disposition = readDisposition(header, limits.params)
        if (disposition) found.disposition = disposition
        break
      }
      default:
        header.anyValue()
    }
  }
  return { contentType, ...found, headers: fields, body: readBody(data, contentType.type, depth + 1, budget) }
}

/** `"<id>`, with or without the brackets and a closing quotation mark. */
const bareId = (text: string): string =>
  text
    .replace(/^"/, '')
    .replace(/"$/, '')
    .replace(/^<([^<>]*)>$/, '$1')
