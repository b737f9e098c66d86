/** Octets of a charset to Unicode. Never throws: an unknown or wrong label is repaired, not refused (CNT-043). */
import iconv from 'iconv-lite'

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false })

export { isAscii, isUtf8 } from 'node:buffer'

/** Whether text of that charset can be decoded. */
export const hasCharset = (label: string): boolean => decoderOf(label) !== undefined

/**
 * Without a label, or with one of ASCII on 8-bit octets, or an unknown one: UTF-8 when the octets are valid UTF-8, else
 * windows-1252 (CNT-043). Octets that are wrong in the charset become U+FFFD.
 */
export function decodeText(octets: Uint8Array, charset: string | undefined): string {
  const label = charset?.trim().toLowerCase()
  if (label === undefined || label === '' || label === 'us-ascii' || label === 'ascii') return guessed(octets)
  return decoderOf(label)?.(octets) ?? guessed(octets)
}

const guessed = (octets: Uint8Array): string => {
  try {
    return utf8.decode(octets)
  } catch {
    return new TextDecoder('windows-1252').decode(octets)
  }
}

type Decode = (octets: Uint8Array) => string
const known = new Map<string, Decode | undefined>()

function decoderOf(name: string): Decode | undefined {
  const label = name.trim().toLowerCase()
  if (known.has(label)) return known.get(label)
  const made = makeDecoder(label)
  // Labels come from peers: the table must not grow without end.
  if (known.size < 500) known.set(label, made)
  return made
}

function makeDecoder(label: string): Decode | undefined {
  // utf-16 without BOM is big-endian in MIME (RFC 2781 §4.3); the web's decoder would take it for little-endian.
  if (label === 'utf-16' || label === 'ucs-2' || label === 'iso-10646-ucs-2') return utf16
  if (label === 'us-ascii') return guessed
  try {
    const decoder = new TextDecoder(label)
    if (decoder.encoding === 'iso-2022-jp') return (octets) => decoder.decode(withoutIdleEscapes(octets))
    return (octets) => decoder.decode(octets)
  } catch {
    return iconv.encodingExists(label) ? (octets) => iconv.decode(Buffer.from(octets), label) : undefined
  }
}

/**
 * Each encoded word of ISO-2022-JP ends in ASCII and the next begins with its own escape (RFC 1468, RFC 2047 §3): where two
 * are joined one escape follows another at once, which the web's decoder takes for an attack. The last of them counts.
 */
function withoutIdleEscapes(octets: Uint8Array): Uint8Array {
  const text = Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString('latin1')
  return Buffer.from(text.replace(/(?:\x1b(?:\([BIJ]|\$[@B]))+(?=\x1b(?:\([BIJ]|\$[@B]))/g, ''), 'latin1')
}

const utf16: Decode = (octets) => {
  const little = octets[0] === 0xff && octets[1] === 0xfe
  return new TextDecoder(little ? 'utf-16le' : 'utf-16be').decode(octets)
}
