/** Notices that the machine's clock was set: it went another way than time did. */
import type { EpochMs } from '../model/units.ts'

/** What NTP does by the way is less. Milliseconds. */
const leapMs = 60_000

export class ClockWatch {
  readonly #now: () => EpochMs
  readonly #elapsed: () => number
  readonly #leastMs: number
  #offset: number

  /** `elapsed`: milliseconds since any instant, by a clock that nobody sets. `leastMs`: what is less is no setting. */
  constructor(now: () => EpochMs, elapsed: () => number = () => performance.now(), leastMs: number = leapMs) {
    this.#leastMs = leastMs
    this.#now = now
    this.#elapsed = elapsed
    this.#offset = now() - elapsed()
  }

  /** How far the clock was set since the last call, milliseconds; less than 0: back; 0: it was not. */
  look(): number {
    const offset = this.#now() - this.#elapsed()
    const by = offset - this.#offset
    this.#offset = offset
    return Math.abs(by) > this.#leastMs ? Math.round(by) : 0
  }
}
