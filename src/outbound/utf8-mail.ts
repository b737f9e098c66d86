/** Mail under SMTPUTF8 that stays mail: what of it needs a next hop that offers the extension (RFC 6531 §3.2, §3.4). */
import { checkedMail, quotedLocal, splitAddrSpec } from '../mapping/addresses.ts'
import { isRefusal } from '../model/refusal.ts'
import type { SmtpEnvelope } from '../model/smtp-envelope.ts'
import type { MimeNode } from '../wire/mime/node.ts'
import { scanMessage } from '../wire/mime/scan.ts'
import { isAscii } from '../wire/mime/utf8.ts'

/** The client said that the message, or its envelope, may need it. */
export const isUtf8Mail = ({ mailFrom }: SmtpEnvelope): boolean => Object.hasOwn(mailFrom.params, 'SMTPUTF8')

/** A path as it is sent: with A-labels it needs no SMTPUTF8 unless its local part does. */
export function wirePath(path: string): string {
  if (isAscii(path)) return path
  const split = splitAddrSpec(path)
  const checked = split && checkedMail(split.local, split.domain, path, true)
  return !checked || isRefusal(checked) ? path : `${quotedLocal(checked.local)}@${checked.domain}`
}

/** Whether the local part is one that only SMTPUTF8 can carry. */
export const isUtf8Path = (path: string): boolean => !isAscii(wirePath(path))

/** 8-bit octets in the header of the message, or of a part at any level that is not encoded. */
export function hasUtf8Header(octets: Uint8Array): boolean {
  const isEightBit = (node: MimeNode): boolean => {
    for (let i = node.headerStart; i < node.bodyStart; i++) if ((octets[i] ?? 0) > 127) return true
    return node.parts.some(isEightBit)
  }
  return isEightBit(scanMessage(octets))
}
