/** `state` of a case: what is stored before its input comes (fixtures/rfc4356/README.md). */
import type { NewQueueEntry, Outcome } from '../../model/queue.ts'
import type { Settings } from '../../model/settings.ts'
import type { EpochMs } from '../../model/units.ts'
import { giveUpMs } from '../../queue/schedule.ts'
import type { Spool } from '../../queue/spool.ts'
import { element, schemaNamespace, writeMm7 } from '../../wire/mm7/write.ts'

export interface QueueState {
  readonly queueId: string
  readonly mmsMessageId: string
  readonly peer: string
  readonly holdUntil?: string
  readonly recipients: readonly { readonly rcptTo: string; readonly state: string }[]
}

/** Stores queued messages as their peer would have submitted them; those done are settled. */
export async function seedQueue(
  queue: readonly QueueState[],
  spool: Spool,
  settings: Settings,
  now: EpochMs,
): Promise<void> {
  for (const state of queue) {
    await spool.enqueue([entryOf(state, settings, now)])
    const fates = state.recipients.flatMap((r, index): Outcome[] => {
      const fate = { done: 'relayed', failed: 'failed' }[r.state]
      return fate === undefined
        ? []
        : [{ index, state: fate as 'relayed' | 'failed', status: { code: '2.0.0', text: r.state } }]
    })
    if (fates.length === 0) continue
    const [delivery] = await spool.claim(now, now + 1000, 1)
    if (delivery) await spool.settle([{ deliveryId: delivery.deliveryId, outcomes: fates, now }])
  }
}

function entryOf(state: QueueState, settings: Settings, now: EpochMs): NewQueueEntry {
  const peer = settings.peers[state.peer]
  const address = (text: string) => element('RFC2822Address', text)
  const request = writeMm7({
    transactionId: `state-${state.queueId}`,
    namespace: schemaNamespace(peer?.schema ?? 'REL-6-MM7-1-4'),
    body: element('SubmitReq', [
      element('MM7Version', peer?.version ?? '6.8.0'),
      element('SenderIdentification', [
        element('VASPID', peer?.vaspIds?.[0] ?? ''),
        element('SenderAddress', [
          address(peer?.senders?.find((s) => s.includes('@')) ?? 'info@acme.example'),
        ]),
      ]),
      element('Recipients', [
        element(
          'To',
          state.recipients.map((r) => address(r.rcptTo)),
        ),
      ]),
      element('Subject', 'queued'),
    ]),
  })
  return {
    queueId: state.queueId,
    receivedAt: now,
    origin: {
      carrier: 'mm7',
      peer: state.peer,
      ip: peer?.ip ?? '127.0.0.1',
      contentType: request.contentType,
      operation: 'SubmitReq',
      receivedAt: now,
    },
    octets: [Buffer.concat(request.body)],
    sender: '',
    mmsMessageId: state.mmsMessageId,
    deliveries: [
      {
        target: 'smtp:relay',
        recipients: state.recipients.map((r, index) => ({ index, address: r.rcptTo })),
        dueAt: state.holdUntil === undefined ? now : Date.parse(state.holdUntil),
        expiresAt: now + giveUpMs,
      },
    ],
  }
}
