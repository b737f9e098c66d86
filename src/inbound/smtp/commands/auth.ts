/** AUTH (RFC 4954 §4, §6). */
import {
  maxResponseOctets,
  type SaslContext,
  type SaslFailure,
  type SaslStep,
  saslMechanisms,
  startSasl,
} from '../../../auth/sasl.ts'
import { type Reply, reply } from '../../../wire/smtp/replies.ts'
import type { SmtpExtension } from '../command.ts'
import type { Conversation } from '../conversation.ts'
import type { Submission } from '../submission.ts'

const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
/** Of a response in base64: RFC 4954 §4 asks for 12288. */
export const responseOctets = Math.ceil(maxResponseOctets / 3) * 4

const failures: Readonly<Record<SaslFailure, Reply>> = {
  credentials: reply(535, '5.7.8', 'Authentication failed'),
  authorization: reply(535, '5.7.8', 'Nobody may act for somebody else'),
  // RFC 4954 §4: as a mechanism that is not there.
  'encryption-needed': reply(504, '5.5.4', 'Passwords travel under TLS only'),
  'too-long': reply(500, '5.5.6', 'The response is too long'),
  unavailable: reply(454, '4.7.0', 'The directory cannot be asked now'),
}

const badBase64 = reply(501, '5.5.2', 'Expected base64')

const saslContext = ({ line }: Conversation, { sasl }: Submission): SaslContext => ({
  ...sasl,
  channel: line.channel(),
})

export const auth: SmtpExtension = {
  source: 'RFC 4954 §3',
  keyword(conversation) {
    const { submission } = conversation.options
    if (!submission || conversation.account) return undefined
    const names = saslMechanisms(saslContext(conversation, submission))
    return names.length === 0 ? undefined : `AUTH ${names.join(' ')}`
  },
  commands: [
    {
      verb: 'AUTH',
      source: 'RFC 4954 §4',
      before: 'auth',
      async run(argument, conversation) {
        const { submission } = conversation.options
        if (!submission) return reply(502, '5.5.1', 'Not offered here')
        if (!conversation.greeted || !conversation.session.esmtp)
          return reply(503, '5.5.1', 'EHLO comes first')
        if (conversation.account) return reply(503, '5.5.1', 'You are authenticated already')
        if (conversation.transaction.phase !== 'idle') return reply(503, '5.5.1', 'A transaction is open')
        const [, mechanism = '', initial] = /^([A-Za-z0-9_-]{1,20})(?:[ \t]+(\S+))?$/.exec(argument) ?? []
        if (mechanism === '') return reply(501, '5.5.4', 'Expected a mechanism, and perhaps a response')
        const exchange = startSasl(mechanism, saslContext(conversation, submission))
        if (exchange === 'unknown') return reply(504, '5.5.4', 'There is no such mechanism here')
        if (exchange === 'encryption-needed') return failures['encryption-needed']
        // "=" is an empty response, so that it can be told from none.
        const response =
          initial === undefined ? undefined : initial === '=' ? Buffer.alloc(0) : decoded(initial)
        if (response === 'bad') return badBase64
        if (response === 'too-long') return failures['too-long']

        const go = async (octets: Buffer | undefined): Promise<Reply | undefined> => {
          const step = await exchange.step(octets)
          if (!('challenge' in step)) return concluded(step, conversation)
          conversation.next = async (input) => {
            if (input.kind === 'bad-line') return input.why === 'too-long' ? failures['too-long'] : badBase64
            if (input.kind !== 'command') return badBase64
            if (input.line === '*') return reply(501, '5.7.0', 'Cancelled')
            const answer = decoded(input.line)
            if (answer === 'too-long') return failures['too-long']
            return answer === 'bad' ? badBase64 : go(answer)
          }
          return reply(334, undefined, Buffer.from(step.challenge).toString('base64'))
        }
        return go(response)
      },
    },
  ],
}

function decoded(text: string): Buffer | 'bad' | 'too-long' {
  if (text.length > responseOctets) return 'too-long'
  return base64.test(text) ? Buffer.from(text, 'base64') : 'bad'
}

function concluded(step: Exclude<SaslStep, { challenge: Uint8Array }>, conversation: Conversation): Reply {
  const { options, session } = conversation
  if ('failed' in step) {
    const { user, reason } = step
    options.log('info', 'an SMTP login failed', { ip: session.ip, user, reason })
    return failures[step.failed]
  }
  if (!options.enter(step.done)) return reply(454, '4.7.0', 'You have too many connections open')
  conversation.account = step.done
  conversation.session = { ...session, auth: step.done.address }
  return reply(235, '2.7.0', 'Authenticated')
}
