/**
 * A whole message as a part of another: its body may be 7bit, 8bit or binary and is never encoded itself (RFC 2046 §5.2.1);
 * with UTF-8 in its header fields it is a message/global, which may be (RFC 6532 §3.7).
 */
import { isAscii as isAsciiOctets } from 'node:buffer'
import { isLined } from './lined.ts'
import { type MimeNode, storeScanLimits } from './node.ts'
import { scanMessage } from './scan.ts'
import { hasShortLines, transferable } from './transfer.ts'
import { isAscii, utf8Of } from './utf8.ts'

export interface EnclosingHop {
  /** It takes 8BITMIME. */
  readonly eightBit: boolean
  /** The message around goes under SMTPUTF8. */
  readonly utf8: boolean
}

export interface Enclosed {
  /** application/octet-stream: it cannot go as a message without a loss. */
  readonly type: 'message/rfc822' | 'message/global' | 'application/octet-stream'
  readonly encoding: '7bit' | '8bit' | 'base64'
  /** Not encoded yet where that is base64. */
  readonly octets: Uint8Array
}

/**
 * The enclosed message as the hop can take it. Where it must change, bodies of its parts get a transfer encoding, and of its
 * header fields Content-Transfer-Encoding alone; what is signed or encrypted in it stays octet for octet.
 */
export function enclosedMessage(given: Uint8Array, hop: EnclosingHop, isGlobal = false): Enclosed {
  const octets = inLines(given)
  if (isGlobal || hasUtf8Fields(octets)) {
    const type = 'message/global'
    if (fits(octets, false)) return { type, encoding: '7bit', octets }
    // As 8bit it asks SMTPUTF8 of every hop to come: only where the message around does that anyway (RFC 6531 §3.4).
    const encoding = hop.utf8 && hop.eightBit && fits(octets, true) ? '8bit' : 'base64'
    return { type, encoding, octets }
  }
  const made = transferable(octets, { eightBit: hop.eightBit, anew: true })
  if (!made || !fits(made, hop.eightBit))
    return { type: 'application/octet-stream', encoding: 'base64', octets }
  return { type: 'message/rfc822', encoding: isAsciiOctets(made) ? '7bit' : '8bit', octets: made }
}

/** A text that knows LF alone, as it is kept on disks, is the same text in the lines of mail (RFC 2049 §4). */
function inLines(octets: Uint8Array): Uint8Array {
  if (!octets.includes(10) || octets.includes(13) || octets.includes(0)) return octets
  const text = Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString('latin1')
  return Buffer.from(text.replaceAll('\n', '\r\n'), 'latin1')
}

const fits = (octets: Uint8Array, eightBit: boolean): boolean =>
  (eightBit || isAsciiOctets(octets)) && isLined(octets) && hasShortLines(octets, 0, octets.length)

/** 8-bit octets in header fields at any level that is not encoded, all of them UTF-8. */
function hasUtf8Fields(octets: Uint8Array): boolean {
  if (isAsciiOctets(octets)) return false
  let found = false
  const isUtf8 = (node: MimeNode): boolean => {
    const block = Buffer.from(octets.subarray(node.headerStart, node.bodyStart)).toString('latin1')
    if (!isAscii(block)) {
      if (utf8Of(block) === undefined) return false
      found = true
    }
    return node.parts.every(isUtf8)
  }
  return isUtf8(scanMessage(octets, storeScanLimits)) && found
}
