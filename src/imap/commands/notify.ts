/** NOTIFY (RFC 5465 §3.1). */
import { command, no, ok, type Reply } from '../command.ts'
import { type EventGroup, eventGroups, groupsProblem } from '../notify/event-groups.ts'
import { maxWatched, Notify } from '../notify/notify.ts'
import { initialItems, statusLine } from '../notify/tell-status.ts'
import type { Session } from '../session.ts'
import { catchUp } from '../sync.ts'

export const notify = command({
  name: 'NOTIFY',
  source: 'RFC 5465 §3.1',
  states: ['authenticated', 'selected'],
  parse(input, session) {
    const word = input.sp().word()
    if (word === 'NONE') return { groups: undefined, status: false }
    if (word !== 'SET') return input.fail('SET or NONE')
    const status = input.sp().tryWord('STATUS')
    if (status) input.sp()
    return { groups: eventGroups(input, session), status }
  },
  async run({ groups, status }, session) {
    if (!groups) {
      session.setNotify(new Notify(session, []))
      return ok('NOTIFY completed')
    }
    const problem = groupsProblem(groups)
    if (problem) return problem
    return (await watch(session, groups, status)) ?? ok('NOTIFY completed')
  },
})

async function watch(
  session: Session,
  groups: readonly EventGroup[],
  status: boolean,
): Promise<Reply | undefined> {
  // It listens before it looks: what happens in between is told once more, and not lost.
  const next = new Notify(session, groups)
  const lines = await session.services.store
    .read(session.user.id, async (view) => {
      const subscribed = new Set(await view.subscriptions())
      const told: string[] = []
      let watched = 0
      for (const mailbox of await view.mailboxes()) {
        const events = next.eventsOf(mailbox.name, subscribed.has(mailbox.name))
        if (events.size === 0) continue
        watched += 1
        if (watched > maxWatched) return undefined
        const items = status && mailbox.selectable ? initialItems(events) : []
        if (items.length > 0 && mailbox.id !== session.selected?.shared.id)
          told.push(await statusLine(session, view, mailbox, items))
      }
      return told
    })
    .catch((error: unknown) => {
      next.end()
      throw error
    })
  if (!lines) {
    next.end()
    return no(`at most ${maxWatched} mailboxes are watched`, 'NOTIFICATIONOVERFLOW')
  }
  await catchUp(session).catch((error: unknown) => {
    next.end()
    throw error
  })
  for (const line of lines) session.out.untagged(line)
  session.setNotify(next)
  return undefined
}
