/** ENVELOPE (RFC 3501 §7.4.2; EN-01 to EN-13). */
import { type AddressItem, parseAddressList } from './addresses.ts'
import { asciiSafe, nstring, quotedOrLiteral, type Shown } from './imap-strings.ts'
import type { MimeNode } from './node.ts'
import { fieldValue } from './scan.ts'

/** The parenthesised list as it goes on the wire. */
export function envelopeOf(octets: Uint8Array, node: MimeNode, shown: Shown = asciiSafe): string {
  const field = (name: string): string | undefined => fieldValue(octets, node, name)
  const text = (name: string): string => {
    const value = field(name)
    return nstring(value === undefined ? undefined : shown(value))
  }
  const addresses = (name: string): string => addressList(field(name), shown)
  const from = addresses('From')
  const or = (list: string): string => (list === 'NIL' ? from : list)
  return `(${[
    text('Date'),
    text('Subject'),
    from,
    or(addresses('Sender')),
    or(addresses('Reply-To')),
    addresses('To'),
    addresses('Cc'),
    addresses('Bcc'),
    text('In-Reply-To'),
    text('Message-ID'),
  ].join(' ')})`
}

function addressList(value: string | undefined, shown: Shown): string {
  const items = value === undefined ? [] : parseAddressList(value)
  return items.length === 0 ? 'NIL' : `(${items.map((item) => address(item, shown)).join('')})`
}

function address(item: AddressItem, shown: Shown): string {
  const safe = (octets: string): string => quotedOrLiteral(shown(octets))
  if (item.kind === 'group-start') return `(NIL NIL ${safe(item.name)} NIL)`
  if (item.kind === 'group-end') return '(NIL NIL NIL NIL)'
  const name = item.name === undefined ? 'NIL' : safe(item.name)
  // A NIL host would mean a group: an address without a domain gets the empty string (EN-07).
  return `(${name} ${nstring(item.route)} ${safe(item.local)} ${safe(item.domain)})`
}
