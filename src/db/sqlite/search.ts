/** SEARCH, SORT and THREAD over what was stored at delivery; message octets are not touched (D6). */
import { casemap } from '../../model/casemap.ts'
import type { SearchHits, SearchTerm, SortKey, ThreadKey, UidSet } from '../../store/store.ts'
import type { Statements, Tuple } from './statements.ts'
import { everything } from './uid-runs.ts'

const sortColumn: Readonly<Record<SortKey['by'], string>> = {
  arrival: 'm.internal_date',
  cc: 'k.cc_mailbox',
  date: 'coalesce(k.sent_at, m.internal_date)',
  from: 'k.from_mailbox',
  size: 'm.size',
  subject: 'k.subject',
  to: 'k.to_mailbox',
  displayFrom: 'k.display_from',
  displayTo: 'k.display_to',
}

/** The texts are casemapped and compared as octets of UTF-8 by SQLite: the order of i;unicode-casemap (RFC 5051 §2). */
export function sorted(sql: Statements, mailbox: number, keys: readonly SortKey[]): Uint32Array {
  const order = keys.map(({ by, reverse }) => `${sortColumn[by]}${reverse ? ' DESC' : ''}`)
  const joined = keys.some(({ by }) => sortColumn[by].includes('k.'))
  return uidsOf(
    sql.tuples(
      `SELECT m.uid FROM messages m${joined ? ' JOIN sort_keys k ON k.blob = m.blob' : ''}
       WHERE m.mailbox = ? ORDER BY ${[...order, 'm.uid'].join(', ')}`,
      mailbox,
    ),
  )
}

const batchRows = 1000

export async function* threadKeys(
  sql: Statements,
  mailbox: number,
  uids: UidSet = everything,
): AsyncIterable<readonly ThreadKey[]> {
  for (const { from, to } of uids) {
    let next = from
    while (next <= to) {
      const rows = sql.tuples(
        `SELECT m.uid, coalesce(k.sent_at, m.internal_date), k.subject, k.is_reply, k.message_id, k.refs
         FROM messages m JOIN sort_keys k ON k.blob = m.blob
         WHERE m.mailbox = ? AND m.uid BETWEEN ? AND ? ORDER BY m.uid LIMIT ${batchRows}`,
        mailbox,
        next,
        to,
      )
      if (rows.length > 0) yield rows.map(threadKey)
      if (rows.length < batchRows) break
      next = Number(rows[rows.length - 1]?.[0]) + 1
    }
  }
}

const threadKey = ([uid, sentAt, subject, isReply, messageId, refs]: Tuple): ThreadKey => ({
  uid: Number(uid),
  sentAt: Number(sentAt),
  subject: String(subject),
  isReply: isReply === 1,
  messageId: messageId === null || messageId === undefined ? null : String(messageId),
  references: refs === '' ? [] : String(refs).split(' '),
})

export function search(sql: Statements, mailbox: number, term: SearchTerm): SearchHits {
  switch (term.in) {
    case 'email-id':
    case 'thread-id':
      return byId(sql, mailbox, term)
    case 'header':
      return inHeader(sql, mailbox, term.field, term.needle)
    case 'text':
      return inText(sql, mailbox, term.needle)
    case 'body':
      return term.needle === ''
        ? { matches: allUids(sql, mailbox), maybe: none }
        : { matches: none, maybe: allUids(sql, mailbox) }
  }
}

const none = new Uint32Array(0)

const uidsOf = (rows: readonly Tuple[]): Uint32Array => Uint32Array.from(rows, ([uid]) => uid as number)

const allUids = (sql: Statements, mailbox: number): Uint32Array =>
  uidsOf(sql.tuples('SELECT uid FROM messages WHERE mailbox = ? ORDER BY uid', mailbox))

function byId(
  sql: Statements,
  mailbox: number,
  term: { readonly in: 'email-id' | 'thread-id'; readonly id: string },
): SearchHits {
  const number = (term.in === 'email-id' ? /^M(\d{1,15})$/ : /^T(\d{1,15})$/).exec(term.id)?.[1]
  if (number === undefined) return { matches: none, maybe: none }
  const rows =
    term.in === 'email-id'
      ? sql.tuples(
          'SELECT uid FROM messages WHERE blob = ? AND mailbox = ? ORDER BY uid',
          Number(number),
          mailbox,
        )
      : sql.tuples(
          `SELECT m.uid FROM sort_keys k JOIN messages m ON m.blob = k.blob
           WHERE k.thread = ? AND m.mailbox = ? ORDER BY m.uid`,
          Number(number),
          mailbox,
        )
  return { matches: uidsOf(rows), maybe: none }
}

/** All fields of that name are looked at (SR-06). SQL leaves few rows to split into lines. */
function inHeader(sql: Statements, mailbox: number, field: string, given: string): SearchHits {
  const line = `\n${field.toUpperCase()}:`
  const needle = folded(given)
  const rows = sql.tuples(
    `SELECT m.uid, h.whole, h.fields FROM messages m LEFT JOIN headers h ON h.blob = m.blob
     WHERE m.mailbox = ? AND (h.whole IS NOT 1 OR (instr(h.fields, ?) > 0 AND instr(h.fields, ?) > 0)) ORDER BY m.uid`,
    mailbox,
    line,
    needle,
  )
  return split(rows, (fields) => lineHolds(fields, line, needle))
}

function inText(sql: Statements, mailbox: number, given: string): SearchHits {
  if (given === '') return { matches: allUids(sql, mailbox), maybe: none }
  const rows = sql.tuples(
    `SELECT m.uid, h.whole, instr(h.fields, ?) > 0 FROM messages m LEFT JOIN headers h ON h.blob = m.blob
     WHERE m.mailbox = ? ORDER BY m.uid`,
    folded(given),
    mailbox,
  )
  return {
    matches: uidsOf(rows.filter(([, , found]) => found === 1)),
    maybe: uidsOf(rows.filter(([, , found]) => found !== 1)),
  }
}

/** As the stored text: folded, and without what would end a line. */
const folded = (needle: string): string => casemap(needle).replace(/[\0\r\n]/g, ' ')

/** Rows (uid, whole, fields): those that hold, and those of which too little is kept to say no. */
function split(rows: readonly Tuple[], holds: (fields: string) => boolean): SearchHits {
  const matches: number[] = []
  const maybe: number[] = []
  for (const [uid, whole, fields] of rows) {
    if (typeof fields === 'string' && holds(fields)) matches.push(Number(uid))
    else if (whole !== 1) maybe.push(Number(uid))
  }
  return { matches: Uint32Array.from(matches), maybe: Uint32Array.from(maybe) }
}

function lineHolds(fields: string, line: string, needle: string): boolean {
  for (let at = fields.indexOf(line); at >= 0; at = fields.indexOf(line, at + 1)) {
    const start = at + line.length
    const end = fields.indexOf('\n', start)
    const found = fields.indexOf(needle, start)
    if (found < 0) return false
    if (end < 0 || found + needle.length <= end) return true
  }
  return false
}
