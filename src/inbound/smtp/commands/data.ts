/** DATA (RFC 5321 §4.1.1.4). */
import { type Reply, reply } from '../../../wire/smtp/replies.ts'
import type { SmtpCommand } from '../command.ts'
import type { Conversation } from '../conversation.ts'
import { take } from '../take.ts'
import { idle, type Open } from '../transaction.ts'

export const data: SmtpCommand = {
  verb: 'DATA',
  source: 'RFC 5321 §4.1.1.4',
  run(argument, conversation) {
    const { transaction } = conversation
    if (argument !== '') return reply(501, '5.5.4', 'DATA takes no argument')
    switch (transaction.phase) {
      case 'idle':
        return reply(503, '5.5.1', 'MAIL comes first')
      case 'mail':
        return reply(554, '5.5.1', 'There is no valid recipient')
      case 'content':
      case 'failed':
        return reply(503, '5.5.1', 'The content has begun by other means')
      case 'rcpt':
        if (transaction.from.params.BODY?.toUpperCase() === 'BINARYMIME')
          return reply(503, '5.5.1', 'Binary content comes by BDAT')
        conversation.line.expectContent()
        conversation.next = (input) => content(input, transaction, conversation)
        return reply(354, undefined, 'End with a line that holds a dot alone')
    }
  },
}

async function content(
  input: Parameters<NonNullable<Conversation['next']>>[0],
  transaction: Open,
  conversation: Conversation,
): Promise<Reply | undefined> {
  const { limits, profile } = conversation.options
  conversation.transaction = idle
  if (input.kind !== 'content') return reply(503, '5.5.1', 'DATA comes first')
  if (input.defect === 'too-large')
    return reply(552, '5.3.4', `A message may have ${limits.messageOctets} octets`)
  if (input.defect)
    return reply(profile.codes.badContent, '5.6.0', 'The message holds a bare CR, a bare LF or a NUL')
  return take(transaction, input.octets, conversation)
}
