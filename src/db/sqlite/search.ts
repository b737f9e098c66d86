/** SEARCH, SORT and THREAD over what was stored at delivery; message octets are not touched (D6). */
import { casemap } from '../../model/casemap.ts'
import type { SearchHits, SearchTerm, SortKey, ThreadKey, UidSet } from '../../store/store.ts'
import { asNumber, type Statements, type Tuple } from './statements.ts'
import { blobBits, blobMask, termsFor, unbroken } from './text-index.ts'
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

export function search(sql: Statements, account: number, mailbox: number, term: SearchTerm): SearchHits {
  if ('id' in term) return byId(sql, mailbox, term)
  const scope: Scope = { sql, account, mailbox, indexed: sql.indexed }
  try {
    return byText(scope, term)
  } catch (error) {
    if (!scope.indexed) throw error
    // The index is broken: every message is looked into.
    return byText({ ...scope, indexed: false }, term)
  }
}

interface Scope {
  readonly sql: Statements
  readonly account: number
  readonly mailbox: number
  readonly indexed: boolean
}

function byText(scope: Scope, term: Extract<SearchTerm, { readonly needle: string }>): SearchHits {
  const needle = unbroken(casemap(term.needle))
  if (term.in === 'header') return inHeader(scope, term.field, needle.replace(/[\r\n]/g, ' '))
  if (needle === '') return { matches: allUids(scope.sql, scope.mailbox), maybe: none }
  return term.in === 'text' ? inText(scope, needle) : inBody(scope, needle)
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
          `SELECT m.uid FROM sort_keys k CROSS JOIN messages m ON m.blob = k.blob
           WHERE k.thread = ? AND m.mailbox = ? ORDER BY m.uid`,
          Number(number),
          mailbox,
        )
  return { matches: uidsOf(rows), maybe: none }
}

/** Rows of the mailbox that the index cannot rule out, as a table `f (uid, blob)`, and the values of its parameters. */
interface Candidates {
  readonly table: string
  readonly values: readonly (number | string)[]
}

function candidates({ sql, account, mailbox, indexed }: Scope, needle: string): Candidates {
  const everything = { table: '(SELECT uid, blob FROM messages WHERE mailbox = ?) f', values: [mailbox] }
  if (!indexed) return everything
  // Read before the terms: what is indexed meanwhile is then asked for in both ways, not in none.
  const watermark = asNumber(sql.get('SELECT blob FROM search.progress')?.blob)
  const terms = termsFor(sql, needle)
  if (terms === 'any') return everything
  const unknown = `SELECT uid, blob FROM messages INDEXED BY messages_blob WHERE blob > ? AND mailbox = ?
    UNION ALL SELECT m.uid, m.blob FROM search.skipped s CROSS JOIN messages m ON m.blob = s.blob WHERE m.mailbox = ?`
  if (terms === 'none') return { table: `(${unknown}) f`, values: [watermark, mailbox, mailbox] }
  return {
    table: `(SELECT m.uid, m.blob FROM search.texts t CROSS JOIN messages m ON m.blob = (t.rowid & ${blobMask})
      WHERE t.texts MATCH ? AND t.rowid BETWEEN (? << ${blobBits}) AND ((? << ${blobBits}) | ${blobMask})
        AND m.mailbox = ? AND m.blob <= ? UNION ALL ${unknown}) f`,
    values: [terms, account, account, mailbox, watermark, watermark, mailbox, mailbox],
  }
}

/** All fields of that name are looked at (SR-06). SQL leaves few rows to split into lines. */
function inHeader(scope: Scope, field: string, needle: string): SearchHits {
  const line = `\n${field.toUpperCase()}:`
  const { table, values } = candidates(scope, needle)
  const rows = scope.sql.tuples(
    `SELECT f.uid, h.whole, h.fields FROM ${table} LEFT JOIN headers h ON h.blob = f.blob
     WHERE h.whole IS NOT 1 OR (instr(h.fields, ?) > 0 AND instr(h.fields, ?) > 0)`,
    ...values,
    line,
    needle,
  )
  const matches: number[] = []
  const maybe: number[] = []
  for (const [uid, whole, fields] of rows) {
    if (typeof fields === 'string' && lineHolds(fields, line, needle)) matches.push(Number(uid))
    // Too little of the header is kept to say no.
    else if (whole !== 1) maybe.push(Number(uid))
  }
  return { matches: ascending(matches), maybe: ascending(maybe) }
}

function inText(scope: Scope, needle: string): SearchHits {
  const { table, values } = candidates(scope, needle)
  const rows = scope.sql.tuples(
    `SELECT f.uid, instr(h.fields, ?) > 0 FROM ${table} LEFT JOIN headers h ON h.blob = f.blob`,
    needle,
    ...values,
  )
  const of = (wanted: boolean): Uint32Array =>
    ascending(rows.filter(([, found]) => (found === 1) === wanted).map(([uid]) => Number(uid)))
  // Across a line's name and value the kept header says nothing.
  return needle.includes(':')
    ? { matches: none, maybe: ascending([...of(true), ...of(false)]) }
    : { matches: of(true), maybe: of(false) }
}

function inBody(scope: Scope, needle: string): SearchHits {
  const { table, values } = candidates(scope, needle)
  return {
    matches: none,
    maybe: ascending(scope.sql.tuples(`SELECT f.uid FROM ${table}`, ...values).map(([uid]) => Number(uid))),
  }
}

const ascending = (uids: readonly number[]): Uint32Array => Uint32Array.from(uids).sort()

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
