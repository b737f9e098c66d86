/** Neutral messages and reports as MM1 PDUs for handsets (OMA MMS ENC; MAP-120 to MAP-126, MAP-152, MAP-170). */
import type {
  MessageClass,
  NeutralMessage,
  NeutralReport,
  RecipientField,
  When,
} from '../../model/neutral.ts'
import { isRefusal, type Refusal, refusal } from '../../model/refusal.ts'
import { encodePdu } from '../../wire/mm1/encode.ts'
import type { Mm1Headers, Mm1When } from '../../wire/mm1/pdu.ts'
import { contentForMms } from '../content/for-mms.ts'
import type { MappingContext } from '../context.ts'
import { oneLine } from '../element.ts'
import { sendHistory } from '../history.ts'
import { mm1Address } from '../mm1-address.ts'
import { resolved } from '../times.ts'
import { chargingStates, classes, contentClasses, given, no, priorities, statuses, yes } from './mm1-codes.ts'
import { contentOfPart } from './mm1-content.ts'

/** X-Mms-MMS-Version that we write (MAP-120). */
const ourVersion = '1.2'

const flag = (value: boolean | undefined): number | undefined =>
  value === undefined ? undefined : value ? yes : no

const mm1When = (when: When | undefined, message: NeutralMessage): Mm1When | undefined =>
  when === undefined ? undefined : { absolute: Math.max(0, resolved(when, message.receivedAt)) }

/**
 * A message for a handset (m-retrieve-conf) or as one (m-send-req): To, Cc and, of the recipients `serve`, Bcc
 * (MAP-121, MAP-126, MAP-152).
 */
export function encodeMm1(
  message: NeutralMessage,
  type: 'm-send-req' | 'm-retrieve-conf',
  serve: readonly number[],
  ctx: MappingContext,
): Uint8Array | Refusal {
  const part = contentForMms(message, { peer: { interface: 'mm7' }, expose: true }, ctx)
  if (isRefusal(part)) return part
  const content = contentOfPart(part)
  if (isRefusal(content)) return content
  const from = mm1Address(message.sender)
  if (from === undefined) return refusal('bad-sender', 'the sender has no form on MM1', message.sender.raw)
  const addresses = (field: RecipientField): readonly string[] | undefined => {
    const list = message.recipients.flatMap((r, i) =>
      r.field === field && (field !== 'bcc' || serve.includes(i)) ? (mm1Address(r.party) ?? []) : [],
    )
    return list.length > 0 ? list : undefined
  }
  const sends = type === 'm-send-req'
  const auto = message.class === 'auto'
  const group = serve[0] === undefined ? undefined : message.recipients[serve[0]]?.notify
  const wanted =
    message.source !== 'mm3'
      ? message.deliveryReport
      : group === 'never'
        ? false
        : group?.success
          ? true
          : undefined
  const charging = message.replyCharging
  const steps = sends ? [] : sendHistory(message)
  const headers: Mm1Headers = given({
    transactionId: ctx.ids.transactionId(),
    version: ourVersion,
    messageId: sends ? undefined : message.messageId.replace(/^<|>$/g, ''),
    date: Math.max(0, message.date.epoch),
    from,
    to: addresses('to'),
    cc: addresses('cc'),
    bcc: sends ? addresses('bcc') : undefined,
    subject: message.subject === undefined ? undefined : oneLine(message.subject),
    messageClass: classCode(message.class),
    priority: message.priority === undefined ? undefined : 0x80 + priorities.indexOf(message.priority),
    expiry: sends ? mm1When(message.expiry, message) : undefined,
    deliveryTime: sends ? mm1When(message.earliestDelivery, message) : undefined,
    // Class Auto must not ask for reports (MAP-230).
    deliveryReport: auto && wanted ? undefined : flag(wanted),
    readReport: auto && message.readReply ? undefined : flag(message.readReply),
    senderVisibility: sends && message.senderVisibility === 'show' ? 0x81 : undefined,
    replyCharging: charging && 0x80 + chargingStates.indexOf(charging.state),
    replyChargingDeadline: mm1When(charging?.deadline, message),
    replyChargingSize: charging?.size,
    replyChargingId: charging?.id,
    previouslySentBy:
      steps.length === 0
        ? undefined
        : steps.flatMap(({ index, by }) => {
            const address = by[0] && mm1Address(by[0])
            return address === undefined ? [] : [{ index, address }]
          }),
    previouslySentDate:
      steps.length === 0 ? undefined : steps.map(({ index, at }) => ({ index, date: Math.max(0, at.epoch) })),
    distributionIndicator: flag(message.vas.distributionIndicator),
    applicId: message.vas.applicId,
    replyApplicId: message.vas.replyApplicId,
    auxApplicInfo: message.vas.auxApplicInfo,
    contentClass: message.vas.contentClass && 0x80 + contentClasses.indexOf(message.vas.contentClass),
    drmContent: flag(message.vas.drmContent),
    adaptationAllowed: flag(message.vas.adaptationAllowed),
  } as Mm1Headers)
  return encodePdu({ type, headers, others: [], content })
}

const classCode = (value: MessageClass | undefined): number | string | undefined =>
  value === undefined || typeof value === 'object' ? value?.token : 0x80 + classes.indexOf(value)

/**
 * m-delivery-ind or m-read-orig-ind to the sender of the original (MAP-170). `version`: what the handset speaks; before
 * 1.2 there is no Unreachable (RPT-035).
 */
export function encodeMm1Report(report: NeutralReport, version: string = ourVersion): Uint8Array | Refusal {
  const recipient = mm1Address({ ...report.recipient, name: undefined })
  if (recipient === undefined || report.originalMmsId === undefined)
    return refusal('malformed', 'the report names no recipient or no message')
  const common = { version, messageId: report.originalMmsId, date: Math.max(0, report.at.epoch) }
  if (report.delivery) {
    const { status } = report.delivery
    const old = /^1\.[01]$/.test(version) && status === 'unreachable'
    const code = statuses.indexOf(old ? 'rejected' : status)
    const text = report.text !== undefined && version === '1.3' ? { statusText: oneLine(report.text) } : {}
    const headers = {
      ...common,
      to: [recipient],
      status: 0x80 + (code < 0 ? statuses.indexOf('rejected') : code),
      ...text,
    }
    return encodePdu({ type: 'm-delivery-ind', headers, others: [] })
  }
  if (!report.read || report.read.status === 'indeterminate')
    return refusal('malformed', 'MM1 has no word for this read status')
  const destination = report.destination && mm1Address({ ...report.destination, name: undefined })
  const headers: Mm1Headers = {
    ...common,
    from: recipient,
    ...(destination === undefined ? {} : { to: [destination] }),
    readStatus: report.read.status === 'read' ? 0x80 : 0x81,
  }
  return encodePdu({ type: 'm-read-orig-ind', headers, others: [] })
}

/** m-send-conf: the answer to an m-send-req (MAP-168). */
export function encodeMm1Answer(answer: {
  readonly transactionId?: string | undefined
  readonly status: number
  readonly text?: string | undefined
  readonly messageId?: string | undefined
}): Uint8Array {
  const headers: Mm1Headers = given({
    transactionId: answer.transactionId ?? '',
    version: ourVersion,
    responseStatus: answer.status,
    responseText: answer.text,
    messageId: answer.messageId,
  } as Mm1Headers)
  return encodePdu({ type: 'm-send-conf', headers, others: [] })
}
