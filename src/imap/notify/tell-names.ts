/** LIST and METADATA responses of NOTIFY (RFC 5465 §5.4 to §5.7). */
import type { AccountView } from '../../store/store.ts'
import { astring, mailboxName } from '../../wire/imap/encode.ts'
import { listedAttributes, listLine, listNames, oldName } from '../commands/list.ts'
import { parentsOf } from '../mailbox-names.ts'
import type { Session } from '../session.ts'
import type { NameEvent, Notify } from './notify.ts'

/** All attributes are those of now: of a name that several events touched, one line is enough. */
export async function tellNames(
  session: Session,
  notify: Notify,
  view: AccountView,
  subscribed: ReadonlySet<string>,
  events: readonly NameEvent[],
): Promise<void> {
  const mailboxes = await view.mailboxes()
  const names = listNames(mailboxes, [...subscribed])
  const nameOf = new Map(mailboxes.map((mailbox) => [mailbox.id, mailbox.name]))
  const lines = new Map<string, string>()
  const list = (name: string, data = ''): void => {
    const line = listLine(session, listedAttributes(names.get(name)), name, data)
    const key = `${name}\0${data}`
    // Told at its last place: what the client hears last is what holds.
    lines.delete(key)
    lines.set(key, line)
  }
  const asks = (name: string, event: Parameters<typeof hasEvent>[2]): boolean =>
    hasEvent(notify, { name, subscribed: subscribed.has(name) }, event)
  for (const event of events)
    switch (event.kind) {
      case 'created':
      case 'deleted': {
        // The direct parent is affected too, a mailbox or not (NO-32).
        const affected = [...parentsOf(event.name).slice(-1), event.name]
        for (const name of affected) if (asks(name, 'MailboxName')) list(name)
        break
      }
      case 'renamed':
        if (asks(event.from, 'MailboxName') || asks(event.to, 'MailboxName'))
          list(event.to, oldName(session, event.from))
        break
      case 'subscription':
        // A mailbox that is no longer subscribed was so until now (NO-19, NO-35).
        if (hasEvent(notify, { name: event.name, subscribed: true }, 'SubscriptionChange')) list(event.name)
        break
      case 'metadata': {
        const name = event.mailbox === null ? '' : nameOf.get(event.mailbox)
        if (name === undefined) break
        const entries = event.entries.map(astring).join(' ')
        const quoted = name === '' ? '""' : mailboxName(name, session.utf8)
        if (name === '' || asks(name, 'MailboxMetadataChange'))
          lines.set(`${name}\0${entries}`, `METADATA ${quoted} ${entries}`)
      }
    }
  for (const line of lines.values()) session.out.untagged(line)
}

const hasEvent = (
  notify: Notify,
  { name, subscribed }: { readonly name: string; readonly subscribed: boolean },
  event: 'MailboxName' | 'SubscriptionChange' | 'MailboxMetadataChange',
): boolean => notify.eventsOf(name, subscribed).has(event)
