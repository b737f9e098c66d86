/** STARTTLS (RFC 3207). */
import { reply } from '../../../wire/smtp/replies.ts'
import type { SmtpExtension } from '../command.ts'

export const startTls: SmtpExtension = {
  source: 'RFC 3207 §4',
  keyword: ({ options, session }) => (options.hasTls && !session.tls ? 'STARTTLS' : undefined),
  commands: [
    {
      verb: 'STARTTLS',
      source: 'RFC 3207 §4',
      before: 'tls',
      run(argument, { options, session, line }) {
        if (argument !== '') return reply(501, '5.5.4', 'STARTTLS takes no argument')
        if (session.tls) return reply(503, '5.5.1', 'TLS is there already')
        if (!options.hasTls) return reply(454, '4.7.0', 'TLS is not available now')
        line.startTls()
        return undefined
      },
    },
  ],
}
