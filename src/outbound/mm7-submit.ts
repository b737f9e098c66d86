/** Delivery to an MMSC by SubmitReq, and to a VASP by DeliverReq (mapping.md 2; QUE-011). */
import { type Mm7Target, writeMm7Request } from '../mapping/carriers/mm7.ts'
import { writeMm7Report } from '../mapping/reports/mm7-report.ts'
import type { Outcome } from '../model/queue.ts'
import { isRefusal, refusal } from '../model/refusal.ts'
import type { Peer, Settings } from '../model/settings.ts'
import type { Adapter, DeliveryJob, DeliveryResult } from '../queue/adapter.ts'
import type { Mm7Draft } from '../wire/mm7/message.ts'
import { type Mm7Response, readMm7Response } from '../wire/mm7/response.ts'
import { mm7Status, mm7Versions } from '../wire/mm7/status.ts'
import { writeMm7 } from '../wire/mm7/write.ts'
import { allOf, refusedOutcomes } from './outcomes.ts'
import type { Mm7Answer, Mm7Transport } from './transports.ts'

type Otherwise = Pick<Mm7Target, 'version' | 'without'>
/** What to send instead, once; undefined: nothing that differs. */
type Again = (statusCode: number) => Otherwise | undefined
const first: Otherwise = {}

/** 2006: without the LinkedID. 4002: in the next lower version of the same release. */
function onceMore(draft: Mm7Draft, peer: Peer): Again {
  const { children } = draft.body
  return (statusCode) => {
    if (statusCode === 2006)
      return children.some((c) => c.name === 'LinkedID') ? { without: new Set(['LinkedID']) } : undefined
    const version = children.find((c) => c.name === 'MM7Version')?.text ?? ''
    const at = mm7Versions.indexOf(version)
    const lower = at > 0 ? mm7Versions[at - 1] : undefined
    const sameRelease = lower?.split('.')[0] === version.split('.')[0]
    return statusCode === 4002 && sameRelease && peer.version !== lower ? { version: lower } : undefined
  }
}

/** No id came with it: reports about it cannot be matched. */
const takenSilently = { state: 'relayed', status: { code: '2.0.0', text: 'HTTP 200' } } as const

export function createMm7SubmitAdapter(settings: Settings, transport: Mm7Transport): Adapter {
  return {
    kinds: ['mm7-submit', 'mm7-deliver'],
    deliver: (job, signal) =>
      job.delivery.entry.origin.carrier === 'report'
        ? sendReports(job, signal)
        : attempt(job, job.serve, signal),
    close: () => transport.close(),
  }

  async function attempt(
    job: DeliveryJob,
    serve: readonly number[],
    signal: AbortSignal,
    otherwise: Otherwise = first,
  ): Promise<DeliveryResult> {
    const [kind, peerKey = ''] = job.delivery.target.split(':')
    const peer = settings.peers[peerKey]
    if (!peer)
      return {
        outcomes: allOf(serve, {
          state: 'deferred',
          status: { code: '4.3.5', text: `peer ${peerKey} is not configured` },
        }),
      }
    const message = await job.message()
    if (isRefusal(message)) return { outcomes: refusedOutcomes(serve, message) }
    const target: Mm7Target = {
      kind: kind === 'mm7-deliver' ? 'mm7-deliver' : 'mm7-submit',
      peerKey,
      peer,
      ...otherwise,
    }
    const draft = writeMm7Request(message, serve, target, { settings, ids: job.ids, now: job.now })
    if (isRefusal(draft)) return { outcomes: refusedOutcomes(serve, draft) }
    const again = otherwise === first ? onceMore(draft, peer) : undefined
    return post(job, serve, peer, peerKey, draft, signal, again)
  }

  /** Each report is a request of its own (RPT-036). */
  async function sendReports(job: DeliveryJob, signal: AbortSignal): Promise<DeliveryResult> {
    const [, peerKey = ''] = job.delivery.target.split(':')
    const { origin } = job.delivery.entry
    const peer = settings.peers[peerKey]
    const outcomes: Outcome[] = []
    let retryAfterMs: number | undefined
    for (const index of job.serve) {
      const report = origin.carrier === 'report' ? origin.reports[index] : undefined
      const ctx = { settings, ids: job.ids, now: job.now }
      const draft =
        report && peer
          ? writeMm7Report(report, peer, ctx)
          : refusal('malformed', `no report, or no peer ${peerKey}`)
      if (isRefusal(draft) || !peer) {
        const text = isRefusal(draft) ? draft.text : 'the peer is not configured'
        outcomes.push(...refusedOutcomes([index], refusal('malformed', text)))
        continue
      }
      const result = await post(job, [index], peer, peerKey, draft, signal)
      outcomes.push(...result.outcomes)
      if (result.retryAfterMs !== undefined) retryAfterMs = Math.max(retryAfterMs ?? 0, result.retryAfterMs)
    }
    return { outcomes, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }
  }

  async function post(
    job: DeliveryJob,
    serve: readonly number[],
    peer: Peer,
    peerKey: string,
    draft: Mm7Draft,
    signal: AbortSignal,
    again?: Again | undefined,
  ): Promise<DeliveryResult> {
    let answer: Mm7Answer
    try {
      const prefixes = { soap: peer.soapPrefix, body: peer.bodyPrefix }
      answer = await transport.post(peer, writeMm7({ ...draft, prefixes }), signal)
    } catch (error) {
      // No answer: the same request is repeated later, with the same TransactionID (MM7-062).
      const text = `no answer from ${peer.host ?? peerKey}: ${error instanceof Error ? error.message : String(error)}`
      return {
        outcomes: allOf(serve, { state: 'deferred', status: { code: '4.4.1', text }, remoteMta: peer.host }),
      }
    }
    if (peer.emptyAnswerAccepts && answer.httpStatus === 200 && answer.body.length === 0)
      return { outcomes: allOf(serve, { ...takenSilently, remoteMta: peer.host }) }
    const { name, children } = draft.body
    const linkedId = name === 'DeliverReq' ? children.find((c) => c.name === 'LinkedID')?.text : undefined
    return judged(job, serve, answer, { remoteMta: peer.host, linkedId }, signal, again)
  }

  async function judged(
    job: DeliveryJob,
    serve: readonly number[],
    answer: Mm7Answer,
    {
      remoteMta,
      linkedId,
    }: { readonly remoteMta: string | undefined; readonly linkedId: string | undefined },
    signal: AbortSignal,
    again: Again | undefined,
  ): Promise<DeliveryResult> {
    let response: Mm7Response
    try {
      response = readMm7Response(answer.body)
    } catch (error) {
      const text = `HTTP ${answer.httpStatus} without an MM7 answer: ${error instanceof Error ? error.message : String(error)}`
      // An error page of a proxy may go away; a peer that says 4xx to the request itself will say it again.
      const final =
        answer.httpStatus >= 400 && answer.httpStatus < 500 && ![401, 408, 429].includes(answer.httpStatus)
      return {
        outcomes: allOf(serve, {
          state: final ? 'failed' : 'deferred',
          status: { code: final ? '5.5.0' : '4.3.0', text },
          remoteMta,
        }),
        ...(answer.retryAfterSeconds === undefined ? {} : { retryAfterMs: answer.retryAfterSeconds * 1000 }),
      }
    }
    const status = mm7Status(response.statusCode)
    const shown = `${response.statusCode} ${response.statusText || status.text}`
    const said = {
      status: { code: status.dsnStatus, text: shown },
      diagnostic: { type: 'x-mm7', text: shown },
      remoteMta,
    } as const
    const retryAfter =
      answer.retryAfterSeconds === undefined ? {} : { retryAfterMs: answer.retryAfterSeconds * 1000 }
    if (status.retry === 'done') {
      // A VASP gives no id that counts, it got one: by the LinkedID it answers (MM7-066, MM7-077).
      const messageId = linkedId ?? response.messageId
      const outcomes = serve.map((index) => accepted(job, index, { ...response, messageId }, remoteMta))
      return { outcomes, ...(messageId === undefined ? {} : { peerMessageId: messageId }) }
    }
    const other = status.retry === 'once' ? again?.(response.statusCode) : undefined
    if (other) return attempt(job, serve, signal, other)
    if (status.retry === 'split' && serve.length > 1) {
      // One request for each recipient (3003).
      const results: DeliveryResult[] = []
      for (const index of serve) results.push(await attempt(job, [index], signal))
      const last = results.findLast((r) => r.peerMessageId !== undefined)?.peerMessageId
      return {
        outcomes: results.flatMap((r) => r.outcomes),
        ...(last === undefined ? {} : { peerMessageId: last }),
      }
    }
    return {
      outcomes: allOf(serve, { state: status.retry === 'yes' ? 'deferred' : 'failed', ...said }),
      ...retryAfter,
    }
  }

  /** 1100: recipients that Details names have failed, the others were taken (MM7-051). */
  function accepted(
    job: DeliveryJob,
    index: number,
    response: Omit<Mm7Response, 'messageId'> & { readonly messageId: string | undefined },
    remoteMta: string | undefined,
  ): Outcome {
    const address = job.delivery.recipients.find((r) => r.index === index)?.address ?? ''
    const number = address.replace(/@.*$/, '').replace(/\D/g, '')
    const named =
      response.statusCode === 1100 &&
      (response.details ?? '')
        .split(/[\s,;]+/)
        .some((word) => word === address || (number !== '' && word.replace(/\D/g, '') === number))
    if (!named)
      return {
        index,
        state: 'relayed',
        status: { code: '2.0.0', text: response.statusText || 'Success' },
        remoteMta,
        peerMessageId: response.messageId,
      }
    const text = `1100 ${response.statusText}: ${response.details}`
    return {
      index,
      state: 'failed',
      status: { code: '5.1.1', text },
      diagnostic: { type: 'x-mm7', text },
      remoteMta,
    }
  }
}
