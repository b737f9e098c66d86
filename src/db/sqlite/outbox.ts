/**
 * The way to the writer. What one callback asks, with the promises that it settles, goes there together, as one group with
 * one sync: otherwise the first of them would be synced alone, and the others would wait for that. Not later than that: the
 * writer works while the event loop turns, and itself takes whatever waits.
 */
import type { WriteRequest } from './requests.ts'

interface Port {
  postMessage(requests: readonly WriteRequest[], transfer: readonly ArrayBuffer[]): void
}

export class Outbox {
  readonly #port: Port
  readonly #refused: (request: WriteRequest, error: unknown) => void
  #waiting: WriteRequest[] = []

  /** `refused`: the request cannot be handed over; it is dropped. */
  constructor(port: Port, refused: (request: WriteRequest, error: unknown) => void) {
    this.#port = port
    this.#refused = refused
  }

  put(request: WriteRequest): void {
    this.#waiting.push(request)
    if (this.#waiting.length === 1) queueMicrotask(() => this.flush())
  }

  /** Hands over what waits, now. */
  flush(): void {
    const requests = this.#waiting
    if (requests.length === 0) return
    this.#waiting = []
    try {
      this.#post(requests)
    } catch {
      // Nothing was handed over. One of them must not keep the others back.
      for (const request of requests)
        try {
          this.#post([request])
        } catch (error) {
          this.#refused(request, error)
        }
    }
  }

  #post(requests: readonly WriteRequest[]): void {
    this.#port.postMessage(
      requests,
      requests.flatMap(({ octets }) => octets.map((piece) => piece.buffer as ArrayBuffer)),
    )
  }
}
