/** ENVELOPE (RFC 3501 §7.4.2; EN-01 to EN-13). */
import { type AddressItem, parseAddressList } from './addresses.ts'
import { decodeWords } from './encoded-words.ts'
import { asciiSafe, nstring, quotedOrLiteral } from './imap-strings.ts'
import type { MimeNode } from './node.ts'
import { fieldValue } from './scan.ts'

/** The parenthesised list as it goes on the wire. */
export function envelopeOf(octets: Uint8Array, node: MimeNode): string {
  const field = (name: string): string | undefined => fieldValue(octets, node, name)
  const text = (name: string): string => {
    const value = field(name)
    return nstring(value === undefined ? undefined : asciiSafe(value, decodeWords))
  }
  const from = addressList(field('From'))
  const or = (list: string): string => (list === 'NIL' ? from : list)
  return `(${[
    text('Date'),
    text('Subject'),
    from,
    or(addressList(field('Sender'))),
    or(addressList(field('Reply-To'))),
    addressList(field('To')),
    addressList(field('Cc')),
    addressList(field('Bcc')),
    text('In-Reply-To'),
    text('Message-ID'),
  ].join(' ')})`
}

function addressList(value: string | undefined): string {
  const items = value === undefined ? [] : parseAddressList(value)
  return items.length === 0 ? 'NIL' : `(${items.map(address).join('')})`
}

function address(item: AddressItem): string {
  if (item.kind === 'group-start') return `(NIL NIL ${safe(item.name)} NIL)`
  if (item.kind === 'group-end') return '(NIL NIL NIL NIL)'
  const name = item.name === undefined ? 'NIL' : safe(item.name)
  // A NIL host would mean a group: an address without a domain gets the empty string (EN-07).
  return `(${name} ${nstring(item.route)} ${safe(item.local)} ${safe(item.domain)})`
}

const safe = (octets: string): string => quotedOrLiteral(asciiSafe(octets, decodeWords))
