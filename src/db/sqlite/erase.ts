/** What is kept about a number is taken out (SEC-053). Octets without an owner go as usual (reclaim). */
import type { Kernel } from './engine.ts'
import type { EraseRow } from './requests.ts'
import { asNumber, asText, type Statements } from './statements.ts'

/** Stands where the number stood. */
const erased = 'erased'

/** Rows that hold the digits, and not as a part of a longer number. Reads every row: it is seldom asked. */
export function findNumber(sql: Kernel['latest'], digits: string, now: number): EraseRow {
  const whole = new RegExp(`(?<!\\d)${digits}(?!\\d)`)
  const like = `%${digits}%`
  const holds = (text: unknown): boolean => typeof text === 'string' && whole.test(text)
  const entries = new Set<string>()
  const originals = new Set<string>()
  const recipients: { queueId: string; index: number }[] = []
  for (const row of sql.all('SELECT queue_id, sender FROM entries WHERE sender LIKE ?', like))
    if (holds(row.sender)) entries.add(asText(row.queue_id))
  const named = sql.all(
    'SELECT d.queue_id, r.position, r.address FROM recipients r JOIN deliveries d ON d.id = r.delivery WHERE r.address LIKE ?',
    like,
  )
  for (const row of named.filter(({ address }) => holds(address))) {
    const queueId = asText(row.queue_id)
    const others = sql.all(
      "SELECT r.address FROM recipients r JOIN deliveries d ON d.id = r.delivery WHERE d.queue_id = ? AND r.state IN ('pending', 'deferred')",
      queueId,
    )
    if (others.every(({ address }) => holds(address))) entries.add(queueId)
    else recipients.push({ queueId, index: asNumber(row.position) })
  }
  for (const row of sql.all('SELECT queue_id, origin FROM originals WHERE origin LIKE ?', like)) {
    const { kind, sender } = JSON.parse(asText(row.origin)) as { kind: string; sender?: { value: string } }
    if (kind === 'mms' && holds(sender?.value)) originals.add(asText(row.queue_id))
  }
  for (const row of sql.all(
    'SELECT queue_id, position, detail FROM original_recipients WHERE detail LIKE ?',
    like,
  )) {
    if (!holds(row.detail)) continue
    const queueId = asText(row.queue_id)
    const others = sql.all('SELECT detail FROM original_recipients WHERE queue_id = ?', queueId)
    if (others.every(({ detail }) => holds(detail))) originals.add(queueId)
    else recipients.push({ queueId, index: asNumber(row.position) })
  }
  return { entries: [...entries], originals: [...originals], recipients, digits, now }
}

/** How many entries, originals and single recipients were erased. */
export function erase(sql: Statements, row: EraseRow): number {
  let count = 0
  for (const queueId of row.entries) {
    sql.run(
      'DELETE FROM recipients WHERE delivery IN (SELECT id FROM deliveries WHERE queue_id = ?)',
      queueId,
    )
    sql.run('DELETE FROM deliveries WHERE queue_id = ?', queueId)
    count += sql.run('DELETE FROM entries WHERE queue_id = ?', queueId)
  }
  for (const queueId of row.originals) {
    for (const table of ['original_reports', 'original_recipients'])
      sql.run(`DELETE FROM ${table} WHERE queue_id = ?`, queueId)
    count += sql.run('DELETE FROM originals WHERE queue_id = ?', queueId)
  }
  for (const { queueId, index } of row.recipients) count += eraseRecipient(sql, queueId, index, row)
  return count
}

/** The others are still to be served: this one is ended, and not named any more. */
function eraseRecipient(sql: Statements, queueId: string, index: number, { digits, now }: EraseRow): number {
  const count = sql.run(
    `UPDATE recipients SET address = '${erased}', status_text = '', settled_at = coalesce(settled_at, ?1),
       state = CASE WHEN state IN ('pending', 'deferred') THEN 'cancelled' ELSE state END
     WHERE position = ?2 AND delivery IN (SELECT id FROM deliveries WHERE queue_id = ?3)`,
    now,
    index,
    queueId,
  )
  sql.run('DELETE FROM original_reports WHERE queue_id = ? AND position = ?', queueId, index)
  const known = sql.run('DELETE FROM original_recipients WHERE queue_id = ? AND position = ?', queueId, index)
  for (const table of ['entries', 'originals'])
    sql.run(
      `UPDATE ${table} SET origin = replace(origin, ?, '${erased}') WHERE queue_id = ?`,
      digits,
      queueId,
    )
  const closed = sql.run(
    `UPDATE deliveries SET next_at = NULL, held_by = NULL WHERE queue_id = ? AND next_at IS NOT NULL AND leased = 0
       AND NOT EXISTS (SELECT 1 FROM recipients r WHERE r.delivery = deliveries.id AND r.state IN ('pending', 'deferred'))`,
    queueId,
  )
  if (closed > 0)
    sql.run('UPDATE entries SET open = open - ?, settled_at = ? WHERE queue_id = ?', closed, now, queueId)
  return Math.max(count, known)
}
