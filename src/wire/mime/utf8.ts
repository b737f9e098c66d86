/** UTF-8 in header fields (RFC 6532): octet strings, one character an octet, and Unicode. */
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export const isAscii = (text: string): boolean => /^[\x00-\x7f]*$/.test(text)

/** An octet string as the Unicode that its UTF-8 stands for; undefined: it is not UTF-8. */
export function utf8Of(octets: string): string | undefined {
  if (isAscii(octets)) return octets
  try {
    return strict.decode(Buffer.from(octets, 'latin1'))
  } catch {
    return undefined
  }
}

/** Unicode as the octet string of its UTF-8. */
export const octetsOf = (text: string): string =>
  isAscii(text) ? text : Buffer.from(text, 'utf8').toString('latin1')
