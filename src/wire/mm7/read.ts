/** Reads an MM7 request: SOAP with attachments (TS 23.140 §8.7; mapping.md 2.2, 2.3), liberal as QUIRKS 14 to 20 ask. */
import { Fault } from '../../model/fault.ts'
import type { MimeNode } from '../mime/node.ts'
import { parseContentType } from '../mime/parameters.ts'
import { decodeBody, fieldValue, partRanges, scanEntity } from '../mime/scan.ts'
import type { Mm7Message, XmlElement } from './message.ts'
import { Mm7Refusal } from './refusal.ts'
import { child, defaultXmlLimits, parseXml } from './xml.ts'

const soap11 = 'http://schemas.xmlsoap.org/soap/envelope/'
const soap12 = 'http://www.w3.org/2003/05/soap-envelope'
const xmlTypes = new Set(['text/xml', 'application/xml', 'application/soap+xml', 'application/xop+xml'])

/** Whether a Content-Type can carry MM7 at all; others are answered 415 (MM7-021). */
export function isMm7Type(contentType: string): boolean {
  const type = parseContentType(contentType)?.type
  return (
    type !== undefined && (xmlTypes.has(type) || type === 'multipart/related' || type === 'multipart/mixed')
  )
}

interface Parts {
  readonly octets: Uint8Array
  readonly root: Uint8Array
  readonly others: readonly MimeNode[]
}

/** @throws Mm7Refusal */
export function readMm7(
  contentType: string,
  octets: Uint8Array,
  xmlOctets = defaultXmlLimits.text,
): Mm7Message {
  const parts = split(contentType, octets)
  // An XML part larger than this is no MM7 (MM7-032).
  if (parts.root.length > xmlOctets)
    throw new Mm7Refusal(2004, `the XML part is larger than ${xmlOctets} octets`)
  let envelope: XmlElement
  try {
    envelope = parseXml(parts.root)
  } catch (error) {
    if (error instanceof Fault) throw new Mm7Refusal(4004, error.message)
    throw error
  }
  if (envelope.namespace === soap12) throw new Mm7Refusal(4004, 'SOAP 1.2 is not MM7', {}, 'VersionMismatch')
  if (envelope.name !== 'Envelope')
    throw new Mm7Refusal(4004, `the root element is ${envelope.name}, not a SOAP Envelope`)
  const transactionId = readHeader(child(envelope, 'Header'))
  const seen = transactionId === undefined ? {} : { transactionId }
  const [body, second] = child(envelope, 'Body')?.children ?? []
  if (!body || second) throw new Mm7Refusal(4004, 'the SOAP Body must hold one MM7 element', seen)
  const content = contentOf(parts, child(body, 'Content'))
  return { transactionId, namespace: body.namespace, operation: body.name, body, ...content }
}

/** MM7-011 to MM7-013. */
function readHeader(header: XmlElement | undefined): string | undefined {
  for (const block of header?.children ?? []) {
    const isTransaction = block.name === 'TransactionID' || block.name === 'Transaction-ID'
    if (!isTransaction && block.attributes.mustUnderstand === '1' && block.namespace !== soap11)
      throw new Mm7Refusal(4004, `header block ${block.name} is not understood`, {}, 'MustUnderstand')
  }
  const blocks = header?.children.filter((b) => b.name === 'TransactionID' || b.name === 'Transaction-ID')
  return blocks?.[0]?.text || undefined
}

function split(contentType: string, octets: Uint8Array): Parts {
  const parsed = parseContentType(contentType)
  if (!parsed || xmlTypes.has(parsed.type)) return { octets, root: octets, others: [] }
  const boundary = parsed.params.find((p) => p.name === 'boundary')?.value.trimEnd()
  if (!boundary) throw new Mm7Refusal(4004, 'multipart/related without a boundary parameter')
  const { ranges } = partRanges(octets, 0, octets.length, boundary)
  if (ranges.length === 0)
    throw new Mm7Refusal(4004, 'the boundary of the Content-Type does not occur in the body')
  const nodes = ranges.map(({ start, end }) => scanEntity(octets, start, end))
  const start = parsed.params.find((p) => p.name === 'start')?.value
  const root = rootOf(octets, nodes, start)
  // A part that lacks the empty line after its header begins with the declaration (QUIRKS 17).
  const headless = root.fields.length === 0
  return {
    octets,
    root: headless ? octets.subarray(root.headerStart, root.bodyEnd) : decodeBody(octets, root),
    others: nodes.filter((node) => node !== root),
  }
}

/** MM7-022. */
function rootOf(octets: Uint8Array, nodes: readonly MimeNode[], start: string | undefined): MimeNode {
  const [first] = nodes
  if (start !== undefined) {
    const named = nodes.find((n) => bare(fieldValue(octets, n, 'Content-ID')) === bare(start))
    const xml = named ?? nodes.find((n) => xmlTypes.has(`${n.type}/${n.subtype}`))
    if (xml) return xml
    throw new Mm7Refusal(4004, `no part is called ${start}, and none is text/xml`)
  }
  if (!first) throw new Mm7Refusal(4004, 'the multipart is empty')
  return first
}

/** Content-ID or cid URL without brackets, scheme and percent encoding; compared so (MM7-024, QUIRKS 15). */
function bare(id: string | undefined): string | undefined {
  if (id === undefined) return undefined
  const text = id
    .trim()
    .replace(/^cid:\s*/i, '')
    .trim()
    .replace(/^<\s*|\s*>$/g, '')
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function contentOf(
  parts: Parts,
  element: XmlElement | undefined,
): Pick<Mm7Message, 'content' | 'danglingHref'> {
  const [first] = parts.others
  const found = (node: MimeNode) => ({ content: { octets: parts.octets, node } })
  const href = element?.attributes.href
  // No Content, or one without href: the part beside the root is the content (QUIRKS 16).
  if (href === undefined || href.trim() === '') return first ? found(first) : {}
  if (/^\s*https?:/i.test(href)) return { danglingHref: href }
  const wanted = bare(href)
  const match =
    parts.others.find((n) => bare(fieldValue(parts.octets, n, 'Content-ID')) === wanted) ??
    parts.others.find((n) => fieldValue(parts.octets, n, 'Content-Location') === href.trim())
  return match ? found(match) : { danglingHref: href }
}
