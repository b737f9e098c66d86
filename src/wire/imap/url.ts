/**
 * IMAP URLs (RFC 5092 §11, RFC 4467 §9, RFC 5593 §4) as values. Byte for byte: what is signed is the text, never what it
 * means (UA-24), so the text stays beside the values and nothing is ever written back from them.
 */
import type { EpochMs, OctetString, Octets } from '../../model/units.ts'
import { parseDateTime } from './url-date-time.ts'
import { decodePercent } from './url-encoding.ts'

/** Why a URL is no good: for the text of BADURL, BAD and logs; no part of the URL is in it. */
export type UrlProblem =
  | 'not an imap URL'
  | 'too long'
  | 'bad character'
  | 'bad percent-encoding'
  | 'bad server'
  | 'relative-path reference'
  | 'no mailbox'
  | 'bad UIDVALIDITY'
  | 'bad UID'
  | 'bad section'
  | 'bad partial'
  | 'bad EXPIRE'
  | 'bad URLAUTH'
  | 'bad parameter'

export interface BadUrl {
  readonly badUrl: UrlProblem
}

export const isBadUrl = (value: object): value is BadUrl => 'badUrl' in value

export interface ImapServerPart {
  /** enc-user, decoded: mailbox names are those of this user. */
  readonly user: string | undefined
  /** ";AUTH=", decoded; '*' for any mechanism. */
  readonly auth: string | undefined
  /** Lower case. */
  readonly host: string
  readonly port: number | undefined
}

/** ";URLAUTH=" and what belongs to it. */
export interface UrlAuthorization {
  /** 'submit', 'user', 'authuser', 'anonymous', 'stream' or another application, in lower case (RFC 5593 §3.3). */
  readonly access: string
  /** Behind the "+", decoded. */
  readonly accessUser: string | undefined
  /** Where the URL is cut to get the rump: what comes before is what the token authorizes (RFC 4467 §6). */
  readonly rump: OctetString
  /** Mechanism in upper case and token as given; undefined in a rump URL, as GENURLAUTH gets it. */
  readonly verifier: { readonly mechanism: string; readonly token: OctetString } | undefined
}

export interface ImapMessagePart {
  readonly mailbox: string
  readonly uidValidity: number | undefined
  readonly uid: number
  /** section-spec, decoded, in the spelling of the URL: what stands in BODY[...]; undefined: the whole message. */
  readonly section: OctetString | undefined
  /** ";PARTIAL=": octets undefined = to the end (CA-16). */
  readonly partial: { readonly start: Octets; readonly octets: Octets | undefined } | undefined
}

interface UrlBase {
  /** As it came. */
  readonly text: OctetString
  /** undefined: an absolute-path reference, to be read on the server and for the user of the session. */
  readonly server: ImapServerPart | undefined
}

export type ImapUrl =
  | (UrlBase & { readonly kind: 'server' })
  | (UrlBase & {
      readonly kind: 'mailbox'
      readonly mailbox: string
      readonly uidValidity: number | undefined
      /** search-program, decoded; undefined: all messages. */
      readonly search: OctetString | undefined
    })
  | (UrlBase &
      ImapMessagePart & {
        readonly kind: 'message'
        readonly expire: EpochMs | undefined
        readonly authorization: UrlAuthorization | undefined
      })

/** UA-45. */
export const maxUrlOctets = 4096

const bad = (badUrl: UrlProblem): BadUrl => ({ badUrl })

/** An absolute URL, or with 'absolute-path' such a reference; relative-path references are never accepted (DE-04). */
export function parseImapUrl(text: OctetString): ImapUrl | BadUrl {
  if (text.length > maxUrlOctets) return bad('too long')
  // RFC 3986: neither blanks nor 8-bit octets nor the unwise characters occur in a URL.
  if (/[^\x21-\x7e]|["<>\\^`{|}#]/.test(text)) return bad('bad character')
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) return bad('bad percent-encoding')
  const network = /^(?:imap:)?\/\//i.exec(text)
  if (!network) {
    if (/^[a-z][a-z0-9+.-]*:/i.test(text)) return bad('not an imap URL')
    if (!text.startsWith('/')) return bad('relative-path reference')
    return parsePath(text, undefined, text)
  }
  const end = text.indexOf('/', network[0].length)
  const server = parseServer(text.slice(network[0].length, end < 0 ? text.length : end))
  if (!server) return bad('bad server')
  return parsePath(text, server, end < 0 ? '/' : text.slice(end))
}

/** iserver: [enc-user [;AUTH=mechanism] "@"] host [":" port]. */
function parseServer(authority: OctetString): ImapServerPart | undefined {
  const match =
    /^(?:([^@:;[\]?/]*)(?:;auth=([^@:;[\]?/]+))?@)?(\[[0-9a-f:.]+\]|[a-z0-9\-._~!$'()*+,&=%]+)(?::(\d{0,5}))?$/i.exec(
      authority,
    )
  if (!match) return undefined
  const [, rawUser, rawAuth, rawHost = '', rawPort = ''] = match
  // "@host" alone is neither enc-user nor iauth.
  if (rawUser === '' && rawAuth === undefined) return undefined
  const user = rawUser ? decodePercent(rawUser) : undefined
  const auth = rawAuth === undefined ? undefined : decodePercent(rawAuth)
  const host = decodePercent(rawHost)
  const port = rawPort === '' ? undefined : Number(rawPort)
  if ((rawUser && !user) || (rawAuth && !auth) || !host || (port ?? 0) > 65_535) return undefined
  return { user, auth, host: host.toLowerCase(), port }
}

/** ipath-query, from its first "/". ";" occurs between the parts only, so it is what they are cut at. */
function parsePath(
  text: OctetString,
  server: ImapServerPart | undefined,
  whole: OctetString,
): ImapUrl | BadUrl {
  const question = whole.indexOf('?')
  const path = removeDotSegments(question < 0 ? whole : whole.slice(0, question)).slice(1)
  const search = question < 0 ? undefined : whole.slice(question + 1)
  if (path === '' && search === undefined) return { kind: 'server', text, server }
  const [first = '', ...parameters] = path.split(';')
  // "/;UID=": the slash belongs to the parameter. Without one, "/foo/" is "/foo" (RFC 5092 §9.1).
  const slashed = first.endsWith('/') && !isUidValidity(parameters[0])
  const rawMailbox = slashed ? first.slice(0, -1) : first
  if (/[^A-Za-z0-9\-._~!$'()*+,%&=:@/]/.test(rawMailbox)) return bad('bad character')
  const mailbox = decodePercent(rawMailbox)
  if (mailbox === undefined) return bad('bad percent-encoding')
  if (mailbox === '' || rawMailbox.startsWith('/')) return bad('no mailbox')
  return readParameters(text, { server, mailbox, search, slashed, parameters })
}

const isUidValidity = (parameter: string | undefined): boolean => /^uidvalidity=/i.test(parameter ?? '')

interface Pieces {
  readonly server: ImapServerPart | undefined
  readonly mailbox: string
  readonly search: OctetString | undefined
  /** There was a "/" before the first parameter. */
  readonly slashed: boolean
  readonly parameters: readonly OctetString[]
}

function readParameters(text: OctetString, pieces: Pieces): ImapUrl | BadUrl {
  const { server, mailbox, search } = pieces
  let slashed = pieces.slashed
  let next = 0
  /** The value of the parameter if it comes next and has (or has not) a slash before it. */
  const take = (name: string, withSlash: boolean): OctetString | undefined => {
    const parameter = pieces.parameters[next]
    if (parameter === undefined || withSlash !== slashed) return undefined
    if (!parameter.toLowerCase().startsWith(`${name}=`)) return undefined
    next += 1
    const value = parameter.slice(name.length + 1)
    // The slash before the next one.
    slashed = pieces.parameters[next] !== undefined && value.endsWith('/')
    return slashed ? value.slice(0, -1) : value
  }
  const rawValidity = take('uidvalidity', false)
  const uidValidity = rawValidity === undefined ? undefined : nzNumber(rawValidity)
  if (rawValidity !== undefined && uidValidity === undefined) return bad('bad UIDVALIDITY')
  if (pieces.parameters[next] === undefined) {
    if (search === '' || /[^A-Za-z0-9\-._~!$'()*+,%&=:@/]/.test(search ?? '')) return bad('bad character')
    return { kind: 'mailbox', text, server, mailbox, uidValidity, search: search && octetsOf(search) }
  }
  if (search !== undefined) return bad('bad parameter')
  const rawUid = take('uid', true)
  if (rawUid === undefined) return bad('bad parameter')
  const uid = nzNumber(rawUid)
  if (uid === undefined) return bad('bad UID')
  const rawSection = take('section', true)
  if (rawSection === '' || /[^A-Za-z0-9\-._~!$'()*+,%&=:@/]/.test(rawSection ?? '')) return bad('bad section')
  const rawPartial = take('partial', true)
  const partial = rawPartial === undefined ? undefined : parsePartial(rawPartial)
  if (rawPartial !== undefined && !partial) return bad('bad partial')
  const rawExpire = take('expire', false)
  const expire = rawExpire === undefined ? undefined : parseDateTime(rawExpire)
  if (rawExpire !== undefined && expire === undefined) return bad('bad EXPIRE')
  const rawAccess = take('urlauth', false)
  const authorization = rawAccess === undefined ? undefined : parseAuthorization(text, rawAccess)
  if (rawAccess !== undefined && !authorization) return bad('bad URLAUTH')
  // URLAUTH comes last, and EXPIRE not without it (UA-15).
  if (pieces.parameters[next] !== undefined || (rawExpire !== undefined && !authorization))
    return bad('bad parameter')
  const section = rawSection === undefined ? undefined : octetsOf(rawSection)
  return { kind: 'message', text, server, mailbox, uidValidity, uid, section, partial, expire, authorization }
}

/** iurlauth behind ";URLAUTH=": access, then perhaps ":" mechanism ":" token. Colons occur nowhere else in it. */
function parseAuthorization(text: OctetString, value: OctetString): UrlAuthorization | undefined {
  const match =
    /^([A-Za-z0-9]+)(?:\+([A-Za-z0-9\-._~!$'()*+,%&=]+))?(?::([A-Za-z0-9\-.]+):([0-9A-Fa-f]{32,}))?$/.exec(
      value,
    )
  if (!match) return undefined
  const [, access = '', rawUser, mechanism, token] = match
  const accessUser = rawUser === undefined ? undefined : decodePercent(rawUser)
  if (rawUser !== undefined && !accessUser) return undefined
  const verifier = mechanism && token ? { mechanism: mechanism.toUpperCase(), token } : undefined
  const rump = verifier ? text.slice(0, -`:${mechanism}:${token}`.length) : text
  return { access: access.toLowerCase(), accessUser, rump, verifier }
}

const nzNumber = (digits: string): number | undefined =>
  /^[1-9]\d{0,9}$/.test(digits) && Number(digits) <= 4_294_967_295 ? Number(digits) : undefined

function parsePartial(value: string): { start: Octets; octets: Octets | undefined } | undefined {
  const [, start = '', octets] = /^(\d{1,10})(?:\.([1-9]\d{0,9}))?$/.exec(value) ?? []
  if (start === '' || Number(start) > 4_294_967_295 || Number(octets ?? 0) > 4_294_967_295) return undefined
  return { start: Number(start), octets: octets === undefined ? undefined : Number(octets) }
}

const octetsOf = (encoded: OctetString): OctetString =>
  encoded.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))

/**
 * RFC 3986 §5.2.4 on a path that begins with "/": parameters are part of their segment (RFC 5092 §7), percent-encoded
 * dots are not dot-segments. Nothing leads above the root (CA-17).
 */
function removeDotSegments(path: OctetString): OctetString {
  if (!/\/\.{1,2}(?:\/|$)/.test(path)) return path
  const segments = path.slice(1).split('/')
  const kept: OctetString[] = []
  segments.forEach((segment, i) => {
    const isLast = i === segments.length - 1
    if (segment === '..') kept.pop()
    else if (segment !== '.') kept.push(segment)
    if (isLast && (segment === '.' || segment === '..')) kept.push('')
  })
  return `/${kept.join('/')}`
}
