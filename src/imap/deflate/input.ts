/**
 * The receiving side of COMPRESS=DEFLATE (RFC 4978). The window is the client's choice, up to 32 KiB; an inflater holds
 * all of it. While a client is silent the inflater is given up: what it has received is a dictionary for the next one.
 */
import { constants, createInflateRaw, type InflateRaw } from 'node:zlib'

/** The largest window of deflate. */
const windowOctets = 32_768
const chunkOctets = 4096
/** Compressed octets that wait for the inflater before the socket is held; of the clear behind the stream's end, all. */
const highWater = 65_536

/** The empty stored block that ends a sync flush. */
const syncFlush = 0x0000ffff

export interface InflateEnds {
  receive(octets: Buffer): void
  broken(error: Error): void
  hold(on: boolean): void
}

export class DeflateInput {
  readonly #ends: InflateEnds
  #inflater: InflateRaw | undefined
  #throttled = false
  /** What was received last, at least a window of it if there was so much. */
  #received: Buffer[] = []
  #receivedOctets = 0
  /** Input that the inflater has not finished with. */
  readonly #input: Buffer[] = []
  #queued = 0
  /** Fed to this inflater. */
  #fed = 0
  #held = false
  /** The last four octets of input as a number, to see whether it stopped at a sync flush. */
  #tail = 0
  /** What came after the end of the client's stream: in the clear, once compression has ended. */
  #afterEnd: Buffer[] | undefined
  #clear = false
  #destroyed = false

  constructor(ends: InflateEnds) {
    this.#ends = ends
  }

  feed(octets: Buffer): void {
    if (this.#destroyed || octets.length === 0) return
    if (this.#afterEnd) {
      this.#afterEnd.push(octets)
      this.#deliverClear()
      return
    }
    if (this.#clear) {
      this.#ends.receive(octets)
      return
    }
    this.#inflater ??= this.#makeInflater()
    this.#input.push(octets)
    this.#fed += octets.length
    this.#queued += octets.length
    for (const octet of octets.subarray(-4)) this.#tail = ((this.#tail << 8) | octet) >>> 0
    this.#inflater.write(octets, () => {
      this.#input.shift()
      this.#queued -= octets.length
      if (this.#held && this.#queued <= highWater) this.#hold(false)
    })
    if (!this.#held && this.#queued > highWater) this.#hold(true)
  }

  /** No more comes: `then` is called behind the last octets, however long the session was throttled. */
  end(then: () => void): void {
    const inflater = this.#inflater
    if (!inflater || this.#afterEnd || this.#clear || this.#destroyed) {
      then()
      return
    }
    inflater.once('end', then)
    inflater.end()
  }

  throttle(on: boolean): void {
    this.#throttled = on
    if (on) this.#inflater?.pause()
    else this.#inflater?.resume()
  }

  /** Gives the inflater up, if the client has flushed and everything was read. */
  rest(): void {
    if (!this.#inflater || this.#queued > 0 || this.#throttled || this.#afterEnd) return
    if (this.#inflater.readableLength > 0 || this.#tail !== syncFlush) return
    this.#inflater.removeAllListeners()
    this.#inflater.destroy()
    this.#inflater = undefined
    const window = Buffer.concat(this.#received).subarray(-windowOctets)
    // Memory of its own: a slice of the common pool would keep all of that alive.
    const kept = Buffer.allocUnsafeSlow(window.length)
    window.copy(kept)
    this.#received = [kept]
    this.#receivedOctets = kept.length
  }

  /** What comes in is in the clear from here on. */
  finish(): void {
    this.#clear = true
    this.rest()
    this.#received = []
    this.#deliverClear()
  }

  destroy(): void {
    this.#destroyed = true
    this.#inflater?.destroy()
    this.#received = []
  }

  #makeInflater(): InflateRaw {
    const dictionary = Buffer.concat(this.#received)
    const inflater = createInflateRaw({
      chunkSize: chunkOctets,
      // A connection may end at any flush.
      finishFlush: constants.Z_SYNC_FLUSH,
      ...(dictionary.length > 0 ? { dictionary } : {}),
    })
    this.#fed = 0
    inflater.on('data', (octets: Buffer) => {
      this.#remember(octets)
      this.#ends.receive(octets)
    })
    inflater.on('error', (error) => this.#ends.broken(error))
    inflater.once('end', () => this.#ended(inflater))
    if (this.#throttled) inflater.pause()
    return inflater
  }

  #remember(octets: Buffer): void {
    this.#received.push(octets)
    this.#receivedOctets += octets.length
    for (let first = this.#received[0]; first; first = this.#received[0]) {
      if (this.#receivedOctets - first.length < windowOctets) break
      this.#received.shift()
      this.#receivedOctets -= first.length
    }
  }

  #hold(on: boolean): void {
    this.#held = on
    this.#ends.hold(on)
  }

  #ended(inflater: InflateRaw): void {
    const left = this.#fed - inflater.bytesWritten
    const input = Buffer.concat(this.#input)
    this.#afterEnd = left > 0 ? [Buffer.from(input.subarray(input.length - left))] : []
    this.#deliverClear()
  }

  #deliverClear(): void {
    const after = this.#afterEnd
    if (!after || after.length === 0) return
    if (this.#clear) for (const octets of after.splice(0)) this.#ends.receive(octets)
    // The stream was ended without UNAUTHENTICATE: nothing that follows can be understood.
    else if (after.reduce((sum, octets) => sum + octets.length, 0) > highWater)
      this.#ends.broken(new Error('octets after the end of the compressed stream'))
  }
}
