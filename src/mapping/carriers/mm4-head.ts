/** What every MM4 message says of itself (TS 23.140 §8.4): its type, ids and who waits for an answer; and the answers. */
import type { Peer, Settings } from '../../model/settings.ts'
import { parseAddressList } from '../../wire/mime/addresses.ts'
import type { MimeNode } from '../../wire/mime/node.ts'
import { allFields, fieldValue, scanMessage } from '../../wire/mime/scan.ts'
import { encodeUnstructured, writeField } from '../../wire/mime/write-header.ts'
import type { MappingContext } from '../context.ts'
import { booleanOf, oneLine } from '../element.ts'
import { echoed, quoted, unquoted } from '../mm4-ids.ts'
import { type Mm4Status, readMm4Status } from '../mm4-status.ts'
import { toMailDate } from '../times.ts'

export type Mm4Operation = 'forward' | 'delivery_report' | 'read_reply_report'

export interface Mm4Head {
  readonly operation: Mm4Operation
  readonly answer: boolean
  /** Whether the peer told its version, which every request must (MAP-200). */
  readonly hasVersion: boolean
  readonly transactionId?: string | undefined
  /** X-Mms-Message-ID without quotes. */
  readonly messageId?: string | undefined
  readonly ackRequest: boolean
  /** addr-spec to which the answer goes; undefined: nobody can be answered (MAP-201). */
  readonly originatorSystem?: string | undefined
}

export interface Mm4Octets {
  readonly octets: Uint8Array
  readonly node: MimeNode
  field(name: string): string | undefined
  fields(name: string): readonly string[]
}

/** A filter on the way may have put a byte order mark in front (QUIRKS 42). */
export function scanMm4(source: Uint8Array): Mm4Octets {
  const octets = source[0] === 0xef && source[1] === 0xbb && source[2] === 0xbf ? source.subarray(3) : source
  const node = scanMessage(octets)
  return {
    octets,
    node,
    field: (name) => fieldValue(octets, node, name),
    fields: (name) => allFields(octets, node, name),
  }
}

const versionFields = ['X-Mms-3GPP-MMS-Version', 'X-Mms-3GPP-Version', 'X-Mms-MMS-Version']

/** Value of X-Mms-3GPP-MMS-Version or of one of its other names (AMB-25, QUIRKS 35). */
export const mm4Version = (mail: Mm4Octets): string | undefined =>
  versionFields.map((name) => mail.field(name)?.trim()).find((value) => value)

/** undefined: the message is no MM4 message, but ordinary mail (MAP-212). Without a type it is a forward.REQ (QUIRKS 42). */
export function readMm4Head(mail: Mm4Octets, peer: Peer): Mm4Head | undefined {
  const hasVersion = mm4Version(mail) !== undefined
  const type = /^MM4[_-](forward|delivery[_-]report|read[_-]reply[_-]report)\.(req|res)$/i.exec(
    mail.field('X-Mms-Message-Type')?.trim() ?? '',
  )
  if (!hasVersion && !type) return undefined
  const id = (name: string): string | undefined => unquoted(mail.field(name) ?? '') || undefined
  return {
    operation: (type?.[1]?.toLowerCase().replaceAll('-', '_') ?? 'forward') as Mm4Operation,
    answer: type?.[2]?.toLowerCase() === 'res',
    hasVersion,
    transactionId: id('X-Mms-Transaction-ID'),
    messageId: id('X-Mms-Message-ID'),
    ackRequest: booleanOf(mail.field('X-Mms-Ack-Request')?.trim()) ?? false,
    originatorSystem: systemAddress(mail, peer),
  }
}

/** X-Mms-Originator-System, else Sender; a name without a domain is at the peer's host (MAP-201, QUIRKS 37). */
function systemAddress(mail: Mm4Octets, peer: Peer): string | undefined {
  const written = mail.field('X-Mms-Originator-System')?.trim() || mail.field('Sender')?.trim() || ''
  const named = /(?:^|;)\s*system=([^;\s]+)/i.exec(written)?.[1] ?? written
  const item = parseAddressList(named).find((i) => i.kind === 'mailbox')
  if (item?.kind !== 'mailbox') return undefined
  const domain = item.domain || peer.host || ''
  const address = `${item.local}@${domain}`
  // What could not stand in a command is no address (SEC-011).
  return /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9.-]{1,253}$/.test(address) ? address : undefined
}

export interface Mm4Answer {
  readonly operation: Mm4Operation
  readonly transactionId: string
  readonly messageId?: string | undefined
  readonly status: Mm4Status
  readonly text?: string | undefined
}

/** Dates, types and addresses of an answer may be missing or free (QUIRKS 37, 39). undefined: it names no transaction. */
export function readMm4Answer(mail: Mm4Octets, head: Mm4Head): Mm4Answer | undefined {
  if (head.transactionId === undefined) return undefined
  const text = oneLine(mail.field('X-Mms-Status-Text') ?? '')
  return {
    operation: head.operation,
    transactionId: echoed(head.transactionId),
    messageId: head.messageId === undefined ? undefined : echoed(head.messageId),
    status: readMm4Status(mail.field('X-Mms-Request-Status-Code')),
    ...(text === '' ? {} : { text: text.slice(0, 200) }),
  }
}

export const requestType: Readonly<Record<Mm4Operation, string>> = {
  forward: 'MM4_forward.REQ',
  delivery_report: 'MM4_delivery_report.REQ',
  read_reply_report: 'MM4_read_reply_report.REQ',
}
const answerType: Readonly<Record<Mm4Operation, string>> = {
  forward: 'MM4_forward.RES',
  delivery_report: 'MM4_delivery_report.RES',
  read_reply_report: 'MM4_read_reply_report.RES',
}

export const versionFor = (peer: Peer, settings: Settings): string =>
  peer.version ?? settings.gateway.mm4Version

/** The RES to `to`, without its Message-ID, which is made when it is sent (MAP-202, MAP-204, MAP-213, GEN-002). */
export function writeMm4Answer(
  answer: Mm4Answer,
  target: { readonly to: string; readonly peer: Peer },
  ctx: MappingContext,
): Uint8Array {
  const { mm4System } = ctx.settings.gateway
  const fields = [
    ['X-Mms-3GPP-MMS-Version', versionFor(target.peer, ctx.settings)],
    ['X-Mms-Message-Type', answerType[answer.operation]],
    ['X-Mms-Transaction-ID', quoted(answer.transactionId)],
    ...(answer.messageId === undefined ? [] : [['X-Mms-Message-ID', quoted(answer.messageId)]]),
    ['X-Mms-Request-Status-Code', answer.status],
    ...(answer.text === undefined ? [] : [['X-Mms-Status-Text', encodeUnstructured(answer.text)]]),
    ['Date', toMailDate({ epoch: Math.floor(ctx.now / 1000), offsetMinutes: 0 })],
    ['From', mm4System],
    ['Sender', mm4System],
    ['To', target.to],
  ] as const
  const block = fields.map(([name = '', value = '']) => writeField(name, value)).join('')
  return Buffer.from(`${block}\r\n`, 'latin1')
}
