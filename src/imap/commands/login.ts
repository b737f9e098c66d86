/** LOGIN and AUTHENTICATE (RFC 3501 §6.2.2, §6.2.3; RFC 4959). */
import type { Account } from '../../auth/credentials.ts'
import { parsePlain } from '../../auth/sasl-plain.ts'
import { bad, command, no, ok, type Reply } from '../command.ts'
import type { Session } from '../session.ts'

const notInTheClear = no('passwords travel under TLS only', 'PRIVACYREQUIRED')
const wrong = no('authentication failed', 'AUTHENTICATIONFAILED')

/** The session is the account's from here on; the answer holds the new capabilities (LP-02). */
export function entered(session: Session, account: Account, what: string): Reply {
  if (!session.services.enter(account)) return no('too many sessions', 'LIMIT')
  session.loggedIn(account)
  return ok(`${what} completed`, `CAPABILITY ${session.capabilities()}`)
}

export const login = command({
  name: 'LOGIN',
  source: 'RFC 3501 §6.2.3',
  states: ['not-authenticated'],
  parse: (input) => ({ user: input.sp().astring(), password: input.sp().astring() }),
  async run({ user, password }, session) {
    if (!session.mayLoginPlain) return notInTheClear
    const text = (octets: string): string => Buffer.from(octets, 'latin1').toString('utf8')
    const account = await session.services.credentials.verify(text(user), text(password))
    return account ? entered(session, account, 'LOGIN') : wrong
  },
})

const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

export const authenticate = command({
  name: 'AUTHENTICATE',
  source: 'RFC 3501 §6.2.2, RFC 4959',
  states: ['not-authenticated'],
  parse(input) {
    const mechanism = input.sp().word()
    return { mechanism, initial: input.try(' ') ? input.rest() : undefined }
  },
  async run({ mechanism, initial }, session) {
    if (mechanism !== 'PLAIN') return no('unknown mechanism', 'CANNOT')
    if (!session.mayLoginPlain) return notInTheClear
    let response = initial
    if (response === undefined) {
      session.out.continuation('')
      response = await session.readLine()
      if (response === undefined) return bad('the client is gone')
      if (response === '*') return bad('cancelled')
    }
    if (response === '=') response = ''
    if (!base64.test(response)) return bad('expected base64')
    const plain = parsePlain(Buffer.from(response, 'base64'))
    if (!plain) return bad('expected authorization identity, identity and password')
    const account = await session.services.credentials.verify(plain.authcid, plain.password)
    if (!account) return wrong
    if (plain.authzid !== '' && plain.authzid.toLowerCase() !== account.address)
      return no('nobody may act for somebody else', 'AUTHORIZATIONFAILED')
    return entered(session, account, 'AUTHENTICATE')
  },
})
