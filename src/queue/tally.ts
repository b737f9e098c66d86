/** How many there are of each key; a key of which there are none is not kept. */
export class Tally {
  readonly #counts = new Map<string, number>()
  #total = 0

  add(key: string, by = 1): void {
    const before = this.of(key)
    const now = Math.max(0, before + by)
    this.#total += now - before
    if (now > 0) this.#counts.set(key, now)
    else this.#counts.delete(key)
  }

  of(key: string): number {
    return this.#counts.get(key) ?? 0
  }

  /** Of all keys together. */
  get total(): number {
    return this.#total
  }

  get counts(): ReadonlyMap<string, number> {
    return this.#counts
  }
}
