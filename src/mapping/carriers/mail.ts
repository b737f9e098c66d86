/** Internet mail as a carrier: walks the table to read or to write; fields that no row owns go through (MAP-003). */
import type { Field, NeutralDraft, NeutralMessage, Part } from '../../model/neutral.ts'
import { isRefusal, type Refusal, refusal } from '../../model/refusal.ts'
import type { EnvelopePath, SmtpEnvelope } from '../../model/smtp-envelope.ts'
import type { MimeNode } from '../../wire/mime/node.ts'
import { fieldText, headerFields, scanMessage } from '../../wire/mime/scan.ts'
import { isAscii, utf8Of } from '../../wire/mime/utf8.ts'
import { writeMessage } from '../../wire/mime/write.ts'
import { encodeUnstructured } from '../../wire/mime/write-header.ts'
import { addressKey, checkedMail, isServedDomain, mailAddressOf, splitAddrSpec } from '../addresses.ts'
import { withEnclosed } from '../content/enclosed.ts'
import { contentForMail } from '../content/for-mail.ts'
import { readPart } from '../content/read-content.ts'
import type { MappingContext } from '../context.ts'
import type { MailDraft, MailSource } from '../element.ts'
import { elements } from '../elements.ts'
import { explained, otherRows, rowShown } from '../explain.ts'
import { resentBlocks } from '../history.ts'
import { otherField, otherFieldValue } from '../other-fields.ts'
import { toMailDate } from '../times.ts'

const owned = new Set(elements.flatMap((e) => e.mail.owns.map((name) => name.toLowerCase())))
/** Structure and trace: read elsewhere, or made anew. */
export const structuralField =
  /^(mime-version|content-.*|received|return-path|bcc|original-recipient|x-mms-.*|x-gateway-.*)$/i
/** How often a message may have come through here before (QUE-041). */
const maxOwnReceived = 5
/** More Received fields than this are a loop (MAP-156, QUE-040). */
export const maxReceived = 100

/** Received fields that name us as the receiver, in their `by` clause (RFC 5321 §4.4). */
const timesHere = (trace: readonly string[], host: string): number =>
  trace.filter((value) => /(?:^|\s)by\s+([^\s;()]+)/i.exec(value)?.[1]?.toLowerCase() === host.toLowerCase())
    .length

export function readMail(
  octets: Uint8Array,
  envelope: SmtpEnvelope,
  from: { readonly queueId: string },
  ctx: MappingContext,
): NeutralMessage | Refusal {
  const node = scanMessage(octets)
  const source = {
    envelope,
    receivedAt: envelope.receivedAt,
    ...headerReader(octets, node),
    resent: node.fields.some((f) => /^resent-/i.test(f.name)) ? resentBlocks(headerFields(octets, node)) : [],
  }
  const trace = source.fields('Received')
  if (trace.length > maxReceived) return refusal('loop', `more than ${maxReceived} Received fields`)
  if (timesHere(trace, ctx.settings.gateway.host) > maxOwnReceived)
    return refusal('loop', `this message came through here more than ${maxOwnReceived} times`)
  const draft: NeutralDraft = {
    kind: 'message',
    source: 'mm3',
    peer: envelope.session.peer ?? undefined,
    receivedAt: envelope.receivedAt,
    queueId: from.queueId,
    returnPath: envelope.mailFrom.path,
    previous: [],
    trace,
    vas: {},
    content: readPart(octets, node),
    passThrough: node.fields
      .filter((f) => !owned.has(f.name.toLowerCase()) && !structuralField.test(f.name))
      .map((f) => otherField(f.name, fieldText(octets, f))),
  }
  for (const element of elements) {
    const refused = element.mail.read?.(source, draft, ctx)
    if (refused) return refused
  }
  return draft as NeutralMessage
}

/** Looks fields up by name; every row of the table asks for some. */
function headerReader(octets: Uint8Array, node: MimeNode): Pick<MailSource, 'field' | 'fields'> {
  const byName = new Map<string, MimeNode['fields'][number][]>()
  for (const field of node.fields) {
    const name = field.name.toLowerCase()
    const list = byName.get(name)
    if (list) list.push(field)
    else byName.set(name, [field])
  }
  const found = (name: string): readonly MimeNode['fields'][number][] => byName.get(name.toLowerCase()) ?? []
  return {
    field: (name) => {
      const [first] = found(name)
      return first && fieldText(octets, first)
    },
    fields: (name) => found(name).map((field) => fieldText(octets, field)),
  }
}

export interface OutgoingMail {
  readonly envelope: {
    readonly mailFrom: EnvelopePath
    readonly rcptTo: readonly (EnvelopePath & { readonly path: string })[]
  }
  readonly octets: readonly Uint8Array[]
  /** RCPT path of each recipient served; two recipients of one address share it (MAP-032). */
  readonly rcptOf: ReadonlyMap<number, string>
}

/**
 * The mail for the recipients `serve`, as the next hop's extensions allow (MAP-092: no DSN parameters where it has none).
 * Refused `non-ascii-address` or `utf8-header` when it needs SMTPUTF8 and the next hop does not offer that (AMB-26).
 */
export function writeMail(
  message: NeutralMessage,
  serve: readonly number[],
  hop: { readonly extensions: ReadonlyMap<string, string> },
  ctx: MappingContext,
): OutgoingMail | Refusal {
  const path = mailReversePath(message, ctx)
  if (isRefusal(path)) return path
  const rcptTo: { index: number; path: string; params: Record<string, string> }[] = []
  const seen = new Set<string>()
  const rcptOf = new Map<number, string>()
  for (const index of serve) {
    const party = message.recipients[index]?.party
    if (!party) continue
    const address = mailAddressOf(party, ctx.settings)
    if (isRefusal(address)) return address
    rcptOf.set(index, address)
    if (seen.has(addressKey(party))) continue
    seen.add(addressKey(party))
    rcptTo.push({ index, path: address, params: {} })
  }
  const header: Field[] = [
    { name: 'Received', value: receivedWithMms(message, ctx) },
    // Octet strings, like all that is kept as it came.
    ...message.trace.map((value) => ({ name: 'Received', value: utf8Of(value) ?? value })),
  ]
  const structured = new Set([
    'from',
    'sender',
    'to',
    'cc',
    'date',
    'message-id',
    'disposition-notification-to',
    'resent-date',
    'resent-from',
    'resent-sender',
    'resent-to',
    'resent-cc',
    'resent-message-id',
  ])
  const draft = {
    header,
    reversePath: path,
    mailParams: {} as Record<string, string>,
    rcptTo,
    extensions: hop.extensions,
    add(name: string, value: string) {
      header.push({ name, value: structured.has(name.toLowerCase()) ? value : encodeUnstructured(value) })
    },
  }
  const utf8Offered = ctx.settings.smtputf8 && hop.extensions.has('SMTPUTF8')
  for (const field of header) ctx.explain?.(field.name, rowShown(otherRows.trace))
  const names = (): readonly string[] => namesIn(draft)
  for (const element of elements) {
    const refused = explained(ctx, element, names, () => element.mail.write?.(message, draft, ctx))
    if (refused) return refused
  }
  explained(ctx, otherRows.passThrough, names, () => {
    for (const field of message.passThrough)
      header.push({ name: field.name, value: otherFieldValue(field, utf8Offered) })
  })
  const addresses = [path ?? '', ...rcptTo.map((r) => r.path)]
  const utf8 = !addresses.every(isAscii) || header.some((f) => f.name !== 'Received' && !isAscii(f.value))
  if (utf8 && !utf8Offered)
    return addresses.every(isAscii) && isAscii(message.sender.value)
      ? refusal('utf8-header', 'the header names addresses that are not ASCII, and the next hop takes none')
      : refusal('non-ascii-address', 'the next hop takes no addresses that are not ASCII')
  if (utf8) draft.mailParams.SMTPUTF8 = ''
  const content = withEnclosed(contentForMail(message.content, ctx), {
    eightBit: hop.extensions.has('8BITMIME'),
    utf8,
  })
  const protection = protectedAs(content, hop.extensions)
  if (isRefusal(protection)) return protection
  if (protection === '8bit') draft.mailParams.BODY = '8BITMIME'
  const octets = writeMessage(header, content, { boundary: () => ctx.ids.boundary(), eightBit: false, utf8 })
  return { envelope: { mailFrom: { path, params: draft.mailParams }, rcptTo }, octets, rcptOf }
}

/** Header fields, and parameters with their command. */
const namesIn = (draft: MailDraft): readonly string[] => [
  ...draft.header.map((f) => f.name),
  ...Object.keys(draft.mailParams).map((keyword) => `MAIL FROM ${keyword}`),
  ...draft.rcptTo.flatMap((r) => Object.keys(r.params).map((keyword) => `RCPT TO:<${r.path}> ${keyword}`)),
]

/** MAIL FROM (MAP-051 to MAP-061): null for class Auto; a gateway address for a sender at a domain that is not ours. */
export function mailReversePath(message: NeutralMessage, ctx: MappingContext): string | null | Refusal {
  if (message.class === 'auto') return null
  const address = mailAddressOf(message.sender, ctx.settings)
  if (isRefusal(address)) return { ...address, refused: 'bad-sender' }
  const split = splitAddrSpec(address)
  if (!split || isRefusal(checkedMail(split.local, split.domain, address, ctx.settings.smtputf8)))
    return refusal('bad-sender', 'the sender cannot be a reverse-path', address)
  return isServedDomain(split.domain, ctx.settings)
    ? address
    : `report+${message.queueId}@${ctx.settings.gateway.mmsDomain}`
}

/** Value of the one new trace field of a message from MMS, without a `for` clause (MAP-110, SEC-040, SEC-041). */
export const receivedWithMms = (message: NeutralMessage, ctx: MappingContext): string =>
  receivedFromPeer(message.peer, message.receivedAt, message.queueId, ctx)

/** The same for what a peer's report becomes; `receivedAt` in seconds. */
export function receivedFromPeer(
  peerKey: string | undefined,
  receivedAt: number,
  queueId: string,
  ctx: MappingContext,
): string {
  const peer = peerKey === undefined ? undefined : ctx.settings.peers[peerKey]
  const ip = ctx.settings.trace.showIp && peer?.ip ? ` ([${peer.ip}])` : ''
  const at = toMailDate({ epoch: receivedAt, offsetMinutes: 0 })
  return `from ${peer?.host ?? 'unknown'}${ip} by ${ctx.settings.gateway.host} with MMS id ${queueId}; ${at}`
}

/** Protected octets cannot be encoded anew: 8-bit ones need a hop that takes them, long lines and NUL none does (CNT-090). */
function protectedAs(part: Part, extensions: ReadonlyMap<string, string>): '7bit' | '8bit' | Refusal {
  if (part.kind === 'leaf') return '7bit'
  if (part.kind === 'multi') {
    let worst: '7bit' | '8bit' = '7bit'
    for (const child of part.parts) {
      const one = protectedAs(child, extensions)
      if (isRefusal(one)) return one
      if (one === '8bit') worst = one
    }
    return worst
  }
  const octets = part.body.octets()
  let line = 0
  let high = false
  for (let i = 0; i < octets.length; i++) {
    const c = octets[i] ?? 0
    const bare = (c === 10 && octets[i - 1] !== 13) || (c === 13 && octets[i + 1] !== 10)
    line = c === 10 || c === 13 ? 0 : line + 1
    if (c === 0 || bare || line > 998)
      return refusal('content-refused', `${part.type} holds lines that mail cannot carry unchanged`)
    if (c > 127) high = true
  }
  if (!high) return '7bit'
  return extensions.has('8BITMIME')
    ? '8bit'
    : refusal('content-refused', `${part.type} is not ASCII, and the next hop takes nothing else unchanged`)
}
