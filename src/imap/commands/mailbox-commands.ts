/** CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE (RFC 3501 §6.3.3 to §6.3.7). */
import { Fault } from '../../model/fault.ts'
import { specialUses } from '../../store/store.ts'
import type { CommandInput } from '../../wire/imap/tokens.ts'
import { command, no, ok } from '../command.ts'
import { creatableName } from '../mailbox-names.ts'
import { tellNormalised } from './list.ts'

/** (USE (\Sent ...)): the one parameter there is (RFC 6154 §3; SY-32). */
function createParameters(input: CommandInput): string[] {
  const uses: string[] = []
  input.expect('(')
  if (input.word() !== 'USE') input.fail('USE')
  input.sp().expect('(')
  while (!input.try(')')) {
    if (uses.length > 0) input.sp()
    input.expect('\\')
    uses.push(`\\${input.atom()}`)
    if (uses.length > specialUses.length) input.fail(`at most ${specialUses.length} uses`)
  }
  input.expect(')')
  return uses
}

export const create = command({
  name: 'CREATE',
  source: 'RFC 3501 §6.3.3',
  states: ['authenticated', 'selected'],
  parse(input) {
    const mailbox = input.sp().mailbox()
    return {
      mailbox,
      given: input.givenName(mailbox),
      use: input.try(' ') ? createParameters(input) : [],
    }
  },
  async run({ mailbox, given, use }, session) {
    const name = creatableName(mailbox)
    if (use.length > 0 && /^inbox$/i.test(name)) return no('INBOX exists', 'ALREADYEXISTS')
    const uses = use.flatMap((word) =>
      specialUses.filter((known) => known.toLowerCase() === word.toLowerCase()),
    )
    // Unknown, or held by another mailbox: nothing is made (LX-19).
    if (uses.length < use.length) return no('there is no such use', 'USEATTR')
    const { store } = session.services
    try {
      await session.write([{ op: 'create', name, ...(uses.length > 0 ? { use: uses } : {}) }])
    } catch (error) {
      if (error instanceof Fault && error.kind === 'in-use')
        return no('another mailbox has that use', 'USEATTR')
      throw error
    }
    const made = await store.read(session.user.id, (view) => view.mailbox(name))
    await tellNormalised(session, name, given)
    return ok('CREATE completed', made && `MAILBOXID (${made.objectId})`)
  },
})

export const remove = command({
  name: 'DELETE',
  source: 'RFC 3501 §6.3.4',
  states: ['authenticated', 'selected'],
  parse(input) {
    const name = input.sp().mailbox()
    return { name, given: input.givenName(name) }
  },
  async run({ name, given }, session) {
    if (/^inbox$/i.test(name)) return no('INBOX cannot be deleted', 'CANNOT')
    const { store } = session.services
    // One's own mailbox: nobody is told that it went.
    const mailbox = await store.read(session.user.id, (view) => view.mailbox(name))
    if (mailbox && session.selected?.shared.id === mailbox.id) session.deselect()
    await session.write([{ op: 'delete', name }])
    await tellNormalised(session, name, given)
    return ok('DELETE completed')
  },
})

export const rename = command({
  name: 'RENAME',
  source: 'RFC 3501 §6.3.5',
  states: ['authenticated', 'selected'],
  parse(input) {
    const from = input.sp().mailbox()
    const to = input.sp().mailbox()
    const normalised = (input.givenName(from) ?? input.givenName(to)) !== undefined
    return { from, to, oldName: normalised ? (input.givenName(from) ?? from) : undefined }
  },
  async run({ from, to: asked, oldName }, session) {
    if (/^inbox$/i.test(asked)) return no('INBOX exists', 'ALREADYEXISTS')
    const to = creatableName(asked)
    if (to.startsWith(`${from}/`)) return no('a mailbox cannot become its own child', 'CANNOT')
    await session.write([{ op: 'rename', from, to }])
    await tellNormalised(session, to, oldName)
    return ok('RENAME completed')
  },
})

const subscription = (name: 'SUBSCRIBE' | 'UNSUBSCRIBE', subscribed: boolean) =>
  command({
    name,
    source: `RFC 3501 §6.3.${subscribed ? 6 : 7}`,
    states: ['authenticated', 'selected'],
    parse: (input) => input.sp().mailbox(),
    async run(given, session) {
      // Names that do not exist may be subscribed, so that a profile can be restored in any order (MX-16).
      const mailbox = subscribed ? creatableName(given) : given
      await session.write([{ op: 'subscribe', name: mailbox, subscribed }])
      return ok(`${name} completed`)
    },
  })

export const subscribe = subscription('SUBSCRIBE', true)
export const unsubscribe = subscription('UNSUBSCRIBE', false)
