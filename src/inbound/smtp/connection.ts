/** One SMTP connection: octets, times, TLS; inputs are answered one after the other (RFC 5321 §4.1.4). */
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { channelOf } from '../../auth/channel.ts'
import { asFault } from '../../model/fault.ts'
import { SmtpFraming, type SmtpInput } from '../../wire/smtp/framing.ts'
import { type Reply, reply, replyToFault, writeReply } from '../../wire/smtp/replies.ts'
import { responseOctets } from './commands/auth.ts'
import { Conversation, type ConversationOptions, commandOctets, type Line } from './conversation.ts'

type ConnectionOptions = ConversationOptions & {
  readonly secure: ((socket: Socket) => TLSSocket) | undefined
}

/** Unread input above this stops reading from the socket: pipelining must not fill memory. */
const highWater = 1_048_576
const minimumRate = { octetsPerSecond: 512, afterMs: 60_000 }

export class SmtpConnection implements Line {
  readonly #options: ConnectionOptions
  readonly #framing: SmtpFraming
  readonly #conversation: Conversation
  #socket: Socket
  #busy = false
  #inContent = false
  #closing = false
  #errors = 0
  #waiting = 0
  #deadline: NodeJS.Timeout | undefined
  #contentSince = 0
  #contentOctets = 0

  constructor(socket: Socket, options: ConnectionOptions) {
    this.#options = options
    this.#socket = socket
    const { messageOctets } = options.limits
    // AUTH may be followed by a whole response (RFC 4954 §4).
    const lineOctets = commandOctets + (options.submission ? responseOctets : 0)
    this.#framing = new SmtpFraming({ lineOctets, messageOctets })
    this.#conversation = new Conversation(options, this, socket instanceof TLSSocket)
    this.#attach(socket)
    this.#send(reply(220, undefined, `${options.host} ESMTP`))
  }

  #attach(socket: Socket): void {
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => this.#data(chunk))
    socket.on('error', () => socket.destroy())
    socket.on('timeout', () => this.#tooSlow())
    socket.once('close', () => clearTimeout(this.#deadline))
    this.#setTimer()
  }

  /** A command must be whole in time, however often a letter of it comes; content must not pause, nor crawl. */
  #setTimer(): void {
    const { commandMs, dataMs } = this.#options.limits
    clearTimeout(this.#deadline)
    this.#socket.setTimeout(this.#inContent ? dataMs : 0)
    if (this.#inContent) return
    this.#deadline = setTimeout(() => {
      // Whose answer we are still working on is not slow.
      if (this.#busy) this.#setTimer()
      else this.#tooSlow()
    }, commandMs)
  }

  #tooSlow(): void {
    this.leave(reply(421, '4.4.2', `${this.#options.host} waited too long`))
  }

  /** SEC-026: less than 512 octets a second after a minute. */
  #crawls(): boolean {
    const elapsed = performance.now() - this.#contentSince
    const patience = Math.min(minimumRate.afterMs, this.#options.limits.dataMs)
    return elapsed > patience && (this.#contentOctets * 1000) / elapsed < minimumRate.octetsPerSecond
  }

  #data(chunk: Buffer): void {
    if (this.#inContent && !this.#busy) {
      this.#contentOctets += chunk.length
      if (this.#crawls()) {
        this.#tooSlow()
        return
      }
    }
    this.#waiting += chunk.length
    this.#framing.push(chunk)
    if (this.#busy && this.#waiting > highWater) this.#socket.pause()
    this.#work()
  }

  /** Takes inputs until none is whole; one at a time, since a reply may have to wait for the disk. */
  #work(): void {
    if (this.#busy) return
    this.#busy = true
    this.#run()
      .catch((error: unknown) => {
        this.#options.log('error', 'SMTP connection failed', { error: String(error) })
        this.#socket.destroy()
      })
      .finally(() => {
        this.#busy = false
        this.#waiting = 0
        if (this.#socket.isPaused()) this.#socket.resume()
        // What arrived while the last answer was under way.
        if (this.#framing.hasPending && !this.#closing) this.#work()
      })
  }

  async #run(): Promise<void> {
    for (;;) {
      if (this.#closing) return
      const input = this.#framing.next()
      if (!input) return
      const answer = await this.#answer(input)
      if (answer) this.#send(answer)
      if (this.#socket.writableNeedDrain) await this.#drained()
      if (!this.#closing && !this.#inContent) this.#setTimer()
      // Chunks that were on their way when one failed are no errors of their own (BD-05).
      if (answer && answer.code >= 500 && input.kind !== 'chunk') {
        if (++this.#errors <= this.#options.limits.maxErrors) continue
        this.leave(reply(421, '4.7.0', `${this.#options.host} too many errors`))
        return
      }
    }
  }

  async #answer(input: SmtpInput): Promise<Reply | undefined> {
    if (input.kind === 'content' || input.kind === 'chunk') {
      this.#inContent = false
      this.#setTimer()
    }
    try {
      return await this.#conversation.answer(input)
    } catch (error) {
      const fault = asFault(error)
      if (fault.kind === 'bug')
        this.#options.log('error', 'SMTP command failed', { error: String(fault.cause) })
      return replyToFault(fault)
    }
  }

  /** Replies to commands that came together go out together (RFC 2920 §3.2). */
  #send(answer: Reply): void {
    const socket = this.#socket
    if (socket.writableCorked === 0) {
      socket.cork()
      process.nextTick(() => socket.uncork())
    }
    socket.write(writeReply(answer))
  }

  /** Who sends commands and reads no replies must not fill memory with them. */
  async #drained(): Promise<void> {
    const socket = this.#socket
    await new Promise<void>((resolve) => {
      const late = setTimeout(() => socket.destroy(), this.#options.limits.commandMs)
      const done = (): void => {
        clearTimeout(late)
        socket.off('drain', done)
        socket.off('close', done)
        resolve()
      }
      socket.on('drain', done)
      socket.on('close', done)
      if (socket.destroyed) done()
    })
    if (socket.destroyed) this.#closing = true
  }

  leave(answer: Reply): void {
    if (this.#closing) return
    this.#closing = true
    this.#socket.end(writeReply(answer))
    const socket = this.#socket
    setTimeout(() => socket.destroy(), 2000).unref()
  }

  /** The socket is closed. */
  ended(): void {
    this.#conversation.ended()
  }

  /** Ends the connection as it is: a message without its last octet was never accepted. */
  destroy(): void {
    this.#closing = true
    this.#socket.destroy()
  }

  /** The process stops: an open transaction may end, but no other begins. */
  shutdown(): void {
    if (this.#closing) return
    if (this.#busy || this.#inContent) {
      setTimeout(() => this.shutdown(), 50).unref()
      return
    }
    this.leave(reply(421, '4.3.2', `${this.#options.host} is shutting down`))
  }

  expectContent(): void {
    this.#beginContent()
    this.#framing.expectContent()
  }

  expectChunk(octets: number, keep: boolean): void {
    this.#beginContent()
    this.#framing.expectChunk(octets, keep)
  }

  #beginContent(): void {
    this.#inContent = true
    this.#contentSince = performance.now()
    this.#contentOctets = 0
    this.#setTimer()
  }

  channel(): ReturnType<Line['channel']> {
    return channelOf(this.#socket, this.#options.submission?.allowPlaintext ?? 'never')
  }

  tlsVersion(): string | undefined {
    return this.#socket instanceof TLSSocket ? (this.#socket.getProtocol() ?? undefined) : undefined
  }

  startTls(): void {
    const { secure } = this.#options
    if (!secure) return
    const plain = this.#socket
    plain.removeAllListeners('data')
    plain.removeAllListeners('timeout')
    plain.setTimeout(0)
    // What was answered before goes out before TLS takes the socket over.
    plain.uncork()
    plain.write(writeReply(reply(220, '2.0.0', 'Go ahead')))
    // What was sent in the clear after STARTTLS is never obeyed (RFC 3207 §4.2).
    this.#framing.discard()
    this.#conversation.forget()
    this.#attach(secure(plain))
  }
}
