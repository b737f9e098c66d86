/** Numbers, short codes and mail addresses, both ways (mapping.md 3; RFC 3191, 3192, 3801 §4.1.1). */
import { domainToASCII } from 'node:url'
import type { Party } from '../model/neutral.ts'
import { isRefusal, type Refusal, refusal } from '../model/refusal.ts'
import type { Settings } from '../model/settings.ts'
import { decodeWords } from '../wire/mime/encoded-words.ts'
import { isAscii } from '../wire/mime/utf8.ts'
import { oneLine } from './element.ts'

type Numbering = Settings['numbering']

/** A number or short code as an MMS peer writes it (ADR-001 to ADR-006); undefined = unresolvable. */
export function classifyNumber(
  text: string,
  plan: Numbering,
): { readonly kind: 'number' | 'shortcode'; readonly value: string } | undefined {
  const bare = text
    .trim()
    .replace(/\/TYPE=PLMN$/i, '')
    .replace(/[-. ()]/g, '')
  if (/^\+\d{7,15}$/.test(bare)) return { kind: 'number', value: bare }
  if (!/^\d+$/.test(bare)) return undefined
  if (bare.length >= plan.shortCode.min && bare.length <= plan.shortCode.max)
    return { kind: 'shortcode', value: bare }
  for (const prefix of plan.internationalPrefixes) {
    const rest = bare.slice(prefix.length)
    if (bare.startsWith(prefix) && /^\d{7,15}$/.test(rest)) return { kind: 'number', value: `+${rest}` }
  }
  const national =
    plan.trunkPrefix && bare.startsWith(plan.trunkPrefix) ? bare.slice(plan.trunkPrefix.length) : bare
  if (national.length === plan.nationalLength)
    return { kind: 'number', value: `+${plan.countryCode}${national}` }
  if (bare.startsWith(plan.countryCode) && bare.length === plan.countryCode.length + plan.nationalLength)
    return { kind: 'number', value: `+${bare}` }
  return undefined
}

const partLimits = { local: 64, domain: 255, path: 254 }

/** No controls, separators, surrogates, noncharacters, and nothing that turns the direction of what is shown (SEC-011). */
const unfitForLocalPart =
  /[\p{Cc}\p{Cs}\p{Z}\p{Noncharacter_Code_Point}\ufeff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u

/**
 * A mail address that may stand in an envelope: domain in A-labels with a dot, lengths within SMTP's limits in octets,
 * nothing that could end a command or a field (SEC-011, MAP-037 to MAP-039, ADR-010). The local part is ASCII, with
 * `smtputf8` anything that RFC 6531 §3.3 allows (AMB-26).
 */
export function checkedMail(
  local: string,
  domain: string,
  raw: string,
  smtputf8: boolean,
): { local: string; domain: string } | Refusal {
  if (local === '' || domain === '')
    return refusal('bad-recipient', 'the address has no local part or no domain', raw)
  if (/[\x00-\x1f\x7f<>]/.test(local) || /[\x00-\x20\x7f<>,"]/.test(domain))
    return refusal('bad-recipient', 'the address holds characters that no address may hold', raw)
  if (!isAscii(local)) {
    if (!smtputf8) return refusal('bad-recipient', 'the local part is not ASCII', raw)
    if (unfitForLocalPart.test(local))
      return refusal('bad-recipient', 'the local part holds characters that none may hold', raw)
  }
  const literal = /^\[[^[\]\s]+\]$/.test(domain)
  const ascii = literal ? domain : asciiDomain(domain.replace(/\.$/, ''))
  if (!literal && (ascii === '' || !ascii.includes('.') || !/^[a-z0-9-]+(\.[a-z0-9-]+)+$/.test(ascii)))
    return refusal('bad-recipient', 'the domain is not fully qualified', raw)
  const octets = Buffer.byteLength(local)
  const path = octets + ascii.length + 1
  if (octets > partLimits.local || ascii.length > partLimits.domain || path > partLimits.path)
    return refusal('bad-recipient', 'the address is longer than SMTP allows', raw)
  return { local, domain: ascii }
}

/** A-labels in lower case (AMB-27); '' when it is no domain. Most domains are plain already, and need no table. */
const asciiDomain = (domain: string): string =>
  /^(?!.*xn--)[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z][a-z0-9-]*$/i.test(domain)
    ? domain.toLowerCase()
    : domainToASCII(domain).toLowerCase()

/** A local part as it stands in an addr-spec: quoted where it is no dot-atom; what is not ASCII is atext (RFC 6531 §3.3). */
export const quotedLocal = (local: string): string =>
  /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\uffff-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\uffff-]+)*$/.test(
    local,
  )
    ? local
    : `"${local.replace(/["\\]/g, '\\$&')}"`

/** Splits an addr-spec; quotes of the local part removed. undefined: no @. */
export function splitAddrSpec(text: string): { local: string; domain: string } | undefined {
  const quoted = /^"((?:[^"\\]|\\.)*)"@([^@]+)$/.exec(text)
  if (quoted) return { local: (quoted[1] ?? '').replace(/\\(.)/g, '$1'), domain: quoted[2] ?? '' }
  const at = text.lastIndexOf('@')
  // "a b@c" or "a,b@c" without quotes is no address, and is never cleaned into one (SEC-011).
  if (at <= 0 || /[\s,;:"()]/.test(text.slice(0, at))) return undefined
  return { local: text.slice(0, at), domain: text.slice(at + 1) }
}

export const isServedDomain = (domain: string, settings: Settings): boolean => {
  const lower = domain.toLowerCase()
  return (
    lower === settings.gateway.mmsDomain.toLowerCase() ||
    settings.gateway.servedDomains.some((d) => d.toLowerCase() === lower)
  )
}

/** Whether local parts of the domain are telephone numbers. */
export const isMmsDomain = (domain: string, settings: Settings): boolean =>
  domain.toLowerCase() === settings.gateway.mmsDomain.toLowerCase() ||
  // An address literal that is ours (ADR-030).
  (domain.startsWith('[') &&
    settings.gateway.servedDomains.some((d) => d.toLowerCase() === domain.toLowerCase()))

/** addr-spec of a party: a number or short code is qualified with the MMS domain (ADR-007, ADR-012, MAP-041). */
export function mailAddressOf(party: Party, settings: Settings): string | Refusal {
  if (party.kind === 'number' || party.kind === 'shortcode')
    return `${party.value}@${settings.gateway.mmsDomain}`
  if (party.kind === 'mail') return party.value
  return refusal('bad-recipient', 'the address cannot be made a mail address', party.raw)
}

/** What an MMS peer wrote in an address element, by the name of the element ('' = bare text, QUIRKS 27). */
export function partyFromMms(element: string, text: string, settings: Settings): Party | Refusal {
  const value = text.trim()
  if (value === '') return refusal('bad-recipient', 'the address is empty', text)
  const kind = element.toLowerCase()
  if (kind === 'number' || kind === 'shortcode' || (kind === '' && !value.includes('@'))) {
    const number = classifyNumber(value, settings.numbering)
    if (number) return { ...number, raw: value }
    if (!value.includes('@')) return refusal('bad-recipient', 'the number cannot be resolved', value)
  }
  // RFC 2822 `mailbox`: a display name before the address (MAP-050). Brackets alone are no address (SEC-011).
  const named = /^(?:"((?:[^"\\]|\\.){0,500})"|([^"<>@,;:\\]{1,500}?))\s*<([^<>]+)>$/.exec(value)
  if (!named) return mailParty(value, settings)
  const party = mailParty(named[3] ?? '', settings)
  const phrase = named[1]?.replace(/\\(.)/g, '$1') ?? named[2] ?? ''
  const name = oneLine(phrase.includes('=?') ? decodeWords(phrase) : phrase)
  return isRefusal(party) || name === '' ? party : { ...party, name, raw: named[3] ?? value }
}

/** A mail address: at the MMS domain it stands for a number (ADR-020), elsewhere for itself. */
export function mailParty(addrSpec: string, settings: Settings): Party | Refusal {
  const split = splitAddrSpec(addrSpec)
  if (!split) return refusal('bad-recipient', 'the address has no valid local part and domain', addrSpec)
  return partyOfMailbox(split.local, split.domain, addrSpec, settings)
}

export function partyOfMailbox(
  local: string,
  domain: string,
  raw: string,
  settings: Settings,
): Party | Refusal {
  const checked = checkedMail(local, domain, raw, settings.smtputf8)
  if (isRefusal(checked)) return checked
  if (isMmsDomain(checked.domain, settings)) {
    const number = numberOfLocalPart(checked.local, settings.numbering)
    if (number) return isRefusal(number) ? { ...number, address: raw } : { ...number, raw }
    const alias = aliasOf(checked.local.toLowerCase(), settings)
    const target = alias === undefined ? undefined : classifyNumber(alias, settings.numbering)
    if (target) return { ...target, raw }
    const other = alias === undefined ? undefined : splitAddrSpec(alias)
    const mailbox = other && checkedMail(other.local, other.domain, alias ?? '', settings.smtputf8)
    // An alias names its address at once: aliases of aliases could go round.
    if (mailbox && !isRefusal(mailbox))
      return { kind: 'mail', value: `${quotedLocal(mailbox.local)}@${mailbox.domain}`, raw }
  }
  return { kind: 'mail', value: `${quotedLocal(checked.local)}@${checked.domain}`, raw }
}

const aliasOf = (local: string, settings: Settings): string | undefined => {
  const { aliases, subaddressing } = settings
  if (!aliases) return undefined
  if (Object.hasOwn(aliases, local)) return aliases[local]
  const plus = subaddressing ? local.indexOf('+') : -1
  const base = local.slice(0, plus)
  return plus > 0 && Object.hasOwn(aliases, base) ? aliases[base] : undefined
}

/**
 * The number in a local part at the MMS domain (ADR-020 to ADR-026); undefined: it is none, perhaps a name.
 * A refusal: it is a number, of a kind that is no MMS address.
 */
export function numberOfLocalPart(
  local: string,
  plan: Numbering,
): { kind: 'number' | 'shortcode'; value: string; extension?: string } | Refusal | undefined {
  const inner = local.replace(/^\//, '').replace(/\/$/, '')
  const selector = /^([A-Za-z][A-Za-z0-9-]*)=(.*)$/.exec(inner)
  const service = selector?.[1]?.toUpperCase()
  const body = selector ? (selector[2] ?? '') : inner
  const [first = '', ...qualifiers] = body.split('/')
  if (service !== undefined && service !== 'SMS' && service !== 'MMS')
    return /^[+\d]/.test(first)
      ? refusal('bad-recipient', `the service ${service} is not delivered as MMS`)
      : undefined
  // Of the qualifiers only TYPE=PLMN changes what the number is; the rest is kept in Party.raw (ADR-022).
  if (!qualifiers.every((q) => /^[A-Za-z0-9]+=/.test(q))) return undefined
  if (!/^\+?[\d(]/.test(first)) return undefined
  if (/^\d[\d.-]*[pw*#]/i.test(first))
    return refusal('bad-recipient', 'a number with dialling pauses is not served')
  const extension = /^(\+[\d.-]+)\+(\d+)$/.exec(first)
  const number = classifyNumber(extension?.[1] ?? first, plan)
  if (number) return extension ? { ...number, extension: extension[2] ?? '' } : number
  return /^\+?[\d.() -]+$/.test(first)
    ? refusal('unknown-recipient', 'the number is not one that is served here')
    : undefined
}

/** Addresses compared as recipients: domains without case, numbers by their normal form (MAP-128). */
export const sameParty = (a: Party, b: Party): boolean => a.kind === b.kind && addressKey(a) === addressKey(b)

export const addressKey = (party: Party): string => {
  if (party.kind !== 'mail') return `${party.kind}:${party.value}`
  const at = party.value.lastIndexOf('@')
  return `mail:${party.value.slice(0, at)}${party.value.slice(at).toLowerCase()}`
}
