/** The mailbox store's reading side, and the way of its operations to the writer. */
import { Fault } from '../../model/fault.ts'
import type { MessageDigest } from '../../model/message-digest.ts'
import type {
  AccountView,
  Mailbox,
  MailStore,
  Message,
  MessageQuery,
  OctetRange,
  OperationResult,
  UidSet,
} from '../../store/store.ts'
import type { Kernel } from './engine.ts'
import { joined } from './joined.ts'
import type { OperationRow } from './requests.ts'
import type { Place } from './segments.ts'
import { asNumber, asText, type Row, type Statements } from './statements.ts'
import { canonicalName, flagList } from './store-writes.ts'

const batchRows = 500
const chunkOctets = 65_536

export function createStore(kernel: Kernel): MailStore {
  const place = (blob: number): Place => {
    const row = kernel.latest.get('SELECT segment, offset, length FROM blobs WHERE id = ?', blob)
    if (!row) throw new Fault('not-found', `no octets ${blob}`)
    return { segment: asNumber(row.segment), offset: asNumber(row.offset), length: asNumber(row.length) }
  }
  const within = (at: Place, range: OctetRange | undefined): OctetRange => {
    const start = Math.min(range?.start ?? 0, at.length)
    return { start, end: Math.max(start, Math.min(range?.end ?? at.length, at.length)) }
  }
  return {
    read: (account, fn) => kernel.snapshot((sql) => fn(viewOf(sql, account))),
    async write(account, operations) {
      const octets: Uint8Array[] = []
      const rows = operations.map((operation): OperationRow => {
        if (operation.op !== 'append') return operation
        const messages = operation.messages.map((message) => ({
          octets: octets.push(joined(message.octets)) - 1,
          digest: message.digest,
          internalDate: message.internalDate,
          flags: message.flags,
        }))
        return { op: 'append', mailbox: operation.mailbox, messages }
      })
      return kernel.write<readonly OperationResult[]>(
        { kind: 'store', account, operations: rows, now: kernel.now() },
        octets,
      )
    },
    watch: (account, onChange) => kernel.watch(account, onChange),
    readBlob(blob, range) {
      const at = place(blob)
      const { start, end } = within(at, range)
      return kernel.segments.read(at, start, end)
    },
    async *streamBlob(blob, range) {
      const at = place(blob)
      const { start, end } = within(at, range)
      for (let from = start; from < end; from += chunkOctets)
        yield await kernel.segments.read(at, from, Math.min(from + chunkOctets, end))
    },
  }
}

function viewOf(sql: Statements, account: number): AccountView {
  return {
    async mailboxes() {
      const rows = sql.all('SELECT * FROM mailboxes WHERE account = ? ORDER BY name', account).map(mailboxOf)
      return [...rows.filter((m) => m.name === 'INBOX'), ...rows.filter((m) => m.name !== 'INBOX')]
    },
    async mailbox(name) {
      const row = sql.get(
        'SELECT * FROM mailboxes WHERE account = ? AND name = ?',
        account,
        canonicalName(name),
      )
      return row && mailboxOf(row)
    },
    async mailboxById(id) {
      const row = sql.get('SELECT * FROM mailboxes WHERE account = ? AND id = ?', account, id)
      return row && mailboxOf(row)
    },
    async subscriptions() {
      return sql
        .all('SELECT name FROM subscriptions WHERE account = ? ORDER BY name', account)
        .map((r) => asText(r.name))
    },
    async uids(mailbox) {
      return Uint32Array.from(
        sql
          .all('SELECT uid FROM messages WHERE mailbox = ? ORDER BY uid', mailbox)
          .map((r) => asNumber(r.uid)),
      )
    },
    messages: (mailbox, query) => messagesOf(sql, mailbox, query),
    async vanished(mailbox, after) {
      const rows = sql.all(
        'SELECT uid FROM expunged WHERE mailbox = ? AND mod_seq > ? ORDER BY uid',
        mailbox,
        after,
      )
      return asSet(rows.map((r) => asNumber(r.uid)))
    },
    async countFrom(mailbox, from) {
      return asNumber(
        sql.get('SELECT count(*) AS n FROM messages WHERE mailbox = ? AND uid >= ?', mailbox, from)?.n,
      )
    },
    async firstUnseen(mailbox) {
      const row = sql.get(
        "SELECT uid FROM messages WHERE mailbox = ? AND instr(flags, '\\Seen') = 0 ORDER BY uid LIMIT 1",
        mailbox,
      )
      return row && asNumber(row.uid)
    },
    async highestModSeq() {
      return asNumber(sql.get('SELECT mod_seq FROM accounts WHERE id = ?', account)?.mod_seq)
    },
  }
}

const asSet = (uids: readonly number[]): UidSet => {
  const set: { from: number; to: number }[] = []
  for (const uid of uids) {
    const last = set[set.length - 1]
    if (last && last.to === uid - 1) last.to = uid
    else set.push({ from: uid, to: uid })
  }
  return set
}

const mailboxOf = (row: Row): Mailbox => ({
  id: asNumber(row.id),
  name: asText(row.name),
  selectable: row.selectable === 1,
  uidValidity: asNumber(row.uid_validity),
  uidNext: asNumber(row.uid_next),
  messages: asNumber(row.messages),
  unseen: asNumber(row.unseen),
  deleted: asNumber(row.deleted),
  octets: asNumber(row.octets),
  firstRecent: asNumber(row.first_recent),
  highestModSeq: asNumber(row.highest_mod_seq),
  objectId: asText(row.object_id),
  keywords: JSON.parse(asText(row.keywords)) as string[],
})

async function* messagesOf(
  sql: Statements,
  mailbox: number,
  query: MessageQuery,
): AsyncIterable<readonly Message[]> {
  const text = `SELECT m.uid, m.mod_seq, m.created_mod_seq, m.flags, m.internal_date, m.saved_at, m.size, m.blob${
    query.digest ? ', d.envelope, d.body_structure, d.body, d.detail' : ''
  } FROM messages m${query.digest ? ' JOIN digests d ON d.blob = m.blob' : ''}
  WHERE m.mailbox = ? AND m.uid BETWEEN ? AND ? AND m.mod_seq > ? ORDER BY m.uid LIMIT ${batchRows}`
  for (const { from, to } of query.uids ?? [{ from: 1, to: 4_294_967_295 }]) {
    let next = from
    while (next <= to) {
      const rows = sql.all(text, mailbox, next, to, query.changedSince ?? 0)
      if (rows.length > 0) yield rows.map(messageOf)
      if (rows.length < batchRows) break
      next = asNumber(rows[rows.length - 1]?.uid) + 1
    }
  }
}

function messageOf(row: Row): Message {
  return {
    uid: asNumber(row.uid),
    modSeq: asNumber(row.mod_seq),
    createdModSeq: asNumber(row.created_mod_seq),
    flags: flagList(row.flags),
    internalDate: asNumber(row.internal_date),
    savedAt: asNumber(row.saved_at),
    size: asNumber(row.size),
    blob: asNumber(row.blob),
    // COPY shares the octets, and RFC 8474 wants the same EMAILID for the same octets.
    emailId: `M${asNumber(row.blob)}`,
    digest: row.detail === undefined ? unread : new StoredDigest(row),
  }
}

type Detail = Omit<MessageDigest, 'envelope' | 'bodyStructure' | 'body'>

/** Strings as they are stored; the rest is parsed when it is asked for. */
class StoredDigest implements MessageDigest {
  readonly envelope: string
  readonly bodyStructure: string
  readonly body: string
  readonly #json: string
  #detail: Detail | undefined

  constructor(row: Row) {
    this.envelope = row.envelope as string
    this.bodyStructure = row.body_structure as string
    this.body = row.body as string
    this.#json = row.detail as string
  }

  get #parsed(): Detail {
    this.#detail ??= JSON.parse(this.#json) as Detail
    return this.#detail
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

const unread = new Proxy({} as MessageDigest, {
  get(_, key) {
    throw new Error(`the query did not ask for the digest, but ${String(key)} is read`)
  },
})
