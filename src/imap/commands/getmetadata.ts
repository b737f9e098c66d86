/** GETMETADATA (RFC 5464 §4.2). */
import type { Mailbox, MetadataEntry } from '../../store/store.ts'
import { astring, mailboxName, nstringOf } from '../../wire/imap/encode.ts'
import type { CommandInput } from '../../wire/imap/tokens.ts'
import { command, no, ok } from '../command.ts'
import { entriesOf, entryName, isTokenEntry, tokenEntriesOf } from '../metadata-entries.ts'
import type { Session } from '../session.ts'

interface Options {
  maxSize?: number
  depth: 0 | 1 | typeof Number.POSITIVE_INFINITY
}

const maxEntries = 100

function options(input: CommandInput, into: Options): void {
  input.expect('(')
  do {
    switch (input.word()) {
      case 'MAXSIZE':
        into.maxSize = input.sp().number()
        break
      case 'DEPTH': {
        const depth = input.sp().word()
        if (depth !== '0' && depth !== '1' && depth !== 'INFINITY') input.fail('0, 1 or infinity')
        into.depth = depth === 'INFINITY' ? Number.POSITIVE_INFINITY : depth === '1' ? 1 : 0
        break
      }
      default:
        input.fail('MAXSIZE or DEPTH')
    }
  } while (input.try(' '))
  input.expect(')')
}

function entryNames(input: CommandInput): string[] {
  if (!input.try('(')) return [entryName(input, true)]
  const names: string[] = []
  do {
    names.push(entryName(input, true))
    if (names.length > maxEntries) input.fail(`at most ${maxEntries} entries`)
  } while (input.try(' '))
  input.expect(')')
  return [...new Set(names)]
}

/** How many levels `name` lies below `above`; undefined: it does not. */
function levelsBelow(above: string, name: string): number | undefined {
  if (name === above) return 0
  return name.startsWith(`${above}/`) ? name.slice(above.length + 1).split('/').length : undefined
}

export const getMetadata = command({
  name: 'GETMETADATA',
  source: 'RFC 5464 §4.2',
  states: ['authenticated', 'selected'],
  parse(input) {
    // The grammar has the options before the mailbox, the examples after it (MD-03).
    const asked: Options = { depth: 0 }
    input.sp()
    if (input.peek() === '(') {
      options(input, asked)
      input.sp()
    }
    const mailbox = input.mailbox()
    input.sp()
    if (input.optionsFollow()) {
      options(input, asked)
      input.sp()
    }
    return { mailbox, asked, names: entryNames(input) }
  },
  async run({ mailbox: wanted, asked, names }, session) {
    const { store } = session.services
    const found = await store.read(session.user.id, async (view) => {
      const mailbox: Mailbox | null | undefined = wanted === '' ? null : await view.mailbox(wanted)
      return mailbox === undefined
        ? undefined
        : { mailbox, entries: await entriesOf(view, mailbox, session.services.urls) }
    })
    if (!found) return no('there is no such mailbox', 'NONEXISTENT')
    const told = new Map<string, Uint8Array | null>()
    let longest = 0
    for (const name of names)
      for (const entry of candidates(session, found.entries, name, asked.depth, wanted === '')) {
        if (asked.maxSize !== undefined && (entry.value?.length ?? 0) > asked.maxSize)
          longest = Math.max(longest, entry.value?.length ?? 0)
        else told.set(entry.name, entry.value)
      }
    if (told.size > 0) {
      const pairs = [...told].map(([name, value]) => `${astring(name)} ${nstringOf(value)}`)
      session.out.untagged(`METADATA ${mailboxName(wanted, session.utf8)} (${pairs.join(' ')})`)
    }
    return ok('GETMETADATA completed', longest > 0 ? `METADATA LONGENTRIES ${longest}` : undefined)
  },
})

/** The entry itself, NIL when it has no value (MD-01), and with a depth what lies below it (MD-05). */
function candidates(
  session: Session,
  entries: readonly MetadataEntry[],
  name: string,
  depth: number,
  server: boolean,
): { readonly name: string; readonly value: Uint8Array | null }[] {
  if (server && isTokenEntry(name)) {
    const value = tokenEntriesOf(session)?.get(name)
    return [{ name, value: value === undefined ? null : Buffer.from(value) }]
  }
  const found = entries.filter(
    (entry) => (levelsBelow(name, entry.name) ?? Number.POSITIVE_INFINITY) <= depth,
  )
  if (depth === 0 && found.length === 0) return [{ name, value: null }]
  return found
}
