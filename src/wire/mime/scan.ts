/**
 * The offset scanner: finds header fields and part ranges of an RFC 5322 message over its octets, without copying them.
 * Tolerant: every input has a structure; what was broken is told in `defect` (RFC 2045, 2046; SEC-021).
 */

import { decodeBase64 } from './base64.ts'
import { defaultScanLimits, type HeaderRange, isMessageNode, type MimeNode, type ScanLimits } from './node.ts'
import { type Parameter, parseContentType, withoutComments } from './parameters.ts'
import { decodeQuotedPrintable } from './quoted-printable.ts'

const LF = 10
const CR = 13

interface Budget {
  readonly limits: ScanLimits
  parts: number
}

type MutableNode = { -readonly [K in keyof MimeNode]: MimeNode[K] }

export const scanMessage = (octets: Uint8Array, limits: ScanLimits = defaultScanLimits): MimeNode =>
  scanEntity(octets, 0, octets.length, limits)

/** The header block alone; the body is not looked at, however long it is. */
export function scanHeaderBlock(octets: Uint8Array): MimeNode {
  const buffer = bufferOf(octets)
  const crlf = buffer.indexOf('\r\n\r\n')
  const lf = (crlf < 0 ? buffer : buffer.subarray(0, crlf)).indexOf('\n\n')
  const end = lf >= 0 ? lf + 2 : crlf >= 0 ? crlf + 4 : buffer.length
  return scanEntity(octets, 0, end, { depth: 0, parts: 0 })
}

/** A header block and body in [start, end). */
export function scanEntity(
  octets: Uint8Array,
  start: number,
  end: number,
  limits: ScanLimits = defaultScanLimits,
): MimeNode {
  return entity(bufferOf(octets), start, end, 'text/plain', 0, { limits, parts: 0 })
}

function entity(
  octets: Buffer,
  start: number,
  end: number,
  defaultType: string,
  depth: number,
  budget: Budget,
): MimeNode {
  const { fields, bodyStart } = scanHeader(octets, start, end)
  const contentType = firstValue(octets, fields, 'content-type')
  const parsed = (contentType === undefined ? undefined : parseContentType(contentType)) ?? {
    // An absent or unusable Content-Type is text/plain, in a digest message/rfc822 (RFC 2045 §5.2, RFC 2046 §5.1.5).
    type: contentType === undefined ? defaultType : 'text/plain',
    params: [] as Parameter[],
  }
  const slash = parsed.type.indexOf('/')
  const node: MutableNode = {
    headerStart: start,
    bodyStart,
    bodyEnd: end,
    fields,
    type: parsed.type.slice(0, slash),
    subtype: parsed.type.slice(slash + 1),
    params: parsed.params,
    encoding: encodingOf(firstValue(octets, fields, 'content-transfer-encoding')),
    parts: [],
    lines: 0,
  }
  if (node.type === 'multipart') splitMultipart(octets, node, depth, budget)
  else if (isMessageNode(node) && isIdentity(node.encoding)) {
    // An encoded message/rfc822 is illegal (RFC 2046 §5.2.1); its octets are not a message, so it stays a leaf.
    if (depth >= budget.limits.depth) node.defect = 'too-deep'
    else node.parts = [entity(octets, bodyStart, end, 'text/plain', depth + 1, budget)]
  }
  if (node.type === 'text' || isMessageNode(node)) node.lines = linesOf(octets, node)
  return node
}

/** Of a message within a message within a message each octet is looked at once, not once for each level (SC-36). */
function linesOf(octets: Buffer, { bodyStart, bodyEnd, parts }: MimeNode): number {
  const inner = parts[0]
  if (inner && (inner.type === 'text' || isMessageNode(inner)))
    return countLines(octets, bodyStart, inner.bodyStart) + inner.lines
  return countLines(octets, bodyStart, bodyEnd)
}

const isIdentity = (encoding: string): boolean =>
  encoding === '7bit' || encoding === '8bit' || encoding === 'binary'

const encodingOf = (value: string | undefined): string =>
  (value === undefined ? '' : withoutComments(value).trim().toLowerCase()) || '7bit'

/** Fields from `start` up to the empty line. A line that is no field and no continuation ends the header block. */
function scanHeader(
  octets: Buffer,
  start: number,
  end: number,
): { fields: HeaderRange[]; bodyStart: number } {
  const fields: HeaderRange[] = []
  let at = start
  while (at < end) {
    const newline = octets.indexOf(LF, at)
    const next = newline < 0 || newline >= end ? end : newline + 1
    const lineEnd = next > at && octets[next - 1] === LF ? trimCr(octets, at, next - 1) : next
    if (lineEnd === at) return { fields, bodyStart: next }
    const first = octets[at]
    if ((first === 32 || first === 9) && fields.length > 0) {
      const last = fields[fields.length - 1]
      if (last) fields[fields.length - 1] = { ...last, end: lineEnd }
    } else {
      // Blanks before the very first field can continue nothing.
      const from = fields.length === 0 ? afterBlanks(octets, at, lineEnd) : at
      const colon = fieldNameEnd(octets, from, lineEnd)
      if (colon >= 0) {
        const name = octets.toString('latin1', from, colon).trimEnd()
        fields.push({ name, start: from, valueStart: colon + 1, end: lineEnd })
      } else if (!isMboxLine(octets, at) && !headerGoesOn(octets, next, end))
        // Without the empty line that was forgotten the body begins here.
        return { fields, bodyStart: at }
    }
    at = next
  }
  return { fields, bodyStart: end }
}

/** Lines that a header which broke off is looked for in. */
const maxStrayLines = 40
const commonField =
  /^(from|to|cc|subject|date|message-id|mime-version|received|reply-to|return-path|in-reply-to|references|content-[a-z-]+|delivered-to)[ \t]*:/i

/** A stray line (a folded one without its blank, an mbox separator) does not end the header when known fields follow it. */
function headerGoesOn(octets: Buffer, start: number, end: number): boolean {
  let at = start
  for (let n = 0; n < maxStrayLines && at < end; n++) {
    const newline = octets.indexOf(LF, at)
    const next = newline < 0 || newline >= end ? end : newline + 1
    if (trimCr(octets, at, next - 1) === at) return false
    if (commonField.test(octets.toString('latin1', at, Math.min(next, at + 40)))) return true
    at = next
  }
  return false
}

const afterBlanks = (octets: Buffer, start: number, end: number): number => {
  let at = start
  while (at < end && (octets[at] === 32 || octets[at] === 9)) at++
  return at
}

const trimCr = (octets: Buffer, from: number, end: number): number =>
  end > from && octets[end - 1] === CR ? end - 1 : end

const isMboxLine = (octets: Buffer, at: number): boolean => octets.toString('latin1', at, at + 5) === 'From '

/** Position of the colon after a field name (printable ASCII, blanks before the colon tolerated), or -1. */
function fieldNameEnd(octets: Buffer, start: number, end: number): number {
  for (let i = start; i < end; i++) {
    const c = octets[i] ?? 0
    if (c === 58) return i > start ? i : -1
    if (c === 32 || c === 9) {
      let j = i
      while (j < end && (octets[j] === 32 || octets[j] === 9)) j++
      return i > start && octets[j] === 58 ? j : -1
    }
    if (c < 33 || c > 126) return -1
  }
  return -1
}

function splitMultipart(octets: Buffer, node: MutableNode, depth: number, budget: Budget): void {
  const boundary = node.params.find((p) => p.name === 'boundary')?.value.trimEnd()
  if (!boundary) {
    node.defect = 'no-boundary'
    return
  }
  if (depth >= budget.limits.depth) {
    node.defect = 'too-deep'
    return
  }
  const childType = node.subtype === 'digest' ? 'message/rfc822' : 'text/plain'
  const { ranges, closed } = partRanges(octets, node.bodyStart, node.bodyEnd, boundary)
  if (!closed) node.defect = 'unclosed'
  const parts: MimeNode[] = []
  for (const range of ranges) {
    if (++budget.parts > budget.limits.parts) {
      node.defect = 'too-many-parts'
      break
    }
    parts.push(entity(octets, range.start, range.end, childType, depth + 1, budget))
  }
  node.parts = parts
}

/**
 * The parts between delimiter lines in [start, end). The line end before a delimiter belongs to the delimiter
 * (RFC 2046 §5.1.1); blanks after it are tolerated, other text makes it no delimiter.
 */
export function partRanges(
  source: Uint8Array,
  start: number,
  end: number,
  boundary: string,
): { ranges: { start: number; end: number }[]; closed: boolean } {
  const octets = bufferOf(source)
  const dashed = Buffer.from(`--${boundary}`, 'latin1')
  const ranges: { start: number; end: number }[] = []
  let open = -1
  let at = start
  while (at < end) {
    const found = octets.indexOf(dashed, at)
    if (found < 0 || found + dashed.length > end) break
    at = found + 1
    if (found > start && octets[found - 1] !== LF) continue
    let tail = found + dashed.length
    const close = octets[tail] === 45 && octets[tail + 1] === 45 && tail + 2 <= end
    if (close) tail += 2
    while (tail < end && (octets[tail] === 32 || octets[tail] === 9 || octets[tail] === CR)) tail++
    // After a close delimiter anything may follow on the line: peers end it with stray text.
    if (!close && tail < end && octets[tail] !== LF) continue
    if (open >= 0) ranges.push({ start: open, end: beforeLineEnd(octets, open, found) })
    if (close) return { ranges, closed: true }
    open = Math.min(tail + 1, end)
    at = open
  }
  if (open >= 0) ranges.push({ start: open, end })
  return { ranges, closed: false }
}

function beforeLineEnd(octets: Buffer, from: number, delimiter: number): number {
  if (delimiter <= from) return from
  const lf = delimiter - 1
  return octets[lf] === LF ? Math.max(from, trimCr(octets, from, lf)) : delimiter
}

function countLines(octets: Buffer, start: number, end: number): number {
  let lines = 0
  let at = start
  while (at < end) {
    const newline = octets.indexOf(LF, at)
    if (newline < 0 || newline >= end) return lines + 1
    lines++
    at = newline + 1
  }
  return lines
}

/** A view, never a copy. */
const bufferOf = (octets: Uint8Array): Buffer =>
  Buffer.isBuffer(octets) ? octets : Buffer.from(octets.buffer, octets.byteOffset, octets.length)

/** Value of a field: unfolded, outer blanks dropped, each character one octet. */
const unfolded = (octets: Buffer, field: HeaderRange): string =>
  octets
    .toString('latin1', field.valueStart, field.end)
    .replace(/\r?\n(?=[ \t])/g, '')
    .trim()

function firstValue(octets: Buffer, fields: readonly HeaderRange[], name: string): string | undefined {
  const field = fields.find((f) => f.name.toLowerCase() === name)
  return field && unfolded(octets, field)
}

/** Value of one field: unfolded, outer blanks dropped, an octet string. */
export const fieldText = (octets: Uint8Array, field: HeaderRange): string => unfolded(bufferOf(octets), field)

/** The first field of that name (any case), unfolded, as an octet string; undefined when there is none. */
export const fieldValue = (octets: Uint8Array, node: MimeNode, name: string): string | undefined =>
  firstValue(bufferOf(octets), node.fields, name.toLowerCase())

/** All fields of that name, top first. */
export const allFields = (octets: Uint8Array, node: MimeNode, name: string): string[] =>
  node.fields
    .filter((f) => f.name.toLowerCase() === name.toLowerCase())
    .map((f) => unfolded(bufferOf(octets), f))

/** Every field in order, unfolded, values as octet strings. */
export const headerFields = (octets: Uint8Array, node: MimeNode): { name: string; value: string }[] =>
  node.fields.map((f) => ({ name: f.name, value: unfolded(bufferOf(octets), f) }))

/** The body without its transfer encoding; an unknown encoding leaves the octets as they are (RFC 2045 §6.4). */
export function decodeBody(octets: Uint8Array, node: MimeNode): Uint8Array {
  const body = octets.subarray(node.bodyStart, node.bodyEnd)
  if (node.encoding === 'base64') return decodeBase64(body)
  if (node.encoding === 'quoted-printable') return decodeQuotedPrintable(body)
  return body
}
