/**
 * One extension a file: what it adds to commands that exist, by the places that RFC 4466 §2 names, its own commands, and
 * its capability. Advertised means registered, and nothing else.
 */
import type { Mailbox } from '../store/store.ts'
import type { CommandInput } from '../wire/imap/tokens.ts'
import type { Command } from './command.ts'
import type { AppendData } from './commands/append.ts'
import type { FetchItem } from './fetch/item.ts'
import type { FetchQuery } from './fetch/query.ts'
import type { SelectQuery } from './select-query.ts'
import type { Session } from './session.ts'
import type { StatusItem } from './status-item.ts'

export interface Extension {
  /** Names in CAPABILITY for this session in its present state. */
  readonly capability: string | ((session: Session) => readonly string[])
  /** For the table of standards, where no capability names it. */
  readonly title?: string
  /** Told only after login. Default true; what a client needs before it is told always. */
  readonly afterLogin?: boolean
  readonly source: string
  /** Accepted by ENABLE (RFC 5161). */
  readonly enable?: string
  /** Runs when ENABLE switches it on; other names that it implies. */
  readonly onEnable?: (session: Session) => void
  readonly commands?: readonly Command[]
  /** Adds to the answer of SELECT and EXAMINE, after the data of RFC 3501. */
  readonly onSelect?: (session: Session, mailbox: Mailbox, query: SelectQuery) => Promise<void> | void
  readonly selectParams?: Readonly<
    Record<string, (input: CommandInput, query: SelectQuery, session: Session) => void>
  >
  /** Forms of a message in APPEND beside the literal; the word is read, and the space behind it. */
  readonly appendData?: Readonly<Record<string, (input: CommandInput, session: Session) => AppendData>>
  readonly fetchItems?: Readonly<Record<string, (input: CommandInput, session: Session) => FetchItem>>
  readonly fetchModifiers?: Readonly<
    Record<string, (input: CommandInput, query: FetchQuery, session: Session) => void>
  >
  readonly statusItems?: Readonly<Record<string, StatusItem>>
}
