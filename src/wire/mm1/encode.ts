/** MM1 PDU to octets (OMA MMS ENC §6, §7; MAP-220): type, transaction, version first, content type last. */
import { writeContentType, writeDisposition } from './content-type.ts'
import { fieldSyntax } from './fields.ts'
import { type Mm1Body, type Mm1Part, type Mm1Pdu, type PduType, pduTypes } from './pdu.ts'
import { Writer } from './writer.ts'

const codes = new Map(Object.entries(pduTypes).map(([code, name]): [PduType, number] => [name, Number(code)]))

export function encodePdu(pdu: Mm1Pdu): Uint8Array {
  const writer = new Writer().octet(0x8c).octet(codes.get(pdu.type) ?? 0x80)
  for (const { code, key, codec, list } of fieldSyntax) {
    const value = pdu.headers[key]
    if (value === undefined) continue
    for (const one of list ? (value as readonly unknown[]) : [value]) codec.write(one, writer.octet(code))
  }
  for (const other of pdu.others) writer.octet(other.code).octets(other.octets)
  if (pdu.content) {
    writeContentType(pdu.content.contentType, writer.octet(0x84))
    writeBody(pdu.content.body, writer)
  }
  return writer.whole()
}

function writeBody(body: Mm1Body, writer: Writer): void {
  if (body.kind === 'octets') {
    writer.octets(body.octets)
    return
  }
  writer.uintvar(body.parts.length)
  for (const part of body.parts) {
    const header = new Writer()
    writeHeader(part, header)
    const data = new Writer()
    writeBody(part.body, data)
    writer.uintvar(header.length).uintvar(data.length).all(header).all(data)
  }
}

function writeHeader(part: Mm1Part, writer: Writer): void {
  writeContentType(part.contentType, writer)
  if (part.contentId !== undefined) writer.octet(0xc0).text(`"<${part.contentId}>`)
  if (part.contentLocation !== undefined) writer.octet(0x8e).text(part.contentLocation)
  if (part.disposition) writeDisposition(part.disposition, writer.octet(0xae))
  for (const { name, value } of part.headers) if (/^[!-9;-~]+$/.test(name)) writer.text(name).text(value)
}
