/**
 * Answers on their way to the client: text is gathered and goes out in large pieces, and whoever writes much waits for the
 * client (FE-28). Strings are octet strings.
 */

import { Fault } from '../model/fault.ts'
import { responseText } from '../wire/imap/encode.ts'
import type { Reply } from './command.ts'

export interface Sink {
  /** `apart`: under COMPRESS, nothing else may be guessed from its length, nor it from others' (CO-12). */
  write(octets: Buffer | string, apart?: boolean): void
  /** Octets that the client has not taken. */
  readonly waiting: number
  /** Resolves when the client has taken enough; rejects when it is gone. */
  drained(): Promise<void>
}

const pieceCharacters = 65_536
/** Octets waiting for a client before its commands pause; and when all clients together have much waiting. */
const highWater = 1_048_576
const lowWater = 65_536

/** What waits for all clients of a server, as each session last saw it. */
export interface Outgoing {
  octets: number
  readonly limit: number
}

export class Out {
  readonly #sink: Sink
  readonly #outgoing: Outgoing
  /** Of `outgoing`, this client's. */
  #counted = 0
  readonly #onTaken: () => void
  #text = ''
  #halfway = false

  /** `onTaken`: the client has taken a good part of a long answer. */
  constructor(sink: Sink, outgoing: Outgoing, onTaken: () => void) {
    this.#sink = sink
    this.#outgoing = outgoing
    this.#onTaken = onTaken
  }

  /** A response has begun whose end was not written: whatever else is said would be taken for a piece of it. */
  get halfway(): boolean {
    return this.#halfway
  }

  /** Text of a line under way. */
  text(octets: string): void {
    this.#text += octets
    this.#mark(octets)
    if (this.#text.length >= pieceCharacters) this.flush()
  }

  /** A line end ends a response, unless it ends the announcement of a literal. */
  #mark(octets: string): void {
    if (octets !== '') this.#halfway = !octets.endsWith('\n') || octets.endsWith('}\r\n')
  }

  /** One untagged response, without `* ` and line end. Whole: how it ends need not be looked at. */
  untagged(octets: string): void {
    this.#text += `* ${octets}\r\n`
    this.#halfway = false
    if (this.#text.length >= pieceCharacters) this.flush()
  }

  /** A status response with an optional code. */
  status(tag: string, reply: Omit<Reply, 'status'> & { readonly status: Reply['status'] | 'BYE' }): void {
    const code = reply.code === undefined ? '' : `[${reply.code}] `
    this.text(`${tag} ${reply.status} ${code}${responseText(reply.text)}\r\n`)
  }

  /** Text that holds a secret: under COMPRESS it shares no dictionary with anything else (CO-12). */
  secret(octets: string): void {
    this.flush()
    this.#mark(octets)
    this.#sink.write(octets, true)
  }

  continuation(text: string): void {
    this.text(`+ ${text}\r\n`)
    this.flush()
  }

  octets(octets: Uint8Array): void {
    if (octets.length === 0) return
    const buffer = Buffer.from(octets.buffer, octets.byteOffset, octets.length)
    if (octets.length <= 4096) {
      this.text(buffer.toString('latin1'))
      this.#halfway = true
      return
    }
    this.flush()
    this.#halfway = true
    this.#sink.write(buffer)
  }

  /**
   * The octets of a literal that was announced with `size`, at the client's pace.
   * @throws Fault 'bug' when they are not as many: the connection cannot go on (FE-27)
   */
  async stream(size: number, content: AsyncIterable<Uint8Array>): Promise<void> {
    let left = size
    for await (const chunk of content) {
      left -= chunk.length
      if (left < 0) break
      this.octets(chunk)
      await this.ready()
    }
    if (left !== 0) throw new Fault('bug', 'a literal has not the size that was announced')
  }

  /** A literal whose octets are at hand. */
  literal(octets: Uint8Array): void {
    this.text(`{${octets.length}}\r\n`)
    this.octets(octets)
  }

  flush(): void {
    if (this.#text === '') return
    this.#sink.write(this.#text)
    this.#text = ''
  }

  /** The client has so much left to read that it must be waited for. */
  get full(): boolean {
    const waiting = this.count()
    return (
      waiting >= lowWater && waiting >= (this.#outgoing.octets > this.#outgoing.limit ? lowWater : highWater)
    )
  }

  /** Brings the sum up to date; returns this client's share. */
  count(): number {
    const { waiting } = this.#sink
    this.#outgoing.octets += waiting - this.#counted
    this.#counted = waiting
    return waiting
  }

  /** The client is gone, or as good as that: nothing of its is waited for any more. */
  uncount(): void {
    this.#outgoing.octets -= this.#counted
    this.#counted = 0
  }

  /** To be awaited between pieces of a long answer. */
  async ready(): Promise<void> {
    if (!this.full) return
    this.flush()
    await this.#sink.drained()
    this.#onTaken()
  }
}
