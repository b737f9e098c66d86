/** CAPABILITY, NOOP, LOGOUT, CHECK, STARTTLS (RFC 3501 §6.1, §6.2.1, §6.4.1). */
import { bad, command, no, noArguments, ok } from '../command.ts'

export const capability = command({
  name: 'CAPABILITY',
  source: 'RFC 3501 §6.1.1',
  parse: noArguments,
  run(_, session) {
    session.out.untagged(`CAPABILITY ${session.capabilities()}`)
    return ok('CAPABILITY completed')
  },
})

export const noop = command({
  name: 'NOOP',
  source: 'RFC 3501 §6.1.2',
  parse: noArguments,
  run: () => ok('NOOP completed'),
})

export const check = command({
  name: 'CHECK',
  source: 'RFC 3501 §6.4.1',
  states: ['selected'],
  parse: noArguments,
  run: () => ok('CHECK completed'),
})

export const logout = command({
  name: 'LOGOUT',
  source: 'RFC 3501 §6.1.3',
  parse: noArguments,
  run(_, session) {
    // Nothing is expunged (ST-15), and nobody wants to hear of changes any more.
    session.deselect()
    session.out.text('* BYE until next time\r\n')
    session.afterAnswer(() => session.end())
    return ok('LOGOUT completed')
  },
})

export const startTls = command({
  name: 'STARTTLS',
  source: 'RFC 3501 §6.2.1',
  states: ['not-authenticated'],
  parse: noArguments,
  run(_, session) {
    const { secureContext } = session.services
    if (session.channel.encrypted) return bad('TLS is on already')
    if (!secureContext) return no('there is no certificate', 'UNAVAILABLE')
    session.afterAnswer(() => {
      session.out.flush()
      // What came in the clear behind the command is never obeyed (SC-01).
      session.framing.discard()
      session.channel.upgrade(secureContext, session.services.requestCert)
      session.newChannel()
    })
    return ok('begin TLS now')
  },
})
