/** DeliveryReportReq and ReadReplyReq of MM7 (mapping.md 1.5, 1.8; MAP-170, MAP-186, MAP-189). */
import type { Instant, NeutralReport, Party } from '../../model/neutral.ts'
import { isRefusal, type Refusal, refusal } from '../../model/refusal.ts'
import type { Peer } from '../../model/settings.ts'
import type { EpochMs } from '../../model/units.ts'
import type { Mm7Draft, Mm7Message, XmlElement } from '../../wire/mm7/message.ts'
import { element, schemaNamespace } from '../../wire/mm7/write.ts'
import { child, childText } from '../../wire/mm7/xml.ts'
import { partyFromMms } from '../addresses.ts'
import type { MappingContext } from '../context.ts'
import { oneLine } from '../element.ts'
import { addressElement, innerAddress } from '../mm7-address.ts'
import { fromXmlDateTime, toXmlDateTime } from '../times.ts'
import { deliveryStatusOf, readStatusOfMms, rejectedByOf } from './status-names.ts'

const maxText = 200
/** A peer's clock may be ahead by this much, seconds; later events are taken to be of now. */
const maxAhead = 86_400

/** Refused `malformed`: it names no message or no status. A missing recipient is Party 'unknown' with the value ''. */
export function readMm7Report(
  request: Mm7Message,
  from: { readonly peer: string; readonly receivedAt: EpochMs },
  ctx: MappingContext,
): NeutralReport | Refusal {
  const { body } = request
  const receivedAt = Math.floor(from.receivedAt / 1000)
  const originalMmsId = childText(body, 'MessageID')
  const raw = oneLine(childText(body, 'MMStatus') ?? '').slice(0, 100)
  if (originalMmsId === undefined) return refusal('malformed', 'MessageID is empty')
  if (raw === '') return refusal('malformed', 'MMStatus is empty')
  const text = oneLine(childText(body, 'StatusText') ?? '').slice(0, maxText)
  const host = oneLine(childText(body, 'MMSRelayServerID') ?? '').slice(0, maxText)
  const common = {
    source: ctx.settings.peers[from.peer]?.role === 'vasp' ? 'mm7-submit' : 'mm7-deliver',
    receivedAt,
    transactionId: request.transactionId,
    originalMmsId,
    recipient: partyIn(child(body, 'Recipient'), ctx) ?? { kind: 'unknown', value: '', raw: '' },
    destination: partyIn(child(body, 'Sender'), ctx),
    at: eventTime(childText(body, 'Date') ?? childText(body, 'TimeStamp'), receivedAt),
    ...(text === '' ? {} : { text }),
    ...(host === '' ? {} : { reportingHost: host }),
  } as const
  if (request.operation === 'ReadReplyReq')
    return { kind: 'read-report', ...common, read: { status: readStatusOfMms(raw), raw } }
  const by = rejectedByOf(childText(body, 'MMStatusExtension'))
  return {
    kind: 'delivery-report',
    ...common,
    delivery: { status: deliveryStatusOf(raw), raw, ...(by === undefined ? {} : { by }) },
  }
}

function partyIn(parent: XmlElement | undefined, ctx: MappingContext): Party | undefined {
  const written = innerAddress(parent)
  if (!written || written.text === '') return undefined
  const party = partyFromMms(written.kind, written.text, ctx.settings)
  return isRefusal(party) ? { kind: 'unknown', value: written.text, raw: written.text } : party
}

function eventTime(text: string | undefined, receivedAt: number): Instant {
  const at = text === undefined ? undefined : fromXmlDateTime(text)
  return at && at.epoch <= receivedAt + maxAhead ? at : { epoch: receivedAt, offsetMinutes: 0 }
}

/** MMStatus and MMStatusExtension of a delivery report; MM7 has no Unreachable (AMB-05). */
export function mm7StatusOfDelivery(delivery: NonNullable<NeutralReport['delivery']>): {
  readonly MMStatus: string
  readonly MMStatusExtension?: string
} {
  switch (delivery.status) {
    case 'unreachable':
      return /^\d\.4\.7$/.test(delivery.enhanced ?? '')
        ? { MMStatus: 'Expired' }
        : { MMStatus: 'Rejected', MMStatusExtension: 'RejectionByOtherRS' }
    case 'rejected':
      return {
        MMStatus: 'Rejected',
        ...(delivery.by === undefined
          ? {}
          : {
              MMStatusExtension:
                delivery.by === 'recipient' ? 'RejectionByMMSRecipient' : 'RejectionByOtherRS',
            }),
      }
    case 'delivery-condition-not-met':
      return { MMStatus: 'DeliveryConditionNotMet' }
    default:
      return { MMStatus: `${delivery.status[0]?.toUpperCase()}${delivery.status.slice(1)}` }
  }
}

export const mm7StatusOfRead = { read: 'Read', deleted: 'Deleted', indeterminate: 'Indeterminate' } as const

/** Refused `malformed`: the report names no message or no sender of the MMS side. */
export function writeMm7Report(report: NeutralReport, peer: Peer, ctx: MappingContext): Mm7Draft | Refusal {
  const { originalMmsId, destination, recipient, delivery, read } = report
  if (originalMmsId === undefined || !destination)
    return refusal('malformed', 'the report names no sender or no message of the MMS side')
  const schema = peer.schema ?? 'REL-6-MM7-1-4'
  const release = Number(/REL-(\d)/.exec(schema)?.[1] ?? 6)
  const status = delivery
    ? mm7StatusOfDelivery(delivery)
    : { MMStatus: mm7StatusOfRead[read?.status ?? 'indeterminate'] }
  const extension = 'MMStatusExtension' in status && release >= 6 ? status.MMStatusExtension : undefined
  const text = report.text === undefined ? '' : oneLine(report.text).slice(0, 140)
  const operation = delivery ? 'DeliveryReportReq' : 'ReadReplyReq'
  return {
    transactionId: ctx.ids.transactionId(),
    namespace: schemaNamespace(schema),
    body: element(operation, [
      element('MM7Version', peer.version ?? '6.8.0'),
      element('MMSRelayServerID', ctx.settings.gateway.host),
      element('MessageID', originalMmsId),
      element('Recipient', [addressElement(recipient, peer)]),
      element('Sender', [addressElement(destination, peer)]),
      element(delivery ? 'Date' : 'TimeStamp', toXmlDateTime(report.at)),
      element('MMStatus', status.MMStatus),
      ...(extension === undefined ? [] : [element('MMStatusExtension', extension)]),
      ...(text === '' ? [] : [element('StatusText', text)]),
    ]),
  }
}
