/** What to do when the clock was set back: instants that were noted before lie in a future that may never come. */
import { heldUntil } from './sender-holds.ts'
import { never } from './spool-holds.ts'
import type { Statements } from './statements.ts'

/** Clocks of one machine differ by less. Milliseconds. */
const toleranceMs = 600_000
/** No pause between two attempts is longer (QUE-010, QUE-015). Milliseconds. */
const longestPauseMs = 7_200_000

/**
 * Moves what was accepted "later than now" to now, with its due and its expiry at the same distance; what was tried before
 * and is due later than any pause allows is due now. A message held for its sender (QUE-020) keeps its hold. How many
 * deliveries have another time.
 */
export function clockSetBack(sql: Statements, now: number): number {
  const future = now + toleranceMs
  let moved = 0
  const entries = sql.all(
    'SELECT queue_id, received_at FROM entries WHERE open > 0 AND received_at > ?',
    future,
  )
  for (const { queue_id: queueId = '', received_at: receivedAt } of entries) {
    const ahead = Number(receivedAt) - now
    const until = heldUntil(sql, String(queueId))
    moved += sql.run(
      `UPDATE deliveries SET due_at = max(due_at - ?1, ?3), expires_at = max(expires_at - ?1, ?3),
         next_at = CASE WHEN leased = 1 OR next_at = ${never} THEN next_at ELSE max(due_at - ?1, ?3) END
       WHERE queue_id = ?2 AND next_at IS NOT NULL`,
      ahead,
      queueId,
      until,
    )
    sql.run('UPDATE sender_holds SET release_at = release_at - ? WHERE queue_id = ?', ahead, queueId)
    sql.run('UPDATE entries SET received_at = ? WHERE queue_id = ?', now, queueId)
  }
  moved += sql.run(
    `UPDATE deliveries SET due_at = ?1, next_at = ?1
     WHERE next_at > ?2 AND next_at < ${never} AND attempts > 0 AND leased = 0`,
    now,
    now + longestPauseMs,
  )
  // What is kept for a time is kept that long from now on, not for years.
  sql.run('UPDATE entries SET settled_at = ?1 WHERE open = 0 AND settled_at > ?2', now, future)
  sql.run('UPDATE duplicates SET at = ?1 WHERE at > ?2', now, future)
  sql.run('UPDATE freed SET at = ?1 WHERE at > ?2', now, future)
  sql.run(
    'UPDATE originals SET keep_until = keep_until - accepted_at + ?1, accepted_at = ?1 WHERE accepted_at > ?2',
    now,
    future,
  )
  return moved
}
