/** What all sessions of one server share. */
import type { SecureContext } from 'node:tls'
import type { Account } from '../auth/credentials.ts'
import type { SaslServices } from '../auth/sasl.ts'
import type { EpochMs } from '../model/units.ts'
import type { MailStore } from '../store/store.ts'
import type { Literals } from './literals.ts'
import type { Outgoing } from './out.ts'
import type { Registry } from './registry.ts'
import type { Urls } from './urls.ts'
import type { Mailboxes } from './view/mailboxes.ts'

export interface ImapLimits {
  /** APPEND: one message. */
  readonly messageOctets: number
  readonly maxConnections: number
  readonly maxPerIp: number
  readonly maxPerUser: number
  /** What all sessions together may hold in memory of literals coming in and of answers going out. */
  readonly heldOctets: number
  /** Text of one command after login, its literals not counted. */
  readonly lineOctets: number
  /** From connect to login; and between commands after login (>= 30 minutes, ST-17). Milliseconds. */
  readonly preAuthMs: number
  readonly idleMs: number
}

export interface Services {
  readonly host: string
  readonly store: MailStore
  readonly sasl: SaslServices
  readonly mailboxes: Mailboxes
  readonly literals: Literals
  readonly outgoing: Outgoing
  /** URLAUTH's rules and sources. */
  readonly urls: Urls
  readonly registry: Registry
  readonly secureContext: SecureContext | undefined
  /** Client certificates are asked for: EXTERNAL is configured. */
  readonly requestCert: boolean
  readonly allowPlaintext: 'never' | 'loopback' | 'always'
  /** UNAUTHENTICATE is there (UN-06). */
  readonly mayUnauthenticate: boolean
  readonly limits: ImapLimits
  readonly now: () => EpochMs
  readonly log: (
    level: 'info' | 'warn' | 'error',
    message: string,
    fields?: Readonly<Record<string, unknown>>,
  ) => void
  /** A number for each session. */
  readonly newOrigin: () => number
  /** Counts a session of the account; false when it has as many as it may have. */
  readonly enter: (account: Account) => boolean
  readonly leave: (account: Account) => void
}
