/** The event groups of NOTIFY SET: their syntax, and what is wrong with them (RFC 5465 §5, §8). */
import type { CommandInput } from '../../wire/imap/tokens.ts'
import { bad, no, type Reply } from '../command.ts'
import { fetchItems } from '../commands/fetch.ts'
import type { FetchItem } from '../fetch/item.ts'
import type { Session } from '../session.ts'
import { type MailboxFilter, mailboxFilter } from './mailbox-filter.ts'

/** Those that this server tells; annotations of messages are not kept (NO-10). */
export const eventNames = [
  'MessageNew',
  'MessageExpunge',
  'FlagChange',
  'MailboxName',
  'SubscriptionChange',
  'MailboxMetadataChange',
  'ServerMetadataChange',
] as const

export type EventName = (typeof eventNames)[number]

export interface EventGroup {
  readonly filter: MailboxFilter
  readonly events: ReadonlySet<EventName>
  /** Of MessageNew, in the group of the selected mailbox. */
  readonly items: readonly FetchItem[] | undefined
  /** Events were named that nobody knows. */
  readonly unknown: boolean
}

const byWord = new Map(eventNames.map((name) => [name.toUpperCase(), name]))
const kinds: ReadonlySet<MailboxFilter['kind']> = new Set([
  'selected',
  'selected-delayed',
  'inboxes',
  'personal',
  'subscribed',
  'subtree',
  'mailboxes',
])
const maxGroups = 100

/** event-group *(SP event-group). */
export function eventGroups(input: CommandInput, session: Session): EventGroup[] {
  const groups: EventGroup[] = []
  do {
    input.expect('(')
    const filter = mailboxFilter(input, kinds)
    groups.push({ filter, ...events(input.sp(), session) })
    input.expect(')')
  } while (input.try(' '))
  if (groups.length > maxGroups) input.fail(`at most ${maxGroups} event groups`)
  return groups
}

function events(input: CommandInput, session: Session): Omit<EventGroup, 'filter'> {
  const named = new Set<EventName>()
  let items: readonly FetchItem[] | undefined
  let unknown = false
  if (!input.try('(')) {
    if (!input.tryWord('NONE')) input.fail('a list of events, or NONE')
    return { events: named, items, unknown }
  }
  do {
    const event = byWord.get(input.word())
    if (event) named.add(event)
    else unknown = true
    if (event === 'MessageNew' && input.peekBehindSpace() === '(') items = fetchItems(input.sp(), session)
  } while (input.try(' '))
  input.expect(')')
  return { events: named, items, unknown }
}

export const isSelected = ({ filter }: EventGroup): boolean =>
  filter.kind === 'selected' || filter.kind === 'selected-delayed'

const ofMessages: ReadonlySet<EventName> = new Set(['MessageNew', 'MessageExpunge', 'FlagChange'])

/** Why the groups cannot be had. An event that nobody knows is answered by NO, whatever else is wrong (NO-09). */
export function groupsProblem(groups: readonly EventGroup[]): Reply | undefined {
  if (groups.some((group) => group.unknown))
    return no('there are no such events', `BADEVENT (${eventNames.join(' ')})`)
  if (groups.filter(isSelected).length > 1) return bad('one group for the selected mailbox')
  for (const group of groups) {
    const { events: named, items } = group
    if (named.has('MessageNew') !== named.has('MessageExpunge'))
      return bad('MessageNew and MessageExpunge go together')
    if (named.has('FlagChange') && !named.has('MessageNew'))
      return bad('FlagChange needs MessageNew and MessageExpunge')
    if (!isSelected(group)) {
      if (items) return bad('only of the selected mailbox messages are fetched')
    } else if ([...named].some((name) => !ofMessages.has(name)))
      return bad('of the selected mailbox only events of messages are told')
  }
  return undefined
}
