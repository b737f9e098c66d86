/** The correlation store's reading side (RPT-001 to RPT-007). */
import type { MailOrigin, MmsOrigin, OriginalRecipient, OriginalRecord } from '../../model/original.ts'
import type { Correlation } from '../../queue/correlation.ts'
import { marksOf } from './correlation-writes.ts'
import type { Kernel } from './engine.ts'
import { asNumber, asText, optional, type Row, type Statements } from './statements.ts'

/** Originals of one Message-ID or peer id that are looked at. */
const candidates = 20

export function createCorrelation(kernel: Kernel): Correlation {
  const sql = kernel.latest
  const records = (rows: readonly Row[]): OriginalRecord[] => rows.map((row) => recordOf(sql, row))
  return {
    async byQueueId(queueId) {
      return records(sql.all('SELECT * FROM originals WHERE queue_id = ?', queueId))[0]
    },
    async byPeerMessageId(peer, peerMessageId) {
      return records(
        sql.all(
          'SELECT * FROM originals WHERE queue_id IN (SELECT queue_id FROM original_recipients WHERE peer_message_id = ? AND peer = ?) ORDER BY accepted_at DESC LIMIT ?',
          peerMessageId,
          peer,
          candidates,
        ),
      )
    },
    async byMessageId(messageId) {
      return records(
        sql.all(
          'SELECT * FROM originals WHERE message_id = ? ORDER BY accepted_at DESC LIMIT ?',
          messageId,
          candidates,
        ),
      )
    },
    isReturnPath: async (address) =>
      sql.get('SELECT 1 FROM originals WHERE return_path = ? LIMIT 1', address.toLowerCase()) !== undefined,
    isSending: async (peer) =>
      sql.get(
        'SELECT 1 FROM deliveries WHERE leased = 1 AND target IN (?, ?, ?) LIMIT 1',
        `mm7-submit:${peer}`,
        `mm7-deliver:${peer}`,
        `mm4:${peer}`,
      ) !== undefined,
    async mark(marks) {
      if (marks.length > 0) await kernel.write({ kind: 'mark', marks })
    },
    purge: (now, limit) => kernel.write<number>({ kind: 'purge-originals', now, limit }),
  }
}

function recordOf(sql: Statements, row: Row): OriginalRecord {
  const queueId = asText(row.queue_id)
  return {
    queueId,
    acceptedAt: asNumber(row.accepted_at),
    keepUntil: asNumber(row.keep_until),
    messageId: optional(row.message_id) ?? null,
    origin: JSON.parse(asText(row.origin)) as MailOrigin | MmsOrigin,
    hasContent: row.blob !== null,
    recipients: sql
      .all('SELECT * FROM original_recipients WHERE queue_id = ? ORDER BY position', queueId)
      .map((r) => ({
        ...(JSON.parse(asText(r.detail)) as Omit<
          OriginalRecipient,
          'index' | 'target' | 'peerMessageId' | 'reports'
        >),
        index: asNumber(r.position),
        target: asText(r.target),
        peerMessageId: optional(r.peer_message_id),
        reports: marksOf(sql, queueId, asNumber(r.position)),
      })),
  }
}
