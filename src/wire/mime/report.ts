/**
 * Reads reports in mail: DSN (RFC 3464), MDN (RFC 8098), in multipart/report (RFC 6522). Tolerant of order, encodings,
 * line ends, missing blank lines and prefixes (RPT-062, QUIRKS 52); what a returned message encloses is never taken for
 * the report itself.
 */
import { decodeText } from './charset.ts'
import { decodeWords } from './encoded-words.ts'
import type { MimeNode } from './node.ts'
import { withoutComments } from './parameters.ts'
import { decodeBody, fieldValue, partRanges, scanEntity, scanHeaderBlock, scanMessage } from './scan.ts'
import { octetsOf } from './utf8.ts'

export interface TypedValue {
  /** Lower case; 'rfc822' where a peer left it out. */
  readonly type: string
  readonly value: string
}

/** One per-recipient group (RFC 3464 §2.3). */
export interface RecipientStatus {
  readonly originalRecipient?: TypedValue | undefined
  readonly finalRecipient?: TypedValue | undefined
  /** Lower case, without comments; '' when absent. */
  readonly action: string
  /** '5.1.1'; '' when there is none that can be read. */
  readonly status: string
  readonly diagnostic?: TypedValue | undefined
  readonly remoteMta?: TypedValue | undefined
  readonly lastAttemptDate?: string | undefined
}

interface Common {
  /** Top-level Date. */
  readonly date?: string | undefined
  /** The part for people, Unicode; '' when there is none. */
  readonly text: string
  /** Message-ID of the returned message or header, with brackets. */
  readonly returnedMessageId?: string | undefined
}

export interface DeliveryStatusReport extends Common {
  readonly kind: 'delivery-status'
  readonly originalEnvelopeId?: string | undefined
  readonly reportingMta?: TypedValue | undefined
  readonly recipients: readonly RecipientStatus[]
}

export interface DispositionReport extends Common {
  readonly kind: 'disposition-notification'
  readonly reportingUa?: string | undefined
  readonly originalRecipient?: TypedValue | undefined
  readonly finalRecipient?: TypedValue | undefined
  readonly originalMessageId?: string | undefined
  /** All in lower case (RFC 8098 §3.2.6). */
  readonly disposition: {
    readonly actionMode: string
    readonly sendingMode: string
    readonly type: string
    readonly modifiers: readonly string[]
  }
}

/** A report of another kind, or one without a part that can be read (RPT-061). */
export interface OtherReport extends Common {
  readonly kind: 'other'
  readonly reportType: string
}

export type MailReport = DeliveryStatusReport | DispositionReport | OtherReport

const machineTypes: Readonly<Record<string, 'delivery-status' | 'disposition-notification'>> = {
  'message/delivery-status': 'delivery-status',
  'message/global-delivery-status': 'delivery-status',
  'report/delivery-status': 'delivery-status',
  'message/disposition-notification': 'disposition-notification',
  'message/global-disposition-notification': 'disposition-notification',
  'report/disposition-notification': 'disposition-notification',
}
const returnedTypes = new Set([
  'message/rfc822',
  'message/global',
  'text/rfc822-headers',
  'text/rfc822-header',
  'message/rfc822-headers',
  'message/global-headers',
])

/** More than this of a machine-readable part, and more groups, are not read (SEC-021). */
const maxOctets = 1_048_576
const maxGroups = 1000
const maxText = 16_384

const typeOf = (node: MimeNode): string => `${node.type}/${node.subtype}`

/** undefined: the message is no report. */
export function readReport(octets: Uint8Array, node: MimeNode = scanMessage(octets)): MailReport | undefined {
  const isReport = node.type === 'multipart' && node.subtype === 'report'
  const told = isReport ? node.params.find((p) => p.name === 'report-type')?.value.toLowerCase() : undefined
  const parts = leavesOf(octets, node)
  const machines = parts.filter((part) => machineTypes[typeOf(part)] !== undefined)
  const [machine] = machines
  if (!isReport && !machine) return undefined
  const common = commonOf(octets, node, parts, machine)
  const otherType = told !== undefined && told !== 'delivery-status' && told !== 'disposition-notification'
  if (!machine || otherType) return { kind: 'other', reportType: told ?? '', ...common }
  if (machineTypes[typeOf(machine)] === 'disposition-notification')
    return disposition(machineText(octets, machine), common)
  // Some put text for people under this type as well: the part that names recipients counts.
  const read = machines.map((part) => deliveryStatus(machineText(octets, part), common))
  return read.find((report) => report.recipients.length > 0) ?? read[0]
}

/** The leaves in order; what a message/rfc822 encloses is not looked into. */
function leavesOf(octets: Uint8Array, node: MimeNode): MimeNode[] {
  if (node.type !== 'multipart') return [node]
  if (node.parts.length > 0) return node.parts.flatMap((part) => leavesOf(octets, part))
  // The boundary told does not occur: the first line that looks like one is taken (QUIRKS 49).
  const body = octets.subarray(node.bodyStart, Math.min(node.bodyEnd, node.bodyStart + maxText))
  const line = /^--(\S[^\r\n]{0,69})\r?\n[!-9;-~]+:/m.exec(Buffer.from(body).toString('latin1'))?.[1]
  if (line === undefined || node.subtype !== 'report') return []
  return partRanges(octets, node.bodyStart, node.bodyEnd, line.trimEnd()).ranges.map((r) =>
    scanEntity(octets, r.start, r.end, { depth: 1, parts: 10 }),
  )
}

function machineText(octets: Uint8Array, node: MimeNode): string {
  const body = decodeBody(octets, node).subarray(0, maxOctets)
  return decodeText(body, node.params.find((p) => p.name === 'charset')?.value)
}

function commonOf(
  octets: Uint8Array,
  node: MimeNode,
  parts: readonly MimeNode[],
  machine: MimeNode | undefined,
): Common {
  const human = parts.find((p) => p !== machine && p.type === 'text' && p.subtype === 'plain')
  const returned = parts.find((p) => returnedTypes.has(typeOf(p)))
  return {
    date: fieldValue(octets, node, 'Date'),
    text: human
      ? decodeText(
          decodeBody(octets, human).subarray(0, maxText),
          human.params.find((p) => p.name === 'charset')?.value,
        )
      : '',
    returnedMessageId: returned && messageIdIn(octets, returned),
  }
}

function messageIdIn(octets: Uint8Array, returned: MimeNode): string | undefined {
  // An encoded message/rfc822 is illegal and yet sent: its octets are decoded first.
  const block = decodeBody(octets, returned)
  const header = scanHeaderBlock(block)
  return bracketed(fieldValue(block, header, 'Message-ID'))
}

const bracketed = (value: string | undefined): string | undefined => /<[^<>\s]{1,998}>/.exec(value ?? '')?.[0]

type Group = Map<string, string>

/** A field of these names begins another group where the blank line before it is missing. */
const begins = new Set(['original-recipient', 'final-recipient'])

/** Groups of fields between blank lines (RFC 3464 §2.1); names in lower case, values unfolded. */
function groupsOf(text: string): Group[] {
  const groups: Group[] = []
  let group: Group = new Map()
  let last: string | undefined
  const close = (): void => {
    if (group.size > 0 && groups.length < maxGroups) groups.push(group)
    group = new Map()
    last = undefined
  }
  for (const line of text.split(/\r\n|\n|\r/)) {
    if (/^[ \t]/.test(line) && last !== undefined && line.trim() !== '') {
      group.set(last, `${group.get(last) ?? ''} ${line.trim()}`)
      continue
    }
    if (line.trim() === '') {
      close()
      continue
    }
    const match = /^\s*([!-9;-~]+)\s*:(.*)$/.exec(line)
    if (!match) continue
    const name = (match[1] ?? '').toLowerCase()
    const value = (match[2] ?? '').trim()
    if (group.has(name) && begins.has(name)) close()
    if (!group.has(name)) {
      group.set(name, value)
      last = name
    } else last = undefined
  }
  close()
  return groups
}

function deliveryStatus(text: string, common: Common): DeliveryStatusReport {
  const groups = groupsOf(text)
  const message: Group = groups[0] ?? new Map()
  const about = (g: Group): boolean => g.has('final-recipient') || g.has('original-recipient')
  const recipients: Group[] = []
  for (const group of groups) {
    const before = recipients[recipients.length - 1]
    if (about(group)) recipients.push(group)
    // A blank line in the middle of a group: its second half has the action.
    else if (group.has('action') && before && !before.has('action'))
      for (const [name, value] of group) before.set(name, value)
  }
  // What is said once, before the groups, is said of all of them.
  const shared = message.get('action')
  if (recipients.length === 0 && shared !== undefined) recipients.push(message)
  return {
    kind: 'delivery-status',
    ...common,
    originalEnvelopeId: message.get('original-envelope-id'),
    reportingMta: typed(message.get('reporting-mta'), 'dns'),
    recipients: recipients.map(
      (group): RecipientStatus => ({
        originalRecipient: address(group.get('original-recipient')),
        finalRecipient: address(group.get('final-recipient')),
        action: /^[a-z-]+/i.exec(plain(group.get('action') ?? shared))?.[0].toLowerCase() ?? '',
        status: enhanced(group.get('status')) ?? enhanced(group.get('diagnostic-code')) ?? '',
        diagnostic: typed(group.get('diagnostic-code'), 'smtp'),
        remoteMta: typed(group.get('remote-mta'), 'dns'),
        lastAttemptDate: group.get('last-attempt-date'),
      }),
    ),
  }
}

/** An enhanced status code (RFC 3463 §2) somewhere in a text. */
const enhanced = (text: string | undefined): string | undefined =>
  /(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.]*\d)/.exec(text ?? '')?.[1]

function disposition(text: string, common: Common): DispositionReport {
  // A blank line inside the one group is passed over.
  const fields: Group = new Map()
  for (const group of groupsOf(text))
    for (const [name, value] of group) if (!fields.has(name)) fields.set(name, value)
  const value = plain(fields.get('disposition')).toLowerCase()
  const [modes = '', types = ''] = value.includes(';') ? value.split(';', 2) : ['', value]
  const [actionMode = '', sendingMode = ''] = modes.split('/').map((t) => t.trim())
  const [type = '', modifiers = ''] = types.split('/').map((t) => t.trim())
  return {
    kind: 'disposition-notification',
    ...common,
    reportingUa: fields.get('reporting-ua'),
    originalRecipient: address(fields.get('original-recipient')),
    finalRecipient: address(fields.get('final-recipient')),
    originalMessageId: bracketed(fields.get('original-message-id')),
    disposition: {
      actionMode,
      sendingMode,
      type,
      modifiers: modifiers.split(',').flatMap((m) => m.trim() || []),
    },
  }
}

const plain = (value: string | undefined): string => withoutComments(value ?? '').trim()

/** `type; value`, the type optional. Text may hold encoded words (RFC 3464 §2.1.2). */
function typed(value: string | undefined, standard: string): TypedValue | undefined {
  if (value === undefined || value === '') return undefined
  const match = /^\s*([A-Za-z0-9/.-]+)\s*;(.*)$/.exec(value)
  const text = (part: string): string => decodeWords(octetsOf(part.trim()))
  if (!match) return { type: standard, value: text(value) }
  return { type: (match[1] ?? '').toLowerCase(), value: text(match[2] ?? '') }
}

/** An address as its peer wrote it, without brackets, type and a comment behind it. */
function address(value: string | undefined): TypedValue | undefined {
  const parsed = typed(value, 'rfc822')
  if (!parsed) return undefined
  const bare = parsed.value
    .replace(/\s+\([^()]*\)\s*$/, '')
    .trim()
    .replace(/^<(.*)>$/, '$1')
    .trim()
  return bare === '' ? undefined : { type: parsed.type, value: bare }
}
