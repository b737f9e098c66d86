/** Percent-encoding of names in IMAP URLs (RFC 5092 §8, RFC 3986 §2.1), and the writer. */
import type { EpochMs, OctetString } from '../../model/units.ts'

/** UTF-8 behind the encoding, as Unicode. undefined: broken encoding, not UTF-8, or NUL, CR or LF in it. */
export function decodePercent(encoded: OctetString): string | undefined {
  if (!encoded.includes('%')) return encoded
  if (/%(?![0-9A-Fa-f]{2})/.test(encoded)) return undefined
  try {
    const text = decodeURIComponent(encoded)
    return /[\0\r\n]/.test(text) ? undefined : text
  } catch {
    return undefined
  }
}

/** Unreserved characters and "/" stay; all else is encoded, so that no reader can take it for a delimiter. */
export const encodeMailbox = (name: string): OctetString =>
  encode(name, /[^A-Za-z0-9\-._~/]+/g)
    // A name must not look like a network path or have dot-segments (RFC 5092 §7, §7.1).
    .replace(/^\/+/, (slashes) => '%2F'.repeat(slashes.length))
    .replace(
      /(^|\/)(\.{1,2})(?=\/|$)/g,
      (_, slash: string, dots: string) => slash + dots.replaceAll('.', '%2E'),
    )

/** For enc-user, enc-auth-type and access userids. */
export const encodeUser = (user: string): OctetString => encode(user, /[^A-Za-z0-9\-._~]+/g)

/** `unsafe` matches whole runs, so that no surrogate pair is cut. */
const encode = (text: string, unsafe: RegExp): OctetString =>
  text.replace(unsafe, (run) =>
    Buffer.from(run, 'utf8')
      .toString('latin1')
      .replace(/[\x00-\xff]/g, encodeOctet),
  )

const encodeOctet = (octet: string): string =>
  `%${octet.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`

export interface WritableUrl {
  /** Absent: an absolute-path reference. */
  readonly server?: {
    readonly user?: string | undefined
    readonly host: string
    readonly port?: number | undefined
  }
  readonly mailbox: string
  readonly uidValidity?: number | undefined
  readonly uid?: number | undefined
  /** section-spec as in BODY[...]. */
  readonly section?: OctetString | undefined
  readonly partial?: { readonly start: number; readonly octets?: number | undefined } | undefined
  /** Whole seconds are written. Only with `access`. */
  readonly expire?: EpochMs | undefined
  /** 'submit+fred', 'anonymous' ...; the userid not encoded yet. */
  readonly access?: { readonly word: string; readonly user?: string | undefined } | undefined
}

/** A URL of a mailbox, a message or a part; with `access` a rump URL, ready for GENURLAUTH. */
export function writeImapUrl(url: WritableUrl): OctetString {
  const { server, partial, access } = url
  const user = server?.user === undefined ? '' : `${encodeUser(server.user)}@`
  const port = server?.port === undefined ? '' : `:${server.port}`
  const parts = [server ? `imap://${user}${server.host}${port}/` : '/', encodeMailbox(url.mailbox)]
  if (url.uidValidity !== undefined) parts.push(`;UIDVALIDITY=${url.uidValidity}`)
  if (url.uid !== undefined) parts.push(`/;UID=${url.uid}`)
  if (url.section !== undefined) parts.push(`/;SECTION=${encodeSection(url.section)}`)
  if (partial)
    parts.push(`/;PARTIAL=${partial.start}${partial.octets === undefined ? '' : `.${partial.octets}`}`)
  if (url.expire !== undefined) parts.push(`;EXPIRE=${new Date(url.expire).toISOString().slice(0, 19)}Z`)
  if (access)
    parts.push(`;URLAUTH=${access.word}${access.user === undefined ? '' : `+${encodeUser(access.user)}`}`)
  return parts.join('')
}

const encodeSection = (section: OctetString): OctetString =>
  section.replace(/[^A-Za-z0-9\-._~()]/g, encodeOctet)

/**
 * The response code that names the first URL that failed (RFC 4469 §4.1), quoted as the printed example is. What no
 * response code can hold is percent-encoded: an answer must stay one line (SC-10).
 */
export const badUrlCode = (text: OctetString): OctetString =>
  `BADURL "${text.replace(/[^\x20-\x7e]|["\\\]]/g, encodeOctet)}"`
