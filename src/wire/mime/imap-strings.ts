/** IMAP strings inside stored FETCH data (RFC 3501 §4.3): quoted where that is legal, else a literal. Octet strings. */
import { isUtf8 } from 'node:buffer'
import { decodeWords } from './encoded-words.ts'

export const quotedOrLiteral = (octets: string): string => {
  if (!/[\x00\r\n\x80-\xff]/.test(octets)) return `"${octets.replace(/["\\]/g, '\\$&')}"`
  // NUL may stand in no string of IMAP4rev1 (RFC 3501 §9 CHAR8).
  const clean = octets.replaceAll('\0', '')
  return `{${clean.length}}\r\n${clean}`
}

export const nstring = (octets: string | undefined): string =>
  octets === undefined ? 'NIL' : quotedOrLiteral(octets)

/** How a value of a header field is shown. */
export type Shown = (octets: string) => string

/** Unicode as an encoded word when it is not ASCII: what a client without UTF-8 may be shown (EN-12, BS-11). */
export const asciiSafe: Shown = (octets) =>
  /[\x80-\xff]/.test(octets) ? `=?utf-8?B?${Buffer.from(decodeWords(octets)).toString('base64')}?=` : octets

/** UTF-8 as it stands (RFC 6532 §3.2); what is neither that nor ASCII is for nobody. */
export const utf8Safe: Shown = (octets) =>
  isUtf8(Buffer.from(octets, 'latin1')) ? octets : asciiSafe(octets)
