/** WSP primitives to octets (WAP-230 §8.1.2, §8.4.2; MAP-223). Text loses its NULs, which it cannot carry. */

const utf8Mib = 106

export class Writer {
  readonly #pieces: Uint8Array[] = []
  #length = 0

  get length(): number {
    return this.#length
  }

  octets(piece: Uint8Array): this {
    this.#pieces.push(piece)
    this.#length += piece.length
    return this
  }

  /** What another writer holds, without a copy of it. */
  all(other: Writer): this {
    for (const piece of other.#pieces) this.#pieces.push(piece)
    this.#length += other.#length
    return this
  }

  octet(value: number): this {
    return this.octets(Uint8Array.of(value & 0xff))
  }

  uintvar(value: number): this {
    const octets = [value % 128]
    for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128))
      octets.unshift((rest % 128) | 0x80)
    return this.octets(Uint8Array.from(octets))
  }

  shortInteger(value: number): this {
    return this.octet(value | 0x80)
  }

  longInteger(value: number): this {
    const octets: number[] = []
    let rest = value
    do {
      octets.unshift(rest % 256)
      rest = Math.floor(rest / 256)
    } while (rest > 0)
    return this.octet(octets.length).octets(Uint8Array.from(octets))
  }

  integer(value: number): this {
    return value < 128 ? this.shortInteger(value) : this.longInteger(value)
  }

  /** A value-length and what it counts. */
  counted(write: (inner: Writer) => void): this {
    const inner = new Writer()
    write(inner)
    if (inner.length < 31) this.octet(inner.length)
    else this.octet(31).uintvar(inner.length)
    return this.all(inner)
  }

  text(value: string): this {
    const octets = Buffer.from(value.replaceAll('\0', '').toWellFormed(), 'utf8')
    if ((octets[0] ?? 0) >= 0x7f) this.octet(0x7f)
    return this.octets(octets).octet(0)
  }

  /** ASCII as it is; anything else, and what could be taken for a length, as UTF-8 with its charset. */
  encodedString(value: string): this {
    const text = value.replaceAll('\0', '')
    if (/^$|^[\x20-\x7e][\x01-\x7f]*$/.test(text)) return this.text(text)
    return this.counted((inner) => inner.integer(utf8Mib).text(text))
  }

  whole(): Buffer {
    return Buffer.concat(this.#pieces)
  }
}
