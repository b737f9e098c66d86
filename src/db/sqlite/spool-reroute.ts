/** An entry's open recipients on other ways out (QUE-054: requeue), inside the writer's transaction. */
import type { Reroute } from '../../queue/spool.ts'
import { peerOf } from './correlation-writes.ts'
import { asNumber, type Statements } from './statements.ts'

/** How many recipients are due now by it; those that are being sent at this moment are left alone. */
export function reroute(sql: Statements, { queueId, moves, now }: Reroute): number {
  let count = 0
  for (const { deliveryId, groups } of moves) {
    const delivery = sql.get(
      'SELECT target, due_at, expires_at FROM deliveries WHERE id = ? AND queue_id = ? AND next_at IS NOT NULL AND leased = 0',
      deliveryId,
      queueId,
    )
    if (!delivery) continue
    for (const [i, { target, recipients }] of groups.entries()) {
      const id = i === 0 ? deliveryId : split(sql, queueId, Number(delivery.expires_at), now)
      sql.run(
        'UPDATE deliveries SET target = ?1, attempts = 0, due_at = ?2, next_at = ?2, held_by = NULL, held_reason = NULL, held_at = NULL WHERE id = ?3',
        target,
        now,
        id,
      )
      for (const { index, account } of recipients) {
        // What another peer answered says nothing about this one.
        const fresh =
          target === delivery.target ? '' : ", state = 'pending', status_code = NULL, status_text = NULL"
        count += sql.run(
          `UPDATE recipients SET delivery = ?, account = ?${fresh} WHERE delivery = ? AND position = ? AND state IN ('pending', 'deferred')`,
          id,
          account ?? null,
          deliveryId,
          index,
        )
        sql.run(
          'UPDATE original_recipients SET target = ?, peer = ? WHERE queue_id = ? AND position = ?',
          target,
          peerOf(target),
          queueId,
          index,
        )
      }
    }
  }
  return count
}

/** A delivery more of the entry, without recipients yet. */
function split(sql: Statements, queueId: string, expiresAt: number, now: number): number {
  const number = asNumber(
    sql.get('SELECT max(number) + 1 AS n FROM deliveries WHERE queue_id = ?', queueId)?.n,
  )
  sql.run('UPDATE entries SET open = open + 1 WHERE queue_id = ?', queueId)
  return sql.insert(
    "INSERT INTO deliveries (queue_id, number, target, due_at, expires_at, next_at, leased) VALUES (?1, ?2, '', ?3, ?4, ?3, 0)",
    queueId,
    number,
    now,
    expiresAt,
  )
}
