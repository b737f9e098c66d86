/**
 * 8-bit header fields for those who do not know them (RFC 3501 §7.4.2 "MUST be 7-bit"; RFC 6855 §7, §8; FE-25): what each
 * such field becomes. Bodies stay as they are, octet for octet.
 */
import type { Replacement } from '../../model/message-digest.ts'
import { type AddressItem, parseAddressList } from './addresses.ts'
import { decodeWords } from './encoded-words.ts'
import type { HeaderRange, MimeNode } from './node.ts'
import { parseContentType, parseDisposition } from './parameters.ts'
import { fieldText } from './scan.ts'
import { encodePhrase, encodeUnstructured, writeField, writeParameter } from './write-header.ts'

/** Fields, and their octets, that are rewritten one by one; in a message with more the others show "?" for each octet. */
const maxReplacements = 500
const maxOctets = 256 * 1024

interface Found {
  readonly replacements: Replacement[]
  octetsLeft: number
}

/** Ascending, not overlapping; [] for a message whose header fields are all ASCII, as nearly every one is. */
export function asciiHeaders(octets: Uint8Array, root: MimeNode): Replacement[] {
  const found: Found = { replacements: [], octetsLeft: maxOctets }
  const visit = (node: MimeNode): void => {
    headerBlock(octets, node, found)
    for (const part of node.parts) visit(part)
  }
  visit(root)
  return found.replacements
}

function headerBlock(octets: Uint8Array, node: MimeNode, found: Found): void {
  const { replacements } = found
  let at = firstEightBit(octets, node.headerStart, node.bodyStart)
  for (const field of node.fields) {
    if (at < 0 || replacements.length >= maxReplacements) break
    if (field.end <= at) continue
    // Between fields: lines that are no field, and nothing can be said of them.
    if (at < field.start) replacements.push(questionMarks(octets, at, field.start))
    at = firstEightBit(octets, field.start, node.bodyStart)
    if (at < 0 || at >= field.end) continue
    found.octetsLeft -= field.end - field.start
    if (found.octetsLeft < 0) break
    replacements.push({ start: field.start, end: field.end, by: asciiField(octets, field) })
    at = firstEightBit(octets, field.end, node.bodyStart)
  }
  if (at >= 0) replacements.push(questionMarks(octets, at, node.bodyStart))
}

function firstEightBit(octets: Uint8Array, start: number, end: number): number {
  for (let i = start; i < end; i++) if ((octets[i] ?? 0) >= 0x80) return i
  return -1
}

const questionMarks = (octets: Uint8Array, start: number, end: number): Replacement => ({
  start,
  end,
  by: Buffer.from(octets.subarray(start, end))
    .toString('latin1')
    .replace(/[\x80-\xff]/g, '?'),
})

const addressFields =
  /^(?:resent-)?(?:from|sender|to|cc|bcc|reply-to)$|^(?:disposition-notification-to|return-receipt-to|errors-to)$/
const unstructuredFields = /^(?:subject|comments|content-description|keywords|organization|x-.*)$/

const asciiField = (octets: Uint8Array, field: HeaderRange): string =>
  writeField(field.name, inAscii(field.name, fieldText(octets, field))).slice(0, -2)

/** What a field's value, an octet string, is without 8-bit octets; of addresses that ASCII cannot say the name remains. */
export const inAscii = (name: string, value: string): string =>
  asciiValue(name.toLowerCase(), value) ?? generalValue(value)

/** undefined: the field is not what its name says. */
function asciiValue(name: string, value: string): string | undefined {
  if (addressFields.test(name)) return addressList(parseAddressList(value))
  if (unstructuredFields.test(name)) return encodeUnstructured(decodeWords(value))
  if (name === 'content-type') {
    const parsed = parseContentType(value)
    return parsed && ascii(parsed.type + parameters(parsed.params))
  }
  if (name === 'content-disposition') {
    const { disposition, params } = parseDisposition(value)
    return ascii((disposition || 'attachment') + parameters(params))
  }
  return undefined
}

const ascii = (text: string): string | undefined => (/[^\x00-\x7f]/.test(text) ? undefined : text)

const parameters = (params: readonly { readonly name: string; readonly value: string }[]): string =>
  params.map(({ name, value }) => writeParameter(name, value)).join('')

const pieces = /[\s()<>"@,;:]+|[^\s()<>"@,;:]+/g

/** Words become encoded words where they stand, be that a comment or a phrase; a blank between two of them is in the first. */
function generalValue(value: string): string {
  const list = value.match(pieces) ?? []
  let out = ''
  for (let i = 0; i < list.length; i++) {
    let words = list[i] ?? ''
    if (!/[\x80-\xff]/.test(words)) {
      out += words
      continue
    }
    while (/^[ \t]+$/.test(list[i + 1] ?? '') && /[\x80-\xff]/.test(list[i + 2] ?? '')) {
      words += `${list[i + 1]}${list[i + 2]}`
      i += 2
    }
    out += encodeUnstructured(decodeWords(words))
  }
  return out
}

function addressList(items: readonly AddressItem[]): string {
  let out = ''
  let inGroup = false
  let first = true
  for (const item of items) {
    if (item.kind === 'group-end') {
      out += ';'
      inGroup = false
      first = false
      continue
    }
    if (!first) out += ', '
    first = item.kind === 'group-start'
    if (item.kind === 'group-start') {
      inGroup = true
      out += `${encodePhrase(decodeWords(item.name)) || '""'}: `
    } else out += mailbox(item, inGroup)
  }
  return out
}

function mailbox(item: Extract<AddressItem, { kind: 'mailbox' }>, inGroup: boolean): string {
  const name = item.name === undefined ? '' : encodePhrase(decodeWords(item.name))
  const address = item.domain === '' ? quotedLocal(item.local) : `${quotedLocal(item.local)}@${item.domain}`
  if (ascii(address) !== undefined) return name === '' ? address : `${name} <${address}>`
  const words = [name, encodePhrase(decodeWords(address))].filter((text) => text !== '').join(' ')
  // An address that cannot be said in ASCII becomes the name of a group without members (RFC 6855 §7).
  return inGroup ? `${words} <invalid@internationalized-address.invalid>` : `${words} :;`
}

const quotedLocal = (local: string): string =>
  /^[^\s()<>[\]:;@\\,"]+$/.test(local) ? local : `"${local.replace(/["\\]/g, '\\$&')}"`
