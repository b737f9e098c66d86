/** STORE (RFC 3501 §6.4.6, RFC 7162 §3.1.3). Messages with the same flags before have the same flags after: one statement. */
import { Fault } from '../../model/fault.ts'
import type { FlagChange, ModSeq, UidSet } from '../../store/store.ts'
import type { AccountWrite, Box } from './account-write.ts'
import { flagList, isDeleted, isSeen, maxFlags, spelt } from './flags.ts'
import type { FlagsAnswer } from './requests.ts'
import type { Tuple } from './statements.ts'
import { runsOf } from './uid-runs.ts'

/** Messages whose flags go along with the news of the change; of more, those who want them read them. */
const maxTold = 100

interface Group {
  readonly before: string
  readonly after: string
  readonly uids: number[]
}

export function changeFlags(
  write: AccountWrite,
  mailbox: number,
  ranges: UidSet,
  change: FlagChange,
): FlagsAnswer {
  const box = write.selectable(mailbox)
  const flags = spelt(box, change.flags, change.mode !== 'remove')
  const modified: number[] = []
  const answer: FlagsAnswer = { op: 'flags', modified, uids: [], modSeqs: [], flags: [] }
  const groups = new Map<string, Group>()
  let modSeq: number | undefined
  let rowCount = 0
  for (const { from, to } of ranges) {
    const rows = write.sql.tuples(
      'SELECT uid, mod_seq, flags, size FROM messages WHERE mailbox = ? AND uid BETWEEN ? AND ? ORDER BY uid',
      mailbox,
      from,
      to,
    )
    rowCount += rows.length
    for (const row of rows) {
      const uid = Number(row[0])
      const before = String(row[2])
      if (lostRace(change, flags, row)) {
        modified.push(uid)
        continue
      }
      let group = groups.get(before)
      if (!group) {
        group = { before, after: changed(change.mode, before, flags), uids: [] }
        groups.set(before, group)
      }
      answer.uids.push(uid)
      answer.flags.push(group.after)
      if (group.after === before) {
        answer.modSeqs.push(Number(row[1]))
        continue
      }
      modSeq ??= write.nextModSeq()
      answer.modSeqs.push(modSeq)
      group.uids.push(uid)
      count(box, before, group.after, Number(row[3]))
    }
  }
  if (modSeq === undefined) return answer
  const touched = [...groups.values()].filter((group) => group.uids.length > 0)
  for (const group of touched) update(write, mailbox, ranges, change, group, modSeq, touched.length, rowCount)
  const before = box.highestModSeq
  box.highestModSeq = modSeq
  write.touch(mailbox)
  noteFlagged(write, mailbox, before, touched, modSeq)
  tellFlags(write, mailbox, touched)
  return answer
}

function noteFlagged(
  write: AccountWrite,
  mailbox: number,
  before: ModSeq,
  groups: readonly Group[],
  modSeq: ModSeq,
): void {
  if (groups.reduce((sum, { uids }) => sum + uids.length, 0) > maxTold) return
  const messages = groups.flatMap(({ after, uids }) =>
    uids.map((uid) => ({ uid, modSeq, flags: flagList(after) })),
  )
  write.flagged({ mailbox, before, messages: messages.sort((a, b) => a.uid - b.uid) })
}

/**
 * Changed after UNCHANGEDSINCE. The value 0 fails wherever the flag exists: system flags always do, a keyword only on
 * messages that have it (QR-17).
 */
function lostRace(change: FlagChange, flags: readonly string[], row: Tuple): boolean {
  const { unchangedSince } = change
  if (unchangedSince === undefined || Number(row[1]) <= unchangedSince) return false
  if (unchangedSince > 0) return true
  const has = flagList(String(row[2]))
  return change.mode === 'replace' || flags.some((flag) => flag.startsWith('\\') || has.includes(flag))
}

/** The new flags; the old text when nothing changes, whatever the order. */
function changed(mode: FlagChange['mode'], text: string, flags: readonly string[]): string {
  const before = flagList(text)
  const after =
    mode === 'replace'
      ? flags
      : mode === 'add'
        ? [...before, ...flags.filter((flag) => !before.includes(flag))]
        : before.filter((flag) => !flags.includes(flag))
  if (after.length > maxFlags) throw new Fault('limit', `more than ${maxFlags} flags on one message`)
  const same = before.length === after.length && before.every((flag) => after.includes(flag))
  return same ? text : after.join(' ')
}

function update(
  write: AccountWrite,
  mailbox: number,
  ranges: UidSet,
  change: FlagChange,
  group: Group,
  modSeq: number,
  groups: number,
  rows: number,
): void {
  // Ranges can be updated whole when the condition on their rows is only what they had before.
  const whole = change.unchangedSince !== 0 && ranges.length * groups * 4 <= rows
  if (!whole) {
    for (const uid of group.uids)
      write.sql.run(
        'UPDATE messages SET flags = ?, mod_seq = ? WHERE mailbox = ? AND uid = ?',
        group.after,
        modSeq,
        mailbox,
        uid,
      )
    return
  }
  for (const { from, to } of ranges)
    write.sql.run(
      'UPDATE messages SET flags = ?, mod_seq = ? WHERE mailbox = ? AND uid BETWEEN ? AND ? AND flags = ? AND mod_seq <= ?',
      group.after,
      modSeq,
      mailbox,
      from,
      to,
      group.before,
      change.unchangedSince ?? Number.MAX_SAFE_INTEGER,
    )
}

function count(box: Box, before: string, after: string, size: number): void {
  box.unseen += Number(!isSeen(after)) - Number(!isSeen(before))
  const deleted = Number(isDeleted(after)) - Number(isDeleted(before))
  box.deleted += deleted
  box.deletedOctets += deleted * size
}

/** One event for each kind of change (NT-05). */
function tellFlags(write: AccountWrite, mailbox: number, groups: readonly Group[]): void {
  const kinds = new Map<string, { set: string[]; cleared: string[]; uids: number[][] }>()
  for (const { before, after, uids } of groups) {
    const had = flagList(before)
    const has = flagList(after)
    const set = has.filter((flag) => !had.includes(flag)).sort()
    const cleared = had.filter((flag) => !has.includes(flag)).sort()
    const key = `${set.join(' ')}/${cleared.join(' ')}`
    const kind = kinds.get(key)
    if (kind) kind.uids.push(uids)
    else kinds.set(key, { set, cleared, uids: [uids] })
  }
  for (const { set, cleared, uids } of kinds.values()) {
    const only = uids[0]
    const sorted = uids.length === 1 && only ? only : uids.flat().sort((a, b) => a - b)
    write.tell({ kind: 'flags', mailbox, uids: runsOf(sorted), set, cleared })
  }
}
