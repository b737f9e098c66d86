/** What a submission server does to a message (RFC 6409 §8.2, §8.3; RFC 5322 §3.6.3), and nothing else. */
import type { HeaderRange } from './node.ts'
import { scanHeaderBlock } from './scan.ts'
import { writeField } from './write-header.ts'

const blind = /^(?:resent-)?bcc$/i

/**
 * Message-ID and Date are added where they are missing, Bcc goes; all other octets stay as they are. The same array where
 * nothing had to be changed.
 */
export function asSubmitted(
  octets: Uint8Array,
  missing: { readonly messageId: () => string; readonly date: () => string },
): Uint8Array {
  const { fields, headerStart, bodyStart } = scanHeaderBlock(octets)
  const has = (name: string): boolean => fields.some((field) => field.name.toLowerCase() === name)
  const added = [
    ...(has('message-id') ? [] : [writeField('Message-ID', missing.messageId())]),
    ...(has('date') ? [] : [writeField('Date', missing.date())]),
  ].join('')
  const removed = fields.filter((field) => blind.test(field.name))
  if (added === '' && removed.length === 0) return octets
  const pieces: Uint8Array[] = [Buffer.from(added, 'latin1')]
  // A text without a header: what is added needs the empty line that ends it.
  if (fields.length === 0 && bodyStart === headerStart && !startsEmpty(octets))
    pieces.push(Buffer.from('\r\n'))
  let at = 0
  for (const field of removed) {
    pieces.push(octets.subarray(at, field.start))
    at = afterLine(octets, field)
  }
  pieces.push(octets.subarray(at))
  return Buffer.concat(pieces)
}

const startsEmpty = (octets: Uint8Array): boolean =>
  octets[0] === 10 || (octets[0] === 13 && octets[1] === 10)

function afterLine(octets: Uint8Array, { end }: HeaderRange): number {
  const afterCr = octets[end] === 13 ? end + 1 : end
  return octets[afterCr] === 10 ? afterCr + 1 : afterCr
}
