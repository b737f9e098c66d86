/** A part without its Content-Transfer-Encoding (RFC 2045 §6, RFC 3516 §4). */
import type { PartRange } from '../../model/message-digest.ts'
import { decodeBase64 } from './base64.ts'
import { decodeQuotedPrintable } from './quoted-printable.ts'

/** undefined: nobody knows that encoding (BI-04, UA-40). */
export function decodeTransfer(
  part: Pick<PartRange, 'type' | 'encoding'>,
  body: Uint8Array,
): Uint8Array | undefined {
  switch (part.encoding) {
    case 'base64':
      return lines(part.type, decodeBase64(body))
    case 'quoted-printable':
      return lines(part.type, decodeQuotedPrintable(body))
    case '7bit':
    case '8bit':
    case 'binary':
      return lines(part.type, body)
    default:
      return undefined
  }
}

/** Lines of text end with CR LF, however they were encoded (RFC 3516 §6). */
function lines(type: string, octets: Uint8Array): Uint8Array {
  if (!type.startsWith('text/') || !octets.includes(10)) return octets
  const text = Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString('latin1')
  return /(?<!\r)\n/.test(text) ? Buffer.from(text.replace(/\r?\n/g, '\r\n'), 'latin1') : octets
}
