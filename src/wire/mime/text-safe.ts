/**
 * A binary message (RFC 3030, RFC 3516 §4.4) in a form that any client can be shown (RFC 3516 §6): parts that hold NUL are
 * put into base64, everything else stays octet for octet.
 */
import { base64Lines } from './base64-lines.ts'
import { type MimeNode, storeScanLimits } from './node.ts'
import { scanMessage } from './scan.ts'

interface Edit {
  readonly start: number
  readonly end: number
  readonly by: Uint8Array
}

const nul = 0
const field = Buffer.from('Content-Transfer-Encoding: base64')

/** The same array where nothing had to be changed. */
export function textSafe(octets: Uint8Array): Uint8Array {
  if (!octets.includes(nul)) return octets
  const edits: Edit[] = []
  for (const leaf of leavesOf(scanMessage(octets, storeScanLimits))) {
    const body = octets.subarray(leaf.bodyStart, leaf.bodyEnd)
    if (!body.includes(nul)) continue
    const named = leaf.fields.find((f) => f.name.toLowerCase() === 'content-transfer-encoding')
    // Without such a field it goes before the empty line that ends the header.
    edits.push(
      named
        ? { start: named.start, end: named.end, by: field }
        : { start: leaf.headerStart, end: leaf.headerStart, by: Buffer.concat([field, Buffer.from('\r\n')]) },
      { start: leaf.bodyStart, end: leaf.bodyEnd, by: base64Lines(body) },
    )
  }
  const pieces: Uint8Array[] = []
  let at = 0
  for (const { start, end, by } of edits) {
    pieces.push(withoutNul(octets.subarray(at, start)), by)
    at = end
  }
  pieces.push(withoutNul(octets.subarray(at)))
  return Buffer.concat(pieces)
}

/** In document order. */
function leavesOf(node: MimeNode): MimeNode[] {
  return node.parts.length === 0 ? [node] : node.parts.flatMap(leavesOf)
}

/** NUL in a header, preamble or between parts carries nothing (RFC 5322 §4). */
const withoutNul = (octets: Uint8Array): Uint8Array =>
  octets.includes(nul) ? octets.filter((octet) => octet !== nul) : octets
