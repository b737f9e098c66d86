/** Address elements of MM7 (TS 23.140): Number, RFC2822Address, ShortCode, or bare text (MAP-187, MAP-189, QUIRKS 27). */
import type { Party } from '../model/neutral.ts'
import type { Peer } from '../model/settings.ts'
import type { XmlElement } from '../wire/mm7/message.ts'

export interface WrittenAddress {
  /** Name of the innermost element in lower case; '' for bare text. */
  readonly kind: string
  readonly text: string
  readonly displayOnly: boolean
  readonly coding?: 'encrypted' | 'obfuscated'
  readonly xmlId?: string
}

const kinds = new Set(['number', 'rfc2822address', 'shortcode'])

export function writtenAddress(element: XmlElement): WrittenAddress {
  const { displayOnly, addressCoding, id } = element.attributes
  const coding = addressCoding?.toLowerCase()
  const kind = element.name.toLowerCase()
  return {
    kind: kinds.has(kind) ? kind : '',
    text: element.text,
    displayOnly: displayOnly === 'true' || displayOnly === '1',
    ...(coding === 'encrypted' || coding === 'obfuscated' ? { coding } : {}),
    ...(id ? { xmlId: id } : {}),
  }
}

/** The address inside Sender, SenderAddress or Recipient, however deep a peer nested it. */
export function innerAddress(element: XmlElement | undefined): WrittenAddress | undefined {
  if (!element) return undefined
  for (const inner of element.children) {
    if (kinds.has(inner.name.toLowerCase()) && inner.text !== '') {
      // The coding may stand on either element.
      const outer = writtenAddress(element)
      return { ...outer, ...writtenAddress(inner), ...(outer.coding ? { coding: outer.coding } : {}) }
    }
    const deeper = innerAddress(inner)
    if (deeper && deeper.text !== '') return deeper
  }
  return writtenAddress(element)
}

/** Number with or without "+" as the peer wants it (ADR-034). */
export function addressElement(party: Party, peer: Peer, displayOnly = false): XmlElement {
  const [name, text] =
    party.kind === 'number'
      ? ['Number', peer.numberFormat === 'plain' ? party.value.replace(/^\+/, '') : party.value]
      : party.kind === 'shortcode'
        ? ['ShortCode', party.value]
        : ['RFC2822Address', party.value]
  return {
    name,
    namespace: '',
    attributes: {
      ...(displayOnly ? { displayOnly: 'true' } : {}),
      ...(party.xmlId === undefined ? {} : { id: party.xmlId }),
    },
    children: [],
    text,
  }
}
