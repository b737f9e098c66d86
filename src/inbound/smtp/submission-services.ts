/** What a submission listener has, from the configuration's keys and the parts of the program. */
import type { EpochMs } from '../../model/units.ts'
import { createBurlSource, type UrlStore } from './burl-source.ts'
import type { Submission } from './submission.ts'

/** Keys of `submission` in the configuration file. */
export interface SubmissionSettings {
  readonly tlsFirst?: boolean | undefined
  readonly minimumTls?: Submission['minimumTls'] | undefined
  readonly futureRelease?: boolean | undefined
  readonly identity?: string | undefined
  readonly plainUrls?: boolean | undefined
}

export interface SubmissionParts extends Pick<Submission, 'sasl' | 'allowPlaintext' | 'mayUse'> {
  /** Our name, and the domains whose mail ends here. */
  readonly gateway: { readonly host: string; readonly servedDomains: readonly string[] }
  readonly limits: {
    readonly submissionConnectionsPerUser: number
    readonly holdSeconds: number
    readonly holdsPerUser: number
    readonly holds: number
    readonly burlSeconds: number
    readonly burlUsesPerHour: number
  }
  /** The IMAP store of this program. */
  readonly urls: UrlStore
  /** Held messages of the user and of all. */
  readonly holds: (
    user: string,
    now: EpochMs,
  ) => Promise<{ readonly ofSubmitter: number; readonly ofAll: number }>
  readonly now: () => EpochMs
}

export function createSubmission(settings: SubmissionSettings, parts: SubmissionParts): Submission {
  const { gateway, limits, holds, now } = parts
  const { tlsFirst = false, minimumTls = 'TLSv1.2', futureRelease = true, identity = 'submit' } = settings
  const room: NonNullable<Submission['holds']>['room'] = async (user) => {
    const { ofSubmitter, ofAll } = await holds(user, now())
    if (ofSubmitter >= limits.holdsPerUser) return 'user-full'
    return ofAll >= limits.holds ? 'system-full' : 'room'
  }
  return {
    sasl: parts.sasl,
    allowPlaintext: parts.allowPlaintext,
    mayUse: parts.mayUse,
    tlsFirst,
    minimumTls,
    maxPerUser: limits.submissionConnectionsPerUser,
    holds: futureRelease ? { maxSeconds: limits.holdSeconds, room } : undefined,
    burl: createBurlSource({
      store: parts.urls,
      identity,
      plainHost: settings.plainUrls ? gateway.host : undefined,
      patienceMs: limits.burlSeconds * 1000,
      usesPerHour: limits.burlUsesPerHour,
      now,
    }),
    isOwnDomain: (domain) => gateway.servedDomains.some((served) => served.toLowerCase() === domain),
  }
}
