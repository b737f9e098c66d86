/**
 * Literals on their way in. Small ones are gathered in memory, as long as all sessions together hold little; the others
 * flow to a file without a name, which is gone when it is closed, whatever becomes of us. A client that stops in the middle
 * of an APPEND costs disk and no memory.
 */
import { randomUUID } from 'node:crypto'
import { close, fstatSync, openSync, read, unlinkSync, write } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Fault } from '../model/fault.ts'
import type { Octets } from '../model/units.ts'
import type { CommandPart, LargeLiteral, LiteralStore, ReceivedPart } from '../wire/imap/framing.ts'

const readFrom = promisify(read)
const writeTo = promisify(write)

/** From here on a file is worth its while, always. */
const largeOctets = 1_048_576
/** Up to here it never is: many of these are less than a socket's own buffers. */
const smallOctets = 4096

export interface LiteralLimits {
  /** Gathered in memory by all sessions together. */
  readonly memoryOctets: Octets
  /** Of commands that are complete and run, their large literals read back: others wait. One command always may. */
  readonly loadedOctets: Octets
}

export class Literals implements LiteralStore {
  readonly #folder: string
  readonly #limits: LiteralLimits
  #held = 0
  #loaded = 0
  readonly #waiting: { readonly octets: Octets; readonly resolve: () => void }[] = []

  constructor(folder: string, limits: LiteralLimits) {
    this.#folder = folder
    this.#limits = limits
  }

  /** Octets in memory: of literals under way, and of those read back. */
  get octets(): Octets {
    return this.#held + this.#loaded
  }

  begin(octets: Octets, onDrained: () => void): LargeLiteral | undefined {
    const fits = octets <= smallOctets || this.#held + octets <= this.#limits.memoryOctets
    if (octets < largeOctets && fits) {
      this.#held += octets
      return undefined
    }
    return new FileLiteral(this.#folder, octets, onDrained)
  }

  release(octets: Octets): void {
    this.#held -= octets
  }

  /**
   * Runs with all literals in memory, when there is room for them.
   * @throws Fault 'unavailable' when they could not be kept or read back
   */
  async loaded(
    parts: readonly ReceivedPart[],
    run: (parts: readonly CommandPart[]) => Promise<void>,
  ): Promise<void> {
    const large = parts.filter((part) => part instanceof FileLiteral)
    if (large.length === 0) return run(parts as readonly CommandPart[])
    const octets = large.reduce((sum, literal) => sum + literal.octets, 0)
    try {
      await this.#room(octets)
      try {
        const whole: CommandPart[] = []
        for (const part of parts)
          whole.push(part instanceof FileLiteral ? await part.load() : (part as CommandPart))
        await run(whole)
      } finally {
        this.#loaded -= octets
        this.#next()
      }
    } finally {
      for (const literal of large) literal.abort()
    }
  }

  #fits(octets: Octets): boolean {
    return this.#loaded === 0 || this.#loaded + octets <= this.#limits.loadedOctets
  }

  async #room(octets: Octets): Promise<void> {
    if (this.#waiting.length > 0 || !this.#fits(octets))
      await new Promise<void>((resolve) => this.#waiting.push({ octets, resolve }))
    else this.#loaded += octets
  }

  #next(): void {
    for (let [first] = this.#waiting; first && this.#fits(first.octets); [first] = this.#waiting) {
      this.#waiting.shift()
      this.#loaded += first.octets
      first.resolve()
    }
  }
}

/** The parts as they can be looked at before the command is complete. */
export const withoutLarge = (parts: readonly ReceivedPart[]): readonly CommandPart[] =>
  parts.map((part) => (part instanceof FileLiteral ? none : (part as CommandPart)))

const none = Buffer.alloc(0)

class FileLiteral implements LargeLiteral {
  readonly octets: Octets
  readonly #onDrained: () => void
  #fd: number | undefined
  #pending: Buffer[] = []
  #waiting = 0
  #position = 0
  #writing: Promise<void> | undefined
  #failed: unknown
  #closed = false

  constructor(folder: string, octets: Octets, onDrained: () => void) {
    this.octets = octets
    this.#onDrained = onDrained
    const file = join(folder, `literal-${randomUUID()}`)
    try {
      this.#fd = openSync(file, 'wx+', 0o600)
      unlinkSync(file)
    } catch (error) {
      // The client sends it all the same; the command is refused when it is complete.
      this.#failed = error
    }
  }

  get waiting(): Octets {
    return this.#waiting
  }

  write(piece: Buffer): void {
    if (this.#failed !== undefined || this.#closed) return
    this.#pending.push(piece)
    this.#waiting += piece.length
    this.#writing ??= this.#drain()
  }

  async #drain(): Promise<void> {
    try {
      while (this.#pending.length > 0) {
        const batch = Buffer.concat(this.#pending.splice(0))
        for (let at = 0; at < batch.length; ) {
          const { bytesWritten } = await writeTo(this.#fd ?? -1, batch, at, batch.length - at, this.#position)
          at += bytesWritten
          this.#position += bytesWritten
        }
        this.#waiting -= batch.length
      }
    } catch (error) {
      this.#failed = error
      this.#pending = []
      this.#waiting = 0
    }
    this.#writing = undefined
    if (this.#closed) this.#close()
    else this.#onDrained()
  }

  async load(): Promise<Buffer> {
    await this.#writing
    try {
      if (this.#failed !== undefined) throw this.#failed
      const fd = this.#fd ?? -1
      if (fstatSync(fd).size !== this.octets) throw new Error('a literal was not kept whole')
      // Memory of its own: it is handed on to the thread that writes.
      const whole = Buffer.allocUnsafeSlow(this.octets)
      for (let at = 0; at < whole.length; ) {
        const { bytesRead } = await readFrom(fd, whole, at, whole.length - at, at)
        if (bytesRead === 0) throw new Error('a literal was not kept whole')
        at += bytesRead
      }
      return whole
    } catch (error) {
      throw new Fault('unavailable', 'there is no room for the literal now', { cause: error })
    }
  }

  abort(): void {
    if (this.#closed) return
    this.#closed = true
    this.#pending = []
    this.#waiting = 0
    if (!this.#writing) this.#close()
  }

  #close(): void {
    if (this.#fd !== undefined) close(this.#fd, () => {})
    this.#fd = undefined
  }
}
