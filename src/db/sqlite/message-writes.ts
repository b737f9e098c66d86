/** Messages enter, are copied, moved and removed. Whole ranges are one statement; rows are only read to be answered. */
import { Fault } from '../../model/fault.ts'
import type { Copied, UidSet } from '../../store/store.ts'
import type { AccountWrite, Box } from './account-write.ts'
import { flagList, isDeleted, isSeen, spelt } from './flags.ts'
import type { MessageRow } from './requests.ts'
import { threadOf } from './threads.ts'
import { everything, runsOf } from './uid-runs.ts'

const maxUid = 4_294_967_295

/** Appends messages; their UIDs. */
export function append(
  write: AccountWrite,
  mailbox: number,
  messages: readonly MessageRow[],
  delivered: boolean,
): number[] {
  const box = write.selectable(mailbox)
  const uids = messages.map((message) => {
    const blob = write.context.blobs[message.octets]
    if (blob === undefined) throw new Fault('bug', 'a message without octets')
    storeDigest(write, blob, message)
    const flags = spelt(box, message.flags, true).join(' ')
    const { internalDate, internalOffsetMinutes, digest } = message
    const size = digest.ascii?.size ?? digest.size
    const utf8Size = digest.ascii ? digest.size : null
    return insert(write, box, { flags, internalDate, internalOffsetMinutes, size, utf8Size, blob })
  })
  added(write, box, uids, delivered)
  return uids
}

function storeDigest(write: AccountWrite, blob: number, message: MessageRow): void {
  const { sql } = write
  const { envelope, bodyStructure, body, preview, keys, ...detail } = message.digest
  sql.run(
    'INSERT INTO digests (blob, envelope, body_structure, body, detail, preview) VALUES (?, ?, ?, ?, ?, ?)',
    blob,
    envelope,
    bodyStructure,
    body,
    JSON.stringify(detail),
    preview,
  )
  sql.run(
    `INSERT INTO sort_keys (blob, sent_at, subject, is_reply, from_mailbox, to_mailbox, cc_mailbox, display_from, display_to,
     message_id, refs, thread) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    blob,
    detail.sentAt,
    keys.subject,
    keys.isReply ? 1 : 0,
    keys.from,
    keys.to,
    keys.cc,
    keys.displayFrom,
    keys.displayTo,
    detail.messageId,
    detail.references.join(' '),
    threadOf(sql, write.id, blob, message.digest),
  )
  sql.run(
    'INSERT INTO headers (blob, whole, fields) VALUES (?, ?, ?)',
    blob,
    keys.allFields ? 1 : 0,
    keys.fields,
  )
}

interface NewRow {
  readonly flags: string
  readonly internalDate: number
  readonly internalOffsetMinutes: number
  readonly size: number
  /** null: the same. */
  readonly utf8Size: number | null
  readonly blob: number
}

function insert(write: AccountWrite, box: Box, row: NewRow): number {
  if (box.uidNext > maxUid) throw new Fault('limit', 'the mailbox has no UIDs left')
  const uid = box.uidNext++
  const modSeq = write.nextModSeq()
  write.sql.run(
    'INSERT INTO messages (mailbox, uid, mod_seq, created_mod_seq, flags, internal_date, internal_offset, saved_at, size, utf8_size, blob) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
    box.id,
    uid,
    modSeq,
    modSeq,
    row.flags,
    row.internalDate,
    row.internalOffsetMinutes,
    write.context.now,
    row.size,
    row.utf8Size,
    row.blob,
  )
  count(write, box, row.flags, row.size, 1)
  box.highestModSeq = modSeq
  return uid
}

function count(write: AccountWrite, box: Box, flags: string, size: number, by: 1 | -1): void {
  box.messages += by
  box.octets += by * size
  if (!isSeen(flags)) box.unseen += by
  if (isDeleted(flags)) {
    box.deleted += by
    box.deletedOctets += by * size
  }
  write.account.messages += by
  write.account.octets += by * size
}

function added(write: AccountWrite, box: Box, uids: readonly number[], delivered: boolean): void {
  if (uids.length === 0) return
  write.touch(box.id)
  write.tell({ kind: 'added', mailbox: box.id, uids: runsOf(uids), delivered })
}

export function copy(write: AccountWrite, from: number, uids: UidSet, to: number): Copied {
  write.selectable(from)
  const target = write.selectable(to)
  // Read whole before anything is written: source and target may be one mailbox.
  const rows = uids.flatMap((range) =>
    write.sql.tuples(
      'SELECT uid, flags, internal_date, internal_offset, size, utf8_size, blob FROM messages WHERE mailbox = ? AND uid BETWEEN ? AND ? ORDER BY uid',
      from,
      range.from,
      range.to,
    ),
  )
  const spellings = new Map<string, string>()
  const copied = rows.map(([, given, internalDate, internalOffset, size, utf8Size, blob]) => {
    const flags = String(given)
    let mine = spellings.get(flags)
    if (mine === undefined) {
      mine = spelt(target, flagList(flags), true).join(' ')
      spellings.set(flags, mine)
    }
    return insert(write, target, {
      flags: mine,
      internalDate: Number(internalDate),
      internalOffsetMinutes: Number(internalOffset),
      size: Number(size),
      utf8Size: utf8Size === null ? null : Number(utf8Size),
      blob: Number(blob),
    })
  })
  added(write, target, copied, false)
  return { uidValidity: target.uidValidity, source: rows.map(([uid]) => Number(uid)), target: copied }
}

export function move(write: AccountWrite, from: number, uids: UidSet, to: number): Copied {
  const copied = copy(write, from, uids, to)
  // Within one mailbox the copies stand behind the originals: only those that were read may go.
  remove(write, from, from === to ? runsOf(copied.source) : uids, false)
  return copied
}

export const moveAll = (write: AccountWrite, from: number, to: number): Copied =>
  move(write, from, everything, to)

export function expunge(
  write: AccountWrite,
  mailbox: number,
  uids: UidSet | 'all',
  onlyDeleted: boolean,
): number[] {
  const box = write.selectable(mailbox)
  // Nothing is marked: no message need be looked at.
  if (onlyDeleted && box.deleted === 0) return []
  return remove(write, mailbox, uids === 'all' ? everything : uids, onlyDeleted)
}

/** Deletes messages and leaves their UIDs behind with one mod-sequence (QR-45). */
function remove(write: AccountWrite, mailbox: number, ranges: UidSet, onlyDeleted: boolean): number[] {
  const { sql } = write
  const box = write.selectable(mailbox)
  // The index is named: the planner would rather look at every message of the range.
  const which = onlyDeleted
    ? "messages INDEXED BY messages_deleted WHERE mailbox = ? AND uid BETWEEN ? AND ? AND instr(flags, '\\Deleted') > 0"
    : 'messages WHERE mailbox = ? AND uid BETWEEN ? AND ?'
  const gone: number[] = []
  for (const { from, to } of ranges) {
    const rows = sql.tuples(`SELECT uid, flags, size FROM ${which} ORDER BY uid`, mailbox, from, to)
    if (rows.length === 0) continue
    for (const [uid, flags, size] of rows) {
      gone.push(Number(uid))
      count(write, box, String(flags), Number(size), -1)
    }
    sql.run(`DELETE FROM ${which}`, mailbox, from, to)
  }
  if (gone.length === 0) return gone
  const modSeq = write.nextModSeq()
  const runs = runsOf(gone)
  for (const { from, to } of runs)
    sql.run(
      'INSERT INTO expunged (mailbox, first, last, mod_seq) VALUES (?, ?, ?, ?)',
      mailbox,
      from,
      to,
      modSeq,
    )
  box.highestModSeq = modSeq
  write.touch(mailbox)
  write.tell({ kind: 'expunged', mailbox, uids: runs })
  return gone
}
