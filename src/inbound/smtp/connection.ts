/** One SMTP connection: its state, and a reply for each command, one after the other (RFC 5321 §4.1.4). */
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { asFault } from '../../model/fault.ts'
import { isRefusal } from '../../model/refusal.ts'
import type { EnvelopePath, SmtpSession } from '../../model/smtp-envelope.ts'
import { allFields, scanMessage } from '../../wire/mime/scan.ts'
import { mailParameterFault, parseCommand, parsePath, rcptParameterFault } from '../../wire/smtp/commands.ts'
import { SmtpFraming, type SmtpInput } from '../../wire/smtp/framing.ts'
import { type Reply, reply, replyToFault, replyToRefusal, writeReply } from '../../wire/smtp/replies.ts'
import type { SmtpServerOptions } from './server.ts'

export type Transaction =
  | { readonly phase: 'idle' }
  | { readonly phase: 'mail'; readonly from: EnvelopePath }
  | {
      readonly phase: 'rcpt'
      readonly from: EnvelopePath
      readonly to: readonly (EnvelopePath & { path: string })[]
    }

type ConnectionOptions = SmtpServerOptions & {
  readonly ip: string
  readonly port: number
  readonly secure: ((socket: Socket) => TLSSocket) | undefined
}

/** Longest command line: RFC 5321 §4.5.3.1.4 asks 512, parameters add to it. */
const lineOctets = 4096
/** Unread input above this stops reading from the socket: pipelining must not fill memory. */
const highWater = 1_048_576
const minimumRate = { octetsPerSecond: 512, afterMs: 60_000 }

export class SmtpConnection {
  readonly #options: ConnectionOptions
  readonly #framing: SmtpFraming
  #socket: Socket
  #session: SmtpSession
  #greeted = false
  #transaction: Transaction = { phase: 'idle' }
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
    this.#framing = new SmtpFraming({ lineOctets, messageOctets: options.limits.messageOctets })
    this.#session = {
      peer: options.peerOf(options.ip),
      ehlo: '',
      ip: options.ip,
      port: options.port,
      auth: null,
      tls: false,
      esmtp: false,
    }
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
    this.#leave(reply(421, '4.4.2', `${this.#options.host} waited too long`))
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
      if (answer && answer.code >= 500 && ++this.#errors > this.#options.limits.maxErrors) {
        this.#leave(reply(421, '4.7.0', `${this.#options.host} too many errors`))
        return
      }
    }
  }

  async #answer(input: SmtpInput): Promise<Reply | undefined> {
    try {
      if (input.kind === 'content') return await this.#content(input)
      if (input.kind === 'bad-line')
        return input.why === 'too-long'
          ? reply(500, '5.5.6', 'The line is too long')
          : reply(500, '5.5.2', 'A line must end with CR LF, and hold neither alone')
      return await this.#command(input.line)
    } catch (error) {
      const fault = asFault(error)
      if (fault.kind === 'bug')
        this.#options.log('error', 'SMTP command failed', { error: String(fault.cause) })
      return replyToFault(fault)
    }
  }

  #send(answer: Reply): void {
    this.#socket.write(writeReply(answer))
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

  #leave(answer: Reply): void {
    if (this.#closing) return
    this.#closing = true
    this.#socket.end(writeReply(answer))
    const socket = this.#socket
    setTimeout(() => socket.destroy(), 2000).unref()
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
    this.#leave(reply(421, '4.3.2', `${this.#options.host} is shutting down`))
  }

  async #command(line: string): Promise<Reply | undefined> {
    const { verb, argument } = parseCommand(line)
    switch (verb) {
      case 'EHLO':
      case 'HELO':
        return this.#hello(verb, argument)
      case 'MAIL':
        return this.#mail(argument)
      case 'RCPT':
        return this.#rcpt(argument)
      case 'DATA':
        return this.#startData(argument)
      case 'RSET':
        this.#transaction = { phase: 'idle' }
        return reply(250, '2.0.0', 'Reset')
      case 'NOOP':
        return reply(250, '2.0.0', 'OK')
      case 'QUIT':
        this.#leave(reply(221, '2.0.0', `${this.#options.host} closing`))
        return undefined
      case 'STARTTLS':
        return this.#startTls(argument)
      case 'VRFY':
        return reply(252, '2.5.2', 'Send the message, and see')
      case 'EXPN':
      case 'HELP':
      case 'ETRN':
      case 'TURN':
      case 'ATRN':
        return reply(502, '5.5.1', 'Not offered here')
      default:
        return reply(500, '5.5.1', 'The command is not known')
    }
  }

  #hello(verb: 'EHLO' | 'HELO', argument: string): Reply {
    const name = argument.trim()
    if (!/^[\x21-\x7e]{1,255}$/.test(name)) return reply(501, '5.5.4', 'Say who you are')
    this.#greeted = true
    this.#transaction = { phase: 'idle' }
    this.#session = { ...this.#session, ehlo: name, esmtp: verb === 'EHLO' }
    if (verb === 'HELO') return reply(250, undefined, this.#options.host)
    const { limits, smtputf8 } = this.#options
    return reply(
      250,
      undefined,
      this.#options.host,
      'PIPELINING',
      `SIZE ${limits.messageOctets}`,
      '8BITMIME',
      'ENHANCEDSTATUSCODES',
      'DSN',
      'DELIVERBY',
      ...(this.#options.secure && !this.#session.tls ? ['STARTTLS'] : []),
      ...(smtputf8 ? ['SMTPUTF8'] : []),
    )
  }

  #startTls(argument: string): Reply | undefined {
    const { secure } = this.#options
    if (!secure || this.#session.tls) return reply(502, '5.5.1', 'TLS is not offered now')
    if (argument !== '') return reply(501, '5.5.4', 'STARTTLS takes no argument')
    const plain = this.#socket
    plain.removeAllListeners('data')
    plain.removeAllListeners('timeout')
    plain.setTimeout(0)
    plain.write(writeReply(reply(220, '2.0.0', 'Go ahead')))
    // What was sent in the clear after STARTTLS is never obeyed (RFC 3207 §4.2).
    this.#framing.discard()
    this.#greeted = false
    this.#transaction = { phase: 'idle' }
    this.#session = { ...this.#session, ehlo: '', tls: true, esmtp: false }
    this.#attach(secure(plain))
    return undefined
  }

  #mail(argument: string): Reply {
    if (!this.#greeted) return reply(503, '5.5.1', 'EHLO comes first')
    if (this.#transaction.phase !== 'idle') return reply(503, '5.5.1', 'A transaction is open already')
    const parsed = parsePath(argument, 'FROM')
    if ('code' in parsed) return parsed
    const { limits, smtputf8 } = this.#options
    const fault = mailParameterFault(parsed.path.params, {
      smtputf8,
      messageOctets: limits.messageOctets,
      dsn: true,
    })
    if (fault) return fault
    // RFC 6531 §3.5: 550 at MAIL, 553 at RCPT.
    if (parsed.utf8 && !Object.hasOwn(parsed.path.params, 'SMTPUTF8'))
      return reply(550, '5.6.7', 'The address is not ASCII')
    this.#transaction = { phase: 'mail', from: parsed.path }
    return reply(250, '2.1.0', 'Sender OK')
  }

  async #rcpt(argument: string): Promise<Reply> {
    const transaction = this.#transaction
    if (transaction.phase === 'idle') return reply(503, '5.5.1', 'MAIL comes first')
    const parsed = parsePath(argument, 'TO')
    if ('code' in parsed) return parsed
    const smtputf8 = Object.hasOwn(transaction.from.params, 'SMTPUTF8')
    if (parsed.utf8 && !smtputf8) return reply(553, '5.6.7', 'The address is not ASCII')
    const fault = rcptParameterFault(parsed.path.params, smtputf8)
    if (fault) return fault
    const { path } = parsed.path
    if (path === null) return reply(553, '5.1.3', 'A recipient cannot be null')
    const to = transaction.phase === 'rcpt' ? transaction.to : []
    if (to.length >= this.#options.limits.maxRecipients) return reply(452, '4.5.3', 'Too many recipients')
    const checked = await this.#options.checkRecipient(path, this.#session, transaction.from.path)
    if (isRefusal(checked)) return replyToRefusal(checked)
    this.#transaction = { phase: 'rcpt', from: transaction.from, to: [...to, { ...parsed.path, path }] }
    return reply(250, '2.1.5', 'Recipient OK')
  }

  #startData(argument: string): Reply {
    if (argument !== '') return reply(501, '5.5.4', 'DATA takes no argument')
    if (this.#transaction.phase !== 'rcpt')
      return this.#transaction.phase === 'mail'
        ? reply(554, '5.5.1', 'There is no valid recipient')
        : reply(503, '5.5.1', 'MAIL comes first')
    this.#inContent = true
    this.#contentSince = performance.now()
    this.#contentOctets = 0
    this.#setTimer()
    this.#framing.expectContent()
    return reply(354, undefined, 'End with a line that holds a dot alone')
  }

  async #content(input: Extract<SmtpInput, { kind: 'content' }>): Promise<Reply> {
    const transaction = this.#transaction
    this.#transaction = { phase: 'idle' }
    this.#inContent = false
    this.#setTimer()
    if (transaction.phase !== 'rcpt') return reply(503, '5.5.1', 'MAIL comes first')
    const { limits } = this.#options
    if (input.defect === 'too-large')
      return reply(552, '5.3.4', `A message may have ${limits.messageOctets} octets`)
    if (input.defect) return reply(550, '5.6.0', 'The message holds a bare CR, a bare LF or a NUL')
    if (this.#receivedFields(input.octets) > limits.receivedFields)
      return reply(554, '5.4.6', `More than ${limits.receivedFields} Received fields: a loop`)
    const accepted = await this.#options.accept(
      {
        session: this.#session,
        mailFrom: transaction.from,
        rcptTo: transaction.to,
        receivedAt: Math.floor(this.#options.now() / 1000),
      },
      input.octets,
    )
    return isRefusal(accepted)
      ? replyToRefusal(accepted)
      : reply(250, '2.6.0', `Queued as ${accepted.queueId}`)
  }

  /** Of the top-level header only: its first 256 KiB at the most (SEC-021). */
  #receivedFields(octets: readonly Uint8Array[]): number {
    const head: Uint8Array[] = []
    let size = 0
    for (const piece of octets) {
      head.push(piece)
      size += piece.length
      if (size > 262_144) break
    }
    const whole = Buffer.concat(head)
    const end = whole.indexOf('\r\n\r\n')
    const header = whole.subarray(0, end < 0 ? 262_144 : end + 2)
    return allFields(header, scanMessage(header, { depth: 0, parts: 0 }), 'Received').length
  }
}
