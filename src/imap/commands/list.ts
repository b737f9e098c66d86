/** LIST with its extended form, and LSUB (RFC 3501 §6.3.8, §6.3.9; RFC 5258, RFC 5819, RFC 6154). */
import type { Mailbox } from '../../store/store.ts'
import { mailboxName } from '../../wire/imap/encode.ts'
import { listMatcher } from '../../wire/imap/match.ts'
import type { CommandInput } from '../../wire/imap/tokens.ts'
import { command, ok } from '../command.ts'
import { canonicalName, parentsOf } from '../mailbox-names.ts'
import type { Session } from '../session.ts'
import { Turns } from '../turns.ts'
import { type AskedStatus, statusItems, tellStatus } from './status.ts'

interface ListArguments {
  readonly extended: boolean
  readonly select: ReadonlySet<string>
  readonly reference: string
  readonly patterns: readonly string[]
  readonly returns: ReadonlySet<string>
  readonly status: readonly AskedStatus[] | undefined
}

const selections = new Set(['SUBSCRIBED', 'REMOTE', 'RECURSIVEMATCH', 'SPECIAL-USE'])
const returnables = new Set(['SUBSCRIBED', 'CHILDREN', 'SPECIAL-USE'])
const maxPatterns = 50
const maxPatternCharacters = 1000

function selectionOptions(input: CommandInput): Set<string> {
  const options = new Set<string>()
  input.expect('(')
  if (!input.try(')')) {
    do {
      const word = input.word()
      if (!selections.has(word)) input.fail('a selection option of LIST')
      options.add(word)
    } while (input.try(' '))
    input.expect(')')
  }
  // It modifies a selection, and REMOTE is none (LX-06).
  if (options.has('RECURSIVEMATCH') && !options.has('SUBSCRIBED') && !options.has('SPECIAL-USE'))
    input.fail('RECURSIVEMATCH with another selection option')
  return options
}

function parseList(input: CommandInput, session: Session): ListArguments {
  input.sp()
  let extended = false
  let select: ReadonlySet<string> = new Set()
  if (input.peek() === '(') {
    select = selectionOptions(input)
    extended = true
    input.sp()
  }
  const name = (octets: string): string => input.mailboxOf(octets)
  const reference = name(input.astring())
  input.sp()
  const patterns: string[] = []
  if (input.try('(')) {
    extended = true
    do patterns.push(name(input.listMailbox()))
    while (input.try(' '))
    input.expect(')')
  } else patterns.push(name(input.listMailbox()))
  if (
    patterns.length > maxPatterns ||
    patterns.some((p) => reference.length + p.length > maxPatternCharacters)
  )
    input.fail(`at most ${maxPatterns} patterns of ${maxPatternCharacters} characters`)
  const returns = new Set<string>()
  let status: AskedStatus[] | undefined
  if (input.try(' ')) {
    extended = true
    if (!input.tryWord('RETURN')) input.fail('RETURN')
    input.sp().expect('(')
    if (!input.try(')')) {
      do {
        const word = input.word()
        if (word === 'STATUS') status = statusItems(input.sp(), session)
        else if (returnables.has(word)) returns.add(word)
        else input.fail('a return option of LIST')
      } while (input.try(' '))
      input.expect(')')
    }
  }
  return { extended, select, reference, patterns, returns, status }
}

/** Everything that has a name: mailboxes, levels that only hold others, and names that are only subscribed. */
interface Named {
  readonly name: string
  readonly mailbox: Mailbox | undefined
  readonly subscribed: boolean
  readonly hasChildren: boolean
}

export function listNames(
  mailboxes: readonly Mailbox[],
  subscriptions: readonly string[],
): Map<string, Named> {
  const byName = new Map(mailboxes.map((m) => [m.name, m]))
  const subscribed = new Set(subscriptions)
  const holders = new Set(mailboxes.flatMap((m) => parentsOf(m.name)))
  const names = new Set([...byName.keys(), ...holders, ...subscriptions, ...subscriptions.flatMap(parentsOf)])
  const sorted = [...names].sort((a, b) =>
    a === b ? 0 : a === 'INBOX' ? -1 : b === 'INBOX' ? 1 : a < b ? -1 : 1,
  )
  return new Map(
    sorted.map((name) => [
      name,
      { name, mailbox: byName.get(name), subscribed: subscribed.has(name), hasChildren: holders.has(name) },
    ]),
  )
}

export const specialUseOf = (mailbox: Mailbox | undefined): string | undefined =>
  mailbox?.specialUse.join(' ') || undefined

/** Attributes that tell whether it can be selected and holds others (MX-23, LX-12). */
function attributesOf(named: Named, args: Pick<ListArguments, 'extended' | 'select' | 'returns'>): string[] {
  const attributes: string[] = []
  const exists = named.mailbox !== undefined
  if (!exists) attributes.push(args.extended ? '\\NonExistent' : '\\Noselect')
  else if (!named.mailbox.selectable) attributes.push('\\Noselect')
  attributes.push(named.hasChildren ? '\\HasChildren' : '\\HasNoChildren')
  if (named.subscribed && (args.select.has('SUBSCRIBED') || args.returns.has('SUBSCRIBED')))
    attributes.push('\\Subscribed')
  const use = specialUseOf(named.mailbox)
  if (use) attributes.push(use)
  return attributes
}

/** All that LIST can say of a name, or that there is no such mailbox. */
export const listedAttributes = (named: Named | undefined): string[] =>
  named
    ? attributesOf(named, { extended: true, select: new Set(), returns: new Set(['SUBSCRIBED']) })
    : ['\\NonExistent']

/** One LIST response; also used by NOTIFY and SELECT of IMAP4rev2. */
export function listLine(session: Session, attributes: readonly string[], name: string, data = ''): string {
  return `LIST (${attributes.join(' ')}) "/" ${mailboxName(name, session.utf8)}${data}`
}

/** The response for one mailbox, as plain LIST tells it; with the name that the client gave, where that is another. */
export async function listLineOf(session: Session, name: string, given?: string): Promise<string> {
  return session.services.store.read(session.user.id, async (view) => {
    const named = listNames(await view.mailboxes(), await view.subscriptions()).get(name)
    return listLine(
      session,
      listedAttributes(named),
      name,
      given === undefined ? '' : oldName(session, given),
    )
  })
}

/** The extended data item OLDNAME (RFC 5465 §5.4, RFC 9051 §6.3.9.7). */
export const oldName = (session: Session, name: string): string =>
  ` ("OLDNAME" (${mailboxName(name, session.utf8)}))`

/** Tells IMAP4rev2 sessions, which alone must understand it, that a name was normalised (MB-07; RFC 9051 §6.3.9.7). */
export async function tellNormalised(
  session: Session,
  name: string,
  given: string | undefined,
): Promise<void> {
  if (session.rev2 && given !== undefined) session.out.untagged(await listLineOf(session, name, given))
}

export const list = command({
  name: 'LIST',
  source: 'RFC 3501 §6.3.8, RFC 5258',
  states: ['authenticated', 'selected'],
  parse: parseList,
  async run(args, session) {
    const { out, services, user } = session
    if (!args.extended && args.patterns[0] === '') {
      // Only the delimiter is asked for (MX-18, LX-05).
      out.untagged('LIST (\\Noselect) "/" ""')
      return ok('LIST completed')
    }
    const matchers = args.patterns.filter((p) => p !== '').map((p) => listMatcher(args.reference + p))
    const matches = (name: string): boolean => matchers.some((match) => match(name))
    await services.store.read(user.id, async (view) => {
      const names = listNames(await view.mailboxes(), await view.subscriptions())
      const selected = (named: Named): boolean => {
        if (args.select.has('SUBSCRIBED') && !named.subscribed) return false
        return !args.select.has('SPECIAL-USE') || specialUseOf(named.mailbox) !== undefined
      }
      // Patterns full of wildcards take their time (SC-35).
      const turns = new Turns()
      const recursive = args.select.has('RECURSIVEMATCH')
      const narrowed = args.select.has('SUBSCRIBED') || args.select.has('SPECIAL-USE')
      // Levels above what is selected but itself not listed (LX-07 to LX-09).
      const holding = new Set<string>()
      if (recursive)
        for (const named of names.values()) {
          if (turns.isDue) await turns.give()
          if (selected(named) && !matches(named.name))
            for (const parent of parentsOf(named.name)) holding.add(parent)
        }
      for (const named of names.values()) {
        if (turns.isDue) await turns.give()
        if (!matches(named.name)) continue
        const itself = narrowed ? selected(named) : named.mailbox !== undefined || named.hasChildren
        const childInfo = recursive && holding.has(named.name)
        if (!itself && !childInfo) continue
        const kinds = [...args.select].filter((s) => s === 'SUBSCRIBED' || s === 'SPECIAL-USE')
        const data = childInfo ? ` ("CHILDINFO" (${kinds.map((k) => `"${k}"`).join(' ')}))` : ''
        out.untagged(listLine(session, attributesOf(named, args), named.name, data))
        // A name that stands here for its children alone gets no STATUS (LX-16).
        if (args.status && itself && named.mailbox?.selectable)
          await tellStatus(session, view, named.mailbox, args.status)
      }
    })
    return ok('LIST completed')
  },
})

export const lsub = command({
  name: 'LSUB',
  source: 'RFC 3501 §6.3.9',
  states: ['authenticated', 'selected'],
  parse(input) {
    const reference = input.mailboxOf(input.sp().astring())
    const pattern = input.mailboxOf(input.sp().listMailbox())
    if (reference.length + pattern.length > maxPatternCharacters)
      input.fail(`a pattern of ${maxPatternCharacters} characters at most`)
    return { reference, pattern }
  },
  async run({ reference, pattern }, session) {
    const match = listMatcher(reference + pattern)
    const subscriptions = await session.services.store.read(session.user.id, (view) => view.subscriptions())
    const told = new Map<string, string>()
    const turns = new Turns()
    for (const name of subscriptions.map(canonicalName)) {
      if (turns.isDue) await turns.give()
      if (match(name)) told.set(name, '')
      // "%" does not reach it: the level that it does reach stands for it (MX-25).
      else if (pattern.endsWith('%'))
        for (const parent of parentsOf(name))
          if (match(parent) && !told.has(parent)) told.set(parent, '\\Noselect')
    }
    for (const [name, attribute] of told)
      session.out.untagged(`LSUB (${attribute}) "/" ${mailboxName(name, session.utf8)}`)
    return ok('LSUB completed')
  },
})
