/** The queue's changes, inside the writer's transaction. */
import { Fault } from '../../model/fault.ts'
import type { NewQueueEntry } from '../../model/queue.ts'
import type { Lease } from '../../queue/spool.ts'
import { AccountWrite, type WriteContext } from './account-write.ts'
import { addMarks, insertOriginal, setPeerMessageId } from './correlation-writes.ts'
import { ensureMailbox } from './mailbox-writes.ts'
import { append } from './message-writes.ts'
import { deleteDoomed, forgetBlob } from './reclaim.ts'
import type { EntryRow, SettlementRow, Touched, WriteBody } from './requests.ts'
import { insertHold } from './sender-holds.ts'
import { never, nextAt } from './spool-holds.ts'
import { asNumber, type Statements } from './statements.ts'

/** Answers to repeat are kept this long (MM7-060). */
export const duplicateMs = 86_400_000

/**
 * `strict`: marks must be allowed (see addMarks), else nothing is kept. Ids of the deliveries leased, in their order: those
 * that are due at `lease.now`.
 */
export function enqueue(
  context: WriteContext,
  entries: readonly EntryRow[],
  strict = true,
  lease?: Lease,
): number[] {
  const { sql } = context
  const leasedIds: number[] = []
  for (const entry of entries) {
    const blob = context.blobs[entry.octets] ?? 0
    sql.run(
      'INSERT INTO entries (queue_id, received_at, origin, blob, size, sender, mms_message_id, open, settled_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
      entry.queueId,
      entry.receivedAt,
      JSON.stringify(entry.origin),
      blob,
      entry.size,
      entry.sender,
      entry.mmsMessageId ?? null,
      entry.deliveries.length,
      entry.deliveries.length === 0 ? entry.receivedAt : null,
    )
    if (entry.original) insertOriginal(sql, entry.queueId, entry.receivedAt, entry.original, blob)
    if (entry.hold) insertHold(sql, entry.queueId, entry.hold)
    if (entry.marks) addMarks(sql, entry.marks, strict)
    entry.deliveries.forEach((delivery, number) => {
      const leased = lease !== undefined && delivery.dueAt <= lease.now
      const id = sql.insert(
        'INSERT INTO deliveries (queue_id, number, target, due_at, expires_at, next_at, leased) VALUES (?, ?, ?, ?, ?, ?, ?)',
        entry.queueId,
        number,
        delivery.target,
        delivery.dueAt,
        delivery.expiresAt,
        leased ? lease.until : delivery.dueAt,
        leased ? 1 : 0,
      )
      if (leased) leasedIds.push(id)
      for (const recipient of delivery.recipients)
        sql.run(
          "INSERT INTO recipients (delivery, position, address, account, state) VALUES (?, ?, ?, ?, 'pending')",
          id,
          recipient.index,
          recipient.address,
          recipient.account ?? null,
        )
    })
    if (entry.duplicateKey) rememberAnswer(sql, entry.duplicateKey, entry.receivedAt)
  }
  return leasedIds
}

export function rememberAnswer(
  sql: Statements,
  { key, hash, response }: NonNullable<NewQueueEntry['duplicateKey']>,
  at: number,
): void {
  sql.run(
    'INSERT OR REPLACE INTO duplicates (key, hash, response, at) VALUES (?, ?, ?, ?)',
    key,
    hash,
    response,
    at,
  )
}

export function release(sql: Statements, deliveryIds: readonly number[]): void {
  for (const id of deliveryIds)
    sql.run(`UPDATE deliveries SET next_at = ${nextAt}, leased = 0 WHERE id = ? AND leased = 1`, id)
}

export function settle(context: WriteContext, settlement: SettlementRow): Touched[] {
  const { sql } = context
  const touched: Touched[] = []
  const delivery = sql.get(
    'SELECT queue_id, next_at, held_by FROM deliveries WHERE id = ?',
    settlement.deliveryId,
  )
  if (!delivery) throw new Fault('not-found', `no delivery ${settlement.deliveryId}`)
  for (const outcome of settlement.outcomes) {
    const final = outcome.state !== 'deferred'
    sql.run(
      "UPDATE recipients SET state = ?, status_code = ?, status_text = ?, settled_at = ? WHERE delivery = ? AND position = ? AND state IN ('pending', 'deferred')",
      outcome.state,
      outcome.status.code,
      outcome.status.text,
      final ? settlement.now : null,
      settlement.deliveryId,
      outcome.index,
    )
    const peerMessageId = outcome.peerMessageId ?? settlement.peerMessageId
    // An MM4 peer that has not answered yet may report by it all the same.
    if (peerMessageId !== undefined && (outcome.state === 'relayed' || outcome.state === 'deferred'))
      setPeerMessageId(sql, String(delivery.queue_id), outcome.index, peerMessageId)
  }
  for (const index of settlement.delayReported ?? [])
    sql.run(
      'UPDATE recipients SET delay_reported_at = ? WHERE delivery = ? AND position = ?',
      settlement.now,
      settlement.deliveryId,
      index,
    )
  for (const { account, mailbox, message } of settlement.mailbox) {
    const row = sql.get('SELECT id FROM accounts WHERE address = ?', account)
    if (!row) throw new Fault('not-found', `no account ${account}`)
    const write = new AccountWrite(context, asNumber(row.id))
    append(write, ensureMailbox(write, mailbox), [message], true)
    // Room was asked before (MailStore.hasRoom); what was taken on by then is not refused here.
    const change = write.finish(false, undefined)
    if (change) touched.push(change)
  }
  enqueue(context, settlement.reports, false)
  const open = asNumber(
    sql.get(
      "SELECT count(*) AS n FROM recipients WHERE delivery = ? AND state IN ('pending', 'deferred')",
      settlement.deliveryId,
    )?.n,
  )
  const due = open === 0 ? null : (settlement.nextDueAt ?? settlement.now)
  // Held while the attempt was under way.
  const next = due !== null && delivery.held_by !== null ? never : due
  sql.run(
    'UPDATE deliveries SET attempts = attempts + 1, leased = 0, next_at = ?, due_at = coalesce(?, due_at), peer_message_id = coalesce(?, peer_message_id) WHERE id = ?',
    next,
    due,
    settlement.peerMessageId ?? null,
    settlement.deliveryId,
  )
  if (open === 0 && delivery.held_by !== null)
    sql.run('UPDATE deliveries SET held_by = NULL WHERE id = ?', settlement.deliveryId)
  if (open === 0 && delivery.next_at !== null)
    sql.run(
      'UPDATE entries SET open = open - 1, settled_at = ? WHERE queue_id = ?',
      settlement.now,
      String(delivery.queue_id),
    )
  return touched
}

export const retry = (sql: Statements, queueId: string, now: number): boolean =>
  sql.run(
    'UPDATE deliveries SET due_at = ?, next_at = ? WHERE queue_id = ? AND next_at IS NOT NULL AND leased = 0 AND held_by IS NULL',
    now,
    now,
    queueId,
  ) > 0 || sql.get('SELECT 1 FROM entries WHERE queue_id = ?', queueId) !== undefined

/** Leases what is open of one entry and not under way, due or not. */
export function lease(sql: Statements, queueId: string, leaseUntil: number): number[] {
  const rows = sql.all(
    'SELECT id FROM deliveries WHERE queue_id = ? AND next_at IS NOT NULL AND leased = 0 ORDER BY number',
    queueId,
  )
  for (const row of rows)
    sql.run('UPDATE deliveries SET next_at = ?, leased = 1 WHERE id = ?', leaseUntil, asNumber(row.id))
  return rows.map((row) => asNumber(row.id))
}

/** Deletes settled entries, answers that need not be repeated any more, and octets that nobody owns. */
export function purge(
  sql: Statements,
  { before, contentBefore, freedBefore, limit }: Extract<WriteBody, { readonly kind: 'purge' }>,
): number {
  // Lists still name them; what they held goes first (SEC-052). A report that may have to return it owns it, too.
  const emptied = sql.run(
    'UPDATE entries SET blob = 0 WHERE queue_id IN (SELECT queue_id FROM entries WHERE open = 0 AND blob > 0 AND settled_at < ? LIMIT ?)',
    contentBefore,
    limit,
  )
  const answers = sql.run(
    'DELETE FROM duplicates WHERE key IN (SELECT key FROM duplicates WHERE at < ? LIMIT ?)',
    freedBefore - duplicateMs,
    limit,
  )
  const rows = sql.all(
    'SELECT queue_id FROM entries WHERE open = 0 AND settled_at < ? LIMIT ?',
    before,
    limit,
  )
  for (const row of rows) {
    const queueId = String(row.queue_id)
    sql.run(
      'DELETE FROM recipients WHERE delivery IN (SELECT id FROM deliveries WHERE queue_id = ?)',
      queueId,
    )
    sql.run('DELETE FROM deliveries WHERE queue_id = ?', queueId)
    sql.run('DELETE FROM entries WHERE queue_id = ?', queueId)
  }
  return Math.max(answers, emptied, rows.length, deleteDoomed(sql, limit), collect(sql, freedBefore, limit))
}

/**
 * Octets that lost their last owner before `freedBefore`: a session may still be sending an expunged message. The newest
 * stay, so that no number is given twice (it names the octets to clients: EMAILID, RFC 8474 §5.1).
 */
function collect(sql: Statements, freedBefore: number, limit: number): number {
  const rows = sql.all(
    'SELECT blob FROM freed WHERE at < ? AND blob < (SELECT max(id) FROM blobs) LIMIT ?',
    freedBefore,
    limit,
  )
  for (const row of rows) {
    const blob = asNumber(row.blob)
    sql.run('DELETE FROM freed WHERE blob = ?', blob)
    if (sql.get('SELECT 1 FROM messages WHERE blob = ? LIMIT 1', blob)) continue
    if (sql.get('SELECT 1 FROM originals WHERE blob = ? LIMIT 1', blob)) continue
    forgetBlob(sql, blob)
  }
  return rows.length
}
