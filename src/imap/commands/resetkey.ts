/** RESETKEY (RFC 4467 §7): URLs made so far are good no longer. */
import { internal } from '../../urlauth/urlauth.ts'
import { command, no, ok } from '../command.ts'
import type { Session } from '../session.ts'
import { targetOf } from './copy.ts'

/** Mechanism data may be nobody else's to read; passwords in the clear are another matter (RFC 4467 §10, SC-31). */
export const mayTellMechanisms = (session: Session): boolean =>
  session.services.urls.mechanismsInClear || session.channel.encrypted

export const resetKey = command({
  name: 'RESETKEY',
  source: 'RFC 4467 §7',
  states: ['authenticated', 'selected'],
  parse(input) {
    if (!input.try(' ')) return undefined
    const name = input.mailbox()
    const mechanisms: string[] = []
    while (input.try(' ')) mechanisms.push(input.word())
    return { name, mechanisms }
  },
  async run(wanted, session) {
    if (!wanted) {
      await session.write([{ op: 'reset-keys', mailbox: 'all' }])
      return ok('RESETKEY completed')
    }
    if (wanted.mechanisms.some((name) => name !== internal)) return no('INTERNAL is the only mechanism')
    const target = await targetOf(session, wanted.name)
    if ('status' in target) return no('there is no such mailbox', 'NONEXISTENT')
    await session.write([{ op: 'reset-keys', mailbox: target.id }])
    return ok('RESETKEY completed', mayTellMechanisms(session) ? `URLMECH ${internal}` : undefined)
  },
})
