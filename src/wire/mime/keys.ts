/** Sort keys and header text of a message, folded by i;unicode-casemap (RFC 5256 §3, RFC 5957 §3, RFC 5255 §4.6). */
import { casemap } from '../../model/casemap.ts'
import type { MessageKeys } from '../../model/message-digest.ts'
import { parseAddressList } from './addresses.ts'
import type { SubjectParts } from './base-subject.ts'
import { decodeWords } from './encoded-words.ts'
import type { MimeNode } from './node.ts'
import { fieldValue } from './scan.ts'

/** Characters of a key; longer values sort by their beginning. */
const maxKey = 1000
/** Characters of a header block that are kept for SEARCH; a longer one is read again from the message. */
const maxFields = 32 * 1024

export function keysOf(octets: Uint8Array, node: MimeNode, subject: SubjectParts): MessageKeys {
  const from = first(fieldValue(octets, node, 'From'))
  const to = first(fieldValue(octets, node, 'To'))
  const cc = first(fieldValue(octets, node, 'Cc'))
  const fields = foldedFields(octets, node)
  return {
    subject: subjectKey(subject.base),
    isReply: subject.isReply,
    from: from.mailbox,
    to: to.mailbox,
    cc: cc.mailbox,
    displayFrom: from.display,
    displayTo: to.display,
    fields: fields.slice(0, maxFields),
    allFields: fields.length <= maxFields,
  }
}

export const subjectKey = (base: string): string => casemap(base).slice(0, maxKey)

/** Of a local part, a display name or a whole address, decoded. */
export const addressKey = (text: string): string => casemap(text.slice(0, maxKey))

/** What SORT compares of the first address of a field. A group's name is the addr-mailbox of its first structure. */
function first(value: string | undefined): { readonly mailbox: string; readonly display: string } {
  const item = value === undefined ? undefined : parseAddressList(value.slice(0, 4 * maxKey))[0]
  const key = (text: string): string => addressKey(decodeWords(text))
  if (item === undefined || item.kind === 'group-end') return { mailbox: '', display: '' }
  if (item.kind === 'group-start') return { mailbox: key(item.name), display: key(item.name) }
  const mailbox = key(item.local)
  const name = item.name === undefined ? '' : key(item.name)
  return {
    mailbox,
    display: name === '' ? key(item.domain === '' ? item.local : `${item.local}@${item.domain}`) : name,
  }
}

/** Every field as a line '\nNAME:value', decoded, unfolded and casemapped. */
function foldedFields(octets: Uint8Array, node: MimeNode): string {
  const source = Buffer.from(octets.buffer, octets.byteOffset, octets.length)
  let text = ''
  for (const field of node.fields) {
    // A field whose beginning alone is over the limit need not be decoded to its end.
    const end = Math.min(field.end, field.valueStart + 4 * maxFields)
    text += `\n${field.name.toUpperCase()}:${fieldText(source.toString('latin1', field.valueStart, end))}`
    if (text.length > maxFields) break
  }
  return text
}

/** One decoded, folded line of a field's octets. */
export const fieldText = (value: string): string =>
  casemap(decodeWords(value.replace(/\r?\n(?=[ \t])/g, '').trim())).replace(/[\0\r\n]/g, ' ')
