/** EHLO and HELO (RFC 5321 §4.1.1.1). */
import { type Reply, reply } from '../../../wire/smtp/replies.ts'
import type { SmtpCommand } from '../command.ts'
import type { Conversation } from '../conversation.ts'
import { idle } from '../transaction.ts'

function greet(verb: 'EHLO' | 'HELO', argument: string, conversation: Conversation): Reply {
  const name = argument.trim()
  // ASCII: an internationalized name comes as A-labels (RFC 6531 §3.7.1).
  if (!/^[\x21-\x7e]{1,255}$/.test(name)) return reply(501, '5.5.4', 'Say who you are')
  const { host } = conversation.options
  conversation.greeted = true
  conversation.transaction = idle
  conversation.session = { ...conversation.session, ehlo: name, esmtp: verb === 'EHLO' }
  return verb === 'HELO'
    ? reply(250, undefined, host)
    : reply(250, undefined, host, ...conversation.keywords())
}

const source = 'RFC 5321 §4.1.1.1'

export const hello: readonly SmtpCommand[] = [
  { verb: 'EHLO', source, before: 'tls', run: (argument, c) => greet('EHLO', argument, c) },
  { verb: 'HELO', source, before: 'auth', run: (argument, c) => greet('HELO', argument, c) },
]
