/** MAIL (RFC 5321 §4.1.1.2, RFC 6409 §4.2, §6.1). */
import { parsePath } from '../../../wire/smtp/commands.ts'
import { mailParameterFault } from '../../../wire/smtp/parameters.ts'
import { type Reply, reply } from '../../../wire/smtp/replies.ts'
import type { SmtpCommand } from '../command.ts'
import type { Conversation } from '../conversation.ts'
import { holdRefused } from './future-release.ts'

export const mail: SmtpCommand = {
  verb: 'MAIL',
  source: 'RFC 5321 §4.1.1.2',
  async run(argument, conversation) {
    const { options } = conversation
    if (!conversation.greeted) return reply(503, '5.5.1', 'EHLO comes first')
    if (conversation.transaction.phase !== 'idle') return reply(503, '5.5.1', 'A transaction is open already')
    const parsed = parsePath(argument, 'FROM', options.profile.codes.badPath)
    if ('code' in parsed) return parsed
    const { path, params } = parsed.path
    const holds = options.submission?.holds
    const fault = mailParameterFault(params, {
      smtputf8: options.smtputf8,
      messageOctets: options.limits.messageOctets,
      auth: options.submission !== undefined,
      binary: true,
      deliverBySeconds: options.limits.deliverBySeconds,
      hold: holds && { maxSeconds: holds.maxSeconds, now: options.now() },
    })
    if (fault) return fault
    // RFC 6531 §3.5: 550 at MAIL, 553 at RCPT.
    if (parsed.utf8 && !Object.hasOwn(params, 'SMTPUTF8'))
      return reply(550, '5.6.7', 'The address is not ASCII')
    if (options.isFull?.()) return reply(452, '4.3.1', 'Too much mail is waiting here: try again later')
    const refused = (await gone(conversation)) ?? (await notTheirs(path, conversation))
    if (refused) return refused
    const full = await holdRefused(params, conversation)
    if (full) return full
    conversation.transaction = { phase: 'mail', from: parsed.path }
    return reply(250, '2.1.0', 'Sender OK')
  },
}

/** The account was removed since: its namesake, if there is one, is somebody else. */
async function gone(conversation: Conversation): Promise<Reply | undefined> {
  const { options, account } = conversation
  if (!options.submission || !account) return undefined
  const found = await options.submission.sasl.directory.find(account.address)
  if (found?.id === account.id) return undefined
  conversation.ended()
  return reply(530, '5.7.0', 'The account is not there any more')
}

/** A user sends as itself; the null path is for reports that its client makes (RFC 6409 §3.2). */
async function notTheirs(
  path: string | null,
  { options: { submission }, account }: Conversation,
): Promise<Reply | undefined> {
  if (!submission || path === null) return undefined
  if (!isQualified(path, submission.isOwnDomain)) return reply(554, '5.1.2', 'The domain is not qualified')
  return account && (await submission.mayUse(account.address, path))
    ? undefined
    : reply(550, '5.7.1', 'The sender address is not yours')
}

/** RFC 6409 §4.2: the domain has a dot, or is an address literal. */
export function isQualified(path: string, isOwnDomain: (domain: string) => boolean): boolean {
  const domain = path.slice(path.lastIndexOf('@') + 1)
  return domain.includes('.') || domain.startsWith('[') || isOwnDomain(domain.toLowerCase())
}
