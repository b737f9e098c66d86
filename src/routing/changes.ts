/**
 * CancelReq and ReplaceReq: what a VASP changes of a message that still waits (MM7-064, MM7-065); their extended forms
 * too, which reach no further here: a mail that was sent cannot be called back.
 */
import { addressKey, partyFromMms } from '../mapping/addresses.ts'
import { readMm7Message } from '../mapping/carriers/mm7.ts'
import type { MappingContext } from '../mapping/context.ts'
import { writtenAddress } from '../mapping/mm7-address.ts'
import { resolved, toXmlDateTime, whenFromXml } from '../mapping/times.ts'
import type { DeliveryRecord, QueueEntry } from '../model/queue.ts'
import { isRefusal } from '../model/refusal.ts'
import { giveUpMs } from '../queue/schedule.ts'
import type { Mm7Message, XmlElement } from '../wire/mm7/message.ts'
import { readMm7 } from '../wire/mm7/read.ts'
import { writeMm7 } from '../wire/mm7/write.ts'
import { child, childText } from '../wire/mm7/xml.ts'
import type { AcceptorOptions, Mm7Context, Mm7Result } from './accept.ts'
import { mm7StatusOf } from './refusals.ts'

interface Queued {
  readonly entry: QueueEntry
  readonly deliveries: readonly DeliveryRecord[]
}

/** What ReplaceReq may carry beside the identification (mapping.md 1.8). */
const replaceable = new Set(
  [
    'ServiceCode',
    'TimeStamp',
    'ReadReply',
    'EarliestDeliveryTime',
    'DistributionIndicator',
    'ContentClass',
    'DRMContent',
    'ApplicID',
    'ReplyApplicID',
    'AuxApplicInfo',
    'Content',
  ].map((name) => name.toLowerCase()),
)

/** extendedReplaceReq may carry these as well. */
const extendedReplaceable = new Set([...replaceable, 'expirydate', 'deliveryreport'])

const notFound: Mm7Result = { status: 2005, details: 'no message of yours has this MessageID' }
const tooLate: Mm7Result = { status: 3001, details: 'the message has been sent, or is being sent' }

export function createChanges(
  options: AcceptorOptions,
  context: (queueId: string, now: number) => MappingContext,
) {
  const { settings, spool, ids } = options

  /** A message of another peer does not exist for this one. */
  async function queued(request: Mm7Message, peer: string): Promise<Queued | undefined> {
    const id =
      childText(request.body, 'MessageID') ??
      childText(request.body, 'CancelID') ??
      childText(request.body, 'ReplaceID')
    const [queueId] = id === undefined ? [] : await spool.byMmsMessageId(peer, id)
    return queueId === undefined ? undefined : (await spool.list({ queueId }))[0]
  }

  async function cancel(request: Mm7Message, from: Mm7Context): Promise<Mm7Result> {
    const found = await queued(request, from.peer)
    if (!found) return notFound
    const recipients = found.deliveries.flatMap((d) => d.recipients)
    const named = addressesIn(child(request.body, 'Recipients'))
    const keyOf = (element: string, text: string): string => {
      const party = partyFromMms(element, text, settings)
      return isRefusal(party) ? text : addressKey(party)
    }
    const keys = new Map(recipients.map((r) => [r.index, keyOf('', r.address)]))
    const wanted = named.map(({ kind, text }) => ({ text, key: keyOf(kind, text) }))
    const unknown = wanted.filter((w) => ![...keys.values()].includes(w.key))
    const indices = [...keys].filter(([, key]) => wanted.length === 0 || wanted.some((w) => w.key === key))
    if (indices.length === 0)
      return { status: 2003, details: unknown.map((w) => `2003 ${w.text}`).join(', ') }
    const { queueId } = found.entry
    const now = options.now()
    const count = await spool.cancel(
      queueId,
      indices.map(([index]) => index),
      now,
    )
    options.log('info', 'message cancelled', { queueId, peer: from.peer, ...count })
    const ended = count.cancelled + count.before
    if (ended === 0) return tooLate
    const details = [
      ...unknown.map((w) => `2003 ${w.text}`),
      ...(count.tooLate > 0 ? [`${count.tooLate} of ${count.tooLate + ended} copies were sent before`] : []),
    ].join(', ')
    return details === '' ? { status: 1000 } : { status: 1100, details }
  }

  async function replace(request: Mm7Message, from: Mm7Context): Promise<Mm7Result> {
    const found = await queued(request, from.peer)
    if (!found) return notFound
    const { entry } = found
    const { queueId, origin } = entry
    if (origin.carrier !== 'mm7' || origin.operation !== 'SubmitReq') return notFound
    if (request.danglingHref !== undefined)
      return { status: 2004, details: 'Content names a part that is not there' }
    const before = readMm7(origin.contentType, await spool.octets(queueId))
    const merged = mergedRequest(before, request, entry, from.receivedAt)
    const octets = Buffer.concat(merged.body)
    const ctx = context(queueId, entry.receivedAt)
    const message = readMm7Message(
      readMm7(merged.contentType, octets),
      { peer: origin.peer, ip: origin.ip, queueId, receivedAt: origin.receivedAt },
      ctx,
    )
    if (isRefusal(message)) return { status: mm7StatusOf[message.refused], details: message.text }
    const isHeld = child(request.body, 'EarliestDeliveryTime') !== undefined
    const isExtended = request.operation === 'extendedReplaceReq'
    const expiry =
      isExtended && child(request.body, 'ExpiryDate') !== undefined && message.expiry
        ? resolved(message.expiry, message.receivedAt) * 1000
        : undefined
    const hold = message.earliestDelivery ? resolved(message.earliestDelivery, message.receivedAt) * 1000 : 0
    // The id stays: reports name what the first request was answered with.
    const { mmsMessageId } = entry
    const answer: Mm7Result = {
      status: 1000,
      ...(isExtended && mmsMessageId !== undefined ? { messageId: mmsMessageId } : {}),
    }
    const done = await spool.replace(
      {
        queueId,
        octets,
        origin: { ...origin, contentType: merged.contentType },
        ...(isHeld ? { dueAt: Math.max(hold, from.receivedAt) } : {}),
        ...(expiry === undefined ? {} : { expiresAt: Math.min(expiry, entry.receivedAt + giveUpMs) }),
        original: { readReply: message.readReply, deliveryReport: message.deliveryReport },
        duplicateKey: from.duplicateKey && { ...from.duplicateKey, response: JSON.stringify(answer) },
      },
      options.now(),
    )
    if (!done) return tooLate
    options.remember(queueId, octets, message)
    options.wake()
    options.log('info', 'message replaced', { queueId, peer: from.peer, octets: octets.length })
    return answer
  }

  /** The accepted request with the elements that the new one gives; what it does not name keeps its value. */
  function mergedRequest(before: Mm7Message, request: Mm7Message, entry: QueueEntry, now: number) {
    const may = request.operation === 'extendedReplaceReq' ? extendedReplaceable : replaceable
    const given = request.body.children.filter((c) => may.has(c.name.toLowerCase()))
    const names = new Set(given.map((c) => c.name.toLowerCase()))
    const content = names.has('content') || request.content ? request.content : before.content
    const kept = before.body.children.filter(
      (c) => !names.has(c.name.toLowerCase()) && c.name.toLowerCase() !== 'content',
    )
    const own = ids.of(entry.queueId, 'replaced')
    const contentId = own.contentId()
    const reference: XmlElement[] = content
      ? [
          {
            name: 'Content',
            namespace: '',
            attributes: {
              ...(given.find((c) => c.name.toLowerCase() === 'content') ?? child(before.body, 'Content'))
                ?.attributes,
              href: `cid:${contentId.slice(1, -1)}`,
            },
            children: [],
            text: '',
          },
        ]
      : []
    return writeMm7({
      transactionId: before.transactionId ?? '',
      namespace: before.namespace,
      body: {
        ...before.body,
        children: [
          ...kept,
          ...given.filter((c) => c.name.toLowerCase() !== 'content').map((c) => absolute(c, now)),
          ...reference,
        ],
      },
      ...(content
        ? {
            rootId: own.contentId(),
            boundary: own.boundary(),
            content: {
              fields: [
                ...content.node.fields
                  .filter((f) => f.name.toLowerCase() !== 'content-id')
                  .map((f) => ({
                    name: f.name,
                    value: Buffer.from(content.octets.subarray(f.valueStart, f.end)).toString('utf8').trim(),
                  })),
                { name: 'Content-ID', value: contentId },
              ],
              body: [content.octets.subarray(content.node.bodyStart, content.node.bodyEnd)],
            },
          }
        : {}),
    })
  }

  return { cancel, replace }
}

/** A relative time counts from the request that gives it, not from the one that it is put into. */
function absolute(element: XmlElement, now: number): XmlElement {
  if (!/^(earliestdeliverytime|expirydate)$/i.test(element.name)) return element
  const when = whenFromXml(element.text)
  if (when?.kind !== 'relative') return element
  return {
    ...element,
    text: toXmlDateTime({ epoch: resolved(when, Math.floor(now / 1000)), offsetMinutes: 0 }),
  }
}

function addressesIn(recipients: XmlElement | undefined): { kind: string; text: string }[] {
  return (recipients?.children ?? []).flatMap((group) => {
    const isGroup = /^(to|cc|bcc)$/i.test(group.name) && group.children.length > 0
    return (isGroup ? group.children : [group])
      .map((item) => writtenAddress(item))
      .filter((a) => a.text !== '')
      .map(({ kind, text }) => ({ kind, text }))
  })
}
