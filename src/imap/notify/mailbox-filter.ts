/** Which mailboxes NOTIFY watches and ESEARCH searches (RFC 5465 §6, RFC 7377 §2.2). */
import type { CommandInput } from '../../wire/imap/tokens.ts'
import { canonicalName } from '../mailbox-names.ts'

export type MailboxFilter =
  | { readonly kind: 'selected' | 'selected-delayed' | 'inboxes' | 'personal' | 'subscribed' }
  | { readonly kind: 'subtree' | 'subtree-one' | 'mailboxes'; readonly names: readonly string[] }

/** Names in one filter. */
const maxNames = 5000

/** `kinds`: the words that the command knows. */
export function mailboxFilter(input: CommandInput, kinds: ReadonlySet<MailboxFilter['kind']>): MailboxFilter {
  const kind = input.word().toLowerCase() as MailboxFilter['kind']
  if (!kinds.has(kind)) return input.fail('a mailbox specifier')
  if (kind !== 'subtree' && kind !== 'subtree-one' && kind !== 'mailboxes') return { kind }
  const names: string[] = []
  // Wildcards are characters like others here (NO-17, MS-07).
  const one = (): void => {
    names.push(canonicalName(input.mailbox()).replace(/(?<=.)\/$/, ''))
    if (names.length > maxNames) input.fail(`at most ${maxNames} mailbox names`)
  }
  if (input.sp().try('(')) {
    do one()
    while (input.try(' '))
    input.expect(')')
  } else one()
  return { kind, names }
}

/** Whether a mailbox is one of those; the selected one is not named by its name. */
export function coversMailbox(filter: MailboxFilter, name: string, subscribed: boolean): boolean {
  switch (filter.kind) {
    case 'selected':
    case 'selected-delayed':
      return false
    case 'personal':
      return true
    // Delivery puts messages into INBOX and nowhere else (NO-18).
    case 'inboxes':
      return name === 'INBOX'
    case 'subscribed':
      return subscribed
    case 'mailboxes':
      return filter.names.includes(name)
    case 'subtree':
      return filter.names.some((top) => name === top || name.startsWith(`${top}/`))
    case 'subtree-one':
      return filter.names.some(
        (top) => name === top || (name.startsWith(`${top}/`) && !name.slice(top.length + 1).includes('/')),
      )
  }
}
