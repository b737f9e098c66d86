/** Semantic comparison of MM7 requests and responses (fixtures/rfc4356/README.md, rules 3, 5, 6). */
import { parseContentType } from '../../wire/mime/parameters.ts'
import { decodeBody, partRanges, scanEntity } from '../../wire/mime/scan.ts'
import type { XmlElement } from '../../wire/mm7/message.ts'
import { parseXml } from '../../wire/mm7/xml.ts'
import { compareEntity, compareType, type Entity } from './compare-mail.ts'
import type { Comparison } from './comparison.ts'
import { type HttpOctets, httpField, httpStatus } from './http-octets.ts'

export function compareHttp(expected: HttpOctets, actual: HttpOctets, cmp: Comparison): void {
  if (expected.start.startsWith('HTTP/')) {
    const [want, got] = [httpStatus(expected), httpStatus(actual)]
    if (want !== got) cmp.differ('HTTP status', String(want), String(got))
  } else {
    const target = (start: string): string => start.split(' ').slice(0, 2).join(' ')
    cmp.text('request line', target(expected.start), target(actual.start))
  }
  for (const name of ['SOAPAction', 'Host']) {
    const want = httpField(expected, name)
    if (want !== undefined) cmp.text(name, want, httpField(actual, name) ?? 'absent')
  }
  const challenge = httpField(expected, 'WWW-Authenticate')
  if (challenge !== undefined)
    cmp.text(
      'WWW-Authenticate',
      schemeAndRealm(challenge),
      schemeAndRealm(httpField(actual, 'WWW-Authenticate')),
    )
  const type = httpField(expected, 'Content-Type')
  if (type !== undefined) compareType('', type, httpField(actual, 'Content-Type') ?? '', cmp)
  if (expected.body.length > 0) compareBody(type ?? '', expected, actual, cmp)
}

const schemeAndRealm = (value = ''): string => {
  const scheme = /^\s*(\S+)/.exec(value)?.[1]?.toLowerCase() ?? ''
  return `${scheme} ${/realm="?([^",]*)"?/i.exec(value)?.[1] ?? ''}`
}

const isXml = (type: string): boolean => /^(text|application)\/(soap\+)?xml$/.test(type)

function compareBody(type: string, expected: HttpOctets, actual: HttpOctets, cmp: Comparison): void {
  const parsed = parseContentType(type)
  if (!parsed?.type.startsWith('multipart/')) {
    compareSoap('', expected.body, actual.body, cmp)
    return
  }
  const [want, got] = [partsOf(expected), partsOf(actual)]
  if (want.length !== got.length) {
    cmp.differ('parts of the HTTP body', String(want.length), String(got.length))
    return
  }
  want.forEach((part, i) => {
    const other = got[i]
    if (!other) return
    const at = `HTTP part ${i + 1}: `
    if (isXml(`${part.node.type}/${part.node.subtype}`) && i === 0) {
      const header = { octets: part.octets, node: { ...part.node, bodyStart: part.node.bodyEnd } }
      const otherHeader = { octets: other.octets, node: { ...other.node, bodyStart: other.node.bodyEnd } }
      compareEntity(at, header, otherHeader, cmp, false)
      compareSoap(at, decodeBody(part.octets, part.node), decodeBody(other.octets, other.node), cmp)
    } else compareEntity(at, part, other, cmp, false)
  })
}

function partsOf(message: HttpOctets): Entity[] {
  const type = parseContentType(httpField(message, 'Content-Type') ?? '')
  const boundary = type?.params.find((p) => p.name === 'boundary')?.value ?? ''
  const { body } = message
  return partRanges(body, 0, body.length, boundary).ranges.map((r) => ({
    octets: body,
    node: scanEntity(body, r.start, r.end),
  }))
}

function compareSoap(at: string, expected: Uint8Array, actual: Uint8Array, cmp: Comparison): void {
  let got: XmlElement
  try {
    got = parseXml(actual)
  } catch (error) {
    cmp.out.push(`${at}not well-formed XML: ${error instanceof Error ? error.message : String(error)}`)
    return
  }
  compareElement(at, parseXml(expected), got, cmp)
}

/** Details and faultstring are always free, StatusText in reports too; elsewhere the text is exact. */
const isFree = (name: string, parent: string): boolean =>
  name === 'Details' ||
  name === 'faultstring' ||
  (name === 'StatusText' && (parent === 'DeliveryReportReq' || parent === 'ReadReplyReq'))

function compareElement(
  at: string,
  expected: XmlElement,
  actual: XmlElement,
  cmp: Comparison,
  parent = '',
): void {
  const where = `${at}${expected.name}`
  if (expected.name !== actual.name || expected.namespace !== actual.namespace) {
    cmp.differ(where, `{${expected.namespace}}${expected.name}`, `{${actual.namespace}}${actual.name}`)
    return
  }
  for (const name of new Set([...Object.keys(expected.attributes), ...Object.keys(actual.attributes)]))
    cmp.text(`${where}/@${name}`, expected.attributes[name] ?? 'absent', actual.attributes[name] ?? 'absent')
  if (isFree(expected.name, parent)) {
    if (actual.text.trim() === '') cmp.out.push(`${where}: empty`)
    return
  }
  // A faultcode is a qualified name: its prefix is the writer's choice.
  const text = (e: XmlElement): string => (e.name === 'faultcode' ? e.text.replace(/^[^:]*:/, '') : e.text)
  cmp.text(where, text(expected), text(actual))
  const names = (e: XmlElement): string => e.children.map((c) => c.name).join(' ')
  if (names(expected) !== names(actual)) {
    cmp.differ(`${where} children`, names(expected), names(actual))
    return
  }
  expected.children.forEach((c, i) => {
    const other = actual.children[i]
    if (other) compareElement(`${at}${expected.name}/`, c, other, cmp, expected.name)
  })
}
