/** Session tokens in the embedded engine. The token itself is not stored: it is derived from its id and our secret. */
import { createHmac, randomBytes } from 'node:crypto'
import {
  defaultTokenLimits,
  type SessionTokens,
  type TokenLimits,
  tokensPerClient,
  type UsableToken,
} from '../../auth/session-tokens.ts'
import { Fault } from '../../model/fault.ts'
import type { Kernel } from './engine.ts'
import { asNumber, asText, type Row } from './statements.ts'

/** The time of the last use is written this often only: a reconnect costs no write. */
const usedGrainMs = 3_600_000

export function createSessionTokens(
  kernel: Kernel,
  secret: Uint8Array,
  limits: TokenLimits = defaultTokenLimits,
): SessionTokens {
  const tokenOf = (id: string): string =>
    createHmac('sha256', secret).update(`session token\0${id}`).digest('base64url')
  const live = (account: number): UsableToken[] =>
    kernel.latest
      .all(
        `SELECT id, client, mechanism, issued_at, expires_at, used_at, full_login_at, valid_until
         FROM session_tokens WHERE account = ? AND expires_at > ? ORDER BY issued_at DESC, number DESC`,
        account,
        kernel.now(),
      )
      .map((row) => ({ ...tokenFrom(row), token: tokenOf(asText(row.id)) }))
  const most = limits.clients * tokensPerClient

  return {
    most,
    async issue({ account, client, mechanism, fullLoginAt, validUntil }) {
      const now = kernel.now()
      const expiresAt = Math.min(
        now + limits.lifetimeMs,
        fullLoginAt + limits.fullLoginMs,
        validUntil ?? Number.POSITIVE_INFINITY,
      )
      if (expiresAt <= now)
        throw new Fault('forbidden', 'the full login is too long ago: log in with the password')
      const id = randomBytes(18).toString('base64url')
      await kernel.write({
        kind: 'issue-token',
        token: {
          id,
          account,
          client,
          mechanism,
          issuedAt: now,
          expiresAt,
          fullLoginAt,
          validUntil: validUntil ?? null,
        },
        clients: limits.clients,
      })
      return { token: tokenOf(id), expiresAt }
    },
    usable: async (account) => live(account ?? 0).slice(0, most),
    async used(account, { id, client, usedAt }) {
      const now = kernel.now()
      const ofClient = live(account).filter((token) => token.client === client)
      const older = ofClient.findIndex((token) => token.id === id) < ofClient.length - 1
      if (older || usedAt === undefined || now - usedAt >= usedGrainMs)
        await kernel.write({ kind: 'use-token', id, now })
    },
    list: async (account) =>
      live(account).map(({ client, mechanism, issuedAt, expiresAt, usedAt }) => ({
        client,
        mechanism,
        issuedAt,
        expiresAt,
        usedAt,
      })),
    revoke: (account, client) =>
      kernel.write<number>({ kind: 'revoke-tokens', account, ...(client === undefined ? {} : { client }) }),
  }
}

const tokenFrom = (row: Row): Omit<UsableToken, 'token'> => ({
  id: asText(row.id),
  client: asText(row.client),
  mechanism: asText(row.mechanism),
  issuedAt: asNumber(row.issued_at),
  expiresAt: asNumber(row.expires_at),
  usedAt: row.used_at == null ? undefined : asNumber(row.used_at),
  fullLoginAt: asNumber(row.full_login_at),
  validUntil: row.valid_until == null ? undefined : asNumber(row.valid_until),
})
