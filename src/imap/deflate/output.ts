/**
 * The sending side of COMPRESS=DEFLATE (RFC 4978). No compressor lives between two answers: each batch is compressed on
 * its own, ends with a sync flush, and may refer to what was sent before, which the client's window still holds. That
 * history, some KiB of it, is all that is kept.
 */
import { constants, deflateRaw, deflateRawSync, type ZlibOptions } from 'node:zlib'

/** More improves little, and every session pays for it. */
const historyOctets = 8192
/** Up to here compressing takes less time than handing the work to another thread. */
const smallOctets = 16_384
/** Large literals of media get no dictionary from text, nor text from them (RFC 4978 §4). */
const mediaOctets = 5120
const probeOctets = 2048

const none = Buffer.alloc(0)

/** 'apart': neither refers to what was before nor is referred to afterwards. 'clear': not compressed. */
type Kind = 'shared' | 'apart' | 'clear'

interface Batch {
  readonly octets: Buffer
  readonly kind: Kind
}

export class DeflateOutput {
  readonly #send: (octets: Buffer) => void
  readonly #broken: (error: Error) => void
  /** What was sent last, without a gap. */
  #history: Buffer = none
  readonly #batches: Batch[] = []
  #waiting = 0
  #compressing = false
  #scheduled = false
  #finished = false
  #destroyed = false
  readonly #settled: (() => void)[] = []

  constructor(send: (octets: Buffer) => void, broken: (error: Error) => void) {
    this.#send = send
    this.#broken = broken
  }

  /** Octets that have not been handed to the socket yet. */
  get waiting(): number {
    return this.#waiting
  }

  write(octets: Buffer | string, apart: boolean): void {
    if (this.#destroyed || octets.length === 0) return
    const buffer = typeof octets === 'string' ? Buffer.from(octets, 'latin1') : octets
    this.#batches.push({ octets: buffer, kind: this.#finished ? 'clear' : apart ? 'apart' : 'shared' })
    this.#waiting += buffer.length
    if (this.#scheduled || this.#compressing) return
    this.#scheduled = true
    queueMicrotask(() => {
      this.#scheduled = false
      this.#drain()
    })
  }

  /** Resolves when everything written has been handed to the socket. */
  settled(): Promise<void> {
    if (this.#waiting === 0) return Promise.resolve()
    return new Promise((resolve) => this.#settled.push(resolve))
  }

  rest(): void {
    if (this.#waiting === 0) this.#history = none
  }

  /** What is written from here on is not compressed. */
  finish(): void {
    this.#finished = true
  }

  destroy(): void {
    this.#destroyed = true
    this.#batches.length = 0
    this.#waiting = 0
    this.#history = none
    this.#tellSettled()
  }

  #tellSettled(): void {
    if (this.#waiting === 0) for (const resolve of this.#settled.splice(0)) resolve()
  }

  #drain(): void {
    while (!this.#compressing && !this.#destroyed) {
      const batch = this.#next()
      if (!batch) break
      this.#compress(batch)
    }
    this.#tellSettled()
  }

  #compress({ octets, kind }: Batch): void {
    if (kind === 'clear') {
      this.#done(octets, octets, none)
      return
    }
    const media = kind === 'shared' && isIncompressible(octets)
    const alone = kind === 'apart' || media
    const settings = zlibOptions(alone ? none : this.#history, media ? 0 : 6)
    const history = alone ? none : lastOf(this.#history, octets)
    if (octets.length <= smallOctets) {
      this.#done(octets, deflateRawSync(octets, settings), history)
      return
    }
    this.#compressing = true
    deflateRaw(octets, settings, (error, compressed) => {
      this.#compressing = false
      if (this.#destroyed) return
      if (error) {
        this.#broken(error)
        return
      }
      this.#done(octets, compressed, history)
      this.#drain()
    })
  }

  #done(octets: Buffer, compressed: Buffer, history: Buffer): void {
    this.#history = history
    this.#waiting -= octets.length
    this.#send(compressed)
  }

  /** The next octets to compress: neighbours of one kind together, as long as they are small. */
  #next(): Batch | undefined {
    const [first] = this.#batches
    if (!first) return undefined
    let octets = first.octets.length
    let count = 1
    for (let next = this.#batches[1]; next; next = this.#batches[count]) {
      octets += next.octets.length
      if (next.kind !== first.kind || octets > smallOctets) break
      count += 1
    }
    const taken = this.#batches.splice(0, count)
    return count === 1 ? first : { octets: Buffer.concat(taken.map((b) => b.octets)), kind: first.kind }
  }
}

const zlibOptions = (dictionary: Buffer, level: number): ZlibOptions => ({
  level,
  finishFlush: constants.Z_SYNC_FLUSH,
  ...(dictionary.length > 0 ? { dictionary } : {}),
})

/** The last octets of both, in a buffer of their own: a slice would keep all of a large answer alive. */
function lastOf(before: Buffer, after: Buffer): Buffer {
  if (after.length >= historyOctets) return Buffer.from(after.subarray(-historyOctets))
  return Buffer.concat([before.subarray(Math.max(0, before.length + after.length - historyOctets)), after])
}

/** A large piece whose beginning does not get smaller: compressed already, or encrypted (CO-09). */
function isIncompressible(octets: Buffer): boolean {
  if (octets.length < mediaOctets) return false
  const start = octets.subarray(0, probeOctets)
  return deflateRawSync(start, { level: 1, windowBits: 12, memLevel: 5 }).length > probeOctets * 0.95
}
