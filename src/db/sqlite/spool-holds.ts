/** Deliveries that wait for the operator (QUE-054), inside the writer's transaction. */

import type { SQLInputValue } from 'node:sqlite'
import type { HeldBy, Outcome } from '../../model/queue.ts'
import { asNumber, type Statements } from './statements.ts'

/** Due never: the last instant that a Date can name. What is held stays among the open ones, and is not found due. */
export const never = 8_640_000_000_000_000

/** When a delivery that is not leased is looked at again, as SQL. */
export const nextAt = `CASE WHEN held_by IS NULL THEN due_at ELSE ${never} END`

/** Holds what is open of an entry; what is under way is held once its attempt is over. How many deliveries. */
export const hold = (sql: Statements, queueId: string, by: HeldBy, reason: string, now: number): number =>
  sql.run(
    `UPDATE deliveries SET held_by = ?, held_reason = ?, held_at = ?,
       next_at = CASE leased WHEN 1 THEN next_at ELSE ${never} END
     WHERE queue_id = ? AND next_at IS NOT NULL AND held_by IS NULL`,
    by,
    reason,
    now,
    queueId,
  )

/** What is held of an entry is due at the time that it had, or now. How many deliveries. */
export const letGo = (sql: Statements, queueId: string, now: number): number =>
  sql.run(
    `UPDATE deliveries SET held_by = NULL, held_reason = NULL, held_at = NULL, due_at = max(due_at, ?1),
       next_at = CASE leased WHEN 1 THEN next_at ELSE max(due_at, ?1) END
     WHERE queue_id = ?2 AND next_at IS NOT NULL AND held_by IS NOT NULL`,
    now,
    queueId,
  )

/**
 * An attempt whose outcome cannot be written: the delivery waits for the operator. What a next hop has taken is not sent
 * again, whoever lets it go; what failed is tried again then, so that its sender is told.
 */
export function bury(
  sql: Statements,
  deliveryId: number,
  outcomes: readonly Outcome[],
  reason: string,
  now: number,
): boolean {
  for (const { index, state, status } of outcomes) {
    const isTaken = state === 'relayed'
    const values: SQLInputValue[] = [
      isTaken ? state : 'deferred',
      status.code,
      status.text,
      isTaken ? now : null,
    ]
    sql.run(
      "UPDATE recipients SET state = ?, status_code = ?, status_text = ?, settled_at = ? WHERE delivery = ? AND position = ? AND state IN ('pending', 'deferred')",
      ...values,
      deliveryId,
      index,
    )
  }
  return (
    sql.run(
      `UPDATE deliveries SET held_by = 'dead-letter', held_reason = ?, held_at = ?, leased = 0, next_at = ${never},
         attempts = attempts + 1 WHERE id = ? AND next_at IS NOT NULL`,
      reason,
      now,
      deliveryId,
    ) > 0
  )
}

/** Held deliveries by who holds them. */
export function heldCounts(sql: Statements): { readonly operator: number; readonly deadLetter: number } {
  const of = (by: HeldBy): number =>
    asNumber(sql.get('SELECT count(*) AS n FROM deliveries WHERE held_by = ?', by)?.n)
  return { operator: of('operator'), deadLetter: of('dead-letter') }
}
