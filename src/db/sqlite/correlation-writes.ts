/** Originals and the reports about them, inside the writer's transaction. */
import { Fault } from '../../model/fault.ts'
import type { NewOriginal, ReportMark } from '../../model/original.ts'
import type { NewReportMark } from '../../model/queue.ts'
import { isOver, mayFollow } from '../../queue/correlation.ts'
import { asNumber, asText, type Statements } from './statements.ts'

export function insertOriginal(
  sql: Statements,
  queueId: string,
  acceptedAt: number,
  original: NewOriginal,
  blob: number,
): void {
  const { origin, recipients, messageId, keepContent, keepUntil } = original
  sql.run(
    'INSERT INTO originals (queue_id, accepted_at, keep_until, message_id, return_path, blob, origin) VALUES (?, ?, ?, ?, ?, ?, ?)',
    queueId,
    acceptedAt,
    keepUntil,
    messageId,
    origin.kind === 'mms' ? (origin.returnPath?.toLowerCase() ?? null) : null,
    keepContent ? blob : null,
    JSON.stringify(origin),
  )
  for (const { index, target, peerMessageId, reports, ...detail } of recipients) {
    sql.run(
      'INSERT INTO original_recipients (queue_id, position, peer, peer_message_id, target, detail) VALUES (?, ?, ?, ?, ?, ?)',
      queueId,
      index,
      peerOf(target),
      peerMessageId ?? null,
      target,
      JSON.stringify(detail),
    )
    for (const mark of reports) insertMark(sql, { queueId, index, ...mark })
  }
}

/** The configured peer of a target; a mail domain (`mx:DOMAIN`) is none. */
export const peerOf = (target: string): string | null => {
  const colon = target.indexOf(':')
  return colon < 0 || target.startsWith('mx:') ? null : target.slice(colon + 1)
}

/** The id that a peer gave, where the answer to the request has come. */
export function setPeerMessageId(sql: Statements, queueId: string, index: number, id: string): void {
  sql.run(
    'UPDATE original_recipients SET peer_message_id = ? WHERE queue_id = ? AND position = ?',
    id,
    queueId,
    index,
  )
}

/**
 * @throws Fault 'exists' with `strict`, when a mark may not follow what was reported before: the report that it stands
 * for must not go out then
 */
export function addMarks(sql: Statements, marks: readonly NewReportMark[], strict: boolean): void {
  for (const mark of marks) {
    if (!sql.get('SELECT 1 FROM originals WHERE queue_id = ?', mark.queueId)) continue
    const before = marksOf(sql, mark.queueId, mark.index)
    if (!mayFollow(before, mark)) {
      if (strict) throw new Fault('exists', `${mark.queueId}: ${mark.outcome} was reported before`)
      continue
    }
    insertMark(sql, mark)
    if (isOver([...before, mark])) releaseContent(sql, mark.queueId)
  }
}

function insertMark(sql: Statements, mark: NewReportMark): void {
  sql.run(
    'INSERT INTO original_reports (queue_id, position, report, outcome, at) VALUES (?, ?, ?, ?, ?)',
    mark.queueId,
    mark.index,
    mark.report,
    mark.outcome,
    mark.at,
  )
}

export const marksOf = (sql: Statements, queueId: string, index: number): ReportMark[] =>
  sql
    .all(
      'SELECT report, outcome, at FROM original_reports WHERE queue_id = ? AND position = ? ORDER BY rowid',
      queueId,
      index,
    )
    .map((row) => ({
      report: row.report === 'read' ? 'read' : 'delivery',
      outcome: asText(row.outcome),
      at: asNumber(row.at),
    }))

/** The content goes as soon as no report can ask for it (SEC-052). */
function releaseContent(sql: Statements, queueId: string): void {
  const positions = sql.all('SELECT position FROM original_recipients WHERE queue_id = ?', queueId)
  if (!positions.every((row) => isOver(marksOf(sql, queueId, asNumber(row.position))))) return
  sql.run('UPDATE originals SET blob = NULL WHERE queue_id = ?', queueId)
}

export function purgeOriginals(sql: Statements, now: number, limit: number): number {
  const rows = sql.all('SELECT queue_id FROM originals WHERE keep_until < ? LIMIT ?', now, limit)
  for (const row of rows) {
    const queueId = asText(row.queue_id)
    sql.run('DELETE FROM original_reports WHERE queue_id = ?', queueId)
    sql.run('DELETE FROM original_recipients WHERE queue_id = ?', queueId)
    sql.run('DELETE FROM originals WHERE queue_id = ?', queueId)
  }
  return rows.length
}
