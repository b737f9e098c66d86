/** Address fields of Internet mail: phrase and addr-spec, phrases encoded where they must be (MAP-040, SEC-010). */
import type { Party } from '../model/neutral.ts'
import { isRefusal, type Refusal } from '../model/refusal.ts'
import type { Settings } from '../model/settings.ts'
import { parseAddressList } from '../wire/mime/addresses.ts'
import { decodeWords } from '../wire/mime/encoded-words.ts'
import { utf8Of } from '../wire/mime/utf8.ts'
import { encodePhrase } from '../wire/mime/write-header.ts'
import { mailAddressOf, partyOfMailbox } from './addresses.ts'
import { oneLine } from './element.ts'

/** The mailboxes of a field, an octet string; names decoded. Those that are no usable address are passed over. */
export function mailboxesOf(value: string | undefined, settings: Settings): Party[] {
  const parties: Party[] = []
  for (const item of parseAddressList(value ?? '')) {
    if (item.kind !== 'mailbox') continue
    const [local, domain] = [utf8Of(item.local), utf8Of(item.domain)]
    if (local === undefined || domain === undefined) continue
    const party = partyOfMailbox(local, domain, `${local}@${domain}`, settings)
    if (isRefusal(party)) continue
    parties.push(item.name ? { ...party, name: oneLine(decodeWords(item.name)) } : party)
  }
  return parties
}

export function addressField(parties: readonly Party[], settings: Settings): string | Refusal {
  const items: string[] = []
  for (const party of parties) {
    const address = mailAddressOf(party, settings)
    if (isRefusal(address)) return address
    const name = party.name === undefined ? '' : oneLine(party.name)
    items.push(name === '' ? address : `${encodePhrase(name)} <${address}>`)
  }
  return items.join(', ')
}
