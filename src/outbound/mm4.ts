/** Delivery to another operator's MMSC by MM4 over SMTP: sent, answered by a RES, sent again when none comes (MAP-210). */
import { receivedWithMms } from '../mapping/carriers/mail.ts'
import { type OutgoingMm4, writeMm4Forward, writeMm4Report } from '../mapping/carriers/mm4.ts'
import { mm4Verdict, readMm4Status } from '../mapping/mm4-status.ts'
import type { DeliveryRecord, Outcome } from '../model/queue.ts'
import { isRefusal, type Refusal, refusal } from '../model/refusal.ts'
import type { Peer, Settings } from '../model/settings.ts'
import type { Adapter, DeliveryJob, DeliveryResult } from '../queue/adapter.ts'
import {
  awaitedText,
  laterText,
  type Mm4Answers,
  type Mm4Reply,
  type Mm4Waiting,
  waitingOf,
} from '../queue/mm4-answers.ts'
import { nextAttempt } from '../queue/schedule.ts'
import { scanMessage } from '../wire/mime/scan.ts'
import { writeField } from '../wire/mime/write-header.ts'
import { allOf, refusedOutcomes } from './outcomes.ts'
import { receivedValue } from './pass-through.ts'
import { judged } from './smtp-relay.ts'
import type { SmtpConversation, SmtpHop, SmtpTransport } from './transports.ts'

/** Without an answer a request is sent again so often, and no more (MAP-210). */
const maxResends = 3
/** Error-unspecified is tried so often (QUE-011). */
const maxUnspecified = 3
const defaultAckTimeout = 600

interface Way {
  readonly peerKey: string
  readonly peer: Peer & { readonly host: string }
}

export function createMm4Adapter(settings: Settings, transport: SmtpTransport, answers: Mm4Answers): Adapter {
  const ackTimeoutMs = (settings.mm4?.ackTimeout ?? defaultAckTimeout) * 1000

  return {
    kinds: ['mm4'],
    async deliver(job, signal): Promise<DeliveryResult> {
      const { delivery, serve } = job
      const peerKey = delivery.target.slice(delivery.target.indexOf(':') + 1)
      const peer = settings.peers[peerKey]
      if (!peer?.host)
        return {
          outcomes: allOf(serve, {
            state: 'deferred',
            status: { code: '4.3.5', text: `peer ${peerKey} is not configured` },
          }),
        }
      const way: Way = { peerKey, peer: { ...peer, host: peer.host } }
      const { origin } = delivery.entry
      if (origin.carrier === 'mail' && origin.own) return sendOwn(job, way, signal)
      return converse(job, way, signal)
    },
    close: () => transport.close(),
  }

  /** An answer of ours: as it was made, with the Message-ID that it gets now. It is not answered (MAP-202). */
  async function sendOwn(job: DeliveryJob, way: Way, signal: AbortSignal): Promise<DeliveryResult> {
    const { delivery, serve } = job
    const { origin } = delivery.entry
    if (origin.carrier !== 'mail') return { outcomes: [] }
    const octets = await job.octets()
    const named = scanMessage(octets, { depth: 0, parts: 0 }).fields.some(
      (f) => f.name.toLowerCase() === 'message-id',
    )
    const id = named ? '' : writeField('Message-ID', job.ids.messageId())
    const paths = new Map(
      serve.map((i) => [i, delivery.recipients.find((r) => r.index === i)?.address ?? '']),
    )
    const envelope = {
      mailFrom: { path: origin.envelope.mailFrom.path, params: {} },
      rcptTo: [...new Set(paths.values())].map((path) => ({ path, params: {} })),
    }
    const own = { envelope, octets: [Buffer.from(id, 'latin1'), octets], rcptOf: paths, utf8: false }
    return { outcomes: await send(way, own, serve, signal) }
  }

  /** What is answered is concluded, the rest is sent. */
  async function converse(job: DeliveryJob, way: Way, signal: AbortSignal): Promise<DeliveryResult> {
    const { delivery, serve } = job
    const concluded: Outcome[] = []
    const open: number[] = []
    let sent = 0
    let unanswered = 0
    for (const index of serve) {
      const waiting = stateOf(delivery, index)
      const outcome = conclusion(index, waiting, way.peer.host)
      if (outcome) concluded.push(outcome)
      else open.push(index)
      sent = Math.max(sent, waiting.sent)
      if (waiting.state === 'awaited') unanswered = Math.max(unanswered, waiting.unanswered + 1)
    }
    const pause = (): { retryAfterMs?: number } =>
      concluded.some((o) => o.state === 'deferred') ? { retryAfterMs: nextAttempt(sent, 0, 0.5) } : {}
    if (open.length === 0) return { outcomes: concluded, ...pause() }
    const written = await write(job, open, way)
    if (isRefusal(written)) return { outcomes: [...concluded, ...refusedOutcomes(open, written)] }

    const { transactionId } = written
    answers.begin(way.peerKey, transactionId, { queueId: delivery.entry.queueId, number: delivery.number })
    let outcomes: Outcome[]
    let reply: Mm4Reply | undefined
    try {
      outcomes = await send(way, written, open, signal)
    } finally {
      reply = answers.end(way.peerKey, transactionId)
    }
    const taken = outcomes.filter((o) => o.state === 'relayed')
    const ids = taken.length > 0 ? { peerMessageId: written.mmsMessageId } : {}
    if (way.peer.ackRequest === false || taken.length === 0)
      return { outcomes: [...concluded, ...outcomes], ...ids, ...pause() }
    const after = outcomes.map((outcome): Outcome => {
      if (outcome.state !== 'relayed') return outcome
      // The answer was faster than the reply to the data.
      if (reply) {
        const early = conclusion(outcome.index, { state: 'answered', sent: sent + 1, reply }, way.peer.host)
        if (early) return early
      }
      const text = awaitedText(sent + 1, unanswered)
      return {
        index: outcome.index,
        state: 'deferred',
        status: { code: '4.4.7', text },
        remoteMta: way.peer.host,
      }
    })
    const all = [...concluded, ...after]
    const awaits = after.some((o) => o.status.code === '4.4.7')
    return {
      outcomes: all,
      ...ids,
      ...(awaits
        ? { retryAfterMs: ackTimeoutMs }
        : all.some((o) => o.state === 'deferred')
          ? { retryAfterMs: nextAttempt(sent + 1, 0, 0.5) }
          : {}),
    }
  }

  async function write(job: DeliveryJob, serve: readonly number[], way: Way): Promise<OutgoingMm4 | Refusal> {
    const ctx = { settings, ids: job.ids, now: job.now }
    const { origin } = job.delivery.entry
    const trace = receivedValue(job.delivery, settings)
    if (origin.carrier === 'report') {
      const [index = -1] = serve
      const report = origin.reports[index]
      if (!report) return refusal('malformed', 'the delivery names no report')
      const written = writeMm4Report(report, way, trace, ctx)
      if (isRefusal(written)) return written
      const path = written.envelope.rcptTo[0]?.path ?? ''
      return { ...written, rcptOf: new Map([[index, path]]) }
    }
    const message = await job.message()
    if (isRefusal(message)) return message
    const received = trace ?? receivedWithMms(message, ctx)
    return writeMm4Forward(message, serve, way, received, ctx)
  }

  /** `relayed` = the peer's server took it. */
  async function send(
    way: Way,
    { envelope, octets, rcptOf, utf8 }: Pick<OutgoingMm4, 'envelope' | 'octets' | 'rcptOf' | 'utf8'>,
    serve: readonly number[],
    signal: AbortSignal,
  ): Promise<Outcome[]> {
    const { host, port, tls, login } = way.peer
    const hop: SmtpHop = { host, port, tls, login }
    const lost = (error: unknown): Outcome[] =>
      allOf(serve, {
        state: 'deferred',
        status: { code: '4.4.1', text: `${host}: ${error instanceof Error ? error.message : String(error)}` },
        remoteMta: host,
      })
    let conversation: SmtpConversation
    try {
      conversation = await transport.open(hop, signal)
    } catch (error) {
      return lost(error)
    }
    try {
      const size = octets.reduce((sum, piece) => sum + piece.length, 0)
      const limit = Number(conversation.extensions.get('SIZE') || 0)
      if (limit > 0 && size > limit)
        return refusedOutcomes(serve, refusal('too-large', `${host} takes ${limit} octets`))
      if (utf8 && !conversation.extensions.has('SMTPUTF8'))
        return refusedOutcomes(
          serve,
          refusal('non-ascii-address', `${host} takes no addresses that are not ASCII`),
        )
      // Protected content may have octets above 127, and none of it may be changed (CNT-090).
      const eightBit = octets.some((piece) => piece.some((octet) => octet > 127))
      const params = {
        ...(eightBit && conversation.extensions.has('8BITMIME') ? { BODY: '8BITMIME' } : {}),
        ...(utf8 ? { SMTPUTF8: '' } : {}),
      }
      const mailFrom = { ...envelope.mailFrom, params: { ...envelope.mailFrom.params, ...params } }
      const sent = await conversation.send({ ...envelope, mailFrom }, octets)
      return serve.map((index) => judged(index, rcptOf.get(index), sent, conversation.remoteMta))
    } catch (error) {
      return lost(error)
    } finally {
      conversation.quit()
    }
  }
}

const stateOf = (delivery: DeliveryRecord, index: number): Mm4Waiting => {
  const recipient = delivery.recipients.find((r) => r.index === index)
  return recipient ? waitingOf(recipient) : { state: 'new', sent: 0 }
}

/** What an answer, or none for the last time, makes of a recipient; undefined: it is sent (again). */
function conclusion(index: number, waiting: Mm4Waiting, remoteMta: string): Outcome | undefined {
  if (waiting.state === 'awaited' && waiting.unanswered >= maxResends) {
    const text = `no MM4 answer after ${waiting.sent} requests`
    const diagnostic = { type: 'x-mm4', text: 'Error-network-problem' } as const
    return { index, state: 'failed', status: { code: '5.4.1', text }, diagnostic, remoteMta }
  }
  if (waiting.state !== 'answered') return undefined
  const { reply, sent } = waiting
  const verdict = mm4Verdict(readMm4Status(reply.status))
  const shown = `${reply.status} ${reply.text}`.trim()
  if (verdict.retry === 'done')
    return { index, state: 'relayed', status: { code: '2.0.0', text: shown }, remoteMta }
  const diagnostic = { type: 'x-mm4', text: shown } as const
  if (verdict.retry === 'no' || (verdict.retry === 'few' && sent >= maxUnspecified))
    return { index, state: 'failed', status: { code: verdict.dsnStatus, text: shown }, diagnostic, remoteMta }
  const status = { code: verdict.dsnStatus.replace(/^5/, '4'), text: laterText(sent, reply) }
  return { index, state: 'deferred', status, diagnostic, remoteMta }
}
