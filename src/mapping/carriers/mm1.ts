/** MM1 as a carrier: PDUs of handsets as neutral messages and reports (OMA MMS ENC; mapping.md 1.7, 1.10). */
import type {
  Instant,
  MessageClass,
  NeutralMessage,
  NeutralReport,
  Party,
  PreviousSend,
  Recipient,
  When,
} from '../../model/neutral.ts'
import { isRefusal, type Refusal, refusal } from '../../model/refusal.ts'
import { decodePdu } from '../../wire/mm1/decode.ts'
import { Mm1Fault } from '../../wire/mm1/fault.ts'
import type { Mm1Headers, Mm1Pdu, Mm1When } from '../../wire/mm1/pdu.ts'
import type { MappingContext } from '../context.ts'
import { oneLine } from '../element.ts'
import { hold } from '../elements/delivery-time.ts'
import { mm1Party } from '../mm1-address.ts'
import {
  chargingStates,
  classes,
  contentClasses,
  given,
  mm1StatusOf,
  no,
  priorities,
  statuses,
  yes,
} from './mm1-codes.ts'
import { partOfContent } from './mm1-content.ts'

/** A PDU that is not taken, and what its sender is answered. */
export interface Mm1Refusal extends Refusal {
  readonly responseStatus: number
  readonly transactionId?: string | undefined
}

export interface Mm1Source {
  readonly queueId: string
  /** Seconds since 1970. */
  readonly receivedAt: number
  readonly peer?: string | undefined
  /** The sender's number as the network knows it (MAP-058). */
  readonly networkMsisdn?: string | undefined
}

/** m-send-req, m-retrieve-conf, m-delivery-ind, m-read-rec-ind, m-read-orig-ind. Never throws for what a handset sends. */
export function decodeMm1(
  octets: Uint8Array,
  from: Mm1Source,
  ctx: MappingContext,
): NeutralMessage | NeutralReport | Mm1Refusal {
  let pdu: Mm1Pdu
  try {
    pdu = decodePdu(octets)
  } catch (error) {
    if (!(error instanceof Mm1Fault)) throw error
    const { responseStatus, transactionId } = error
    return { ...refusal('malformed', error.message), responseStatus, transactionId }
  }
  const read = readPdu(pdu, from, ctx)
  if (!isRefusal(read)) return read
  const { transactionId } = pdu.headers
  return { ...read, responseStatus: mm1StatusOf[read.refused], transactionId }
}

function readPdu(
  pdu: Mm1Pdu,
  from: Mm1Source,
  ctx: MappingContext,
): NeutralMessage | NeutralReport | Refusal {
  switch (pdu.type) {
    case 'm-send-req':
    case 'm-retrieve-conf':
      return readMessage(pdu, from, ctx)
    case 'm-delivery-ind':
    case 'm-read-rec-ind':
    case 'm-read-orig-ind':
      return readReport(pdu, from, ctx)
    default:
      return refusal('operation-denied', `${pdu.type} carries neither a message nor a report`)
  }
}

const boolean = (code: number | undefined): boolean | undefined =>
  code === yes ? true : code === no ? false : undefined

const instant = (epoch: number | undefined, from: Mm1Source): Instant => ({
  epoch: epoch ?? from.receivedAt,
  offsetMinutes: 0,
})

const whenOf = (value: Mm1When | undefined): When | undefined =>
  value === undefined
    ? undefined
    : 'absolute' in value
      ? { kind: 'absolute', at: { epoch: value.absolute, offsetMinutes: 0 } }
      : { kind: 'relative', seconds: value.relative }

function senderOf(h: Mm1Headers, from: Mm1Source, ctx: MappingContext): Party | Refusal {
  const inserted = h.from === null || h.from === undefined
  const text = inserted ? from.networkMsisdn : h.from
  if (!text) return refusal('bad-sender', 'the sender is not told, and the network does not know it')
  const party = mm1Party(text, ctx.settings)
  if (isRefusal(party)) return { ...party, refused: 'bad-sender' }
  return inserted ? { ...party, raw: 'insert-address-token' } : party
}

function readMessage(pdu: Mm1Pdu, from: Mm1Source, ctx: MappingContext): NeutralMessage | Refusal {
  const h = pdu.headers
  if (!pdu.content) return refusal('malformed', 'Content-Type is missing')
  if (pdu.type === 'm-send-req' && h.transactionId === undefined)
    return refusal('malformed', 'X-Mms-Transaction-Id is missing')
  if (h.senderVisibility === 0x80)
    return refusal('sender-hiding', 'the sender is hidden, and a mail must have one that can be answered')
  const charging = h.replyCharging === undefined ? undefined : chargingStates[h.replyCharging - 0x80]
  if (charging?.startsWith('accepted') || (h.replyChargingId !== undefined && charging === undefined))
    return refusal('reply-charging', 'reply charging cannot be used towards Internet mail')
  const sender = senderOf(h, from, ctx)
  if (isRefusal(sender)) return sender
  const recipients = recipientsOf(h, ctx)
  if (pdu.type === 'm-send-req' && recipients.length === 0)
    return refusal('malformed', 'there is no recipient')
  const cls = classOf(h.messageClass)
  const mm = {
    kind: 'message',
    source: 'mm1',
    receivedAt: from.receivedAt,
    queueId: from.queueId,
    messageId: messageIdOf(h.messageId, ctx),
    sender,
    recipients,
    date: instant(h.date, from),
    previous: previousOf(h, ctx),
    vas: vasOf(h),
    passThrough: [],
    trace: [],
    content: partOfContent(pdu.content),
    ...given({
      peer: from.peer,
      transactionId: h.transactionId,
      mmsMessageId: h.messageId,
      version: h.version,
      subject: h.subject === undefined ? undefined : oneLine(h.subject),
      class: cls,
      priority: h.priority === undefined ? undefined : (priorities[h.priority - 0x80] ?? 'normal'),
      expiry: whenOf(h.expiry),
      // What answers by itself must not ask to be answered (MAP-230).
      deliveryReport: cls === 'auto' ? undefined : boolean(h.deliveryReport),
      readReply: cls === 'auto' ? undefined : boolean(h.readReport),
      senderVisibility: h.senderVisibility === 0x81 ? ('show' as const) : undefined,
      replyCharging: charging && {
        state: charging,
        deadline: whenOf(h.replyChargingDeadline),
        size: h.replyChargingSize,
        id: h.replyChargingId,
      },
    }),
  } satisfies NeutralMessage
  const wait = whenOf(h.deliveryTime)
  if (wait === undefined) return mm
  const draft = { ...mm, earliestDelivery: undefined }
  return hold(wait, draft, from.receivedAt) ?? { ...mm, earliestDelivery: wait }
}

/** A message id of MM1 has no brackets; one that is no msg-id stays the MMS side's own (MAP-024). */
function messageIdOf(id: string | undefined, ctx: MappingContext): string {
  const bare = id?.trim().replace(/^<(.*)>$/, '$1')
  return bare !== undefined &&
    /^[^<>@\s\x00-\x20\x7f-\uffff]+@[^<>@\s\x00-\x20\x7f-\uffff]+$/.test(bare) &&
    bare.length <= 248
    ? `<${bare}>`
    : ctx.ids.messageId()
}

function classOf(value: number | string | undefined): MessageClass | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'number') return classes[value - 0x80]
  return classes.find((c) => c === value.toLowerCase()) ?? { token: oneLine(value) }
}

function recipientsOf(h: Mm1Headers, ctx: MappingContext): Recipient[] {
  const list: Recipient[] = []
  for (const field of ['to', 'cc', 'bcc'] as const)
    for (const text of h[field] ?? []) {
      const party = mm1Party(text, ctx.settings)
      list.push({
        party: isRefusal(party) ? { kind: 'unknown', value: oneLine(text), raw: oneLine(text) } : party,
        field,
        serve: true,
      })
    }
  return list
}

function previousOf(h: Mm1Headers, ctx: MappingContext): PreviousSend[] {
  const steps = new Map<number, PreviousSend>()
  const step = (index: number): PreviousSend => steps.get(index) ?? { index, by: [] }
  for (const { index, address } of h.previouslySentBy ?? []) {
    const party = mm1Party(address, ctx.settings)
    if (!isRefusal(party)) steps.set(index, { ...step(index), by: [party] })
  }
  for (const { index, date } of h.previouslySentDate ?? [])
    steps.set(index, { ...step(index), at: { epoch: date, offsetMinutes: 0 } })
  return [...steps.values()]
}

const vasOf = (h: Mm1Headers): NeutralMessage['vas'] =>
  given({
    distributionIndicator: boolean(h.distributionIndicator),
    applicId: h.applicId,
    replyApplicId: h.replyApplicId,
    auxApplicInfo: h.auxApplicInfo,
    contentClass: h.contentClass === undefined ? undefined : contentClasses[h.contentClass - 0x80],
    drmContent: boolean(h.drmContent),
    adaptationAllowed: boolean(h.adaptationAllowed),
  })

function readReport(pdu: Mm1Pdu, from: Mm1Source, ctx: MappingContext): NeutralReport | Refusal {
  const h = pdu.headers
  if (h.messageId === undefined || h.messageId === '') return refusal('malformed', 'Message-ID is missing')
  const delivery = pdu.type === 'm-delivery-ind'
  // To of a delivery report is the original's recipient; of a read report it is From (MAP-170, AMB-33).
  const recipient = delivery ? mm1Party(h.to?.[0] ?? '', ctx.settings) : senderOf(h, from, ctx)
  if (isRefusal(recipient)) return { ...recipient, refused: 'malformed' }
  const common = {
    source: 'mm1',
    receivedAt: from.receivedAt,
    ...given({ transactionId: h.transactionId }),
    originalMmsId: h.messageId,
    recipient,
    at: instant(h.date, from),
  } as const
  const hex = (code: number): string => `0x${code.toString(16).toUpperCase()}`
  if (delivery) {
    if (h.status === undefined) return refusal('malformed', 'X-Mms-Status is missing')
    return {
      kind: 'delivery-report',
      ...common,
      delivery: { status: statuses[h.status - 0x80] ?? 'indeterminate', raw: hex(h.status) },
      ...given({ text: h.statusText === undefined ? undefined : oneLine(h.statusText) }),
    }
  }
  if (h.readStatus === undefined) return refusal('malformed', 'X-Mms-Read-Status is missing')
  const destination = h.to?.[0] === undefined ? undefined : mm1Party(h.to[0], ctx.settings)
  return {
    kind: 'read-report',
    ...common,
    ...(destination === undefined || isRefusal(destination) ? {} : { destination }),
    read: {
      status: h.readStatus === 0x80 ? 'read' : h.readStatus === 0x81 ? 'deleted' : 'indeterminate',
      raw: hex(h.readStatus),
    },
  }
}
