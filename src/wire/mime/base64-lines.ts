/** Base64 in lines of 76 characters (RFC 2045 §6.8), without a copy of the whole as text. */

/** Octets of a line, and of what is turned into text at once. */
const lineOctets = 57
const blockOctets = lineOctets * 1024

/** Lines are parted by CRLF; there is none after the last. */
export function base64Lines(octets: Uint8Array): Buffer {
  const source = Buffer.from(octets.buffer, octets.byteOffset, octets.length)
  const characters = Math.ceil(source.length / 3) * 4
  const breaks = Math.max(0, Math.ceil(source.length / lineOctets) - 1)
  const out = Buffer.allocUnsafe(characters + breaks * 2)
  let at = 0
  for (let from = 0; from < source.length; from += blockOctets) {
    const text = source.toString('base64', from, Math.min(source.length, from + blockOctets))
    for (let i = 0; i < text.length; i += 76) {
      if (at > 0) {
        out[at++] = 13
        out[at++] = 10
      }
      at += out.write(text.slice(i, i + 76), at, 'latin1')
    }
  }
  return out
}
