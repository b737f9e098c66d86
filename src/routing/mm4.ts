/** Acceptance of MM4 (TS 23.140 §8.4): requests become messages and reports and are answered, answers find their request. */

import { readMm4Forward, readMm4Report } from '../mapping/carriers/mm4.ts'
import {
  type Mm4Answer,
  type Mm4Head,
  type Mm4Octets,
  readMm4Answer,
  readMm4Head,
  scanMm4,
  writeMm4Answer,
} from '../mapping/carriers/mm4-head.ts'
import type { MappingContext } from '../mapping/context.ts'
import { booleanOf } from '../mapping/element.ts'
import { mm4Parties, mm4PathParty } from '../mapping/mm4-address.ts'
import { type Mm4Status, mm4StatusOf } from '../mapping/mm4-status.ts'
import type { NeutralMessage, NeutralReport, Party } from '../model/neutral.ts'
import type { IdSource } from '../model/providers.ts'
import type { AcceptedMessage, NewQueueEntry } from '../model/queue.ts'
import { isRefusal, type Refusal } from '../model/refusal.ts'
import type { Peer, Settings } from '../model/settings.ts'
import type { SmtpEnvelope } from '../model/smtp-envelope.ts'
import type { EpochMs } from '../model/units.ts'
import { answeredText, type Mm4Answers, waitingOf } from '../queue/mm4-answers.ts'
import type { Spool } from '../queue/spool.ts'
import type { Routed } from './groups.ts'
import type { Hops } from './hops.ts'
import type { AcceptMmsReport } from './mms-reports.ts'
import { mmsReportEntry } from './report-entries.ts'

/** What MM4 needs of acceptance in general. */
export interface Mm4Surroundings {
  readonly settings: Settings
  readonly spool: Spool
  readonly ids: IdSource
  readonly now: () => EpochMs
  readonly answers: Mm4Answers
  /** Resolves when the outcome of a delivery's last attempt is written (Runner.idle). */
  readonly idle: (deliveryId: number) => Promise<void>
  readonly context: (queueId: string, now: EpochMs) => MappingContext
  readonly hops: Hops
  readonly wayOf: (
    party: Party,
    source: { readonly peer: string | null; readonly relay: boolean },
  ) => Promise<{ target: string; account?: string } | Refusal>
  readonly copies: (
    message: NeutralMessage,
    routed: readonly Routed[],
    now: EpochMs,
  ) => Pick<NewQueueEntry, 'deliveries' | 'original'>
  readonly remember: (queueId: string, octets: Uint8Array, message: AcceptedMessage | undefined) => void
  readonly wake: () => void
  /** Takes a report about a message that we sent to the peer (RPT-003). */
  readonly report: AcceptMmsReport
  readonly log: (
    level: 'info' | 'warn' | 'error',
    message: string,
    fields?: Readonly<Record<string, unknown>>,
  ) => void
}

export interface Mm4Acceptor {
  /** undefined: the message is ordinary mail, from a peer of any kind (MAP-212). Resolves when it is durable. */
  accept(envelope: SmtpEnvelope, octets: Uint8Array): Promise<{ readonly queueId: string } | undefined>
}

/** Answers are worth sending for a day. */
const answerLifeMs = 86_400_000
/** The same request within this time is an echo, not a repeated question: it gets no second answer (MAP-202). */
const echoMs = 60_000

/** What is kept of an answer to repeat it. */
interface StoredAnswer {
  readonly queueId: string
  readonly at: EpochMs
  readonly status: Mm4Status
  readonly text?: string | undefined
}

export function createMm4Acceptor(around: Mm4Surroundings): Mm4Acceptor {
  const { settings, spool, ids, log } = around

  return {
    async accept(envelope, octets) {
      const peerKey = envelope.session.peer
      const peer = peerKey === null ? undefined : settings.peers[peerKey]
      if (peerKey === null || peer?.interface !== 'mm4') return undefined
      const mail = scanMm4(octets)
      const head = readMm4Head(mail, peer)
      if (!head) return bounce(envelope, peerKey)
      const request: Request = { peerKey, peer, head, mail, envelope, octets }
      if (head.answer) return answered(request)
      const again = await repeated(request)
      if (again) return again
      return head.operation === 'forward' ? forward(request) : report(request)
    },
  }

  /** What comes back to our system address is about an answer or a report of ours, which nobody waits for. */
  function bounce(envelope: SmtpEnvelope, peerKey: string): { queueId: string } | undefined {
    const system = settings.gateway.mm4System.toLowerCase()
    if (!envelope.rcptTo.every((r) => r.path.toLowerCase() === system)) return undefined
    log('warn', 'a message to the MM4 system address was dropped', {
      peer: peerKey,
      from: envelope.mailFrom.path,
    })
    return { queueId: 'none' }
  }

  async function forward(request: Request): Promise<{ queueId: string }> {
    const { peerKey, peer, envelope, octets } = request
    const queueId = ids.queueId()
    const now = around.now()
    const message = readMm4Forward(octets, envelope, { queueId, peer: peerKey }, around.context(queueId, now))
    if (isRefusal(message)) return refused(request, queueId, message, envelopeParties(request))
    const routed: Routed[] = []
    const failed: { readonly party: Party; readonly why: Refusal }[] = []
    for (const [index, recipient] of message.recipients.entries()) {
      if (!recipient.serve) continue
      const way = await around.wayOf(recipient.party, { peer: peerKey, relay: peer.mailOut === true })
      const loop = isRefusal(way) ? way : around.hops.crossing(message, recipient.party, way.target, now)
      if (loop) failed.push({ party: recipient.party, why: loop })
      else if (!isRefusal(way)) routed.push({ index, recipient, ...way })
    }
    const [first] = failed
    if (routed.length === 0 && first)
      return refused(
        request,
        queueId,
        first.why,
        failed.map((f) => f.party),
      )
    const entry: NewQueueEntry = {
      queueId,
      receivedAt: now,
      origin: { carrier: 'mm4', peer: peerKey, envelope },
      octets: [octets],
      sender: message.sender.value,
      mmsMessageId: message.mmsMessageId,
      ...around.copies(message, routed, now),
      ...stored(request, { queueId, at: now, status: 'Ok' }),
    }
    const answer = answerEntry(request, queueId, { status: 'Ok' }, now)
    // Of some recipients only a report can tell that they were not served (RPT-050, RPT-051).
    const reports = failed.flatMap(({ party, why }, n) =>
      reportEntry(request, `${queueId}.${n + 1}`, party, why, message.deliveryReport === true, now),
    )
    around.remember(queueId, octets, message)
    await spool.enqueue([entry, ...(answer ? [answer] : []), ...reports])
    around.wake()
    log('info', 'MM accepted', {
      queueId,
      peer: peerKey,
      sender: message.sender.value,
      octets: octets.length,
    })
    return { queueId }
  }

  async function report(request: Request): Promise<{ queueId: string }> {
    const { peerKey, octets, envelope } = request
    const queueId = ids.queueId()
    const now = around.now()
    const read = readMm4Report(
      octets,
      { peer: peerKey, receivedAt: envelope.receivedAt },
      around.context(queueId, now),
    )
    if (isRefusal(read)) return refused(request, queueId, read, [])
    const { duplicateKey } = stored(request, { queueId, at: now, status: 'Ok' })
    const taken = await around.report(read, { peer: peerKey, queueId, duplicateKey })
    const status: Mm4Status = taken === 'taken' ? 'Ok' : 'Error-message-not-found'
    const answer = answerEntry(request, queueId, { status }, now)
    // Apart from the report: a crash between them makes the peer ask again, and it is then known (RPT-006).
    if (answer) await spool.enqueue([answer])
    around.wake()
    return { queueId }
  }

  /** The peer is told by the answer, else by reports where the message asked for them (MAP-200, RPT-051). */
  async function refused(
    request: Request,
    queueId: string,
    why: Refusal,
    parties: readonly Party[],
  ): Promise<{ queueId: string }> {
    const { peerKey, head, mail } = request
    const now = around.now()
    const told: StoredAnswer = { queueId, at: now, status: mm4StatusOf[why.refused], text: why.text }
    const answer = answerEntry(request, queueId, told, now)
    const wanted = booleanOf(mail.field('X-Mms-Delivery-Report')?.trim()) === true
    const entries = answer
      ? [{ ...answer, ...stored(request, told) }]
      : why.refused === 'malformed'
        ? []
        : parties.flatMap((party, n) => reportEntry(request, `${queueId}.${n + 1}`, party, why, wanted, now))
    if (entries.length > 0) await spool.enqueue(entries)
    around.wake()
    log('warn', 'an MM was refused', {
      queueId,
      peer: peerKey,
      operation: head.operation,
      transactionId: head.transactionId,
      reason: why.refused,
      text: why.text,
    })
    return { queueId }
  }

  /** The RES, where one is asked for and somebody can be answered (MAP-201, MAP-202). */
  function answerEntry(
    { head, peer, peerKey }: Request,
    queueId: string,
    told: { readonly status: Mm4Status; readonly text?: string | undefined },
    now: EpochMs,
    scope = 'res',
  ): NewQueueEntry | undefined {
    const { transactionId, messageId, operation, originatorSystem: to } = head
    if (!head.ackRequest || transactionId === undefined || to === undefined) return undefined
    const answer = { operation, transactionId, messageId, status: told.status, text: told.text }
    const octets = writeMm4Answer(answer, { to, peer }, around.context(queueId, now))
    return ownEntry(`${queueId}.${scope}`, octets, to, peerKey, now)
  }

  function reportEntry(
    { head, mail, peer, peerKey, envelope }: Request,
    queueId: string,
    party: Party,
    why: Refusal,
    wanted: boolean,
    now: EpochMs,
  ): NewQueueEntry[] {
    const [destination] = mm4Parties(mail.field('From'), peer, settings)
    if (!wanted || !destination || head.messageId === undefined) return []
    const report: NeutralReport = {
      kind: 'delivery-report',
      source: 'mm4',
      receivedAt: envelope.receivedAt,
      originalMmsId: head.messageId,
      recipient: party,
      destination,
      at: { epoch: Math.floor(now / 1000), offsetMinutes: 0 },
      delivery: { status: 'unreachable', raw: why.refused },
      text: why.text,
    }
    return [mmsReportEntry([{ report, peer: peerKey }], queueId, now, settings, undefined, [])]
  }

  /** A message of our own to the peer: sent as it is, from our system address, never answered by a report (MAP-205). */
  function ownEntry(
    queueId: string,
    octets: Uint8Array,
    to: string,
    peerKey: string,
    now: EpochMs,
  ): NewQueueEntry {
    const { host, mm4System } = settings.gateway
    const session = { peer: null, ehlo: host, ip: '127.0.0.1', port: 0, auth: null, tls: false, esmtp: true }
    return {
      queueId,
      receivedAt: now,
      origin: {
        carrier: 'mail',
        own: true,
        envelope: {
          session,
          mailFrom: { path: mm4System, params: {} },
          rcptTo: [{ path: to, params: {} }],
          receivedAt: Math.floor(now / 1000),
        },
      },
      octets: [octets],
      sender: mm4System,
      deliveries: [
        {
          target: `mm4:${peerKey}`,
          recipients: [{ index: 0, address: to }],
          dueAt: now,
          expiresAt: now + answerLifeMs,
        },
      ],
    }
  }

  function envelopeParties({ envelope, peer }: Request): Party[] {
    return envelope.rcptTo.flatMap(({ path }) => {
      const party = mm4PathParty(path, peer, settings)
      return isRefusal(party) ? [] : [party]
    })
  }

  /** A request that was taken or refused before: nothing is done twice, and it is answered as it was (MAP-202, MAP-210). */
  async function repeated(request: Request): Promise<{ queueId: string } | undefined> {
    const { duplicateKey } = stored(request, { queueId: '', at: 0, status: 'Ok' })
    if (!duplicateKey) return undefined
    const now = around.now()
    const found = await spool.duplicate(duplicateKey.key, duplicateKey.hash, now)
    if (found === undefined || found === 'different') return undefined
    const before = JSON.parse(found.response) as StoredAnswer
    log('info', 'an MM4 request came again', { queueId: before.queueId, peer: request.peerKey })
    const answer = answerEntry(request, before.queueId, before, now, `res-${now}`)
    if (answer && now - before.at >= echoMs) {
      await spool.enqueue([answer])
      around.wake()
    }
    return { queueId: before.queueId }
  }

  async function answered({ head, mail, peerKey }: Request): Promise<{ queueId: string }> {
    const answer = readMm4Answer(mail, head)
    const dropped = (why: string): { queueId: string } => {
      log('warn', `an MM4 answer was dropped: ${why}`, {
        peer: peerKey,
        transactionId: head.transactionId,
        status: answer?.status,
      })
      return { queueId: 'none' }
    }
    if (!answer) return dropped('it names no transaction')
    const reply = { status: answer.status, text: answer.text ?? '' }
    if (around.answers.offer(peerKey, answer.transactionId, reply)) return { queueId: 'none' }
    const delivery = await waitingDelivery(answer, peerKey)
    if (!delivery) return dropped('nobody waits for it')
    const now = around.now()
    const waiting = delivery.recipients.filter((r) => waitingOf(r).state === 'awaited')
    if (waiting.length === 0) return dropped('the request was concluded before')
    await spool.settle([
      {
        deliveryId: delivery.deliveryId,
        outcomes: waiting.map((r) => ({
          index: r.index,
          state: 'deferred',
          status: { code: '4.4.7', text: answeredText(waitingOf(r).sent, reply) },
        })),
        nextDueAt: now,
        now,
      },
    ])
    around.wake()
    return { queueId: delivery.entry.queueId }
  }

  /** By the message id that we gave and the transaction that we made; by what this process sent where the id is missing. */
  async function waitingDelivery(answer: Mm4Answer, peerKey: string) {
    const { transactionId, messageId } = answer
    const find = async () => {
      if (messageId !== undefined)
        for (const record of await spool.byPeerMessageId(peerKey, messageId))
          if (transactionOf(record.entry.queueId, record.number) === transactionId) return record
      const known = around.answers.find(peerKey, transactionId)
      if (!known) return undefined
      const [entry] = await spool.list({ queueId: known.queueId })
      return entry?.deliveries.find((d) => d.number === known.number)
    }
    const found = await find()
    if (!found) return undefined
    // What the attempt itself says must be written first.
    await around.idle(found.deliveryId)
    return find()
  }

  function transactionOf(queueId: string, number: number): string {
    return ids.of(queueId, String(number)).transactionId()
  }
}

interface Request {
  readonly peerKey: string
  readonly peer: Peer
  readonly head: Mm4Head
  readonly mail: Mm4Octets
  readonly envelope: SmtpEnvelope
  readonly octets: Uint8Array
}

/**
 * The key of a request: the peer and both ids. Not its octets, since each way through the net adds trace fields and
 * boundaries may be new.
 */
function stored({ peerKey, head }: Request, answer: StoredAnswer): Pick<NewQueueEntry, 'duplicateKey'> {
  if (head.transactionId === undefined) return {}
  const key = ['mm4', peerKey, head.operation, head.transactionId, head.messageId ?? ''].join('\n')
  return { duplicateKey: { key, hash: '', response: JSON.stringify(answer) } }
}
