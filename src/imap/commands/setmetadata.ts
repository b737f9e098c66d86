/** SETMETADATA (RFC 5464 §4.3). */
import { Fault } from '../../model/fault.ts'
import { type Mailbox, maxMetadataValue, type StoreOperation } from '../../store/store.ts'
import type { CommandInput } from '../../wire/imap/tokens.ts'
import { command, no, ok } from '../command.ts'
import {
  type EntryChange,
  entryName,
  isTokenEntry,
  refuseReadOnly,
  specialUseEntry,
  tokenEntriesOf,
  usesNamed,
} from '../metadata-entries.ts'
import { refusedFilter } from '../search/filters.ts'

const maxEntries = 100

function changes(input: CommandInput): EntryChange[] {
  const list: EntryChange[] = []
  input.expect('(')
  do {
    const name = entryName(input)
    list.push({ name, value: input.sp().nstring8() ?? null })
    if (list.length > maxEntries) input.fail(`at most ${maxEntries} entries`)
  } while (input.try(' '))
  input.expect(')')
  return list
}

export const setMetadata = command({
  name: 'SETMETADATA',
  source: 'RFC 5464 §4.3',
  states: ['authenticated', 'selected'],
  parse: (input) => ({ mailbox: input.sp().mailbox(), entries: changes(input.sp()) }),
  async run({ mailbox: wanted, entries }, session) {
    const mailbox: Mailbox | null | undefined =
      wanted === ''
        ? null
        : await session.services.store.read(session.user.id, (view) => view.mailbox(wanted))
    if (mailbox === undefined) return no('there is no such mailbox', 'NONEXISTENT')
    refuseReadOnly(entries, mailbox)
    for (const { name, value } of entries) {
      if ((value?.length ?? 0) > maxMetadataValue)
        return no('the value is too large', `METADATA MAXSIZE ${maxMetadataValue}`)
      const refused = refusedFilter(name, value, mailbox === null)
      if (refused) return refused
    }
    const operations: StoreOperation[] = []
    const plain = entries.filter(({ name }) => {
      if (mailbox === null) return !isTokenEntry(name)
      return name !== specialUseEntry
    })
    if (plain.length > 0) operations.push({ op: 'metadata', mailbox: mailbox?.id ?? null, entries: plain })
    if (mailbox)
      for (const { name, value } of entries)
        if (name === specialUseEntry)
          operations.push({ op: 'special-use', mailbox: mailbox.id, use: usesNamed(value), take: true })
    try {
      if (operations.length > 0) await session.write(operations)
    } catch (error) {
      if (error instanceof Fault && error.kind === 'over-quota')
        return no('there are too many entries', 'METADATA TOOMANY')
      throw error
    }
    // Session tokens last: they are given out only where all else was done.
    if (mailbox === null)
      for (const { name, value } of entries)
        if (isTokenEntry(name)) {
          const tokens = tokenEntriesOf(session)
          if (!tokens) return no('there are no session tokens here', 'CANNOT')
          await tokens.set(name, value === null ? null : Buffer.from(value).toString('latin1'))
        }
    return ok('SETMETADATA completed')
  },
})
