/** Base64 in lines of 76 characters (RFC 2045 §6.8), without a copy of the whole as text. */

/** Octets of a line, and of what is turned into text at once. */
const lineOctets = 57
const blockOctets = lineOctets * 1024
const lineCharacters = 76

/** Lines are parted by CRLF; there is none after the last. */
export function base64Lines(octets: Uint8Array): Buffer {
  const source = Buffer.from(octets.buffer, octets.byteOffset, octets.length)
  const characters = Math.ceil(source.length / 3) * 4
  const breaks = Math.max(0, Math.ceil(source.length / lineOctets) - 1)
  const out = Buffer.allocUnsafeSlow(characters + breaks * 2)
  let at = 0
  for (let start = 0; start < source.length; start += blockOctets) {
    const text = source.toString('base64', start, Math.min(source.length, start + blockOctets))
    const lines = Math.ceil(text.length / lineCharacters)
    if (at > 0) at = lineEnd(out, at)
    // The text stands at the end of its place, and its lines move to the front, each by less than the one before.
    const end = at + text.length + (lines - 1) * 2
    let from = end - text.length
    out.write(text, from, 'latin1')
    for (; from + lineCharacters < end; from += lineCharacters) {
      out.copyWithin(at, from, from + lineCharacters)
      at = lineEnd(out, at + lineCharacters)
    }
    at = end
  }
  return out
}

function lineEnd(out: Buffer, at: number): number {
  out[at] = 13
  out[at + 1] = 10
  return at + 2
}
