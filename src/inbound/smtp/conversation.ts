/** What was said on one SMTP connection so far, and what is answered to the next line (RFC 5321 §4.1.4). */
import type { Channel } from '../../auth/channel.ts'
import type { Account } from '../../auth/credentials.ts'
import type { SmtpSession } from '../../model/smtp-envelope.ts'
import { parseCommand } from '../../wire/smtp/commands.ts'
import type { SmtpInput } from '../../wire/smtp/framing.ts'
import { type Reply, reply } from '../../wire/smtp/replies.ts'
import type { SmtpCommand } from './command.ts'
import type { Profile } from './profile.ts'
import type { SmtpServerOptions } from './server.ts'
import { idle, type Transaction } from './transaction.ts'

/** What commands ask of the connection below. */
export interface Line {
  /** The next input is content up to CRLF.CRLF. */
  expectContent(): void
  /** The next input is a chunk of so many octets; with `keep` false they are counted and dropped. */
  expectChunk(octets: number, keep: boolean): void
  /** Answers 220 and begins the handshake. */
  startTls(): void
  leave(last: Reply): void
  /** For SASL: what the connection is at this moment. */
  channel(): Channel
  /** 'TLSv1.3' ...; undefined in the clear. */
  tlsVersion(): string | undefined
}

export interface ConversationOptions extends SmtpServerOptions {
  readonly profile: Profile
  readonly ip: string
  readonly port: number
  /** TLS can be had. */
  readonly hasTls: boolean
  /** Counts one more session of the account; false: it has as many as it may have. */
  readonly enter: (account: Account) => boolean
  readonly leave: (account: Account) => void
}

/** Longest command line: RFC 5321 §4.5.3.1.4 asks 512, parameters add to it. Responses of AUTH may be longer. */
export const commandOctets = 4096

export class Conversation {
  readonly options: ConversationOptions
  readonly line: Line
  session: SmtpSession
  greeted = false
  transaction: Transaction = idle
  /** Who was authenticated. */
  account: Account | undefined
  /** Takes the next input instead of the commands: content, or a response of an AUTH exchange. */
  next: ((input: SmtpInput) => Promise<Reply | undefined>) | undefined

  constructor(options: ConversationOptions, line: Line, tls: boolean) {
    this.options = options
    this.line = line
    this.session = {
      peer: options.profile.name === 'mx' ? options.peerOf(options.ip) : null,
      ehlo: '',
      ip: options.ip,
      port: options.port,
      auth: null,
      tls,
      esmtp: false,
    }
  }

  async answer(input: SmtpInput): Promise<Reply | undefined> {
    const { next } = this
    if (next) {
      this.next = undefined
      return next(input)
    }
    if (input.kind === 'bad-line')
      return input.why === 'too-long'
        ? reply(500, '5.5.2', 'The line is too long')
        : reply(500, '5.5.2', 'A line must end with CR LF, and hold neither alone')
    if (input.kind !== 'command') return reply(503, '5.5.1', 'MAIL comes first')
    const { verb, argument } = parseCommand(input.line)
    const command = this.options.profile.commands.get(verb)
    if (!command) return reply(500, '5.5.1', 'The command is not known')
    const why = this.#refused(command, input.line)
    if (!why) return command.run(argument, this)
    return command.refused ? command.refused(argument, this, why) : why
  }

  #refused(command: SmtpCommand, line: string): Reply | undefined {
    if (line.length > commandOctets && command.verb !== 'AUTH')
      return reply(500, '5.5.2', 'The line is too long')
    const { submission } = this.options
    if (!submission || command.verb === 'QUIT') return undefined
    const { tls } = this.session
    // RFC 3207 §4.1: TLS, but less of it than is asked here.
    if (tls && submission.minimumTls === 'TLSv1.3' && this.line.tlsVersion() !== 'TLSv1.3')
      return reply(554, '5.7.0', 'TLS 1.3 is needed here')
    if (submission.tlsFirst && !tls && command.before !== 'tls')
      return reply(530, '5.7.0', 'STARTTLS comes first')
    if (!this.account && command.before === undefined) return reply(530, '5.7.0', 'AUTH comes first')
    return undefined
  }

  /** TLS began: as after the greeting, nothing of before counts (RFC 3207 §4.2). */
  forget(): void {
    this.ended()
    this.greeted = false
    this.transaction = idle
    this.next = undefined
    this.session = { ...this.session, ehlo: '', tls: true, esmtp: false }
  }

  /** The connection is no session of the account any more. */
  ended(): void {
    if (this.account) this.options.leave(this.account)
    this.account = undefined
    this.session = { ...this.session, auth: null }
  }

  /** The keywords of EHLO now, each with its parameters. */
  keywords(): readonly string[] {
    return this.options.profile.extensions.flatMap((extension) => extension.keyword(this) ?? [])
  }
}
