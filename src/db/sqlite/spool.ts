/** The queue's reading side, and the way of its changes to the writer. */
import { Fault } from '../../model/fault.ts'
import type {
  DeliveryRecord,
  HeldBy,
  NewMessage,
  NewQueueEntry,
  Origin,
  QueueEntry,
  RecipientRecord,
  RecipientState,
} from '../../model/queue.ts'
import type { Spool } from '../../queue/spool.ts'
import { createCorrelation } from './correlation.ts'
import type { Kernel } from './engine.ts'
import { findNumber } from './erase.ts'
import { joined } from './joined.ts'
import type { EntryRow, MessageRow } from './requests.ts'
import { type Place, readWherever } from './segments.ts'
import { countHolds } from './sender-holds.ts'
import { nextDue } from './spool-due.ts'
import { heldCounts } from './spool-holds.ts'
import { duplicateMs } from './spool-writes.ts'
import { asNumber, asText, optional, type Row, type Statements } from './statements.ts'

export function createSpool(kernel: Kernel): Spool {
  const sql = kernel.latest
  const originals = createCorrelation(kernel)
  return {
    originals,
    async enqueue(entries, lease) {
      const octets: Uint8Array[] = []
      const rows = entries.map((entry) => entryRow(entry, octets))
      const ids = await kernel.write<number[]>({ kind: 'enqueue', entries: rows, lease }, octets)
      return ids.length === 0 ? [] : leasedOf(rows, ids, lease?.now ?? 0)
    },
    async claim(now, leaseUntil, limit, room) {
      const ids = await kernel.write<number[]>({ kind: 'claim', now, leaseUntil, limit, room })
      // One whose attempt was settled since is not leased any more.
      return ids.flatMap((id) => {
        const row = sql.get('SELECT * FROM deliveries WHERE id = ? AND leased = 1', id)
        return row ? [deliveryOf(sql, row)] : []
      })
    },
    async lease(queueId, leaseUntil) {
      const ids = await kernel.write<number[]>({ kind: 'lease', queueId, leaseUntil })
      return ids.map((id) => deliveryOf(sql, sql.get('SELECT * FROM deliveries WHERE id = ?', id)))
    },
    async settle(settlements) {
      const octets: Uint8Array[] = []
      const messageRow = (message: NewMessage): MessageRow => ({
        octets: octets.push(joined(message.octets)) - 1,
        digest: message.digest,
        internalDate: message.internalDate,
        internalOffsetMinutes: message.internalOffsetMinutes ?? 0,
        flags: message.flags,
      })
      const rows = settlements.map((settlement) => ({
        ...settlement,
        mailbox: (settlement.mailbox ?? []).map((m) => ({ ...m, message: messageRow(m.message) })),
        reports: (settlement.reports ?? []).map((entry) => entryRow(entry, octets)),
      }))
      await kernel.write({ kind: 'settle', settlements: rows }, octets)
    },
    async release(deliveryIds) {
      await kernel.write({ kind: 'release', deliveryIds })
    },
    nextDue: async (except = { targets: [] }) => nextDue(sql, except),
    async octets(queueId) {
      const place = (): Place => {
        const row = sql.get(
          'SELECT b.segment, b.offset, b.length FROM blobs b WHERE b.id = coalesce((SELECT nullif(blob, 0) FROM entries WHERE queue_id = ?), (SELECT blob FROM originals WHERE queue_id = ?))',
          queueId,
          queueId,
        )
        if (!row) throw new Fault('not-found', `no queue entry ${queueId}`)
        return { segment: asNumber(row.segment), offset: asNumber(row.offset), length: asNumber(row.length) }
      }
      const at = place()
      return readWherever(kernel.segments, place, at, 0, at.length)
    },
    async list(filter) {
      const rows =
        filter.queueId !== undefined
          ? sql.all('SELECT * FROM entries WHERE queue_id = ?', filter.queueId)
          : filter.submitter !== undefined
            ? submittedBy(sql, filter.submitter, filter.limit ?? 1000)
            : filter.open === false
              ? sql.all('SELECT * FROM entries ORDER BY received_at LIMIT ?', filter.limit ?? 1000)
              : sql.all(
                  'SELECT * FROM entries WHERE open > 0 ORDER BY received_at LIMIT ?',
                  filter.limit ?? 1000,
                )
      return rows.map((row) => ({
        entry: entryOf(row),
        deliveries: sql
          .all('SELECT * FROM deliveries WHERE queue_id = ? ORDER BY number', asText(row.queue_id))
          .map((delivery) => deliveryOf(sql, delivery)),
      }))
    },
    retry: (queueId, now) => kernel.write<boolean>({ kind: 'retry', queueId, now }),
    cancel: (queueId, indices, now, text) =>
      kernel.write({ kind: 'cancel', row: { queueId, indices, now, text } }),
    hold: (queueId, reason, now) => kernel.write<number>({ kind: 'hold', queueId, reason, now }),
    letGo: (queueId, now) => kernel.write<number>({ kind: 'let-go', queueId, now }),
    bury: (deliveryId, outcomes, reason, now) =>
      kernel.write<boolean>({ kind: 'bury', deliveryId, outcomes, reason, now }),
    reroute: (change) => kernel.write<number>({ kind: 'reroute', reroute: change }),
    holds: async (submitter, now) => countHolds(sql, submitter, now),
    async moveHolds(by, now) {
      // Mostly there are none, and nothing need be written.
      if (!sql.get('SELECT 1 FROM sender_holds LIMIT 1')) return 0
      return kernel.write<number>({ kind: 'move-holds', by, now })
    },
    clockSetBack: (now) => kernel.write<number>({ kind: 'clock-set-back', now }),
    replace({ octets, ...rest }, now) {
      const whole = joined([octets])
      return kernel.write<boolean>(
        { kind: 'replace', row: { ...rest, octets: 0, size: whole.length, now } },
        [whole],
      )
    },
    async byMmsMessageId(peer, mmsMessageId) {
      return sql
        .all(
          'SELECT queue_id, origin FROM entries WHERE mms_message_id = ? ORDER BY received_at DESC LIMIT 100',
          mmsMessageId,
        )
        .filter((row) => (JSON.parse(asText(row.origin)) as { peer?: string }).peer === peer)
        .map((row) => asText(row.queue_id))
    },
    async duplicate(key, hash, now) {
      const row = sql.get(
        'SELECT hash, response FROM duplicates WHERE key = ? AND at > ?',
        key,
        now - duplicateMs,
      )
      if (!row) return undefined
      return row.hash === hash ? { response: asText(row.response) } : 'different'
    },
    async byPeerMessageId(peer, peerMessageId) {
      return sql
        .all('SELECT * FROM deliveries WHERE peer_message_id = ?', peerMessageId)
        .map((row) => deliveryOf(sql, row))
        .filter((delivery) => delivery.target.slice(delivery.target.indexOf(':') + 1) === peer)
    },
    async purge(before, contentBefore, freedBefore, limit) {
      const over = await originals.purge(kernel.now(), limit)
      const count = await kernel.write<number>({ kind: 'purge', before, contentBefore, freedBefore, limit })
      await kernel.segments.closeRemoved()
      return Math.max(over, count)
    },
    erase: (digits, now) => kernel.write<number>({ kind: 'erase', row: findNumber(sql, digits, now) }),
    compact: () => kernel.write<boolean>({ kind: 'compact' }),
    async stats() {
      const open = sql.get(
        'SELECT count(*) AS n, sum(size) AS octets, min(received_at) AS oldest FROM entries WHERE open > 0',
      )
      const moving = sql.get(
        'SELECT received_at FROM entries e WHERE open > 0 AND EXISTS (SELECT 1 FROM deliveries d WHERE d.queue_id = e.queue_id AND d.next_at IS NOT NULL AND d.held_by IS NULL) ORDER BY received_at LIMIT 1',
      )
      const due = sql.get('SELECT count(*) AS n FROM deliveries WHERE next_at <= ?', kernel.now())
      const held = heldCounts(sql)
      return {
        entries: asNumber(open?.n),
        due: asNumber(due?.n),
        oldest: open?.oldest === null ? undefined : asNumber(open?.oldest),
        octets: asNumber(open?.octets),
        oldestMoving: moving ? asNumber(moving.received_at) : undefined,
        held: held.operator,
        deadLetters: held.deadLetter,
      }
    },
  }
}

/** Open ones; who submits much waits longer for the answer, and nobody else does. */
const submittedBy = (sql: Statements, submitter: string, limit: number): Row[] =>
  sql.all(
    "SELECT * FROM entries WHERE open > 0 AND json_extract(origin, '$.envelope.session.auth') = ? ORDER BY received_at LIMIT ?",
    submitter,
    limit,
  )

function entryRow({ octets: pieces, ...entry }: NewQueueEntry, octets: Uint8Array[]): EntryRow {
  const whole = joined(pieces)
  return { ...entry, octets: octets.push(whole) - 1, size: whole.length }
}

/** The deliveries that were leased as they were enqueued, without reading them. */
function leasedOf(rows: readonly EntryRow[], ids: readonly number[], now: number): DeliveryRecord[] {
  let next = 0
  return rows.flatMap(({ queueId, receivedAt, origin, size, sender, mmsMessageId, deliveries }) => {
    const entry: QueueEntry = { queueId, receivedAt, origin, size, sender, mmsMessageId }
    return deliveries.flatMap(({ target, recipients, dueAt, expiresAt }, number): DeliveryRecord[] => {
      if (dueAt > now) return []
      const pending = recipients.map(
        ({ index, address, account }): RecipientRecord => ({
          index,
          address,
          account,
          state: 'pending',
          status: undefined,
          settledAt: undefined,
          delayReportedAt: undefined,
        }),
      )
      return [
        {
          deliveryId: ids[next++] ?? 0,
          number,
          entry,
          target,
          recipients: pending.sort((a, b) => a.index - b.index),
          attempts: 0,
          dueAt,
          expiresAt,
          held: undefined,
          peerMessageId: undefined,
        },
      ]
    })
  })
}

const entryOf = (row: Row): QueueEntry => ({
  queueId: asText(row.queue_id),
  receivedAt: asNumber(row.received_at),
  origin: JSON.parse(asText(row.origin)) as Origin,
  size: asNumber(row.size),
  sender: asText(row.sender),
  mmsMessageId: optional(row.mms_message_id),
})

function deliveryOf(sql: Statements, row: Row | undefined): DeliveryRecord {
  if (!row) throw new Fault('bug', 'a delivery has gone')
  const entry = sql.get('SELECT * FROM entries WHERE queue_id = ?', asText(row.queue_id))
  if (!entry) throw new Fault('bug', `a delivery without its entry ${asText(row.queue_id)}`)
  return {
    deliveryId: asNumber(row.id),
    number: asNumber(row.number),
    entry: entryOf(entry),
    target: asText(row.target),
    recipients: sql
      .all('SELECT * FROM recipients WHERE delivery = ? ORDER BY position', asNumber(row.id))
      .map(recipientOf),
    attempts: asNumber(row.attempts),
    dueAt: asNumber(row.due_at),
    expiresAt: asNumber(row.expires_at),
    held:
      row.held_by === null
        ? undefined
        : {
            by: row.held_by as HeldBy,
            reason: optional(row.held_reason) ?? '',
            at: asNumber(row.held_at),
          },
    peerMessageId: optional(row.peer_message_id),
  }
}

const recipientOf = (row: Row): RecipientRecord => ({
  index: asNumber(row.position),
  address: asText(row.address),
  account: optional(row.account),
  state: row.state as RecipientState,
  status:
    row.status_code === null ? undefined : { code: asText(row.status_code), text: asText(row.status_text) },
  settledAt: row.settled_at === null ? undefined : asNumber(row.settled_at),
  delayReportedAt: row.delay_reported_at === null ? undefined : asNumber(row.delay_reported_at),
})
