/** What the audit trail says of a message: when it was taken in, what became of each recipient, and its reports (SEC-051). */
import { maskAddress } from '../log.ts'
import type { NeutralMessage, Part } from '../model/neutral.ts'
import type { DeliveryRecord, NewQueueEntry, Origin, QueueEntry, Settlement } from '../model/queue.ts'
import type { AuditTrail } from './trail.ts'

export interface AuditRecords {
  accepted(entry: NewQueueEntry, message: NeutralMessage | undefined): void
  settled(delivery: DeliveryRecord, settlement: Settlement): void
  cancelled(queueId: string, by: string, recipients: number): void
  /** Of the operator: `result` is 'ok' or what was refused. */
  operated(action: string, subject: Readonly<Record<string, unknown>>, result: string): void
}

/** Content types of a message that are named. */
const maxTypes = 20

/** `numbers`: whether addresses stand there whole. */
export function createAuditRecords(trail: AuditTrail, numbers: 'masked' | 'full'): AuditRecords {
  const shown = (address: string): string => (numbers === 'full' ? address : maskAddress(address))
  return {
    accepted(entry, message) {
      const { queueId, origin, deliveries, octets, marks } = entry
      trail.add({
        event: 'accepted',
        queueId,
        ...doorOf(origin),
        transactionId: transactionOf(entry),
        mmsMessageId: entry.mmsMessageId,
        messageId: entry.original?.messageId ?? message?.messageId,
        sender: shown(entry.sender),
        recipients: deliveries.flatMap((d) =>
          d.recipients.map((r) => ({ recipient: shown(r.address), way: d.target })),
        ),
        octets: octets.reduce((sum, piece) => sum + piece.length, 0),
        contentTypes: message?.content ? typesOf(message.content) : undefined,
        reports: marks?.map(({ queueId: of, index, report, outcome }) => ({ of, index, report, outcome })),
      })
    },
    settled(delivery, { outcomes, peerMessageId }) {
      const { entry, recipients, target } = delivery
      for (const outcome of outcomes) {
        if (outcome.state === 'deferred') continue
        trail.add({
          event: 'recipient',
          queueId: entry.queueId,
          acceptedAt: new Date(entry.receivedAt).toISOString(),
          ...doorOf(entry.origin),
          way: target,
          recipient: shown(recipients.find((r) => r.index === outcome.index)?.address ?? ''),
          result: outcome.state,
          status: outcome.status.code,
          octets: entry.size,
          mmsMessageId: entry.mmsMessageId,
          peerMessageId: outcome.peerMessageId ?? peerMessageId ?? delivery.peerMessageId,
          remoteMta: outcome.remoteMta,
        })
      }
    },
    cancelled(queueId, by, recipients) {
      trail.add({ event: 'cancelled', queueId, by, recipients })
    },
    operated(action, { address, ...subject }, result) {
      trail.add({
        event: 'operator',
        action,
        ...subject,
        address: typeof address === 'string' ? shown(address) : undefined,
        result,
      })
    },
  }
}

/** By which interface, and from whom. */
function doorOf(origin: QueueEntry['origin'] | Origin): Readonly<Record<string, unknown>> {
  if (origin.carrier === 'report') return { interface: 'report' }
  if (origin.carrier === 'mm7')
    return { interface: 'mm7', operation: origin.operation, peer: origin.peer, ip: origin.ip }
  const { session } = origin.envelope
  if (origin.carrier === 'mail' && origin.own) return { interface: 'own' }
  return {
    interface: origin.carrier,
    peer: origin.carrier === 'mm4' ? origin.peer : (session.peer ?? undefined),
    ip: session.ip,
  }
}

/** The key of a repeated MM7 request holds its TransactionID (MM7-060). */
function transactionOf({ duplicateKey }: NewQueueEntry): string | undefined {
  if (!duplicateKey) return undefined
  try {
    const [, , transactionId] = JSON.parse(duplicateKey.key) as unknown[]
    return typeof transactionId === 'string' ? transactionId : undefined
  } catch {
    return undefined
  }
}

function typesOf(part: Part): string[] {
  const types = part.kind === 'multi' ? part.parts.flatMap(typesOf) : 'type' in part ? [part.type] : []
  return types.slice(0, maxTypes)
}
