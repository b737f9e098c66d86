/**
 * A message for a hop that takes no BINARYMIME, and perhaps no 8BITMIME: bodies get a transfer encoding, nothing is lost
 * and nothing is encoded twice (RFC 3030 §3, RFC 6152 §3).
 */
import { isAscii } from 'node:buffer'
import { base64Lines } from './base64-lines.ts'
import { isLined } from './lined.ts'
import { isMessageNode, type MimeNode, storeScanLimits } from './node.ts'
import { decodeBody, scanMessage } from './scan.ts'
import { encodeQuotedPrintable } from './write.ts'

export interface TransferHop {
  readonly eightBit: boolean
  /** Lines longer than 998 octets, and encoded bodies that cannot go as they are, are encoded anew. */
  readonly anew?: boolean
}

interface Edit {
  readonly start: number
  readonly end: number
  readonly by: Uint8Array
}

/** RFC 5321 §4.5.3.1.6, without the line end. */
const maxLine = 998
/** What must not be changed by anybody on the way (RFC 1847 §2.1, RFC 2046 §5.2.2). */
const isSealed = ({ type, subtype }: MimeNode): boolean =>
  (type === 'multipart' && /^(?:signed|encrypted)$/.test(subtype)) ||
  (type === 'message' && /^(?:partial|external-body)$/.test(subtype))

/** The octets, the same where nothing had to be changed; undefined: it cannot be done without loss (5.6.3). */
export function transferable(octets: Uint8Array, hop: TransferHop): Uint8Array | undefined {
  const root = scanMessage(octets, storeScanLimits)
  const edits: Edit[] = []
  if (!encode(octets, root, hop, edits)) return undefined
  if (edits.length === 0) return octets
  const pieces: Uint8Array[] = []
  let at = 0
  for (const { start, end, by } of edits.sort((a, b) => a.start - b.start || a.end - b.end)) {
    pieces.push(octets.subarray(at, start), by)
    at = end
  }
  pieces.push(octets.subarray(at))
  return Buffer.concat(pieces)
}

/** False: it cannot be done. */
function encode(octets: Uint8Array, node: MimeNode, hop: TransferHop, edits: Edit[]): boolean {
  const { eightBit } = hop
  if (isSealed(node)) return bodyFits(octets, node, hop)
  if (node.parts.length === 0) return leaf(octets, node, hop, edits)
  if (!isFrameLined(octets, node) || (!eightBit && !isFrameAscii(octets, node))) return false
  const before = edits.length
  for (const part of node.parts) if (!encode(octets, part, hop, edits)) return false
  // A container says the widest of what is in it, and can itself not be encoded (RFC 2045 §6.4).
  const isNarrower = node.encoding === 'binary' || (node.encoding === '8bit' && !eightBit)
  if (isNarrower || edits.length > before)
    relabel(octets, node, eightBit && node.encoding !== '7bit' ? '8bit' : '7bit', edits)
  return true
}

function leaf(octets: Uint8Array, node: MimeNode, hop: TransferHop, edits: Edit[]): boolean {
  const fits = bodyFits(octets, node, hop)
  if (node.encoding === 'base64' || node.encoding === 'quoted-printable') {
    if (fits || !hop.anew) return fits
    relabel(octets, node, 'base64', edits)
    edits.push({ start: node.bodyStart, end: node.bodyEnd, by: base64Lines(decodeBody(octets, node)) })
    return true
  }
  if (fits && node.encoding !== 'binary') return true
  // A message that was not opened must not be encoded (RFC 2046 §5.2.1).
  if (isMessageNode(node) || node.type === 'multipart') return fits
  if (fits && hasShortLines(octets, node.bodyStart, node.bodyEnd)) {
    relabel(octets, node, isSevenBit(octets, node) ? '7bit' : '8bit', edits)
    return true
  }
  const lined = isLined(octets, node.bodyStart, node.bodyEnd)
  const body = octets.subarray(node.bodyStart, node.bodyEnd)
  const text = lined && node.type === 'text' ? encodeQuotedPrintable(body) : undefined
  // A line that begins like a delimiter could become one.
  const isSafe = text !== undefined && !/(?:^|\n)--/.test(Buffer.from(text).toString('latin1'))
  relabel(octets, node, isSafe ? 'quoted-printable' : 'base64', edits)
  edits.push({ start: node.bodyStart, end: node.bodyEnd, by: isSafe ? text : base64Lines(body) })
  return true
}

function relabel(octets: Uint8Array, node: MimeNode, encoding: string, edits: Edit[]): void {
  const field = Buffer.from(`Content-Transfer-Encoding: ${encoding}`)
  const named = node.fields.filter((f) => f.name.toLowerCase() === 'content-transfer-encoding')
  for (const [i, { start, end }] of named.entries())
    edits.push({ start, end, by: i === 0 ? field : Buffer.from('X-Content-Transfer-Encoding: dropped') })
  if (named.length > 0 || encoding === '7bit') return
  // Before the first field; a part without any has only the empty line.
  edits.push({ start: node.headerStart, end: node.headerStart, by: Buffer.concat([field, crlf]) })
  if (node.fields.length === 0 && node.bodyStart === node.headerStart && octets[node.bodyStart] !== 13)
    edits.push({ start: node.headerStart, end: node.headerStart, by: crlf })
}

const crlf = Buffer.from('\r\n')

const isSevenBit = (octets: Uint8Array, { bodyStart, bodyEnd }: MimeNode): boolean =>
  isAscii(octets.subarray(bodyStart, bodyEnd))

const bodyFits = (octets: Uint8Array, node: MimeNode, { eightBit, anew }: TransferHop): boolean =>
  isLined(octets, node.bodyStart, node.bodyEnd) &&
  (eightBit || isSevenBit(octets, node)) &&
  (!anew || hasShortLines(octets, node.bodyStart, node.bodyEnd))

/** Lines of at most 998 octets (RFC 5321 §4.5.3.1.6). */
export function hasShortLines(octets: Uint8Array, start: number, stop: number): boolean {
  let from = start
  while (from < stop) {
    const lf = octets.indexOf(10, from)
    const end = lf < 0 || lf >= stop ? stop : lf + 1
    if (end - from > maxLine + 2) return false
    from = end
  }
  return true
}

/** What of a container stands between its parts: preamble, delimiters, epilogue. */
function* frameOf({ bodyStart, bodyEnd, parts }: MimeNode): Generator<readonly [number, number]> {
  let at = bodyStart
  for (const part of parts) {
    yield [at, part.headerStart]
    at = part.bodyEnd
  }
  yield [at, bodyEnd]
}

function isFrameLined(octets: Uint8Array, node: MimeNode): boolean {
  for (const [start, end] of frameOf(node)) if (!isLined(octets, start, end)) return false
  return true
}

function isFrameAscii(octets: Uint8Array, node: MimeNode): boolean {
  for (const [start, end] of frameOf(node)) if (!isAscii(octets.subarray(start, end))) return false
  return true
}

/**
 * Whether header fields and what stands between parts are whole lines without NUL: what cannot be said of them no encoding
 * mends.
 */
export function isFramed(octets: Uint8Array): boolean {
  const visit = (node: MimeNode): boolean =>
    isLined(octets, node.headerStart, node.bodyStart) &&
    (node.parts.length === 0 || (isFrameLined(octets, node) && node.parts.every(visit)))
  return visit(scanMessage(octets, storeScanLimits))
}
