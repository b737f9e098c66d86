/** Address fields of Internet mail: phrase and addr-spec, phrases encoded where they must be (MAP-040, SEC-010). */
import type { Party } from '../model/neutral.ts'
import { isRefusal, type Refusal } from '../model/refusal.ts'
import type { Settings } from '../model/settings.ts'
import { encodePhrase } from '../wire/mime/write-header.ts'
import { mailAddressOf } from './addresses.ts'
import { oneLine } from './element.ts'

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
