/** Addresses as MM4 writes them (TS 23.140 §8.4.5): `+12025550123/TYPE=PLMN`, in an envelope with the system's host. */
import type { Party } from '../model/neutral.ts'
import { isRefusal, type Refusal, refusal } from '../model/refusal.ts'
import type { Peer, Settings } from '../model/settings.ts'
import { parseAddressList } from '../wire/mime/addresses.ts'
import { decodeWords } from '../wire/mime/encoded-words.ts'
import { utf8Of } from '../wire/mime/utf8.ts'
import { encodePhrase } from '../wire/mime/write-header.ts'
import { classifyNumber, partyOfMailbox, quotedLocal } from './addresses.ts'
import { oneLine } from './element.ts'

/** Domain of our own MM4 system address. */
export const mm4Host = (settings: Settings): string => {
  const { mm4System, mmsDomain } = settings.gateway
  return mm4System.slice(mm4System.lastIndexOf('@') + 1) || mmsDomain
}

/** Domains at which a local part of digits is a number: ours, the peer's, and the closed networks between operators. */
function isNumberDomain(domain: string, peer: Peer | undefined, settings: Settings): boolean {
  const lower = domain.toLowerCase()
  return (
    lower === '' ||
    lower === settings.gateway.host.toLowerCase() ||
    lower === mm4Host(settings).toLowerCase() ||
    lower === peer?.host?.toLowerCase() ||
    /\.(gprs|3gppnetwork\.org)$/.test(lower)
  )
}

/** The party of an address on MM4, with or without /TYPE=, with or without a domain (MAP-205, MAP-227, QUIRKS 38). */
export function mm4Party(
  local: string,
  domain: string,
  raw: string,
  peer: Peer | undefined,
  settings: Settings,
): Party | Refusal {
  const typed = /^(.*)\/TYPE=([A-Za-z0-9]+)$/i.exec(local)
  const type = typed?.[2]?.toUpperCase()
  const bare = (typed?.[1] ?? local).trim()
  if (type === 'PLMN' || (type === undefined && isNumberDomain(domain, peer, settings))) {
    const number = classifyNumber(bare, settings.numbering)
    if (number) return { ...number, raw }
    // A peer that drops the plus writes whole international numbers without it (ADR-034).
    if (peer?.numberFormat === 'plain' && /^\d{7,15}$/.test(bare))
      return { kind: 'number', value: `+${bare}`, raw }
    if (type === 'PLMN' || domain === '')
      return refusal('bad-recipient', 'the number cannot be resolved', raw)
  }
  if (type === 'IPV4' || type === 'IPV6') return { kind: 'ip', value: bare, raw }
  return partyOfMailbox(local, domain, raw, settings)
}

/** The mailboxes of a header field, names decoded; those that mean nobody are passed over. */
export function mm4Parties(value: string | undefined, peer: Peer | undefined, settings: Settings): Party[] {
  const parties: Party[] = []
  for (const item of parseAddressList(value ?? '')) {
    if (item.kind !== 'mailbox') continue
    const [local, domain] = [utf8Of(item.local), utf8Of(item.domain)]
    if (local === undefined || domain === undefined) continue
    const party = mm4Party(local, domain, domain === '' ? local : `${local}@${domain}`, peer, settings)
    if (isRefusal(party)) continue
    const name = item.name === undefined ? '' : oneLine(decodeWords(item.name))
    parties.push(name === '' ? party : { ...party, name })
  }
  return parties
}

/** The party of an envelope path. */
export function mm4PathParty(path: string, peer: Peer | undefined, settings: Settings): Party | Refusal {
  const at = path.lastIndexOf('@')
  if (at < 0) return mm4Party(path, '', path, peer, settings)
  const local = path
    .slice(0, at)
    .replace(/^"((?:[^"\\]|\\.)*)"$/, (_, inner: string) => inner.replace(/\\(.)/g, '$1'))
  return mm4Party(local, path.slice(at + 1), path, peer, settings)
}

const digits = (party: Party, peer: Peer): string =>
  peer.numberFormat === 'plain' ? party.value.replace(/^\+/, '') : party.value

/** One address without its display name: `+12025550123/TYPE=PLMN`, or an addr-spec. undefined: it has no form on MM4. */
export function mm4Address(party: Party, peer: Peer): string | undefined {
  if (party.kind === 'number' || party.kind === 'shortcode') return `${digits(party, peer)}/TYPE=PLMN`
  if (party.kind === 'mail') return party.value
  if (party.kind === 'ip') return `${party.value}/TYPE=${party.value.includes(':') ? 'IPv6' : 'IPv4'}`
  return undefined
}

/** The value of an address field; '' when none of the parties can be shown. */
export const mm4AddressField = (parties: readonly Party[], peer: Peer): string =>
  parties
    .flatMap((party) => {
      const address = mm4Address(party, peer)
      if (address === undefined) return []
      const name = party.name === undefined ? '' : oneLine(party.name)
      return [name === '' ? address : `${encodePhrase(name)} <${address}>`]
    })
    .join(', ')

/** An envelope path: numbers at the host that is named, mail addresses as they are (MAP-205). */
export function mm4Path(party: Party, host: string, peer: Peer): string | Refusal {
  if (party.kind === 'number' || party.kind === 'shortcode')
    return `${quotedLocal(`${digits(party, peer)}/TYPE=PLMN`)}@${host}`
  if (party.kind === 'mail') return party.value
  return refusal('bad-recipient', 'the address has no form on MM4', party.raw)
}
