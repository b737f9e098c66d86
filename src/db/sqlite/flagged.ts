/** Messages with a flag, and without one, by the indexes that there are. */
import { setImmediate } from 'node:timers/promises'
import type { UidSet } from '../../store/store.ts'
import { asText, type Statements } from './statements.ts'
import { runsOf } from './uid-runs.ts'

/** The condition of each index, in its own words, or SQLite would not use it. */
const indexes: Readonly<Record<string, { readonly set: boolean; readonly sql: string }>> = {
  '\\seen': { set: false, sql: "messages_unseen WHERE instr(flags, '\\Seen') = 0" },
  '\\deleted': { set: true, sql: "messages_deleted WHERE instr(flags, '\\Deleted') > 0" },
  '\\flagged': { set: true, sql: "messages_flagged WHERE instr(flags, '\\Flagged') > 0" },
}

/** Rows read before others run. */
const pageRows = 10_000

export async function flagged(
  sql: Statements,
  mailbox: number,
  flag: string,
  set: boolean,
): Promise<UidSet | undefined> {
  const name = flag.toLowerCase()
  if (!name.startsWith('\\')) return set && !isKnown(sql, mailbox, name) ? [] : undefined
  const index = indexes[name]
  if (index?.set !== set) return undefined
  const text = `SELECT uid FROM messages INDEXED BY ${index.sql} AND mailbox = ? AND uid > ? ORDER BY uid LIMIT ${pageRows}`
  const uids: number[] = []
  for (;;) {
    const rows = sql.tuples(text, mailbox, uids[uids.length - 1] ?? 0)
    for (const [uid] of rows) uids.push(uid as number)
    if (rows.length < pageRows) return runsOf(uids)
    await setImmediate()
  }
}

/** A keyword that the mailbox does not know is on none of its messages. */
function isKnown(sql: Statements, mailbox: number, name: string): boolean {
  const row = sql.get('SELECT keywords FROM mailboxes WHERE id = ?', mailbox)
  const keywords = row ? (JSON.parse(asText(row.keywords)) as string[]) : []
  return keywords.some((keyword) => keyword.toLowerCase() === name)
}
