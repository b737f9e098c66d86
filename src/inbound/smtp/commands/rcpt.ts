/** RCPT (RFC 5321 §4.1.1.3, RFC 6409 §4.2). */
import { isRefusal } from '../../../model/refusal.ts'
import { parsePath } from '../../../wire/smtp/commands.ts'
import { rcptParameterFault } from '../../../wire/smtp/parameters.ts'
import { reply, replyToRefusal } from '../../../wire/smtp/replies.ts'
import type { SmtpCommand } from '../command.ts'
import { isQualified } from './mail.ts'

export const rcpt: SmtpCommand = {
  verb: 'RCPT',
  source: 'RFC 5321 §4.1.1.3',
  async run(argument, conversation) {
    const { transaction, options } = conversation
    if (transaction.phase === 'idle') return reply(503, '5.5.1', 'MAIL comes first')
    if (transaction.phase === 'content' || transaction.phase === 'failed')
      return reply(503, '5.5.1', 'The content has begun')
    const parsed = parsePath(argument, 'TO', options.profile.codes.badPath)
    if ('code' in parsed) return parsed
    const smtputf8 = Object.hasOwn(transaction.from.params, 'SMTPUTF8')
    if (parsed.utf8 && !smtputf8) return reply(553, '5.6.7', 'The address is not ASCII')
    const fault = rcptParameterFault(parsed.path.params, smtputf8)
    if (fault) return fault
    const { path } = parsed.path
    if (path === null) return reply(options.profile.codes.badPath, '5.1.3', 'A recipient cannot be null')
    const { submission } = options
    if (submission && path.includes('@') && !isQualified(path, submission.isOwnDomain))
      return reply(554, '5.1.2', 'The domain is not qualified')
    const to = transaction.phase === 'rcpt' ? transaction.to : []
    if (to.length >= options.limits.maxRecipients) return reply(452, '4.5.3', 'Too many recipients')
    const checked = await options.checkRecipient(path, conversation.session, transaction.from.path)
    if (isRefusal(checked)) return replyToRefusal(checked)
    conversation.transaction = {
      phase: 'rcpt',
      from: transaction.from,
      to: [...to, { ...parsed.path, path }],
    }
    return reply(250, '2.1.5', 'Recipient OK')
  },
}
