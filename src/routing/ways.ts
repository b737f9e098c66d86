/** The way out of a party: a local account, or the target of its route (ADR-027, ADR-028, ADR-040, SEC-060). */
import type { Directory } from '../auth/credentials.ts'
import { mailParty } from '../mapping/addresses.ts'
import type { Party } from '../model/neutral.ts'
import type { NewDelivery } from '../model/queue.ts'
import { isRefusal, type Refusal, refusal } from '../model/refusal.ts'
import type { Settings } from '../model/settings.ts'
import type { SmtpSession } from '../model/smtp-envelope.ts'
import type { EpochMs } from '../model/units.ts'
import { domainTarget } from '../queue/places.ts'
import { giveUpMs } from '../queue/schedule.ts'
import { peerOfTarget, routeOf } from './routes.ts'

export interface Way {
  readonly target: string
  readonly account?: string
}

export interface Source {
  /** Key of Settings.peers; null: nobody that is known. */
  readonly peer: string | null
  /** May reach Internet mail. */
  readonly relay: boolean
}

/** Who speaks SMTP here. A user that logged in may reach everything. */
export const sourceOf = ({ peer, auth }: Pick<SmtpSession, 'peer' | 'auth'>, settings: Settings): Source => ({
  peer,
  relay: peer === null ? auth !== null : settings.peers[peer]?.mailOut === true,
})

export interface Ways {
  of(party: Party, source: Source): Promise<Way | Refusal>
  /** Deliveries for a message that this gateway made itself, such as a DSN; none: there is no way to the address. */
  own(to: string, now: EpochMs): Promise<readonly NewDelivery[]>
  /** Delivery to the operator's mailbox, if there is one. */
  operator(now: EpochMs): Promise<readonly NewDelivery[]>
}

const domainOf = (addrSpec: string): string => addrSpec.slice(addrSpec.lastIndexOf('@') + 1).toLowerCase()

const unroutable = (address: string): Refusal =>
  refusal('unknown-recipient', 'nobody is served at this address', address)

export function createWays(settings: Settings, directory: Directory): Ways {
  /** postmaster of every served domain is the operator's mailbox (ADR-028). */
  async function localAccount(addrSpec: string): Promise<string | undefined> {
    const found = await directory.find(addrSpec)
    if (found) return found.address
    const at = addrSpec.lastIndexOf('@')
    const isPostmaster = addrSpec.slice(0, at < 0 ? undefined : at).toLowerCase() === 'postmaster'
    const served =
      at < 0 ||
      settings.gateway.servedDomains.some((d) => d.toLowerCase() === addrSpec.slice(at + 1).toLowerCase())
    return isPostmaster && served ? operatorAccount() : undefined
  }

  const operatorAccount = async (): Promise<string | undefined> =>
    (await directory.find(settings.gateway.postmaster))?.address ?? (await directory.list())[0]?.address

  /** A local account needs no route to `store` of its own number. */
  async function of(party: Party, source: Source): Promise<Way | Refusal> {
    if (party.kind === 'unknown' || party.kind === 'ip')
      return refusal('bad-recipient', 'the address cannot be resolved', party.raw)
    if (party.kind === 'mail') {
      const account = await localAccount(party.value)
      if (account !== undefined) return { target: 'store', account }
    }
    const target = routeOf(party, settings)
    if (target === undefined) return unroutable(party.raw)
    if (target.startsWith('reject'))
      return refusal('not-authorised', 'mail for this address is not taken', party.raw)
    if (target === 'store') return unroutable(party.raw)
    // Mail from anywhere goes to what is served here, not on to the Internet (SEC-060).
    if (!source.relay && (target === 'mx' || target.startsWith('smtp:')))
      return refusal('not-authorised', 'relaying is not allowed', party.raw)
    // A queue of its own for each domain: one that is down holds up no other (QUE-053).
    if (target === 'mx') {
      const domain = party.kind === 'mail' ? domainOf(party.value) : settings.gateway.mmsDomain
      return { target: `${domainTarget}${domain}` }
    }
    if (source.peer !== null && peerOfTarget(target) === source.peer)
      return refusal('loop', 'the way leads back to where the message came from', party.raw)
    return { target }
  }

  const deliveryOf = (address: string, way: Way, now: EpochMs): NewDelivery => ({
    target: way.target,
    recipients: [{ index: 0, address, ...(way.account === undefined ? {} : { account: way.account }) }],
    dueAt: now,
    expiresAt: now + giveUpMs,
  })

  return {
    of,
    async own(to, now) {
      const party = mailParty(to, settings)
      if (isRefusal(party)) return []
      const way = await of(party, { peer: null, relay: true })
      return isRefusal(way) ? [] : [deliveryOf(to, way, now)]
    },
    async operator(now) {
      const account = await operatorAccount()
      return account === undefined
        ? []
        : [deliveryOf(settings.gateway.postmaster, { target: 'store', account }, now)]
    },
  }
}
