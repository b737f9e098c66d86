/** What URLAUTH knows of this server: its names, the applications, and who may act for them (RFC 4467, RFC 5593 §3.3). */
import { setTimeout as sleep } from 'node:timers/promises'
import type { MailStore } from '../store/store.ts'
import type { Asker } from '../urlauth/access.ts'
import { createMailboxSources, type Owners } from '../urlauth/mailbox-sources.ts'
import type { AccessKeys, Sections } from '../urlauth/sources.ts'
import type { UrlauthRules } from '../urlauth/urlauth.ts'

export interface UrlauthOptions {
  /** Addresses of the accounts that may act for an application, by its name: 'submit', 'stream' ... */
  readonly applications?: Readonly<Record<string, readonly string[]>>
  /**
   * URLs with `anonymous` and `authuser` access (SC-30). Default 'expiring': only with an EXPIRE at most 24 hours ahead
   * (RFC 5616 §3.3 asks for an hour).
   */
  readonly open?: 'never' | 'expiring' | 'always'
  /** Other names that URLs may call this server by, beside its own. */
  readonly hosts?: readonly string[]
  /** Whether URLMECH is told without TLS, too (SC-31). Default true: INTERNAL has no data to hide. */
  readonly mechanismsInClear?: boolean
  /** Where clients can have attachments played, in order of preference (RFC 5616 §3.2); `stream`: as that application. */
  readonly mediaServers?: readonly { readonly uri: string; readonly stream?: boolean | undefined }[]
}

export interface Urls extends UrlauthRules {
  readonly sources: AccessKeys & Sections
  readonly mechanismsInClear: boolean
  /** The entry /shared/mediaServers (RFC 5616 §8); undefined: there are none. */
  readonly mediaServers: string | undefined
  asker(user: string): Asker
  /** The account acts for submission servers (RFC 4468 §3.3). */
  isSubmitServer(user: string): boolean
  /** Resolves when the user may be told that URLs were no good; longer each time (UA-26). */
  failed(user: string): Promise<void>
  succeeded(user: string): void
}

const dayMs = 86_400_000
/** Failures in a row that cost nothing: a client may hold URLs of messages that are gone. */
const freeFailures = 20
const maxDelayMs = 5000
/** Users whose failures are counted; the oldest is forgotten first. */
const maxCounted = 10_000

export function createUrls(
  server: { readonly host: string; readonly store: MailStore; readonly isOurPort: (port: number) => boolean },
  owners: Owners,
  options: UrlauthOptions = {},
): Urls {
  const hosts = new Set([server.host, ...(options.hosts ?? [])].map((host) => host.toLowerCase()))
  const canonicalUser = (user: string): string => user.toLowerCase()
  const roles = new Map(
    Object.entries(options.applications ?? {}).map(([name, users]) => [
      name.toLowerCase(),
      new Set(users.map(canonicalUser)),
    ]),
  )
  const open = options.open ?? 'expiring'
  const failures = new Map<string, number>()
  return {
    sources: createMailboxSources(server.store, owners),
    mechanismsInClear: options.mechanismsInClear ?? true,
    mediaServers: options.mediaServers
      ?.map(({ uri, stream }) => `<${uri}>${stream ? ':stream' : ''}`)
      .join(';'),
    // RFC 4467 §3 and RFC 5593 §3.4 know these two; nobody may act for them until the operator says who.
    applications: new Set(['submit', 'stream', ...roles.keys()]),
    allowAnonymous: open !== 'never',
    allowAuthuser: open !== 'never',
    ...(open === 'expiring' ? { maxOpenLifetimeMs: dayMs } : {}),
    isOurs: (host, port) => hosts.has(host) && (port === undefined || server.isOurPort(port)),
    canonicalUser,
    asker(user) {
      const name = canonicalUser(user)
      return {
        user: name,
        applications: new Set([...roles].filter(([, users]) => users.has(name)).map(([role]) => role)),
      }
    },
    isSubmitServer: (user) => roles.get('submit')?.has(canonicalUser(user)) === true,
    async failed(user) {
      const count = (failures.get(user) ?? 0) + 1
      failures.delete(user)
      failures.set(user, count)
      for (const oldest of failures.keys()) {
        if (failures.size <= maxCounted) break
        failures.delete(oldest)
      }
      if (count > freeFailures)
        await sleep(Math.min(maxDelayMs, 50 * 2 ** Math.min(10, count - freeFailures)))
    },
    succeeded(user) {
      failures.delete(user)
    },
  }
}
