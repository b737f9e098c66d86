/** How many messages a peer may bring in a minute (MM7-072). */
import type { Peer } from '../../model/settings.ts'
import type { EpochMs } from '../../model/units.ts'

const minuteMs = 60_000

/**
 * The generic cell rate algorithm: a minute's worth at once, then one at a time, evenly spread. One number a peer is kept,
 * and there are no more peers than the configuration has.
 */
export class Throughput {
  /** When all that was taken would have come, had it been spread. */
  readonly #arrival = new Map<string, EpochMs>()

  /** undefined: the message is within what was agreed, and counted. Else milliseconds until the next one is. */
  waitFor(name: string, peer: Peer | undefined, now: EpochMs): number | undefined {
    const rate = peer?.messagesPerMinute
    if (rate === undefined) return undefined
    const spacing = minuteMs / rate
    // Never later than a minute ahead, even when the clock was set back.
    const arrival = Math.min(Math.max(this.#arrival.get(name) ?? 0, now), now + minuteMs)
    const wait = arrival + spacing - (now + minuteMs)
    this.#arrival.set(name, wait > 1 ? arrival : arrival + spacing)
    return wait > 1 ? wait : undefined
  }
}
