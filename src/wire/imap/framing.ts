/** Cuts the octets of a client into commands: lines, with literals between them (RFC 3501 §2.2, §4.3; RFC 7888). */

/** Text as an octet string, literals as octets; they alternate, and text comes first and last. */
export type CommandPart = string | Buffer

/** A literal that is kept elsewhere, to be read back when its command is complete. */
export interface LargeLiteral {
  readonly octets: number
  /** Given and not yet kept: whoever reads the client waits while there is much of it. */
  readonly waiting: number
  write(piece: Buffer): void
  abort(): void
}

export type ReceivedPart = CommandPart | LargeLiteral

/** Where literals are gathered. */
export interface LiteralStore {
  /** undefined: in memory, and counted until release(). `onDrained`: nothing of it waits any more. */
  begin(octets: number, onDrained: () => void): LargeLiteral | undefined
  release(octets: number): void
}

/** A literal under way: in memory, or in `large`. */
interface Gathered {
  left: number
  readonly chunks: Buffer[]
  readonly large: LargeLiteral | undefined
}

/** All in memory, without a count. */
const inMemory: LiteralStore = { begin: () => undefined, release: () => {} }

export interface FramingLimits {
  /** Text of one command, its literals not counted. */
  readonly lineOctets: number
  /** All literals of one command but the message of APPEND. */
  readonly literalOctets: number
  /** The message of APPEND; 0 before login. */
  readonly messageOctets: number
}

export type FramingEvent =
  /** Its large literals are the caller's from here on. */
  | { readonly kind: 'command'; readonly parts: readonly ReceivedPart[] }
  | { readonly kind: 'line'; readonly text: string }
  /** A synchronising literal is announced: the caller answers with accept() or refuse() before next(). */
  | { readonly kind: 'literal'; readonly octets: number; readonly parts: readonly ReceivedPart[] }
  | {
      readonly kind: 'bad'
      readonly tag: string | undefined
      readonly why: 'line-too-long' | 'literal-too-large' | 'literal-size'
      /** It cannot be told where the next command begins: the connection must be closed. */
      readonly fatal: boolean
    }

type Why = Extract<FramingEvent, { kind: 'bad' }>['why']

/** RFC 3501 §9 number: 32 bits without sign. */
const maxNumber = 4_294_967_295
/** Commands whose literals may be messages: APPEND (RFC 3501 §6.3.11) and REPLACE (RFC 8508). */
const carriesMessage = /^[^ ]{1,256} (?:append|(?:uid )?replace (?:\d{1,10}|\*)) /i
const mailboxIsLiteral = /^[^ ]+ (?:append|(?:uid )?replace (?:\d+|\*)) \{\d+\+?\}$/i
/** Octets of a refused line that are kept, to find a literal at its end. */
const tailOctets = 64

export class CommandFraming {
  /** Replaced when the state changes. */
  limits: FramingLimits
  /** Called when the octets that waited for their file are in it. */
  onDrained: () => void = () => {}
  readonly #store: LiteralStore
  /** Of the command under way, in memory. */
  #counted = 0
  readonly #chunks: Buffer[] = []
  #at = 0
  #queued = 0
  /** The line under way. */
  #pieces: Buffer[] = []
  #lineOctets = 0
  #lastOctet = -1
  /** The command under way. */
  #parts: ReceivedPart[] = []
  #textOctets = 0
  #literalOctets = 0
  #announced: { readonly octets: number } | undefined
  #literal: Gathered | undefined
  #rejected: { readonly tag: string | undefined; readonly why: Why } | undefined
  #swallow = 0

  constructor(limits: FramingLimits, store: LiteralStore = inMemory) {
    this.limits = limits
    this.#store = store
  }

  /** Octets that next() has not looked at, or that wait for their file. */
  get queued(): number {
    return this.#queued + (this.#literal?.large?.waiting ?? 0)
  }

  /** A command has begun and waits for a literal: nothing may be told that would change what it means (UR-02). */
  get halfway(): boolean {
    return this.#parts.length > 0 || this.#announced !== undefined || this.#literal !== undefined
  }

  push(chunk: Buffer): void {
    if (chunk.length === 0) return
    this.#chunks.push(chunk)
    this.#queued += chunk.length
  }

  /** Takes what next() has not looked at: it belongs to another layer (RFC 4978 §3). */
  takeQueued(): Buffer {
    const rest = Buffer.concat(this.#chunks).subarray(this.#at)
    this.#chunks.length = 0
    this.#at = 0
    this.#queued = 0
    return rest
  }

  /** Forgets everything: what was sent in the clear behind STARTTLS is never obeyed (SC-01). */
  discard(): void {
    this.#chunks.length = 0
    this.#at = 0
    this.#queued = 0
    this.#pieces = []
    this.#lineOctets = 0
    this.#lastOctet = -1
    this.#swallow = 0
    this.#reset()
  }

  /** The client may send the literal; the caller has written "+ ". */
  accept(): void {
    const announced = this.#announced
    if (announced) this.#begin(announced.octets)
    this.#announced = undefined
  }

  /** The literal was answered by NO or BAD: what comes next is a new command (SY-03). */
  refuse(): void {
    this.#announced = undefined
    this.#reset()
  }

  /** 'line': the next line is no command but an answer (AUTHENTICATE, IDLE). undefined: more octets are needed. */
  next(mode: 'command' | 'line' = 'command'): FramingEvent | undefined {
    for (;;) {
      if (this.#announced) return undefined
      if (this.#swallow > 0) {
        while (this.#swallow > 0 && this.#chunks.length > 0)
          this.#swallow -= this.#take(this.#swallow)?.length ?? 0
        if (this.#swallow > 0) return undefined
      }
      if (this.#literal) {
        const literal = this.#fill(this.#literal)
        if (!literal) return undefined
        this.#parts.push(literal)
        this.#literal = undefined
      }
      const text = this.#takeLine()
      if (text === undefined) return undefined
      const event = this.#line(text, mode)
      if (event) return event
    }
  }

  #fill(into: Gathered): Buffer | LargeLiteral | undefined {
    while (into.left > 0 && this.#chunks.length > 0) {
      const piece = this.#take(into.left)
      if (!piece) break
      into.left -= piece.length
      if (into.large) into.large.write(piece)
      else into.chunks.push(piece)
    }
    if (into.left > 0) return undefined
    if (into.large) return into.large
    const [only] = into.chunks
    return into.chunks.length === 1 && only ? only : Buffer.concat(into.chunks)
  }

  #line(text: string, mode: 'command' | 'line'): FramingEvent | undefined {
    if (mode === 'line' && this.#parts.length === 0) {
      const rejected = this.#rejected
      this.#reset()
      return rejected ? { kind: 'bad', ...rejected, fatal: false } : { kind: 'line', text }
    }
    const announced = literalAtEnd(text)
    if (announced && announced.octets > maxNumber) {
      const tag = this.#rejected?.tag ?? tagOf(this.#parts[0] ?? text)
      this.#reset()
      return { kind: 'bad', tag, why: 'literal-size', fatal: !announced.sync }
    }
    if (!this.#rejected && announced && !this.#fits(text, announced.octets))
      this.#rejected = { tag: tagOf(this.#parts[0] ?? text), why: 'literal-too-large' }
    if (this.#rejected) {
      // The literal belongs to the command that was refused, and so does the line behind it (LT-02, LT-03).
      if (announced && !announced.sync) {
        this.#swallow = announced.octets
        return undefined
      }
      const rejected = this.#rejected
      this.#reset()
      return { kind: 'bad', ...rejected, fatal: false }
    }
    this.#textOctets += text.length + 2
    if (!announced) {
      this.#parts.push(text)
      const parts = this.#parts
      this.#parts = []
      this.#reset()
      return { kind: 'command', parts }
    }
    this.#parts.push(text.slice(0, announced.start))
    if (announced.sync) {
      this.#announced = announced
      return { kind: 'literal', octets: announced.octets, parts: this.#parts }
    }
    this.#begin(announced.octets)
    return undefined
  }

  #begin(octets: number): void {
    this.#literalOctets += octets
    const large = this.#store.begin(octets, () => this.onDrained())
    if (!large) this.#counted += octets
    this.#literal = { left: octets, chunks: [], large }
  }

  /** The mailbox of APPEND is a small literal, what follows it is the message. */
  #fits(text: string, octets: number): boolean {
    const first = this.#parts[0] ?? text
    const isAppend = typeof first === 'string' && carriesMessage.test(first.slice(0, 300))
    const isMessage = isAppend && (this.#parts.length > 0 || !mailboxIsLiteral.test(text))
    const { literalOctets, messageOctets } = this.limits
    return isMessage
      ? octets <= messageOctets && this.#literalOctets + octets <= messageOctets + literalOctets
      : this.#literalOctets + octets <= literalOctets
  }

  #reset(): void {
    for (const part of this.#parts) if (isLarge(part)) part.abort()
    this.#literal?.large?.abort()
    if (this.#counted > 0) this.#store.release(this.#counted)
    this.#counted = 0
    this.#parts = []
    this.#textOctets = 0
    this.#literalOctets = 0
    this.#literal = undefined
    this.#rejected = undefined
    this.#announced = undefined
  }

  /** At most `most` octets of the oldest chunk. */
  #take(most: number): Buffer | undefined {
    const chunk = this.#chunks[0]
    if (!chunk) return undefined
    const piece = chunk.subarray(this.#at, Math.min(chunk.length, this.#at + most))
    this.#at += piece.length
    this.#queued -= piece.length
    if (this.#at >= chunk.length) {
      this.#chunks.shift()
      this.#at = 0
    }
    return piece
  }

  /** A line ends with CR LF and nothing else (SY-24). */
  #takeLine(): string | undefined {
    for (;;) {
      const chunk = this.#chunks[0]
      if (!chunk) return undefined
      const lf = chunk.indexOf(10, this.#at)
      const piece = this.#take((lf < 0 ? chunk.length : lf + 1) - this.#at)
      if (!piece) return undefined
      const before = piece.length > 1 ? piece[piece.length - 2] : this.#lastOctet
      this.#lastOctet = piece[piece.length - 1] ?? -1
      this.#hold(piece)
      if (lf >= 0 && before === 13) {
        const text = Buffer.concat(this.#pieces).toString('latin1').slice(0, -2)
        this.#pieces = []
        this.#lineOctets = 0
        this.#lastOctet = -1
        return text
      }
    }
  }

  #hold(piece: Buffer): void {
    this.#pieces.push(piece)
    this.#lineOctets += piece.length
    if (this.#textOctets + this.#lineOctets <= this.limits.lineOctets && !this.#rejected) return
    const whole = Buffer.concat(this.#pieces)
    this.#rejected ??= {
      tag: tagOf(this.#parts[0] ?? whole.toString('latin1', 0, 300)),
      why: 'line-too-long',
    }
    this.#pieces = [Buffer.from(whole.subarray(-tailOctets))]
  }
}

/** A literal that a line ends with: {n} or {n+}. Anything else in braces is for the parser to refuse (SY-06). */
function literalAtEnd(text: string): { octets: number; sync: boolean; start: number } | undefined {
  if (!text.endsWith('}')) return undefined
  const tail = text.slice(-tailOctets)
  const match = /\{(\d+)(\+?)\}$/.exec(tail)
  if (!match) return undefined
  return {
    octets: Number(match[1]),
    sync: match[2] === '',
    start: text.length - tail.length + match.index,
  }
}

export const isLarge = (part: ReceivedPart): part is LargeLiteral =>
  typeof part !== 'string' && !Buffer.isBuffer(part)

/** The tag, where the line begins with one (RFC 3501 §9 tag). */
export function tagOf(first: ReceivedPart): string | undefined {
  if (typeof first !== 'string') return undefined
  return /^([^\x00-\x20(){%*"\\+\x7f-\xff]{1,256})(?: |$)/.exec(first)?.[1]
}
