/** Message rows of the database as the store's messages: only the columns that were asked for are read. */
import type { AsciiForm, MessageDigest } from '../../model/message-digest.ts'
import type { DigestPart, Message, MessageQuery, UidSet } from '../../store/store.ts'
import { flagList } from './flags.ts'
import type { Statements, Tuple } from './statements.ts'
import { everything, runsOf } from './uid-runs.ts'

const batchRows = 500

const columnOf: Readonly<Record<Exclude<DigestPart, 'ascii'>, string>> = {
  envelope: 'd.envelope',
  bodyStructure: 'd.body_structure',
  body: 'd.body',
  preview: 'd.preview',
  detail: 'd.detail',
}
const allParts: readonly DigestPart[] = ['envelope', 'bodyStructure', 'body', 'preview', 'ascii', 'detail']
/** In the order in which StoredMessage has them. */
const briefColumns = ['m.uid', 'm.flags', 'm.internal_date', 'm.internal_offset', 'm.size', 'm.utf8_size']
const otherColumns = ['m.mod_seq', 'm.created_mod_seq', 'm.saved_at', 'm.blob']

export async function* messagesOf(
  sql: Statements,
  mailbox: number,
  query: MessageQuery,
): AsyncIterable<readonly Message[]> {
  const parts = query.digest === true ? allParts : query.digest || []
  const columns = [
    ...briefColumns,
    ...(query.brief ? [] : otherColumns),
    ...(query.threadId ? ['k.thread'] : []),
    ...parts.flatMap((part) => (part === 'ascii' ? [] : columnOf[part])),
  ]
  const text = `SELECT ${columns.join(', ')} FROM messages m${parts.length > 0 ? ' JOIN digests d ON d.blob = m.blob' : ''}${
    query.threadId ? ' JOIN sort_keys k ON k.blob = m.blob' : ''
  } WHERE m.mailbox = ? AND m.uid BETWEEN ? AND ?`
  const toMessage = reader(sql, mailbox, columns, parts)
  if (query.changedSince !== undefined && query.uids === undefined) {
    // What changed is found by its mod-sequence, not by looking at every message (QR-56).
    const rows = sql.tuples(
      `${text} AND m.mod_seq > ? ORDER BY m.mod_seq`,
      mailbox,
      1,
      4_294_967_295,
      query.changedSince,
    )
    const sorted = [...rows].sort((a, b) => Number(a[0]) - Number(b[0]))
    for (let i = 0; i < sorted.length; i += batchRows) yield sorted.slice(i, i + batchRows).map(toMessage)
    return
  }
  const since = query.changedSince ?? 0
  const wanted = query.uids ?? everything
  const uids = since > 0 ? (fewChanged(sql, mailbox, since, wanted) ?? wanted) : wanted
  const batch = `${text} AND +m.mod_seq > ? ORDER BY m.uid LIMIT ${batchRows}`
  for (const { from, to } of uids) {
    let next = from
    while (next <= to) {
      const rows = sql.tuples(batch, mailbox, next, to, since)
      if (rows.length > 0) yield rows.map(toMessage)
      if (rows.length < batchRows) break
      next = Number(rows[rows.length - 1]?.[0]) + 1
    }
  }
}

/** Changed messages that are looked up one by one; where there are more, the mailbox is walked through. */
const few = 1000

/** Which of `uids` changed, by their mod-sequences (QR-56); undefined: too many to be worth it. */
function fewChanged(sql: Statements, mailbox: number, since: number, uids: UidSet): UidSet | undefined {
  const rows = sql.tuples(
    `SELECT uid FROM messages INDEXED BY messages_mod_seq WHERE mailbox = ? AND mod_seq > ? LIMIT ${few + 1}`,
    mailbox,
    since,
  )
  if (rows.length > few) return undefined
  const changed = rows.map(([uid]) => Number(uid)).sort((a, b) => a - b)
  let at = 0
  return runsOf(
    changed.filter((uid) => {
      while ((uids[at]?.to ?? uid) < uid) at += 1
      return (uids[at]?.from ?? uid + 1) <= uid
    }),
  )
}

function reader(
  sql: Statements,
  mailbox: number,
  columns: readonly string[],
  parts: readonly DigestPart[],
): (row: Tuple) => Message {
  const at = (part: Exclude<DigestPart, 'ascii'>): number => columns.indexOf(columnOf[part])
  const places: Places = {
    whole: columns.includes('m.blob'),
    thread: columns.indexOf('k.thread'),
    envelope: at('envelope'),
    bodyStructure: at('bodyStructure'),
    body: at('body'),
    preview: at('preview'),
    detail: at('detail'),
    ascii: parts.includes('ascii'),
  }
  // Few messages have that form; it is not looked for in the others.
  return (row) =>
    new StoredMessage(row, places, places.ascii && row[5] !== null ? asciiOf(sql, mailbox, row[0]) : null)
}

const asciiOf = (sql: Statements, mailbox: number, uid: Tuple[number] = null): string | null => {
  const row = sql.get(
    `SELECT json_extract(d.detail, '$.ascii') AS ascii FROM messages m JOIN digests d ON d.blob = m.blob
     WHERE m.mailbox = ? AND m.uid = ?`,
    mailbox,
    uid,
  )
  return row ? (row.ascii as string | null) : null
}

interface Places extends Readonly<Record<Exclude<DigestPart, 'ascii'>, number>> {
  readonly ascii: boolean
  /** Not only what a list shows was read. */
  readonly whole: boolean
  readonly thread: number
}

/** A row as it was read; what nobody asks of it is not made. Plain fields: fetch.ts puts a newer state in front of it. */
class StoredMessage implements Message {
  private readonly row: Tuple
  private readonly places: Places
  private readonly ascii: string | null
  private readDigest: MessageDigest | undefined

  constructor(row: Tuple, places: Places, ascii: string | null) {
    this.row = row
    this.places = places
    this.ascii = ascii
    this.readDigest = undefined
  }

  private other(column: number): number {
    if (!this.places.whole) throw new Error('the query asked for little of the message')
    return this.row[column] as number
  }
  get uid(): number {
    return this.row[0] as number
  }
  get flags(): readonly string[] {
    return flagList(this.row[1] as string)
  }
  get internalDate(): number {
    return this.row[2] as number
  }
  get internalOffsetMinutes(): number {
    return this.row[3] as number
  }
  get size(): number {
    return this.row[4] as number
  }
  get utf8Size(): number | undefined {
    return (this.row[5] ?? undefined) as number | undefined
  }
  get modSeq(): number {
    return this.other(6)
  }
  get createdModSeq(): number {
    return this.other(7)
  }
  get savedAt(): number {
    return this.other(8)
  }
  get blob(): number {
    return this.other(9)
  }
  get digest(): MessageDigest {
    this.readDigest ??= new StoredDigest(this.row, this.places, this.ascii)
    return this.readDigest
  }

  /** COPY shares the octets, and RFC 8474 §5.1 wants the same EMAILID for the same octets. */
  get emailId(): string {
    return `M${this.blob}`
  }
  get threadId(): string {
    const { thread } = this.places
    if (thread < 0) throw new Error('the query did not ask for threadId')
    return `T${this.row[thread]}`
  }
}

type Detail = Omit<MessageDigest, 'envelope' | 'bodyStructure' | 'body' | 'preview' | 'ascii'>

/** Strings as they are stored; the rest is parsed when it is asked for. */
class StoredDigest implements MessageDigest {
  readonly #row: Tuple
  readonly #places: Places
  readonly #ascii: string | null
  #detail: Detail | undefined

  constructor(row: Tuple, places: Places, ascii: string | null) {
    this.#row = row
    this.#places = places
    this.#ascii = ascii
  }

  #text(part: Exclude<DigestPart, 'ascii'>): string {
    const value = this.#row[this.#places[part]]
    if (value === undefined) throw new Error(`the query did not ask for ${part} of the digest`)
    return value as string
  }
  get #parsed(): Detail {
    this.#detail ??= JSON.parse(this.#text('detail')) as Detail
    return this.#detail
  }
  get envelope() {
    return this.#text('envelope')
  }
  get bodyStructure() {
    return this.#text('bodyStructure')
  }
  get body() {
    return this.#text('body')
  }
  get preview() {
    return this.#text('preview')
  }
  get ascii() {
    if (!this.#places.ascii) throw new Error('the query did not ask for ascii of the digest')
    return this.#ascii === null ? undefined : (JSON.parse(this.#ascii) as AsciiForm)
  }
  get size() {
    return this.#parsed.size
  }
  get structure() {
    return this.#parsed.structure
  }
  get sentAt() {
    return this.#parsed.sentAt
  }
  get sentOffsetMinutes() {
    return this.#parsed.sentOffsetMinutes
  }
  get baseSubject() {
    return this.#parsed.baseSubject
  }
  get messageId() {
    return this.#parsed.messageId
  }
  get references() {
    return this.#parsed.references
  }
}
