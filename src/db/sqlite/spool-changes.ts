/** CancelReq and ReplaceReq on queued messages, inside the writer's transaction (MM7-064, MM7-065). */
import type { CancelCount } from '../../queue/spool.ts'
import type { WriteContext } from './account-write.ts'
import type { CancelRow, ReplaceRow } from './requests.ts'
import { nextAt } from './spool-holds.ts'
import { rememberAnswer } from './spool-writes.ts'
import { asNumber, asText, type Statements } from './statements.ts'

/** Ends recipients that wait; those being sent at this moment, sent or failed are past it. */
export function cancel(
  sql: Statements,
  { queueId, indices, now, text = 'Cancelled by the sender' }: CancelRow,
): CancelCount {
  const wanted = new Set(indices)
  const count = { cancelled: 0, before: 0, tooLate: 0 }
  for (const delivery of sql.all('SELECT id, leased, next_at FROM deliveries WHERE queue_id = ?', queueId)) {
    const id = asNumber(delivery.id)
    const recipients = sql.all('SELECT position, state FROM recipients WHERE delivery = ?', id)
    let open = 0
    for (const { position, state } of recipients) {
      const waits = state === 'pending' || state === 'deferred'
      if (!wanted.has(asNumber(position))) open += waits ? 1 : 0
      else if (state === 'cancelled') count.before++
      else if (!waits || delivery.leased === 1) {
        count.tooLate++
        open += waits ? 1 : 0
      } else {
        count.cancelled++
        sql.run(
          "UPDATE recipients SET state = 'cancelled', status_code = '5.0.0', status_text = ?, settled_at = ? WHERE delivery = ? AND position = ?",
          text,
          now,
          id,
          asNumber(position),
        )
      }
    }
    if (open > 0 || delivery.next_at === null) continue
    sql.run('UPDATE deliveries SET next_at = NULL, held_by = NULL WHERE id = ?', id)
    sql.run('UPDATE entries SET open = open - 1, settled_at = ? WHERE queue_id = ?', now, queueId)
  }
  return count
}

/** The entry with other content; false when a copy of it is under way or sent, and then nothing has changed. */
export function replace({ sql, blobs }: WriteContext, row: ReplaceRow): boolean {
  const { queueId } = row
  const deliveries = sql.all('SELECT id, leased FROM deliveries WHERE queue_id = ?', queueId)
  const past = deliveries.some(
    (d) =>
      d.leased === 1 ||
      sql.get(
        "SELECT 1 FROM recipients WHERE delivery = ? AND state NOT IN ('pending', 'deferred')",
        asNumber(d.id),
      ),
  )
  if (past || deliveries.length === 0) return false
  sql.run(
    'UPDATE entries SET origin = ?, blob = ?, size = ? WHERE queue_id = ?',
    JSON.stringify(row.origin),
    blobs[row.octets] ?? 0,
    row.size,
    queueId,
  )
  if (row.dueAt !== undefined) {
    sql.run('UPDATE deliveries SET due_at = ? WHERE queue_id = ?', row.dueAt, queueId)
    sql.run(`UPDATE deliveries SET next_at = ${nextAt} WHERE queue_id = ?`, queueId)
  }
  if (row.expiresAt !== undefined)
    sql.run('UPDATE deliveries SET expires_at = ? WHERE queue_id = ?', row.expiresAt, queueId)
  if (row.original) {
    const known = sql.get('SELECT origin FROM originals WHERE queue_id = ?', queueId)
    if (known)
      sql.run(
        'UPDATE originals SET origin = ? WHERE queue_id = ?',
        JSON.stringify({ ...JSON.parse(asText(known.origin)), ...row.original }),
        queueId,
      )
  }
  if (row.duplicateKey) rememberAnswer(sql, row.duplicateKey, row.now)
  return true
}
