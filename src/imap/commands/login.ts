/** LOGIN and AUTHENTICATE (RFC 3501 §6.2.2, §6.2.3; RFC 4959). */
import {
  maxResponseOctets,
  passwordLogin,
  type SaslFailure,
  type SaslStep,
  saslMechanisms,
  startSasl,
} from '../../auth/sasl.ts'
import { bad, command, no, ok, type Reply } from '../command.ts'
import type { Session } from '../session.ts'

const failures: Readonly<Record<SaslFailure, Reply>> = {
  credentials: no('authentication failed', 'AUTHENTICATIONFAILED'),
  authorization: no('nobody may act for somebody else', 'AUTHORIZATIONFAILED'),
  'encryption-needed': no('passwords travel under TLS only', 'PRIVACYREQUIRED'),
  'too-long': bad('the response is too long'),
  unavailable: no('the directory cannot be asked', 'UNAVAILABLE'),
}

/** The answer to the last step; the session is the account's from here on, and is told its new capabilities (LP-02). */
function concluded(
  session: Session,
  step: Exclude<SaslStep, { challenge: Uint8Array }>,
  what: string,
): Reply {
  if ('failed' in step) {
    session.services.log('info', 'an IMAP login failed', {
      ip: session.ip,
      user: step.user,
      reason: step.reason,
    })
    return failures[step.failed]
  }
  if (!session.services.enter(step.done)) return no('too many sessions', 'LIMIT')
  session.loggedIn(step.done, step.login)
  return ok(`${what} completed`, `CAPABILITY ${session.capabilities()}`)
}

export const login = command({
  name: 'LOGIN',
  source: 'RFC 3501 §6.2.3',
  states: ['not-authenticated'],
  parse: (input) => ({ user: input.sp().astring(), password: input.sp().astring() }),
  async run({ user, password }, session) {
    const text = (octets: string): string => Buffer.from(octets, 'latin1').toString('utf8')
    // What PLAIN forbids in a name or a password is forbidden here, too.
    if (/\0/.test(user + password)) return failures.credentials
    const step = await passwordLogin(text(user), text(password), session.saslContext())
    return 'challenge' in step ? failures.credentials : concluded(session, step, 'LOGIN')
  },
})

const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
const maxLineOctets = Math.ceil(maxResponseOctets / 3) * 4

/** What a line of the client says; undefined: it is no base64 (IR-04). */
const decoded = (line: string): Buffer | undefined =>
  line.length <= maxLineOctets && base64.test(line) ? Buffer.from(line, 'base64') : undefined

export const authenticate = command({
  name: 'AUTHENTICATE',
  source: 'RFC 3501 §6.2.2, RFC 4959',
  states: ['not-authenticated'],
  parse(input) {
    const mechanism = input.sp().word()
    return { mechanism, initial: input.try(' ') ? input.rest() : undefined }
  },
  async run({ mechanism, initial }, session) {
    const exchange = startSasl(mechanism, session.saslContext())
    if (exchange === 'unknown') return no('there is no such mechanism', 'CANNOT')
    if (exchange === 'encryption-needed') return failures['encryption-needed']
    let response: Buffer | undefined
    if (initial !== undefined) {
      // "=" is an empty response, so that it can be told from none (IR-02).
      response = initial === '=' ? Buffer.alloc(0) : decoded(initial)
      if (!response || initial === '') return bad('expected base64')
    }
    for (;;) {
      const step = await exchange.step(response)
      if (!('challenge' in step)) return concluded(session, step, 'AUTHENTICATE')
      session.out.continuation(Buffer.from(step.challenge).toString('base64'))
      const line = await session.readLine()
      if (line === undefined) return bad('the client is gone')
      if (line === '*') return bad('cancelled')
      response = decoded(line)
      if (!response) return bad('expected base64')
    }
  },
})

/** AUTH= for each mechanism that can be used here and now (ST-05, SA-03). */
export const authCapabilities = (session: Session): string[] => {
  if (session.account) return []
  const context = session.saslContext()
  return [
    ...saslMechanisms(context).map((name) => `AUTH=${name}`),
    ...(context.channel.confidential ? [] : ['LOGINDISABLED']),
  ]
}
