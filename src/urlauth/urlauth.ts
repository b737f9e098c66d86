/** GENURLAUTH and URLFETCH on one URL (RFC 4467 §5 to §7), shared by imap and by BURL. */
import { Fault } from '../model/fault.ts'
import type { EpochMs, OctetString } from '../model/units.ts'
import { type ImapMessagePart, type ImapUrl, isBadUrl, parseImapUrl } from '../wire/imap/url.ts'
import { urlSection } from '../wire/imap/url-section.ts'
import { type AccessRules, type Asker, isKnownAccess, mayUse } from './access.ts'
import type { AccessKeys, SectionRequest } from './sources.ts'
import { makeToken, newAccessKey, type TokenAlgorithm, verifyToken } from './token.ts'

export interface UrlauthRules extends AccessRules {
  /** Lower case. Whether host and port of a URL are this server's (UA-09). */
  readonly isOurs: (host: string, port: number | undefined) => boolean
  /** One spelling for a user name of a URL or session: case, a domain that may be left out. */
  readonly canonicalUser: (user: string) => string
  /**
   * `anonymous` and `authuser` URLs must expire, at most so long after they were made (SC-30); undefined: need not.
   * RFC 5616 §3.3 asks for an hour at least.
   */
  readonly maxOpenLifetimeMs?: number | undefined
  /** Tokens of other algorithms than the current one that are still good. */
  readonly accepted?: readonly TokenAlgorithm[]
}

/** The only mechanism (UA-05). */
export const internal = 'INTERNAL'

type MessageUrl = Extract<ImapUrl, { kind: 'message' }>

/** authimapurlrump or authimapurlfull: absolute, of a message or part, with owner and access identifier. */
interface AuthorizedUrl {
  readonly url: MessageUrl
  readonly owner: string
  readonly authorization: NonNullable<MessageUrl['authorization']>
}

function authorizedUrl(text: OctetString, rules: UrlauthRules): AuthorizedUrl | string {
  const url = parseImapUrl(text)
  if (isBadUrl(url)) return url.badUrl
  const { server } = url
  if (!server || !/^imap:/i.test(text)) return 'not an absolute URL'
  if (url.kind !== 'message') return 'not a message or part'
  if (!rules.isOurs(server.host, server.port)) return 'not this server'
  if (server.user === undefined) return 'missing owner username'
  if (!url.authorization) return 'missing access identifier'
  if (!isKnownAccess(url.authorization, rules)) return 'unknown access identifier'
  if (!urlSection(url)) return 'bad section'
  return { url, owner: rules.canonicalUser(server.user), authorization: url.authorization }
}

/**
 * The URL with mechanism and token, its own octets untouched (UA-03). The owner must be who asks: nobody has
 * owner-type rights on the key table of another (UA-06).
 * @throws Fault 'malformed' for what RFC 4467 §7 answers with BAD; the message never holds the URL
 */
export async function generate(
  text: OctetString,
  mechanism: string,
  user: string,
  rules: UrlauthRules,
  keys: Pick<AccessKeys, 'makeAccessKey'>,
  now: EpochMs,
): Promise<OctetString> {
  const refuse = (why: string): never => {
    throw new Fault('malformed', why)
  }
  if (mechanism.toUpperCase() !== internal) return refuse('unknown URLAUTH mechanism')
  const found = authorizedUrl(text, rules)
  if (typeof found === 'string') return refuse(found)
  if (found.authorization.verifier) return refuse('the URL is authorized already')
  if (found.owner !== rules.canonicalUser(user)) return refuse('not your URL')
  const { maxOpenLifetimeMs } = rules
  if (isOpen(found) && maxOpenLifetimeMs !== undefined) {
    const { expire } = found.url
    if (expire === undefined || expire > now + maxOpenLifetimeMs) return refuse('the URL must expire sooner')
  }
  const key = await keys.makeAccessKey(found.owner, found.url.mailbox)
  // Missing and unreadable look the same (UA-10); so does the time it takes.
  if (!key) {
    makeToken(text, newAccessKey())
    return refuse('no such mailbox')
  }
  return `${text}:internal:${makeToken(text, key)}`
}

/**
 * What a full URL gives the asker, or undefined: answered NIL, whatever the reason (UA-18). Existence of the message is
 * for Sections to find out.
 */
export async function authorize(
  text: OctetString,
  asker: Asker,
  now: EpochMs,
  rules: UrlauthRules,
  keys: Pick<AccessKeys, 'accessKey'>,
): Promise<Omit<SectionRequest, 'form'> | undefined> {
  const found = authorizedUrl(text, rules)
  if (typeof found === 'string') return undefined
  const { url, owner, authorization } = found
  const { verifier } = authorization
  const section = urlSection(url)
  if (!verifier || !section) return undefined
  // Nothing is decided before the token was computed: a wrong role and an expired URL cost what a good one costs.
  const key = await keys.accessKey(owner, url.mailbox)
  const genuine = verifyToken(authorization.rump, verifier.token, key, rules.accepted)
  const allowed =
    verifier.mechanism === internal &&
    mayUse(authorization, asker, rules.canonicalUser) &&
    !(isOpen(found) && rules.maxOpenLifetimeMs !== undefined && url.expire === undefined) &&
    !isExpired(url.expire, now)
  return genuine && allowed ? request(owner, url, section) : undefined
}

/** Whoever has the URL may use it, or whoever can log in. */
const isOpen = ({ authorization }: AuthorizedUrl): boolean =>
  authorization.access === 'anonymous' || authorization.access === 'authuser'

/** EXPIRE names the last moment at which the URL is good, to the second (SC-25). */
const isExpired = (expire: EpochMs | undefined, now: EpochMs): boolean =>
  expire !== undefined && Math.floor(now / 1000) > Math.floor(expire / 1000)

const request = (
  owner: string,
  { mailbox, uidValidity, uid, partial }: ImapMessagePart,
  section: SectionRequest['section'],
): Omit<SectionRequest, 'form'> => ({ owner, mailbox, uidValidity, uid, section, partial })

/** For logs and errors: tokens are secrets (SC-32). */
export const withoutToken = (text: OctetString): OctetString =>
  text.replace(/(;urlauth=[^:;]*):.*$/is, '$1:(token)')
