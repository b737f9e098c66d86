/** BURL (RFC 4468): content that the submitter's IMAP store holds already, and that need not come over the air twice. */
import { reply } from '../../../wire/smtp/replies.ts'
import { urlDigest } from '../burl-source.ts'
import type { SmtpExtension } from '../command.ts'
import { addContent, contentFailed, contentRefused, roomFor } from '../content.ts'
import { isOpen } from '../transaction.ts'

export const burl: SmtpExtension = {
  source: 'RFC 4468 §3.1',
  keyword({ options, account }) {
    const source = options.submission?.burl
    if (!source) return undefined
    return account ? `BURL ${source.arguments}` : 'BURL'
  },
  commands: [
    {
      verb: 'BURL',
      source: 'RFC 4468 §3.2',
      async run(argument, conversation) {
        const { transaction, account, options, session } = conversation
        const source = options.submission?.burl
        if (!source) return reply(502, '5.5.1', 'Not offered here')
        const [, url = '', rest] = /^(\S+)(?:[ \t]+(.*))?$/.exec(argument) ?? []
        const isLast = rest !== undefined && /^last$/i.test(rest)
        const refused =
          url === '' || (rest !== undefined && !isLast)
            ? reply(501, '5.5.4', 'Expected an absolute IMAP URL, and perhaps LAST')
            : contentRefused(conversation)
        if (refused || !isOpen(transaction) || !account) {
          contentFailed(conversation, isLast)
          // RFC 4468 §6 has a code of its own for this.
          return transaction.phase === 'mail' && refused?.code === 554
            ? { ...refused, enhanced: '5.5.0' }
            : refused
        }
        const utf8 = Object.hasOwn(transaction.from.params, 'SMTPUTF8')
        const found = await source.fetch(url, account.address, roomFor(conversation), utf8)
        const isRefused = 'code' in found
        options.log('info', isRefused ? 'BURL refused' : 'BURL', {
          user: session.auth,
          ip: session.ip,
          url: urlDigest(url),
          ...(isRefused ? { code: found.code, status: found.enhanced } : {}),
        })
        if (isRefused) {
          contentFailed(conversation, isLast)
          return found
        }
        const more = reply(250, found.converted ? '2.6.4' : '2.5.0', 'Waiting for the rest')
        return addContent(conversation, transaction, found.pieces, isLast, more, {
          converted: found.converted,
          url: urlDigest(url),
        })
      },
    },
  ],
}
