/** Messages just accepted, so that a delivery at once reads neither disk nor carrier again. Least recently used go first. */
import type { AcceptedMessage } from '../model/queue.ts'

export interface HotMessage {
  readonly octets: Uint8Array
  readonly message?: AcceptedMessage | undefined
}

export class HotMessages {
  readonly #limit: number
  readonly #kept = new Map<string, HotMessage>()
  #octets = 0

  constructor(limitOctets: number) {
    this.#limit = limitOctets
  }

  remember(queueId: string, hot: HotMessage): void {
    this.forget(queueId)
    if (hot.octets.length > this.#limit / 4) return
    this.#kept.set(queueId, hot)
    this.#octets += hot.octets.length
    for (const [oldest] of this.#kept) {
      if (this.#octets <= this.#limit) return
      this.forget(oldest)
    }
  }

  get(queueId: string): HotMessage | undefined {
    return this.#kept.get(queueId)
  }

  forget(queueId: string): void {
    const hot = this.#kept.get(queueId)
    if (!hot) return
    this.#kept.delete(queueId)
    this.#octets -= hot.octets.length
  }
}
