/**
 * Session tokens for quick re-authentication after a lost link: what the HT mechanisms (draft-ietf-kitten-sasl-ht) show
 * instead of a password. Each belongs to one client of an account, is pinned to one mechanism, and ends on its own, on
 * revocation, and with every change of the password.
 */
export interface SessionToken {
  /** The client's own name for itself, e.g. one per installation. */
  readonly client: string
  /** The only mechanism it works with. */
  readonly mechanism: string
  readonly issuedAt: number
  readonly expiresAt: number
  readonly usedAt: number | undefined
}

/** A token with its secret, for the mechanism. */
export interface UsableToken extends SessionToken {
  readonly id: string
  /** The HMAC key: the octets of the string that the client was given. */
  readonly token: string
  readonly fullLoginAt: number
  /** What the full login showed was good until then; renewing does not stretch it. */
  readonly validUntil: number | undefined
}

export interface TokenRequest {
  readonly account: number
  readonly client: string
  readonly mechanism: string
  /** Login.fullLoginAt and Login.validUntil of the session that asks. */
  readonly fullLoginAt: number
  readonly validUntil?: number | undefined
}

export interface SessionTokens {
  /**
   * A new token for the client. The one it used last, and one more, stay good until the new one is used: the answer may
   * be lost on the way. @throws Fault 'forbidden' when the full login is too long ago
   */
  issue(request: TokenRequest): Promise<{ readonly token: string; readonly expiresAt: number }>
  /** Those of the account that have not ended; for undefined an empty list after the same look-up. */
  usable(account: number | undefined): Promise<readonly UsableToken[]>
  /** The client has shown this one: it has it, so that older ones end. */
  used(account: number, token: UsableToken): Promise<void>
  /** The most that `usable` can give. */
  readonly most: number
  list(account: number): Promise<readonly SessionToken[]>
  /** Those of one client, or all. Returns how many ended. */
  revoke(account: number, client?: string): Promise<number>
}

export interface TokenLimits {
  /** A token is good so long after it was issued. */
  readonly lifetimeMs: number
  /** After a full login tokens can be had, and renewed with tokens, for so long. */
  readonly fullLoginMs: number
  /** Clients of one account; the one idle for longest loses its tokens to a new one. */
  readonly clients: number
}

export const defaultTokenLimits: TokenLimits = {
  lifetimeMs: 14 * 86_400_000,
  fullLoginMs: 90 * 86_400_000,
  clients: 10,
}

/** Of one client at one time: the one used last, and the two newest. */
export const tokensPerClient = 3

export const maxClientOctets = 64
/** A METADATA entry name has it as its last component (RFC 5464 §3.2): no `*`, `%`, `/`, no spaces. */
export const isClientId = (client: string): boolean => /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(client)
