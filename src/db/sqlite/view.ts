/** What one snapshot says about an account. */
import type {
  AccountView,
  Mailbox,
  MailboxChanges,
  MetadataEntry,
  Quota,
  SpecialUse,
} from '../../store/store.ts'
import { canonicalName } from './account-write.ts'
import { flagged } from './flagged.ts'
import { flagList } from './flags.ts'
import { messagesOf } from './message-rows.ts'
import type { ReaderThread } from './reader-thread.ts'
import { search, sorted, threadKeys } from './search.ts'
import { asNumber, asText, type Row, type Statements } from './statements.ts'
import { joinedRuns } from './uid-runs.ts'

/** Messages of a mailbox from which on questions about all of them are another thread's to answer. */
const manyMessages = 2000

/** `reader`: answers what one statement takes long for; its snapshot is at least as new as this one. */
export function viewOf(sql: Statements, account: number, reader?: ReaderThread): AccountView {
  const readerFor = (mailbox: number): ReaderThread | undefined =>
    reader &&
    asNumber(sql.get('SELECT messages FROM mailboxes WHERE id = ?', mailbox)?.messages) >= manyMessages
      ? reader
      : undefined
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
      return uidsOf(sql, mailbox)
    },
    messages: (mailbox, query) => messagesOf(sql, mailbox, query),
    async vanished(mailbox, after) {
      return expungedRuns(sql, mailbox, after)
    },
    async countFrom(mailbox, from) {
      return asNumber(
        sql.get('SELECT count(*) AS n FROM messages WHERE mailbox = ? AND uid >= ?', mailbox, from)?.n,
      )
    },
    async firstUnseen(mailbox) {
      const row = sql.get(
        // Named, because the planner would rather walk through all that is seen.
        "SELECT uid FROM messages INDEXED BY messages_unseen WHERE mailbox = ? AND instr(flags, '\\Seen') = 0 ORDER BY uid LIMIT 1",
        mailbox,
      )
      return row && asNumber(row.uid)
    },
    async highestModSeq() {
      return asNumber(sql.get('SELECT mod_seq FROM accounts WHERE id = ?', account)?.mod_seq)
    },
    async changes(mailbox, since) {
      return { messages: changedSince(sql, mailbox, since), vanished: expungedRuns(sql, mailbox, since) }
    },
    async gaps(mailbox) {
      return expungedRuns(sql, mailbox, 0)
    },
    async metadata(mailbox) {
      const rows = sql
        .of('SELECT name, value FROM metadata WHERE account = ? AND mailbox = ? ORDER BY name')
        .all(account, mailbox ?? 0)
      return rows.map((row): MetadataEntry => ({ name: String(row.name), value: row.value as Uint8Array }))
    },
    async quota() {
      return quotaOf(sql, account)
    },
    async accessKey(mailbox) {
      const row = sql
        .of(
          'SELECT k.key FROM access_keys k JOIN mailboxes b ON b.id = k.mailbox WHERE b.id = ? AND b.account = ?',
        )
        .get(mailbox, account)
      return row?.key as Uint8Array | undefined
    },
    async sorted(mailbox, keys) {
      return readerFor(mailbox)?.ask({ ask: 'sorted', mailbox, keys }) ?? sorted(sql, mailbox, keys)
    },
    threadKeys: (mailbox, uids) => threadKeys(sql, mailbox, uids),
    async search(mailbox, term) {
      // An id is looked up, and costs what it finds.
      const thread = 'id' in term ? undefined : readerFor(mailbox)
      return thread?.ask({ ask: 'search', account, mailbox, term }) ?? search(sql, account, mailbox, term)
    },
    async flagged(mailbox, flag, set) {
      return flagged(sql, mailbox, flag, set)
    },
  }
}

/** Every UID below uidNext is a message or was expunged: what is left between the runs need not be read row by row. */
function uidsOf(sql: Statements, mailbox: number): Uint32Array {
  const box = sql.get('SELECT uid_next, messages FROM mailboxes WHERE id = ?', mailbox)
  const uids = new Uint32Array(asNumber(box?.messages))
  let at = 0
  let uid = 1
  for (const { from, to } of expungedRuns(sql, mailbox, 0)) {
    while (uid < from) uids[at++] = uid++
    uid = to + 1
  }
  while (uid < asNumber(box?.uid_next)) uids[at++] = uid++
  if (at === uids.length) return uids
  const rows = sql.tuples('SELECT uid FROM messages WHERE mailbox = ? ORDER BY uid', mailbox)
  return Uint32Array.from(rows, ([each]) => each as number)
}

const changedSince = (sql: Statements, mailbox: number, since: number): MailboxChanges['messages'] =>
  sql
    .tuples(
      'SELECT uid, mod_seq, created_mod_seq, flags FROM messages WHERE mailbox = ? AND mod_seq > ?',
      mailbox,
      since,
    )
    .map(([uid, modSeq, createdModSeq, flags]) => ({
      uid: Number(uid),
      modSeq: Number(modSeq),
      createdModSeq: Number(createdModSeq),
      flags: flagList(String(flags)),
    }))
    .sort((a, b) => a.uid - b.uid)

const expungedRuns = (sql: Statements, mailbox: number, after: number) =>
  joinedRuns(
    sql
      .tuples(
        // Without a bound every run is wanted, and those lie in UID order already.
        after > 0
          ? 'SELECT first, last FROM expunged WHERE mailbox = ? AND mod_seq > ?'
          : 'SELECT first, last FROM expunged WHERE mailbox = ? AND +mod_seq > ? ORDER BY first',
        mailbox,
        after,
      )
      .map(([first, last]) => ({ from: Number(first), to: Number(last) })),
  )

export function quotaOf(sql: Statements, account: number): Quota {
  const row = sql.get(
    'SELECT used_octets, used_messages, limit_octets, limit_messages FROM accounts WHERE id = ?',
    account,
  )
  const limit = (value: Row[string] | undefined): number | undefined =>
    value === null || value === undefined ? undefined : asNumber(value)
  return {
    octets: { used: asNumber(row?.used_octets), limit: limit(row?.limit_octets) },
    messages: { used: asNumber(row?.used_messages), limit: limit(row?.limit_messages) },
  }
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
  deletedOctets: asNumber(row.deleted_octets),
  octets: asNumber(row.octets),
  firstRecent: asNumber(row.first_recent),
  highestModSeq: asNumber(row.highest_mod_seq),
  objectId: asText(row.object_id),
  keywords: JSON.parse(asText(row.keywords)) as string[],
  specialUse: asText(row.special_use).split(' ').filter(Boolean) as SpecialUse[],
})
