/** Who may use a URLAUTH URL (RFC 4467 §3, RFC 5092 §6.1.2, RFC 5593 §3.3). */
import type { UrlAuthorization } from '../wire/imap/url.ts'

/** The session that asks. */
export interface Asker {
  /** Authorization id; undefined: anonymous. */
  readonly user: string | undefined
  /** Applications it may act for: 'submit', 'stream' ... in lower case. */
  readonly applications: ReadonlySet<string>
}

/** Access identifiers that need no application entity. */
const general = new Set(['user', 'authuser', 'anonymous'])

/** Identifiers that must have a userid, those that must have none; an application decides for itself. */
const withUser = new Set(['submit', 'user'])
const withoutUser = new Set(['authuser', 'anonymous', 'stream'])

export interface AccessRules {
  /** Applications that URLs may be made for, in lower case: 'submit', 'stream' and what the operator registers. */
  readonly applications: ReadonlySet<string>
  /** SC-30: `anonymous` and `authuser` may be turned off. */
  readonly allowAnonymous: boolean
  readonly allowAuthuser: boolean
}

/** UA-16: an unknown word, a userid where none belongs, or none where one does, is BAD at GENURLAUTH. */
export function isKnownAccess(authorization: UrlAuthorization, rules: AccessRules): boolean {
  const { access, accessUser } = authorization
  if (!general.has(access) && !rules.applications.has(access)) return false
  if (access === 'anonymous' && !rules.allowAnonymous) return false
  if (access === 'authuser' && !rules.allowAuthuser) return false
  if (withUser.has(access)) return accessUser !== undefined
  if (withoutUser.has(access)) return accessUser === undefined
  return true
}

/** UA-20 to UA-22. The userid behind "submit+" is for the submission server to compare. */
export function mayUse(
  authorization: UrlAuthorization,
  asker: Asker,
  canonicalUser: (user: string) => string,
): boolean {
  const { accessUser } = authorization
  switch (authorization.access) {
    case 'anonymous':
      return true
    case 'authuser':
      return asker.user !== undefined
    case 'user':
      return (
        asker.user !== undefined &&
        accessUser !== undefined &&
        canonicalUser(asker.user) === canonicalUser(accessUser)
      )
    default:
      return asker.user !== undefined && asker.applications.has(authorization.access)
  }
}
