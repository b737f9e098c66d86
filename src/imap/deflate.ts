/**
 * COMPRESS=DEFLATE (RFC 4978): raw deflate both ways, between session and socket, below the session and above TLS (CO-03).
 *
 * The channel of a session passes on what the socket receives (feed) and what the session writes (write), and asks it to
 * slow down a client (throttle). Above it nothing knows of compression: limits count inflated octets (CO-07, SC-34).
 */
import { DeflateInput } from './deflate/input.ts'
import { DeflateOutput } from './deflate/output.ts'

export interface DeflateEnds {
  /** Compressed octets, for the socket. */
  send(octets: Buffer): void
  /** Inflated octets, for the session; at most 4 KiB at a time, none while throttled. */
  receive(octets: Buffer): void
  /** The input is no deflate stream, or goes on after its end: the connection must be closed (CO-05, CO-06). Once. */
  broken(error: Error): void
  /** Whether the socket must not be read for now: less is taken than comes. */
  hold(on: boolean): void
}

export class DeflateLayer {
  readonly #input: DeflateInput
  readonly #output: DeflateOutput
  #destroyed = false

  constructor(ends: DeflateEnds) {
    const broken = (error: Error): void => {
      if (this.#destroyed) return
      this.destroy()
      ends.broken(error)
    }
    this.#output = new DeflateOutput((octets) => ends.send(octets), broken)
    this.#input = new DeflateInput({
      receive: (octets) => {
        if (!this.#destroyed) ends.receive(octets)
      },
      broken,
      hold: (on) => ends.hold(on),
    })
  }

  /**
   * Answers, as octets or an octet string. What is written in one go of the event loop is one batch, and its last octet
   * reaches the client without waiting for another (CO-04). `apart`: secrets, which must share no dictionary with text
   * that somebody else chose (CO-12).
   */
  write(octets: Buffer | string, apart = false): void {
    this.#output.write(octets, apart)
  }

  /** Octets of answers that have not been handed to the socket yet. */
  get waiting(): number {
    return this.#output.waiting
  }

  /** Resolves when everything written has been handed to the socket, or the layer was destroyed. */
  settled(): Promise<void> {
    return this.#output.settled()
  }

  /** Octets from the socket, in any pieces. */
  feed(octets: Buffer): void {
    this.#input.feed(octets)
  }

  /** The socket receives nothing more; `then` is called once the session was given all of it. */
  inputEnded(then: () => void): void {
    this.#input.end(then)
  }

  /** Stops giving inflated octets to the session; what the socket still receives waits, within a limit. */
  throttle(on: boolean): void {
    this.#input.throttle(on)
  }

  /** Nothing is to be said for a while (IDLE): dictionaries and inflater are given up as far as the protocol lets us. */
  rest(): void {
    this.#output.rest()
    this.#input.rest()
  }

  /**
   * UNAUTHENTICATE (RFC 8437 §4.1, CO-10): to be called when the tagged answer has been written. What is written from here
   * on goes out in the clear behind it, what comes in is taken as clear. The client may have ended its stream, or just
   * stopped at a flush as we do.
   */
  finish(): void {
    this.#output.finish()
    this.#input.finish()
  }

  destroy(): void {
    this.#destroyed = true
    this.#input.destroy()
    this.#output.destroy()
  }
}
