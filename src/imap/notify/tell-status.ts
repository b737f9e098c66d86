/** STATUS responses of NOTIFY (RFC 5465 §3.1, §5.1 to §5.3). */
import type { AccountView, Mailbox } from '../../store/store.ts'
import { mailboxName } from '../../wire/imap/encode.ts'
import type { Session } from '../session.ts'
import type { EventName } from './event-groups.ts'

/** What happened in a mailbox that is not selected; said in one line, however often. */
export interface MailboxNews {
  added?: boolean
  expunged?: boolean
  flags?: boolean
  /** The number of messages without \Seen may be another one. */
  seen?: boolean
  uidValidity?: boolean
}

/** NO-28, NO-29, NO-30, NO-31. */
export function newsItems(news: MailboxNews, asked: ReadonlySet<EventName>, session: Session): string[] {
  const items = new Set<string>()
  const add = (...names: readonly string[]): void => {
    for (const name of names) items.add(name)
  }
  if (asked.has('MessageNew') && (news.added || news.expunged)) {
    add('UIDNEXT', 'MESSAGES')
    if (news.added ? session.condstore : session.qresync) add('HIGHESTMODSEQ')
  }
  if (asked.has('FlagChange')) {
    if (news.flags && session.condstore) add('HIGHESTMODSEQ', 'UIDVALIDITY')
    else if (news.seen) add('UNSEEN')
    if (news.uidValidity) add('UIDVALIDITY')
  }
  return [...items]
}

/** NOTIFY SET STATUS: where the client starts from (NO-06). */
export function initialItems(asked: ReadonlySet<EventName>): string[] {
  const items: string[] = []
  if (asked.has('MessageNew')) items.push('MESSAGES', 'UIDNEXT', 'UIDVALIDITY')
  if (asked.has('FlagChange')) items.push('HIGHESTMODSEQ')
  return items
}

/** The client did not ask for the items by name: that HIGHESTMODSEQ is told enables nothing (QR-05). */
export async function statusLine(
  session: Session,
  view: AccountView,
  mailbox: Mailbox,
  items: readonly string[],
): Promise<string> {
  const { statusItems } = session.services.registry
  const pairs: string[] = []
  for (const name of items)
    pairs.push(`${name} ${await statusItems.get(name)?.value(mailbox, view, session)}`)
  return `STATUS ${mailboxName(mailbox.name, session.utf8)} (${pairs.join(' ')})`
}
