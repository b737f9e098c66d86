/** Nonces of HTTP Digest, and which of their counts were used (RFC 7616 §3.3, MM7-029): what was overheard is no login. */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { EpochMs } from '../../model/units.ts'

/** A nonce is good for this long. Milliseconds. */
const nonceMs = 300_000
/** Requests of one client overtake each other on several connections by so many. */
const windowCounts = 1024
/** Nonces whose counts are remembered. When there are more, the oldest are good no longer. */
const maxNonces = 10_000

interface Counts {
  readonly issuedAt: EpochMs
  highest: number
  /** Those used, down to `windowCounts` below the highest; all below count as used. */
  readonly used: Set<number>
}

export class Nonces {
  readonly #now: () => EpochMs
  readonly #secret = randomBytes(32)
  #issued = 0
  readonly #counts = new Map<string, Counts>()
  /** Nonces that were issued up to here are not good any more: their counts are forgotten. */
  #forgottenUntil = Number.NEGATIVE_INFINITY

  constructor(now: () => EpochMs) {
    this.#now = now
  }

  issue(): string {
    const text = `${this.#now().toString(36)}.${(this.#issued++).toString(36)}`
    return `${text}.${this.#sign(text)}`
  }

  #sign(text: string): string {
    return createHmac('sha256', this.#secret).update(text).digest('base64url').slice(0, 22)
  }

  isOurs(nonce: string): boolean {
    const dot = nonce.lastIndexOf('.')
    const wanted = Buffer.from(this.#sign(nonce.slice(0, Math.max(0, dot))))
    const given = Buffer.from(nonce.slice(dot + 1))
    return given.length === wanted.length && timingSafeEqual(given, wanted)
  }

  /** Whether this is the first use of the count of a nonce that is ours, and the nonce is not too old. */
  use(nonce: string, count: number): boolean {
    const issuedAt = Number.parseInt(nonce.split('.')[0] ?? '', 36)
    const age = this.#now() - issuedAt
    if (!(age >= 0 && age <= nonceMs) || count < 1) return false
    let counts = this.#counts.get(nonce)
    if (!counts) {
      if (issuedAt <= this.#forgottenUntil) return false
      counts = { issuedAt, highest: 0, used: new Set() }
      this.#counts.set(nonce, counts)
      this.#forget()
    }
    if (count <= counts.highest - windowCounts || counts.used.has(count)) return false
    counts.used.add(count)
    counts.highest = Math.max(counts.highest, count)
    if (counts.used.size > windowCounts)
      for (const used of counts.used) if (used <= counts.highest - windowCounts) counts.used.delete(used)
    return true
  }

  /** Those too old to be used, and the first that were used when there are too many. */
  #forget(): void {
    for (const [nonce, { issuedAt }] of this.#counts) {
      const isOver = this.#now() - issuedAt > nonceMs
      if (!isOver && this.#counts.size <= maxNonces) return
      this.#counts.delete(nonce)
      if (!isOver) this.#forgottenUntil = Math.max(this.#forgottenUntil, issuedAt)
    }
  }
}
