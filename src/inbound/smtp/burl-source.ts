/**
 * What a URL of BURL gives the user who submits it (RFC 4468 §3.3). The store is in this process; all checks of URLFETCH
 * are made by the same code as for a session that asks over the network (OR-10).
 */
import { createHash } from 'node:crypto'
import { prepareUser } from '../../auth/saslprep.ts'
import { Fault } from '../../model/fault.ts'
import type { EpochMs, OctetString } from '../../model/units.ts'
import type { Asker } from '../../urlauth/access.ts'
import type { AccessKeys, FetchedSection, SectionRequest, Sections } from '../../urlauth/sources.ts'
import { authorize, type UrlauthRules } from '../../urlauth/urlauth.ts'
import { isBadUrl, parseImapUrl } from '../../wire/imap/url.ts'
import { urlSection } from '../../wire/imap/url-section.ts'
import { type Reply, reply } from '../../wire/smtp/replies.ts'

/** The store that URLs are of: its names, its rules, its messages. */
export interface UrlStore extends UrlauthRules {
  readonly sources: AccessKeys & Sections
  /** Resolves when the user may be told that URLs were no good; longer each time (UA-26). */
  failed(user: string): Promise<void>
  succeeded(user: string): void
}

export interface BurlOptions {
  readonly store: UrlStore
  /** Who asks: RFC 4468 §3.3 suggests 'submit'. */
  readonly identity: string
  /** The store's name where URLs without URLAUTH are taken, too: EHLO says `imap://NAME`. */
  readonly plainHost?: string | undefined
  /** How long the store may take for one URL, milliseconds. */
  readonly patienceMs: number
  /** How often a user may use one URL in an hour (BU-23). */
  readonly usesPerHour: number
  readonly now: () => EpochMs
}

export interface Fetched {
  readonly pieces: readonly Uint8Array[]
  /** Header fields had to be put into ASCII (2.6.4). */
  readonly converted: boolean
}

export interface BurlSource {
  /** Arguments of the EHLO keyword for a user. */
  readonly arguments: string
  /**
   * The octets that the URL stands for, or why there are none. `maxOctets`: of more nothing is read. `utf8`: 8-bit header
   * fields are taken as they are.
   */
  fetch(url: OctetString, user: string, maxOctets: number, utf8: boolean): Promise<Fetched | Reply>
}

const syntax = reply(501, '5.5.4', 'Expected an absolute IMAP URL, and perhaps LAST')
const noTrust = reply(554, '5.7.14', 'There is no trust relationship with the server of this URL')
const denied = reply(554, '5.7.0', 'The URL does not authorize this')
const notThere = reply(554, '5.6.6', 'The URL gives nothing')
const unreachable = reply(451, '4.4.1', 'The message store cannot be asked now')

/** For logs: which URL it was, without what it gives access to (SC-32). */
export const urlDigest = (url: OctetString): string =>
  createHash('sha256').update(url, 'latin1').digest('hex').slice(0, 16)

export function createBurlSource(options: BurlOptions): BurlSource {
  const { store, identity, plainHost, now } = options
  const asker: Asker = { user: store.canonicalUser(identity), applications: new Set(['submit']) }
  const uses = new Uses(options.usesPerHour)

  /** Decided from the text alone: nothing is asked of the store before (BU-07, BU-10). */
  function refusedUnasked(url: OctetString, user: string): Reply | Omit<SectionRequest, 'form'> | undefined {
    const parsed = parseImapUrl(url)
    if (isBadUrl(parsed) || !parsed.server || !/^imap:\/\//i.test(url)) return syntax
    const { server } = parsed
    if (!store.isOurs(server.host, server.port)) return noTrust
    if (parsed.kind !== 'message') return notThere
    const { authorization } = parsed
    if (!authorization) {
      const section = urlSection(parsed)
      if (plainHost === undefined) return noTrust
      if (!section) return notThere
      // The user's own identity, and nobody else's mailboxes.
      if (server.user !== undefined && store.canonicalUser(server.user) !== store.canonicalUser(user))
        return denied
      const { mailbox, uidValidity, uid, partial } = parsed
      return { owner: store.canonicalUser(user), mailbox, uidValidity, uid, section, partial }
    }
    if (!authorization.verifier) return denied
    if (authorization.access === 'submit' && !isSame(authorization.accessUser ?? '', user)) return denied
    return undefined
  }

  const isSame = (a: string, b: string): boolean => {
    const [one, other] = [a, b].map((name) => prepareUser(name))
    return one !== undefined && other !== undefined && store.canonicalUser(one) === store.canonicalUser(other)
  }

  async function sectionOf(url: OctetString, user: string, utf8: boolean): Promise<FetchedSection | Reply> {
    const early = refusedUnasked(url, user)
    if (early && 'code' in early) return early
    if (!uses.allow(`${user} ${urlDigest(url)}`, now()))
      return reply(451, '4.7.0', 'This URL was used very often, try later')
    const request = early ?? (await authorize(url, asker, now(), store, store.sources))
    if (!request) return denied
    const found = await store.sources.section({ ...request, form: 'stored', asciiHeaders: !utf8 })
    return found === undefined || found === 'undecodable' ? notThere : found
  }

  return {
    arguments: plainHost === undefined ? 'imap' : `imap imap://${plainHost}`,
    async fetch(url, user, maxOctets, utf8) {
      const work = async (): Promise<Fetched | Reply> => {
        const found = await sectionOf(url, user, utf8)
        if ('code' in found) {
          if (found.code === 554) await store.failed(user)
          return found
        }
        store.succeeded(user)
        if (found.octets > maxOctets) return reply(552, '5.3.4', `The message would be larger than it may be`)
        const pieces: Uint8Array[] = []
        for await (const piece of found.open()) pieces.push(piece)
        return { pieces, converted: found.converted }
      }
      try {
        return await inTime(work(), options.patienceMs)
      } catch (error) {
        if (error instanceof Fault && error.kind === 'unavailable') return unreachable
        throw error
      }
    },
  }
}

/** What takes longer is not waited for, and its outcome does not matter any more. */
async function inTime(work: Promise<Fetched | Reply>, ms: number): Promise<Fetched | Reply> {
  let late: NodeJS.Timeout | undefined
  const waited = new Promise<Reply>((resolve) => {
    late = setTimeout(() => resolve(unreachable), ms)
  })
  work.catch(() => {})
  try {
    return await Promise.race([work, waited])
  } finally {
    clearTimeout(late)
  }
}

const hourMs = 3_600_000
/** Users with their URLs, at the most; the one that was not used for longest is forgotten first. */
const maxCounted = 10_000

/** How often each URL was used within the hour that began with its first use. */
class Uses {
  readonly #perHour: number
  readonly #counts = new Map<string, { count: number; readonly since: EpochMs }>()

  constructor(perHour: number) {
    this.#perHour = perHour
  }

  allow(key: string, now: EpochMs): boolean {
    const known = this.#counts.get(key)
    const current =
      known && now - known.since < hourMs && now >= known.since ? known : { count: 0, since: now }
    this.#counts.delete(key)
    this.#counts.set(key, current)
    const [oldest] = this.#counts.keys()
    if (this.#counts.size > maxCounted && oldest !== undefined) this.#counts.delete(oldest)
    current.count += 1
    return current.count <= this.#perHour
  }
}
