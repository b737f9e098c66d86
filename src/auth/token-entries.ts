/**
 * How an IMAP client gets a session token: by METADATA (RFC 5464), on private server entries that no plain client knows.
 * That tokens can be had shows in the capabilities: `METADATA` (or `METADATA-SERVER`) and `AUTH=HT-SHA-256-...`.
 *
 *     C: a SETMETADATA "" (/private/vendor/lemonade-gateway/session-token/phone-1 "HT-SHA-256-EXPR")
 *     S: a OK
 *     C: b GETMETADATA "" /private/vendor/lemonade-gateway/session-token/phone-1
 *     S: * METADATA "" (/private/.../phone-1 "HT-SHA-256-EXPR 2026-02-01T00:00:00.000Z Zm9v...")
 *     S: b OK
 *
 * Both commands may be sent in one flight, together with anything else. The last component is the client's own id, the
 * value set is the mechanism to pin the token to. The value got is mechanism, end and token; it can be read once, and
 * only in the session that asked. NIL as the value revokes the client's tokens. A session that itself began with a token
 * may renew that of its own client only.
 */
import { Fault } from '../model/fault.ts'
import type { Login } from './sasl.ts'
import { htMechanisms } from './sasl-ht.ts'
import { isClientId, type SessionTokens } from './session-tokens.ts'

export const tokenEntryPrefix = '/private/vendor/lemonade-gateway/session-token/'

/** The entry is one of these; entry names are compared without case (RFC 5464 §3.2). */
export const isTokenEntry = (entry: string): boolean => entry.toLowerCase().startsWith(tokenEntryPrefix)

export interface TokenEntries {
  /**
   * SETMETADATA of such an entry. @throws Fault 'malformed' (not a client id), 'unsupported' (not a mechanism),
   * 'forbidden' (another client's, no TLS, full login too long ago)
   */
  set(entry: string, value: string | null): Promise<void>
  /** GETMETADATA: the value, once; undefined is NIL. */
  get(entry: string): string | undefined
}

/** Of one session, from login to logout; `tls`: the session is protected now. */
export function createTokenEntries(
  tokens: SessionTokens,
  account: number,
  login: Login,
  tls: boolean,
): TokenEntries {
  const unread = new Map<string, string>()
  return {
    async set(entry, value) {
      const client = entry.slice(tokenEntryPrefix.length).toLowerCase()
      if (!isTokenEntry(entry) || !isClientId(client))
        throw new Fault('malformed', 'a client id has 1 to 64 letters, digits, dots, hyphens and underscores')
      if (login.client !== undefined && login.client !== client)
        throw new Fault('forbidden', 'a session that began with a token has no say over other clients')
      unread.delete(client)
      if (value === null) {
        await tokens.revoke(account, client)
        return
      }
      const mechanism = htMechanisms.find((name) => name === value.toUpperCase())
      if (!mechanism) throw new Fault('unsupported', `the value is one of ${htMechanisms.join(', ')}`)
      if (!tls) throw new Fault('forbidden', 'session tokens are given out under TLS only')
      const { fullLoginAt, validUntil } = login
      const { token, expiresAt } = await tokens.issue({ account, client, mechanism, fullLoginAt, validUntil })
      const [oldest] = unread.keys()
      if (unread.size >= maxUnread && oldest !== undefined) unread.delete(oldest)
      unread.set(client, `${mechanism} ${new Date(expiresAt).toISOString()} ${token}`)
    },
    get(entry) {
      const client = entry.slice(tokenEntryPrefix.length).toLowerCase()
      const value = unread.get(client)
      unread.delete(client)
      return value
    },
  }
}

const maxUnread = 10
