/** What is left of deleted mailboxes, accounts and octets, taken away in small steps (SEC-052). */
import { asNumber, type Statements } from './statements.ts'

/** Rows of deleted mailboxes and accounts, up to `limit` of them; how many. The octets of the messages are freed by it. */
export function deleteDoomed(sql: Statements, limit: number): number {
  let left = limit
  for (const row of sql.all('SELECT kind, id FROM doomed LIMIT ?', limit)) {
    const id = asNumber(row.id)
    const steps =
      row.kind === 'mailbox'
        ? [
            'DELETE FROM messages WHERE mailbox = ?1 AND uid IN (SELECT uid FROM messages WHERE mailbox = ?1 LIMIT ?2)',
            'DELETE FROM expunged WHERE mailbox = ?1 AND first IN (SELECT first FROM expunged WHERE mailbox = ?1 LIMIT ?2)',
          ]
        : [
            'DELETE FROM thread_keys WHERE account = ?1 AND key IN (SELECT key FROM thread_keys WHERE account = ?1 LIMIT ?2)',
          ]
    for (const step of steps) if (left > 0) left -= sql.run(step, id, left)
    if (left <= 0) return limit
    sql.run('DELETE FROM doomed WHERE kind = ? AND id = ?', row.kind ?? '', id)
    left--
  }
  return limit - left
}

/** Octets and all that was computed of them; with the last message of a thread what its msg-ids said. */
export function forgetBlob(sql: Statements, blob: number): void {
  const thread = sql.get('DELETE FROM sort_keys WHERE blob = ? RETURNING thread', blob)?.thread
  for (const table of ['digests', 'headers']) sql.run(`DELETE FROM ${table} WHERE blob = ?`, blob)
  sql.run('DELETE FROM blobs WHERE id = ?', blob)
  if (thread === undefined || thread === null) return
  if (!sql.get('SELECT 1 FROM sort_keys WHERE thread = ? LIMIT 1', thread))
    sql.run('DELETE FROM thread_keys WHERE thread = ?', thread)
}
