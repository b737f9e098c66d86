/** Content that comes in pieces: small ones are copied together, so that a million of them cost what they hold. */
const small = 16_384
const blockOctets = 65_536

export class Gathered {
  #pieces: Uint8Array[] = []
  #block = Buffer.alloc(0)
  #used = 0
  #octets = 0

  get octets(): number {
    return this.#octets
  }

  add(octets: Uint8Array): void {
    this.#octets += octets.length
    if (octets.length >= small) {
      this.#close()
      this.#pieces.push(octets)
      return
    }
    if (this.#used + octets.length > this.#block.length) {
      this.#close()
      this.#block = Buffer.allocUnsafeSlow(blockOctets)
    }
    this.#block.set(octets, this.#used)
    this.#used += octets.length
  }

  #close(): void {
    if (this.#used > 0) this.#pieces.push(this.#block.subarray(0, this.#used))
    this.#block = this.#block.subarray(this.#used)
    this.#used = 0
  }

  /** All of it, in order. */
  take(): readonly Uint8Array[] {
    this.#close()
    return this.#pieces
  }
}
