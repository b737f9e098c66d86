/** How many messages a minute one sender, one address of the Internet, and one number may have (SEC-036). */
import type { Party } from '../model/neutral.ts'
import { type Refusal, refusal } from '../model/refusal.ts'
import type { SmtpSession } from '../model/smtp-envelope.ts'
import type { EpochMs } from '../model/units.ts'

/** Recipients a minute; absent: any number. */
export interface RateLimits {
  readonly perIp?: number | undefined
  readonly perSender?: number | undefined
  readonly perNumber?: number | undefined
}

const minuteMs = 60_000
/** Keys that are remembered; who is forgotten begins anew. */
const maxKeys = 100_000

export class Rates {
  readonly #limits: RateLimits
  /** By key: when all that was taken would have come, had it been spread evenly (generic cell rate algorithm). */
  readonly #arrivals = new Map<string, EpochMs>()

  constructor(limits: RateLimits) {
    this.#limits = limits
  }

  /** A recipient of a mail. Peers of the configuration and users have no limit by address. */
  mail(session: SmtpSession, mailFrom: string | null, party: Party, now: EpochMs): Refusal | undefined {
    const known = session.peer !== null || session.auth !== null
    return this.#passAll(
      [
        known ? undefined : this.#over('ip', session.ip, this.#limits.perIp, now),
        mailFrom === null
          ? undefined
          : this.#over('sender', mailFrom.toLowerCase(), this.#limits.perSender, now),
        this.#numberOver(party, now),
      ],
      now,
    )
  }

  /** A recipient of an MM. */
  mms(sender: Party, party: Party, now: EpochMs): Refusal | undefined {
    return this.#passAll(
      [
        this.#over('sender', sender.value.toLowerCase(), this.#limits.perSender, now),
        this.#numberOver(party, now),
      ],
      now,
    )
  }

  #numberOver(party: Party, now: EpochMs): Check | undefined {
    return party.kind === 'number'
      ? this.#over('number', party.value, this.#limits.perNumber, now)
      : undefined
  }

  #over(kind: string, value: string, limit: number | undefined, now: EpochMs): Check | undefined {
    if (limit === undefined) return undefined
    const key = `${kind} ${value}`
    // Never later than a minute ahead, even when the clock was set back.
    const arrival = Math.min(Math.max(this.#arrivals.get(key) ?? 0, now), now + minuteMs)
    const next = arrival + minuteMs / limit
    return { key, arrival, next, isOver: next > now + minuteMs + 1 }
  }

  /** Counted only where none is over. */
  #passAll(checks: readonly (Check | undefined)[], now: EpochMs): Refusal | undefined {
    const made = checks.filter((check) => check !== undefined)
    if (made.some(({ isOver }) => isOver)) {
      // As read now: it may have been noted by a clock that was ahead.
      for (const { key, arrival, isOver } of made) if (isOver) this.#arrivals.set(key, arrival)
      return refusal('too-many', 'more messages than are taken in a minute: try again later')
    }
    for (const { key, next } of made) {
      this.#arrivals.delete(key)
      this.#arrivals.set(key, next)
    }
    for (const [oldest, arrival] of this.#arrivals) {
      if (this.#arrivals.size <= maxKeys && arrival > now) break
      this.#arrivals.delete(oldest)
    }
    return undefined
  }
}

interface Check {
  readonly key: string
  readonly arrival: EpochMs
  readonly next: EpochMs
  readonly isOver: boolean
}
