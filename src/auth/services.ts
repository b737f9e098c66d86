/** The configuration's `auth` and the engine's parts, made into what all SASL exchanges of a process share. */
import { randomBytes } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { createLoginThrottle } from './login-throttle.ts'
import { createOAuthVerifier, type OAuthSettings } from './oauth-token.ts'
import type { SaslServices } from './sasl.ts'
import type { TokenLimits } from './session-tokens.ts'

export interface AuthSettings {
  readonly oauth?: OAuthSettings | undefined
  readonly external?: { readonly accounts?: Readonly<Record<string, string>> | undefined } | undefined
}

/** What `openSqlite` gives. */
export type AuthStore = Pick<SaslServices, 'credentials' | 'directory' | 'scram' | 'tokens' | 'secret'>

export function createSaslServices(
  { credentials, directory, scram, tokens, secret }: AuthStore,
  settings: AuthSettings,
  now: () => number = Date.now,
): SaslServices {
  return {
    credentials,
    directory,
    scram,
    tokens,
    secret,
    oauth: settings.oauth && createOAuthVerifier(settings.oauth, now),
    external:
      settings.external &&
      new Map(
        Object.entries(settings.external.accounts ?? {}).map(([name, account]) => [
          name.toLowerCase(),
          account,
        ]),
      ),
    throttle: createLoginThrottle({ now }),
    now,
    nonce: () => randomBytes(18).toString('base64'),
    // A process that drains does not wait for those who guess.
    sleep: (ms) => wait(ms, undefined, { ref: false }),
  }
}

const dayMs = 86_400_000

export const tokenLimits = (days: {
  readonly lifetimeDays: number
  readonly fullLoginDays: number
  readonly clientsPerAccount: number
}): TokenLimits => ({
  lifetimeMs: days.lifetimeDays * dayMs,
  fullLoginMs: days.fullLoginDays * dayMs,
  clients: days.clientsPerAccount,
})
