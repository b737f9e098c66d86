/** Addresses of MM1 (OMA MMS ENC §8; MAP-227): a mailbox, or a device address with /TYPE=. */
import type { Party } from '../model/neutral.ts'
import { isRefusal, type Refusal, refusal } from '../model/refusal.ts'
import type { Settings } from '../model/settings.ts'
import { parseAddressList } from '../wire/mime/addresses.ts'
import { classifyNumber } from './addresses.ts'
import { oneLine } from './element.ts'
import { mm4Party } from './mm4-address.ts'

export function mm1Party(text: string, settings: Settings): Party | Refusal {
  const raw = oneLine(text)
  const typed = /^(.*)\/TYPE=([A-Za-z0-9]+)$/i.exec(raw)
  const [, bare = raw, type = ''] = typed ?? []
  switch (type.toUpperCase()) {
    case 'PLMN': {
      const number = classifyNumber(bare, settings.numbering)
      return number ? { ...number, raw } : refusal('bad-recipient', 'the number cannot be resolved', raw)
    }
    case 'IPV4':
    case 'IPV6':
      return { kind: 'ip', value: bare, raw }
  }
  const item = parseAddressList(bare).find((i) => i.kind === 'mailbox')
  if (item?.kind !== 'mailbox') return refusal('bad-recipient', 'the address is empty', raw)
  const party = mm4Party(item.local, item.domain, raw, undefined, settings)
  if (isRefusal(party)) return party
  const name = item.name === undefined ? '' : oneLine(item.name)
  return name === '' ? party : { ...party, name }
}

/** undefined: the party has no form on MM1. */
export function mm1Address(party: Party): string | undefined {
  switch (party.kind) {
    case 'number':
    case 'shortcode':
      return `${party.value}/TYPE=PLMN`
    case 'ip':
      return `${party.value}/TYPE=${party.value.includes(':') ? 'IPv6' : 'IPv4'}`
    case 'mail': {
      const name = oneLine(party.name ?? '').replace(/["\\]/g, '\\$&')
      return name === '' ? party.value : `"${name}" <${party.value}>`
    }
    default:
      return undefined
  }
}
