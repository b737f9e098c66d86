/** How many there are of each key; a key of which there are none is not kept. */
export class Tally {
  readonly #counts = new Map<string, number>()

  add(key: string, by = 1): void {
    const now = this.of(key) + by
    if (now > 0) this.#counts.set(key, now)
    else this.#counts.delete(key)
  }

  of(key: string): number {
    return this.#counts.get(key) ?? 0
  }

  get counts(): ReadonlyMap<string, number> {
    return this.#counts
  }
}
