/**
 * SMTP octets to command lines and message content, incrementally: the same values however the octets are cut.
 * Lines end with CRLF alone; content ends with CRLF.CRLF alone (RFC 5321 §2.3.8, §4.1.1.4, §4.5.2; SEC-012, SEC-013), or
 * after as many octets as were announced (RFC 3030 §2).
 */

export type SmtpInput =
  | { readonly kind: 'command'; readonly line: string }
  /** A line over the limit, or one with a bare CR or LF; it was skipped up to its CRLF. */
  | { readonly kind: 'bad-line'; readonly why: 'too-long' | 'bare-line-end' }
  | {
      readonly kind: 'content'
      /** Dot-stuffing removed; empty when `defect` is set. */
      readonly octets: readonly Uint8Array[]
      readonly size: number
      readonly defect?: 'too-large' | 'bare-line-end' | 'nul' | undefined
    }
  | {
      readonly kind: 'chunk'
      /** As they came; empty when they were only skipped. */
      readonly octets: readonly Uint8Array[]
    }

export interface SmtpLimits {
  readonly lineOctets: number
  readonly messageOctets: number
}

const LF = 10
const CR = 13
const DOT = 46

export class SmtpFraming {
  readonly #limits: SmtpLimits
  #queue: Buffer[] = []
  #mode: 'line' | 'content' | 'chunk' = 'line'
  #line: Buffer[] = []
  #lineLength = 0
  #tooLong = false
  #lastCr = false
  #content = new ContentDecoder(0)
  #chunk: { left: number; readonly keep: boolean; readonly pieces: Buffer[] } = {
    left: 0,
    keep: false,
    pieces: [],
  }

  constructor(limits: SmtpLimits) {
    this.#limits = limits
  }

  push(octets: Uint8Array): void {
    if (octets.length > 0) this.#queue.push(Buffer.from(octets.buffer, octets.byteOffset, octets.length))
  }

  /** Whether octets wait that no call of next() has taken yet. */
  get hasPending(): boolean {
    return this.#queue.length > 0 || (this.#mode === 'chunk' && this.#chunk.left === 0)
  }

  /** What was received but not yet taken is thrown away (STARTTLS, RFC 3207 §4.2). */
  discard(): void {
    this.#queue = []
    this.#resetLine()
  }

  /** The next input is message content up to CRLF.CRLF. */
  expectContent(): void {
    this.#mode = 'content'
    this.#content = new ContentDecoder(this.#limits.messageOctets)
  }

  /** The next input is a chunk of so many octets; with `keep` false they are counted, and take no memory. */
  expectChunk(octets: number, keep: boolean): void {
    this.#mode = 'chunk'
    this.#chunk = { left: octets, keep, pieces: [] }
  }

  /** The next whole input; undefined when more octets are needed. */
  next(): SmtpInput | undefined {
    for (;;) {
      if (this.#mode === 'chunk' && this.#chunk.left === 0) {
        this.#mode = 'line'
        return { kind: 'chunk', octets: this.#chunk.pieces }
      }
      const chunk = this.#queue.shift()
      if (!chunk) return undefined
      if (this.#mode === 'content') {
        const rest = this.#content.push(chunk)
        if (rest === undefined) continue
        if (rest.length > 0) this.#queue.unshift(rest)
        this.#mode = 'line'
        return this.#content.result()
      }
      if (this.#mode === 'chunk') {
        this.#takeChunk(chunk)
        continue
      }
      const input = this.#takeLine(chunk)
      if (input) return input
    }
  }

  #takeChunk(piece: Buffer): void {
    const chunk = this.#chunk
    const taken = piece.subarray(0, chunk.left)
    chunk.left -= taken.length
    if (chunk.keep && taken.length > 0) chunk.pieces.push(taken)
    if (taken.length < piece.length) this.#queue.unshift(piece.subarray(taken.length))
  }

  #takeLine(chunk: Buffer): SmtpInput | undefined {
    let from = 0
    for (;;) {
      const lf = chunk.indexOf(LF, from)
      if (lf < 0) {
        this.#keep(chunk)
        this.#lastCr = chunk[chunk.length - 1] === CR
        return undefined
      }
      const afterCr = lf === 0 ? this.#lastCr : chunk[lf - 1] === CR
      if (!afterCr) {
        // A bare LF does not end a line; the line goes on and is refused as a whole.
        from = lf + 1
        continue
      }
      this.#keep(chunk.subarray(0, lf + 1))
      if (lf + 1 < chunk.length) this.#queue.unshift(chunk.subarray(lf + 1))
      const line = Buffer.concat(this.#line).toString('latin1').slice(0, -2)
      const tooLong = this.#tooLong
      this.#resetLine()
      if (tooLong) return { kind: 'bad-line', why: 'too-long' }
      if (/[\r\n]/.test(line)) return { kind: 'bad-line', why: 'bare-line-end' }
      return { kind: 'command', line }
    }
  }

  #keep(piece: Buffer): void {
    this.#lineLength += piece.length
    if (this.#lineLength > this.#limits.lineOctets) {
      this.#tooLong = true
      this.#line = []
    } else this.#line.push(piece)
  }

  #resetLine(): void {
    this.#line = []
    this.#lineLength = 0
    this.#tooLong = false
    this.#lastCr = false
  }
}

/** States between octets of the content. */
type At = 'line-start' | 'in-line' | 'cr' | 'dot' | 'dot-cr'

class ContentDecoder {
  readonly #limit: number
  #at: At = 'line-start'
  #pieces: Buffer[] = []
  #size = 0
  #defect: 'too-large' | 'bare-line-end' | 'nul' | undefined

  constructor(limit: number) {
    this.#limit = limit
  }

  /** undefined: the end has not come. Else what follows the end. */
  push(chunk: Buffer): Buffer | undefined {
    const seek = seeker(chunk)
    // Octets from `from` on are content not yet kept.
    let from = 0
    let i = 0
    while (i < chunk.length) {
      const c = chunk[i] ?? 0
      switch (this.#at) {
        case 'line-start':
          if (c === DOT) {
            // The dot is either stuffing or the end: it is never content itself.
            this.#keep(chunk.subarray(from, i))
            from = i + 1
            this.#at = 'dot'
            i++
            continue
          }
          this.#at = 'in-line'
          continue
        case 'in-line': {
          const next = seek.lineEnd(i)
          if (!this.#defect && seek.nul(i) < next) this.#fail('nul')
          if (next === chunk.length) {
            i = next
            continue
          }
          if (chunk[next] === LF) this.#fail('bare-line-end')
          else this.#at = 'cr'
          i = next + 1
          continue
        }
        case 'cr':
          if (c === LF) {
            this.#at = 'line-start'
            i++
          } else {
            this.#fail('bare-line-end')
            this.#at = 'in-line'
          }
          continue
        case 'dot':
          if (c === CR) {
            from = i + 1
            this.#at = 'dot-cr'
            i++
          } else this.#at = 'in-line'
          continue
        case 'dot-cr':
          if (c === LF) return chunk.subarray(i + 1)
          // ".<CR>x": the CR after the dot was content of a broken line.
          this.#fail('bare-line-end')
          this.#at = 'in-line'
          continue
      }
    }
    this.#keep(chunk.subarray(from))
    return undefined
  }

  #keep(piece: Buffer): void {
    this.#size += piece.length
    if (this.#size > this.#limit) this.#fail('too-large')
    if (!this.#defect && piece.length > 0) this.#pieces.push(piece)
  }

  #fail(why: 'too-large' | 'bare-line-end' | 'nul'): void {
    this.#defect ??= why
    this.#pieces = []
  }

  result(): SmtpInput {
    return {
      kind: 'content',
      octets: this.#pieces,
      size: this.#size,
      ...(this.#defect ? { defect: this.#defect } : {}),
    }
  }
}

/**
 * Finds what a line may end at, and NUL, at places that only go forward: each is looked for once however short the lines
 * are. In a string the search costs a few nanoseconds a line, in a buffer ten times that.
 */
function seeker(chunk: Buffer): { lineEnd(from: number): number; nul(from: number): number } {
  const text = chunk.toString('latin1')
  const next = (of: string): ((from: number) => number) => {
    let found = -1
    return (from) => {
      if (found < from) {
        const at = text.indexOf(of, from)
        found = at < 0 ? text.length : at
      }
      return found
    }
  }
  const cr = next('\r')
  const lf = next('\n')
  return { lineEnd: (from) => Math.min(cr(from), lf(from)), nul: next('\0') }
}
