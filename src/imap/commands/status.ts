/** STATUS (RFC 3501 §6.3.10), and the same data for LIST (RFC 5819). */
import type { AccountView, Mailbox } from '../../store/store.ts'
import { mailboxName } from '../../wire/imap/encode.ts'
import type { CommandInput } from '../../wire/imap/tokens.ts'
import { command, no, ok } from '../command.ts'
import { awareOfModSeq } from '../mod-seq.ts'
import type { Session } from '../session.ts'
import type { StatusItem } from '../status-item.ts'

export interface AskedStatus {
  readonly name: string
  readonly item: StatusItem
}

export function statusItems(input: CommandInput, session: Session): AskedStatus[] {
  input.expect('(')
  const asked = new Map<string, AskedStatus>()
  do {
    const name = input.word()
    const item = session.services.registry.statusItems.get(name) ?? input.fail('a status item')
    asked.set(name, { name, item })
  } while (input.try(' '))
  input.expect(')')
  return [...asked.values()]
}

export async function tellStatus(
  session: Session,
  view: AccountView,
  mailbox: Mailbox,
  asked: readonly AskedStatus[],
): Promise<void> {
  const pairs: string[] = []
  for (const { name, item } of asked) {
    if (item.condstore) awareOfModSeq(session)
    pairs.push(`${name} ${await item.value(mailbox, view, session)}`)
  }
  session.out.untagged(`STATUS ${mailboxName(mailbox.name, session.utf8)} (${pairs.join(' ')})`)
}

export const status = command({
  name: 'STATUS',
  source: 'RFC 3501 §6.3.10',
  states: ['authenticated', 'selected'],
  parse: (input, session) => ({ name: input.sp().mailbox(), asked: statusItems(input.sp(), session) }),
  async run({ name, asked }, session) {
    return session.services.store.read(session.user.id, async (view) => {
      const mailbox = await view.mailbox(name)
      if (!mailbox) return no('there is no such mailbox', 'NONEXISTENT')
      if (!mailbox.selectable) return no('the name only holds other mailboxes', 'CANNOT')
      await tellStatus(session, view, mailbox, asked)
      return ok('STATUS completed')
    })
  },
})
