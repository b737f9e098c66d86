/** MM4 as a carrier: MM4_forward.REQ and the two reports over SMTP (TS 23.140 §8.4). Tolerant reading, strict writing. */
import type {
  DeliveryStatus,
  Field,
  NeutralDraft,
  NeutralMessage,
  NeutralReport,
} from '../../model/neutral.ts'
import { isRefusal, type Refusal, refusal } from '../../model/refusal.ts'
import type { Peer } from '../../model/settings.ts'
import type { EnvelopePath, SmtpEnvelope } from '../../model/smtp-envelope.ts'
import { decodeWords } from '../../wire/mime/encoded-words.ts'
import { headerFields } from '../../wire/mime/scan.ts'
import { isAscii, utf8Of } from '../../wire/mime/utf8.ts'
import { writeMessage } from '../../wire/mime/write.ts'
import { encodeUnstructured, writeField } from '../../wire/mime/write-header.ts'
import { withEnclosed } from '../content/enclosed.ts'
import { contentForMms } from '../content/for-mms.ts'
import { readPart } from '../content/read-content.ts'
import type { MappingContext } from '../context.ts'
import { oneLine, yesNo } from '../element.ts'
import { elements } from '../elements.ts'
import { explained, otherRows, rowShown } from '../explain.ts'
import { mm4AddressField, mm4Host, mm4Parties, mm4Path } from '../mm4-address.ts'
import { echoed, quoted } from '../mm4-ids.ts'
import { otherField, otherFieldValue } from '../other-fields.ts'
import { fromMailDate, toMailDate } from '../times.ts'
import { maxReceived, structuralField } from './mail.ts'
import { type Mm4Octets, mm4Version, readMm4Head, requestType, scanMm4, versionFor } from './mm4-head.ts'

export interface Mm4Target {
  readonly peerKey: string
  readonly peer: Peer
}

export interface OutgoingMm4 {
  readonly envelope: {
    readonly mailFrom: EnvelopePath
    readonly rcptTo: readonly (EnvelopePath & { readonly path: string })[]
  }
  readonly octets: readonly Uint8Array[]
  /** It needs SMTPUTF8 of the peer (AMB-26). */
  readonly utf8: boolean
  /** RCPT path of each recipient served. */
  readonly rcptOf: ReadonlyMap<number, string>
  /** What the answer will name. */
  readonly transactionId: string
  /** X-Mms-Message-ID as sent, without quotes. */
  readonly mmsMessageId: string
}

const owned = new Set(elements.flatMap((e) => (e.mm4?.owns ?? []).map((name) => name.toLowerCase())))
/** Fields whose values are in header form already. */
const structured =
  /^(from|sender|to|cc|date|message-id|x-mms-previously-sent-.*|x-mms-(transaction|message|reply-charging)-id)$/i

/** An MM4_forward.REQ as a neutral message. The caller has seen to it that the peer speaks MM4 (MAP-212). */
export function readMm4Forward(
  octets: Uint8Array,
  envelope: SmtpEnvelope,
  from: { readonly queueId: string; readonly peer: string },
  ctx: MappingContext,
): NeutralMessage | Refusal {
  const peer = ctx.settings.peers[from.peer]
  if (!peer) return refusal('identity', 'the peer is not known')
  const mail = scanMm4(octets)
  const head = readMm4Head(mail, peer)
  const lacking = missing(mail)
  if (!head || lacking !== undefined)
    return refusal('malformed', `${lacking ?? 'X-Mms-Message-Type'} is missing`)
  const trace = mail.fields('Received')
  if (trace.length > maxReceived) return refusal('loop', `more than ${maxReceived} Received fields`)
  const source = { ...mail, envelope, peer, receivedAt: envelope.receivedAt, resent: [] }
  const draft: NeutralDraft = {
    kind: 'message',
    source: 'mm4',
    peer: from.peer,
    receivedAt: envelope.receivedAt,
    queueId: from.queueId,
    transactionId: head.transactionId,
    version: mm4Version(mail),
    returnPath: envelope.mailFrom.path,
    previous: [],
    trace,
    vas: {},
    content: readPart(mail.octets, mail.node),
    passThrough: headerFields(mail.octets, mail.node)
      .filter((f) => !owned.has(f.name.toLowerCase()) && !structuralField.test(f.name))
      .map((f) => otherField(f.name, f.value)),
  }
  for (const element of elements) {
    const refused = element.mm4?.read?.(source, draft, ctx)
    if (refused) return refused
  }
  return draft as NeutralMessage
}

/** The first of the fields that a forward.REQ must have and does not (MAP-200). */
function missing(mail: Mm4Octets): string | undefined {
  if (mm4Version(mail) === undefined) return 'X-Mms-3GPP-MMS-Version'
  const needed = ['X-Mms-Transaction-ID', 'X-Mms-Message-ID', 'From', 'Date', 'Content-Type']
  return needed.find((name) => !mail.field(name)?.trim())
}

/**
 * The MM4_forward.REQ for the recipients `serve`. `received`: value of the trace field that goes on top (MAP-155).
 */
export function writeMm4Forward(
  message: NeutralMessage,
  serve: readonly number[],
  target: Mm4Target,
  received: string | undefined,
  ctx: MappingContext,
): OutgoingMm4 | Refusal {
  const { peer } = target
  const { settings } = ctx
  const path = reversePath(message, peer, ctx)
  if (isRefusal(path)) return { ...path, refused: 'bad-sender' }
  const rcptOf = new Map<number, string>()
  for (const index of serve) {
    const party = message.recipients[index]?.party
    if (!party) continue
    const address = mm4Path(party, peer.host ?? mm4Host(settings), peer)
    if (isRefusal(address)) return address
    rcptOf.set(index, address)
  }
  // Protected content crosses as it is: nothing is exposed on MM4 (CNT-090, CNT-091).
  const content = contentForMms(message, { peer, expose: false }, ctx)
  if (isRefusal(content)) return content
  const transactionId = ctx.ids.transactionId()
  // An id that is not ASCII has no form in a quoted-string, and is not worth SMTPUTF8: the message gets one of ours.
  const given = message.mmsMessageId
  const mmsMessageId = given !== undefined && isAscii(given) ? given : ctx.ids.mmsMessageId()
  const header: Field[] = [
    ...(received === undefined ? [] : [{ name: 'Received', value: received }]),
    ...message.trace.map((value) => ({ name: 'Received', value: utf8Of(value) ?? value })),
    { name: 'X-Mms-3GPP-MMS-Version', value: versionFor(peer, settings) },
    { name: 'X-Mms-Message-Type', value: requestType.forward },
    { name: 'X-Mms-Transaction-ID', value: quoted(transactionId) },
    { name: 'X-Mms-Message-ID', value: quoted(mmsMessageId) },
    { name: 'X-Mms-Ack-Request', value: yesNo(peer.ackRequest !== false) },
    { name: 'X-Mms-Originator-System', value: settings.gateway.mm4System },
  ]
  const draft = {
    peer,
    serve: new Set(serve),
    add(name: string, value: string) {
      header.push({ name, value: structured.test(name) ? value : encodeUnstructured(value) })
    },
  }
  for (const { name } of header)
    ctx.explain?.(name, rowShown(name === 'Received' ? otherRows.trace : otherRows.protocol))
  const names = (): readonly string[] => header.map((f) => f.name)
  for (const element of elements) {
    const refused = explained(ctx, element, names, () => element.mm4?.write?.(message, draft, ctx))
    if (refused) return refused
  }
  const envelope = {
    mailFrom: { path, params: {} },
    rcptTo: [...new Set(rcptOf.values())].map((p) => ({ path: p, params: {} })),
  }
  const utf8 = needsUtf8(envelope, header)
  for (const field of message.passThrough)
    if (!/^x-mms-/i.test(field.name) && !isDropped(field.name, peer))
      header.push({ name: field.name, value: otherFieldValue(field, utf8) })
  return {
    envelope,
    // What the peer's server takes is not known yet.
    octets: writeMessage(header, withEnclosed(content, { eightBit: false, utf8: false }), {
      boundary: () => ctx.ids.boundary(),
      eightBit: false,
      utf8,
    }),
    utf8,
    rcptOf,
    transactionId,
    mmsMessageId,
  }
}

/** Some handsets fail at fields that they do not know: the operator names them (QUIRKS 50). */
const isDropped = (name: string, { dropFields = [] }: Peer): boolean =>
  dropFields.some((pattern) => {
    const [lower, given] = [pattern.toLowerCase(), name.toLowerCase()]
    return lower.endsWith('*') ? given.startsWith(lower.slice(0, -1)) : given === lower
  })

/** What ASCII cannot say are addresses alone; trace is kept as it came. */
const needsUtf8 = (envelope: OutgoingMm4['envelope'], header: readonly Field[]): boolean =>
  [envelope.mailFrom, ...envelope.rcptTo].some(({ path }) => !isAscii(path ?? '')) ||
  header.some((f) => f.name !== 'Received' && !isAscii(f.value))

/** No bounce to an automatic sender, and no null path, which peers refuse (MAP-205). */
function reversePath(message: NeutralMessage, peer: Peer, ctx: MappingContext): string | Refusal {
  if (message.class === 'auto') return ctx.settings.gateway.mm4System
  return mm4Path(message.sender, mm4Host(ctx.settings), peer)
}

const statusNames: Readonly<Record<DeliveryStatus, string>> = {
  expired: 'Expired',
  retrieved: 'Retrieved',
  rejected: 'Rejected',
  deferred: 'Deferred',
  unrecognised: 'Unrecognised',
  indeterminate: 'Indeterminate',
  forwarded: 'Forwarded',
  unreachable: 'Unreachable',
  'delivery-condition-not-met': 'Rejected',
}
const statuses = new Map<string, DeliveryStatus>([
  ...(Object.keys(statusNames) as DeliveryStatus[]).map((key): [string, DeliveryStatus] => [key, key]),
  ['unrecognized', 'unrecognised'],
  ['dateexpired', 'expired'],
  ['notsupported', 'unrecognised'],
])

/** X-Mms-MM-Status-Code, any case; what is not known counts as Indeterminate (AMB-04, QUIRKS 34, 45). */
export const mm4DeliveryStatus = (text: string): DeliveryStatus =>
  statuses.get(text.trim().toLowerCase()) ?? 'indeterminate'

/**
 * An MM4_delivery_report.REQ or MM4_read_reply_report.REQ as a neutral report (MAP-170, MAP-206 to MAP-208). Refused
 * `malformed`: it names no message, no recipient or no status.
 */
export function readMm4Report(
  octets: Uint8Array,
  from: { readonly peer: string; readonly receivedAt: number },
  ctx: MappingContext,
): NeutralReport | Refusal {
  const peer = ctx.settings.peers[from.peer]
  if (!peer) return refusal('identity', 'the peer is not known')
  const mail = scanMm4(octets)
  const head = readMm4Head(mail, peer)
  if (!head || head.answer || head.operation === 'forward')
    return refusal('malformed', 'the message is no MM4 report')
  if (head.messageId === undefined) return refusal('malformed', 'X-Mms-Message-ID is missing')
  const [recipient] = mm4Parties(mail.field('From'), peer, ctx.settings)
  if (!recipient) return refusal('malformed', 'From names no recipient')
  const [destination] = mm4Parties(mail.field('To'), peer, ctx.settings)
  const text = oneLine(decodeWords(mail.field('X-Mms-Status-Text') ?? '')).slice(0, 200)
  const system = head.originatorSystem
  const common = {
    source: 'mm4',
    receivedAt: from.receivedAt,
    transactionId: head.transactionId,
    originalMmsId: echoed(head.messageId),
    recipient,
    destination,
    at: fromMailDate(mail.field('Date') ?? '') ?? { epoch: from.receivedAt, offsetMinutes: 0 },
    ...(text === '' ? {} : { text }),
    ...(system === undefined ? {} : { reportingHost: system.slice(system.lastIndexOf('@') + 1) }),
  } as const
  if (head.operation === 'delivery_report') {
    const raw = oneLine(mail.field('X-Mms-MM-Status-Code') ?? mail.field('X-Mms-Status') ?? '').slice(0, 100)
    if (raw === '') return refusal('malformed', 'X-Mms-MM-Status-Code is missing')
    return {
      kind: 'delivery-report',
      ...common,
      delivery: {
        status: mm4DeliveryStatus(raw),
        raw,
        by: rejectedBy(mail.field('X-Mms-MM-Status-Extension')),
      },
    }
  }
  const raw = oneLine(mail.field('X-Mms-Read-Status') ?? '').slice(0, 100)
  if (raw === '') return refusal('malformed', 'X-Mms-Read-Status is missing')
  return { kind: 'read-report', ...common, read: { status: readStatus(raw), raw } }
}

/** Two spellings each (MAP-208). */
function rejectedBy(text: string | undefined): 'recipient' | 'other-rs' | undefined {
  const value = text?.trim().toLowerCase()
  if (value === 'rejected-by-recipient' || value === 'rejectionbymmsrecipient') return 'recipient'
  if (
    value === 'rejected-by-other-mmsc' ||
    value === 'rejected-by-other-rs' ||
    value === 'rejectionbyotherrs'
  )
    return 'other-rs'
  return undefined
}

function readStatus(raw: string): 'read' | 'deleted' | 'indeterminate' {
  const value = raw.toLowerCase().replace(/[\s_-]+/g, '')
  return value === 'read' ? 'read' : value.startsWith('deleted') ? 'deleted' : 'indeterminate'
}

/** A report for an MM4 peer (MAP-206, MAP-207, MAP-213). `received`: value of the trace field (MAP-155), if there is one. */
export function writeMm4Report(
  report: NeutralReport,
  target: Mm4Target,
  received: string | undefined,
  ctx: MappingContext,
): OutgoingMm4 | Refusal {
  const { peer } = target
  const { mm4System } = ctx.settings.gateway
  const { destination, delivery, read, originalMmsId } = report
  if (!destination || originalMmsId === undefined)
    return refusal('malformed', 'the report names no sender or no message of the MMS side')
  if (read?.status === 'indeterminate') return refusal('malformed', 'MM4 has no word for this read status')
  const rcpt = mm4Path(destination, peer.host ?? mm4Host(ctx.settings), peer)
  if (isRefusal(rcpt)) return rcpt
  const transactionId = ctx.ids.transactionId()
  const text = report.text === undefined ? '' : oneLine(report.text).slice(0, 140)
  const by = delivery?.by === 'recipient' ? 'Rejected-by-recipient' : 'Rejected-by-other-MMSC'
  const fields: [string, string][] = [
    ...(received === undefined ? [] : [['Received', received] as [string, string]]),
    ['X-Mms-3GPP-MMS-Version', versionFor(peer, ctx.settings)],
    ['X-Mms-Message-Type', delivery ? requestType.delivery_report : requestType.read_reply_report],
    ['X-Mms-Transaction-ID', quoted(transactionId)],
    ['X-Mms-Message-ID', quoted(originalMmsId)],
    ['X-Mms-Ack-Request', yesNo(peer.ackRequest !== false)],
  ]
  if (delivery) {
    fields.push(
      ['X-Mms-Forward-To-Originator-UA', 'Yes'],
      ['X-Mms-MM-Status-Code', statusNames[delivery.status]],
    )
    if (delivery.by !== undefined && delivery.status === 'rejected')
      fields.push(['X-Mms-MM-Status-Extension', by])
  } else
    fields.push(['X-Mms-Read-Status', read?.status === 'deleted' ? 'Deleted without being read' : 'Read'])
  if (text !== '') fields.push(['X-Mms-Status-Text', encodeUnstructured(text)])
  fields.push(
    ['Date', toMailDate(report.at)],
    ['From', mm4AddressField([{ ...report.recipient, name: undefined }], peer)],
    ['Sender', mm4System],
    ['To', mm4AddressField([{ ...destination, name: undefined }], peer)],
    ['Message-ID', ctx.ids.messageId()],
  )
  const envelope = { mailFrom: { path: mm4System, params: {} }, rcptTo: [{ path: rcpt, params: {} }] }
  const utf8 = needsUtf8(
    envelope,
    fields.map(([name, value]) => ({ name, value })),
  )
  const block = fields.map(([name, value]) => writeField(name, value, utf8)).join('')
  return {
    envelope,
    octets: [Buffer.from(`${block}\r\n`, 'utf8')],
    utf8,
    rcptOf: new Map([[0, rcpt]]),
    transactionId,
    mmsMessageId: originalMmsId,
  }
}
