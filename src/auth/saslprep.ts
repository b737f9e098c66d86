/**
 * SASLprep (RFC 4013) of names and passwords. Code points unassigned in Unicode 3.2 are allowed everywhere, as for
 * queries (RFC 3454 §7) and as in the successor, PRECIS (RFC 8265): a password may hold an emoji.
 */

/** RFC 3454 B.1: mapped to nothing. */
const mappedToNothing = /[\u00ad\u1806\u200b-\u200d\u2060\ufeff]|\u034f|[\u180b-\u180d]|[\ufe00-\ufe0f]/gu

/** RFC 3454 C.1.2: mapped to SPACE. U+200B is in B.1 too, and RFC 4013 §2.1 reads C.1.2 first. */
const nonAsciiSpace = /[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/gu

/** RFC 3454 C.1.2 and C.2.1 to C.9, in this order. */
const prohibited = new RegExp(
  [
    '[\\u00a0\\u1680\\u2000-\\u200b\\u202f\\u205f\\u3000]',
    '[\\0-\\u001f\\u007f]',
    '[\\u0080-\\u009f\\u06dd\\u070f\\u180e\\u200c\\u200d\\u2028\\u2029\\u2060-\\u2063\\u206a-\\u206f\\ufeff]',
    '[\\ufff9-\\ufffc\\u{1d173}-\\u{1d17a}]',
    '\\p{Co}',
    '\\p{Noncharacter_Code_Point}',
    '\\p{Cs}',
    '\\ufffd',
    '[\\u2ff0-\\u2ffb]',
    '[\\u0340\\u0341\\u200e\\u200f\\u202a-\\u202e]',
    '[\\u{e0001}\\u{e0020}-\\u{e007f}]',
  ].join('|'),
  'u',
)

/** RFC 3454 D.1: characters with bidirectional property R or AL. */
const randAL =
  '\\u05be\\u05c0\\u05c3\\u05d0-\\u05ea\\u05f0-\\u05f4\\u061b\\u061f\\u0621-\\u063a\\u0640-\\u064a\\u066d-\\u066f' +
  '\\u0671-\\u06d5\\u06dd\\u06e5\\u06e6\\u06fa-\\u06fe\\u0700-\\u070d\\u0710\\u0712-\\u072c\\u0780-\\u07a5\\u07b1' +
  '\\u200f\\ufb1d\\ufb1f-\\ufb28\\ufb2a-\\ufb36\\ufb38-\\ufb3c\\ufb3e\\ufb40\\ufb41\\ufb43\\ufb44\\ufb46-\\ufbb1' +
  '\\ufbd3-\\ufd3d\\ufd50-\\ufd8f\\ufd92-\\ufdc7\\ufdf0-\\ufdfc\\ufe70-\\ufe74\\ufe76-\\ufefc'
const hasRandAL = new RegExp(`[${randAL}]`, 'u')
const onlyFramedByRandAL = new RegExp(`^[${randAL}](?:.*[${randAL}])?$`, 'su')
/** RFC 3454 D.2 as Unicode tells it today: the letters of every other script. */
const hasL = new RegExp(`(?![${randAL}])[\\p{L}\\p{Mc}\\p{Nl}]`, 'u')

/** The prepared string; undefined when it has a forbidden character or nothing is left (SA-03). */
export function saslprep(text: string): string | undefined {
  // Printable ASCII is what it becomes.
  if (/^[\x20-\x7e]+$/.test(text)) return text
  const prepared = text.replace(nonAsciiSpace, ' ').replace(mappedToNothing, '').normalize('NFKC')
  if (prepared === '' || prohibited.test(prepared)) return undefined
  // RFC 3454 §6: right-to-left text holds no left-to-right letter, and begins and ends right-to-left.
  if (hasRandAL.test(prepared) && (hasL.test(prepared) || !onlyFramedByRandAL.test(prepared)))
    return undefined
  return prepared
}

/** A login name as accounts are stored: prepared, lower case. undefined: no account can have it. */
export const prepareUser = (user: string): string | undefined => saslprep(user)?.toLowerCase()

/** UTF-8, or undefined. U+FEFF stays what it is: the text is hashed as it was sent. */
export function utf8(octets: Uint8Array): string | undefined {
  try {
    return strictUtf8.decode(octets)
  } catch {
    return undefined
  }
}
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Base64 with its padding, nothing else (RFC 5802 §7 base64); undefined when it is not. */
export function base64(text: string): Buffer | undefined {
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text)) return undefined
  return Buffer.from(text, 'base64')
}
