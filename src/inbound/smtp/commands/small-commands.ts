/** Commands that need no file of their own (RFC 5321 §4.1.1.5 to §4.1.1.10). */
import { reply } from '../../../wire/smtp/replies.ts'
import type { SmtpCommand } from '../command.ts'
import { idle } from '../transaction.ts'

const refused = (verb: string, source: string): SmtpCommand => ({
  verb,
  source,
  run: () => reply(502, '5.5.1', 'Not offered here'),
})

/** Nothing is told of who has a mailbox (RFC 5321 §3.5.3, §7.3). */
const undisclosed = (verb: string, source: string): SmtpCommand => ({
  verb,
  source,
  run: () => reply(252, '2.5.0', 'Send the message, and see'),
})

export const smallCommands: readonly SmtpCommand[] = [
  {
    verb: 'RSET',
    source: 'RFC 5321 §4.1.1.5',
    before: 'auth',
    run(_argument, conversation) {
      conversation.transaction = idle
      return reply(250, '2.0.0', 'Reset')
    },
  },
  { verb: 'NOOP', source: 'RFC 5321 §4.1.1.9', before: 'tls', run: () => reply(250, '2.0.0', 'OK') },
  {
    verb: 'QUIT',
    source: 'RFC 5321 §4.1.1.10',
    before: 'tls',
    run(_argument, { line, options }) {
      line.leave(reply(221, '2.0.0', `${options.host} closing`))
      return undefined
    },
  },
  undisclosed('VRFY', 'RFC 5321 §4.1.1.6'),
  undisclosed('EXPN', 'RFC 5321 §4.1.1.7'),
  refused('HELP', 'RFC 5321 §4.1.1.8'),
  refused('ETRN', 'RFC 1985'),
  refused('TURN', 'RFC 5321 §F.1'),
  refused('ATRN', 'RFC 2645'),
]
