/** Message rows of the database as the store's messages: only the columns that were asked for are read. */
import type { AsciiForm, MessageDigest } from '../../model/message-digest.ts'
import type { DigestPart, Message, MessageQuery, UidSet } from '../../store/store.ts'
import { flagList } from './flags.ts'
import type { Statements, Tuple } from './statements.ts'
import { everything, runsOf } from './uid-runs.ts'

const batchRows = 500

const columnOf: Readonly<Record<DigestPart, string>> = {
  envelope: 'd.envelope',
  bodyStructure: 'd.body_structure',
  body: 'd.body',
  preview: 'd.preview',
  // Read of the few messages only that have it.
  ascii: "CASE WHEN m.utf8_size IS NOT NULL THEN json_extract(d.detail, '$.ascii') END",
  detail: 'd.detail',
}
const allParts: readonly DigestPart[] = ['envelope', 'bodyStructure', 'body', 'preview', 'ascii', 'detail']
const fixedColumns = 10

export async function* messagesOf(
  sql: Statements,
  mailbox: number,
  query: MessageQuery,
): AsyncIterable<readonly Message[]> {
  const parts = query.digest === true ? allParts : query.digest || []
  const columns = [...parts.map((part) => columnOf[part]), ...(query.threadId ? ['k.thread'] : [])]
  const text = `SELECT m.uid, m.mod_seq, m.created_mod_seq, m.flags, m.internal_date, m.saved_at, m.size, m.blob, m.internal_offset, m.utf8_size${columns
    .map((column) => `, ${column}`)
    .join('')} FROM messages m${parts.length > 0 ? ' JOIN digests d ON d.blob = m.blob' : ''}${
    query.threadId ? ' JOIN sort_keys k ON k.blob = m.blob' : ''
  } WHERE m.mailbox = ? AND m.uid BETWEEN ? AND ?`
  const toMessage = reader(parts, query.threadId === true)
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

function reader(parts: readonly DigestPart[], threadId: boolean): (row: Tuple) => Message {
  const at = (part: DigestPart): number => (parts.includes(part) ? fixedColumns + parts.indexOf(part) : -1)
  const places: Places = {
    envelope: at('envelope'),
    bodyStructure: at('bodyStructure'),
    body: at('body'),
    preview: at('preview'),
    ascii: at('ascii'),
    detail: at('detail'),
  }
  const thread = threadId ? fixedColumns + parts.length : -1
  return (row) => new StoredMessage(row, places, thread)
}

type Places = Readonly<Record<DigestPart, number>>

class StoredMessage implements Message {
  readonly uid: number
  readonly modSeq: number
  readonly createdModSeq: number
  readonly flags: readonly string[]
  readonly internalDate: number
  readonly internalOffsetMinutes: number
  readonly savedAt: number
  readonly size: number
  readonly utf8Size: number | undefined
  readonly blob: number
  readonly digest: MessageDigest
  readonly #row: Tuple
  readonly #thread: number

  constructor(row: Tuple, places: Places, thread: number) {
    this.uid = row[0] as number
    this.modSeq = row[1] as number
    this.createdModSeq = row[2] as number
    this.flags = flagList(row[3] as string)
    this.internalDate = row[4] as number
    this.savedAt = row[5] as number
    this.size = row[6] as number
    this.blob = row[7] as number
    this.internalOffsetMinutes = row[8] as number
    this.utf8Size = (row[9] ?? undefined) as number | undefined
    this.digest = new StoredDigest(row, places)
    this.#row = row
    this.#thread = thread
  }

  /** COPY shares the octets, and RFC 8474 §5.1 wants the same EMAILID for the same octets. */
  get emailId(): string {
    return `M${this.blob}`
  }
  get threadId(): string {
    if (this.#thread < 0) throw new Error('the query did not ask for threadId')
    return `T${this.#row[this.#thread]}`
  }
}

type Detail = Omit<MessageDigest, 'envelope' | 'bodyStructure' | 'body' | 'preview' | 'ascii'>

/** Strings as they are stored; the rest is parsed when it is asked for. */
class StoredDigest implements MessageDigest {
  readonly #row: Tuple
  readonly #places: Places
  #detail: Detail | undefined

  constructor(row: Tuple, places: Places) {
    this.#row = row
    this.#places = places
  }

  #column(part: DigestPart): string | null {
    const value = this.#row[this.#places[part]]
    if (value === undefined) throw new Error(`the query did not ask for ${part} of the digest`)
    return value as string | null
  }
  #text(part: Exclude<DigestPart, 'ascii'>): string {
    return this.#column(part) as string
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
    const text = this.#column('ascii')
    return text === null ? undefined : (JSON.parse(text) as AsciiForm)
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
