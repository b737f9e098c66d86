/**
 * Header fields with 8-bit octets that came without SMTPUTF8: a submission server puts them into ASCII where that can be
 * said (RFC 4468 §4, RFC 6409 §8, RFC 6531 §3.2; S8-06).
 */
import { isAscii } from 'node:buffer'
import { parseAddressList } from '../../wire/mime/addresses.ts'
import { asciiHeaders } from '../../wire/mime/ascii-headers.ts'
import { type MimeNode, storeScanLimits } from '../../wire/mime/node.ts'
import { replaced } from '../../wire/mime/replaced.ts'
import { fieldText, scanMessage } from '../../wire/mime/scan.ts'
import { type Reply, reply } from '../../wire/smtp/replies.ts'

const addressFields = /^(?:resent-)?(?:from|sender|to|cc|reply-to)$/i

/** The same octets where no header field was 8-bit. */
export function withAsciiHeaders(octets: Uint8Array): Uint8Array | Reply {
  if (isAscii(octets)) return octets
  const root = scanMessage(octets, storeScanLimits)
  const replacements = asciiHeaders(octets, root)
  if (replacements.length === 0) return octets
  if (hasOtherAddress(octets, root)) return reply(554, '5.6.9', 'An address that is not ASCII needs SMTPUTF8')
  const sealed = sealedIn(root)
  if (
    replacements.some(({ start }) => sealed.some((node) => node.bodyStart <= start && start < node.bodyEnd))
  )
    return reply(554, '5.6.3', 'What is signed has 8-bit header fields, and must not be changed')
  return replaced(octets, replacements)
}

const hasOtherAddress = (octets: Uint8Array, { fields }: MimeNode): boolean =>
  fields
    .filter((field) => addressFields.test(field.name))
    .flatMap((field) => parseAddressList(fieldText(octets, field)))
    .some((item) => item.kind === 'mailbox' && /[^\x00-\x7f]/.test(`${item.local}@${item.domain}`))

const sealedIn = (node: MimeNode): readonly MimeNode[] =>
  node.type === 'multipart' && (node.subtype === 'signed' || node.subtype === 'encrypted')
    ? [node]
    : node.parts.flatMap(sealedIn)
