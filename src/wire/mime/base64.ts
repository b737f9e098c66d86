/** Base64 as a transfer encoding (RFC 2045 §6.8). */
const lineOctets = 76
const minus = 45
const underscore = 95
const pad = 61

const viewOf = (octets: Uint8Array): Buffer =>
  Buffer.isBuffer(octets) ? octets : Buffer.from(octets.buffer, octets.byteOffset, octets.length)

/** Characters outside the alphabet are passed over, padding may be missing (RFC 2045 §6.8). */
export function decodeBase64(body: Uint8Array): Uint8Array {
  // Node's decoder passes over line ends, but takes "-" and "_" for alphabet and stops at the first "=".
  const octets = viewOf(body)
  const padding = octets.indexOf(pad)
  const isPlain =
    (padding < 0 || !/[A-Za-z0-9+/]/.test(octets.toString('latin1', padding))) &&
    !octets.includes(minus) &&
    !octets.includes(underscore)
  if (isPlain && octets.length > smallOctets) return inBlocks(octets)
  const text = octets.toString('latin1')
  if (isPlain) return Buffer.from(text, 'base64')
  const pieces = text.replace(/[^A-Za-z0-9+/=]/g, '').split(/=+/)
  return Buffer.concat(pieces.map((piece: string) => Buffer.from(piece, 'base64')))
}

/** What is larger is decoded a block at a time: never all of it as text, and texts so short that they are soon collected. */
const smallOctets = 1_048_576
const blockOctets = 32_768

const notAlphabet = /[^A-Za-z0-9+/]/

function inBlocks(octets: Buffer): Uint8Array {
  const out = Buffer.allocUnsafeSlow(Math.ceil((octets.length * 3) / 4))
  let length = 0
  let rest = ''
  for (let at = 0; at < octets.length; at += blockOctets) {
    const text = octets.toString('latin1', at, Math.min(octets.length, at + blockOctets))
    // Line ends alone are passed over quickly; the decoder's count shows whether there was anything else.
    let characters = rest + text.replaceAll('\r\n', '')
    let whole = characters.length - (characters.length % 4)
    let written = out.write(characters.slice(0, whole), length, 'base64')
    if (written !== (whole / 4) * 3 || notAlphabet.test(characters.slice(whole))) {
      characters = rest + text.replace(/[^A-Za-z0-9+/]+/g, '')
      whole = characters.length - (characters.length % 4)
      written = out.write(characters.slice(0, whole), length, 'base64')
    }
    length += written
    // Whole groups of four; the others wait for the next block.
    rest = characters.slice(whole)
  }
  length += out.write(rest, length, 'base64')
  return out.subarray(0, length)
}

/** Reused: what is decoded only to be counted, some lines at a time. */
const scratch = Buffer.alloc(65_536)

/**
 * Whether it can go out as it came: lines of equal length up to 76 ended by CRLF, the last may be shorter; only the
 * alphabet, padding only at the end. The decoder itself counts the alphabet: what it skips makes its result shorter.
 */
export function tidyBase64(octets: Uint8Array): boolean {
  const text = viewOf(octets)
  const first = text.indexOf(10)
  const width = first < 0 ? text.length : first + 1
  if (first >= 0 && (width < 3 || width > lineOctets + 2)) return false
  if (first < 0 && width > lineOctets) return false
  let lines = 0
  for (let end = width; first >= 0 && end <= text.length; end += width) {
    if (text[end - 1] !== 10 || text[end - 2] !== 13) return false
    lines++
  }
  const rest = text.length - lines * width
  let ends = lines * 2
  if (first >= 0 && rest > 2 && text[text.length - 1] === 10) {
    if (text[text.length - 2] !== 13) return false
    ends += 2
  }
  const characters = text.length - ends
  if (characters === 0 || characters % 4 !== 0 || text.includes(minus) || text.includes(underscore))
    return false
  let last = text.length - 1
  while (last > 0 && (text[last] === 10 || text[last] === 13)) last--
  const padding = text[last] === pad ? (text[last - 1] === pad ? 2 : 1) : 0
  const expected = (characters / 4) * 3
  // Whole lines, as many as hold whole groups of four characters: never all of it as text.
  const block = width * Math.max(4, 4 * Math.floor(16_384 / width))
  let decoded = 0
  for (let at = 0; at < text.length; at += block)
    decoded += scratch.write(text.toString('latin1', at, Math.min(text.length, at + block)), 'base64')
  return decoded === expected - padding
}
