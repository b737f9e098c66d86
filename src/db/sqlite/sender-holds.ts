/** Messages that their senders asked to be held (RFC 4865): how many there are, and what a clock that is set does to them. */
import type { SenderHold } from '../../model/queue.ts'
import type { HoldCounts } from '../../queue/spool.ts'
import { never } from './spool-holds.ts'
import { asNumber, asText, optional, type Statements } from './statements.ts'

export const insertHold = (sql: Statements, queueId: string, hold: SenderHold): void => {
  sql.run(
    'INSERT INTO sender_holds (queue_id, submitter, release_at, until) VALUES (?, ?, ?, ?)',
    queueId,
    hold.submitter,
    hold.releaseAt,
    hold.until ?? null,
  )
}

/** Those that wait for their time at `now`: of the submitter, and of all. */
export function countHolds(sql: Statements, submitter: string, now: number): HoldCounts {
  const count = (where: string, ...values: (string | number)[]): number =>
    asNumber(
      sql.get(
        `SELECT count(*) AS n FROM sender_holds h JOIN entries e ON e.queue_id = h.queue_id AND e.open > 0 WHERE ${where}`,
        ...values,
      )?.n,
    )
  return {
    ofSubmitter: count('h.submitter = ? AND h.release_at > ?', submitter, now),
    ofAll: count('h.release_at > ?', now),
  }
}

/**
 * The clock was set by so many milliseconds, and shows `now`: what was held then is held as long as it would have been,
 * and never shorter than to the date that its sender named (FR-10). How many messages.
 */
export function moveHolds(sql: Statements, by: number, now: number): number {
  const rows = sql.all('SELECT queue_id, release_at, until FROM sender_holds WHERE release_at > ?', now - by)
  for (const row of rows) {
    const queueId = asText(row.queue_id)
    const releaseAt = Math.max(asNumber(row.release_at) + by, 0)
    const dueAt = Math.max(releaseAt, row.until === null ? 0 : asNumber(row.until))
    sql.run('UPDATE sender_holds SET release_at = ? WHERE queue_id = ?', releaseAt, queueId)
    sql.run(
      `UPDATE deliveries SET due_at = ?1, expires_at = expires_at + ?1 - due_at,
         next_at = CASE WHEN leased = 1 OR next_at = ${never} THEN next_at ELSE ?1 END
       WHERE queue_id = ?2 AND next_at IS NOT NULL AND attempts = 0`,
      dueAt,
      queueId,
    )
    // It was accepted as long ago as before: nothing else is to be brought back.
    if (by < 0) sql.run('UPDATE entries SET received_at = received_at + ? WHERE queue_id = ?', by, queueId)
  }
  return rows.length
}

/** The date that the sender of an entry named, if it named one. */
export const heldUntil = (sql: Statements, queueId: string): number =>
  Number(optional(sql.get('SELECT until FROM sender_holds WHERE queue_id = ?', queueId)?.until ?? null) ?? 0)
