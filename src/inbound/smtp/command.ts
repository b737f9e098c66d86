/** A command of SMTP: what it declares is checked for it, once for all commands. */
import type { Reply } from '../../wire/smtp/replies.ts'
import type { Conversation } from './conversation.ts'

export interface SmtpCommand {
  readonly verb: string
  readonly source: string
  /**
   * May come before AUTH where that is demanded (RFC 4954 §6); with 'tls', also before STARTTLS where that is (RFC 3207
   * §4). Absent: neither.
   */
  readonly before?: 'auth' | 'tls'
  /** undefined: the reply comes later, or the connection has changed hands. */
  run(argument: string, conversation: Conversation): Promise<Reply | undefined> | Reply | undefined
  /** What a refused command leaves to be done before its reply: content that stands behind it is skipped. */
  refused?(argument: string, conversation: Conversation, why: Reply): Reply | undefined
}

/** A service extension (RFC 5321 §2.2): what is told of it, and its commands. Told means registered, and nothing else. */
export interface SmtpExtension {
  readonly source: string
  /** Its line in the answer to EHLO at this moment; undefined: none. */
  keyword(conversation: Conversation): string | undefined
  readonly commands?: readonly SmtpCommand[]
}
