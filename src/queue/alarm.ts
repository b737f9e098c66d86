/** One timer, for the soonest of the instants that were asked for. */
import type { EpochMs } from '../model/units.ts'

/** Sleep at the longest: a clock that was set, or a change by another process, is noticed after this. */
export const maxSleepMs = 60_000
const minSleepMs = 10

export class Alarm {
  readonly #now: () => EpochMs
  readonly #ring: () => void
  #timer: NodeJS.Timeout | undefined
  #at = Number.POSITIVE_INFINITY

  constructor(now: () => EpochMs, ring: () => void) {
    this.#now = now
    this.#ring = ring
  }

  /** Rings at `at`, unless it does so sooner; after maxSleepMs in any case. */
  set(at: EpochMs): void {
    if (at >= this.#at) return
    clearTimeout(this.#timer)
    this.#at = at
    const wait = Math.min(Math.max(at - this.#now(), minSleepMs), maxSleepMs)
    this.#timer = setTimeout(() => {
      this.#at = Number.POSITIVE_INFINITY
      this.#ring()
    }, wait)
  }

  clear(): void {
    clearTimeout(this.#timer)
    this.#at = Number.POSITIVE_INFINITY
  }
}
