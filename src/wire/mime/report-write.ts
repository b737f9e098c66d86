/**
 * Writes multipart/report: exactly three parts, the machine-readable one in 7 bits (RFC 6522 §3, RFC 3464 §2, RFC 8098 §3).
 * What comes back of a message with UTF-8 in its header is a message/global or message/global-headers, encoded so that
 * it passes everywhere (RFC 6533 §4.2, §4.3, §4.5).
 */
import { isAscii as isAsciiOctets } from 'node:buffer'
import type { Field, Part } from '../../model/neutral.ts'
import { base64Lines } from './base64-lines.ts'
import { scanHeaderBlock } from './scan.ts'
import { isAscii, utf8Of } from './utf8.ts'
import { writeMessage } from './write.ts'
import { encodeUnstructured, writeField } from './write-header.ts'

export interface ReportDraft {
  /** Top-level fields in header form; MIME fields are added. */
  readonly header: readonly Field[]
  readonly reportType: 'delivery-status' | 'disposition-notification'
  /** Lines for people, Unicode. */
  readonly text: readonly string[]
  /** Groups of the machine-readable part; values Unicode, `type; value` where the field has a type. */
  readonly groups: readonly (readonly Field[])[]
  readonly returned: {
    /** 'message' = the whole original; 'header' = its header block alone (RFC 6522 §4). */
    readonly form: 'message' | 'header'
    readonly octets: Uint8Array
  }
}

export interface WrittenReport {
  readonly octets: readonly Uint8Array[]
  /** The returned message has octets above 127: the envelope says BODY=8BITMIME (RFC 6152 §3). */
  readonly eightBit: boolean
  /** An address of the report's own header is not ASCII: the envelope says SMTPUTF8. */
  readonly utf8: boolean
}

export function writeReport(draft: ReportDraft, boundary: () => string): WrittenReport {
  const { reportType } = draft
  const returned = sendable(draft.returned)
  const isGlobal = isUtf8Header(returned.octets)
  const eightBit = !isGlobal && returned.form === 'message' && !isAsciiOctets(returned.octets)
  const utf8 = draft.header.some((f) => !isAscii(f.value))
  const groups = draft.groups.map((group) =>
    group.map((f) => writeField(f.name, encodedValue(f.value))).join(''),
  )
  const part: Part = {
    kind: 'multi',
    subtype: 'report',
    params: [{ name: 'report-type', value: reportType }],
    headers: [],
    parts: [
      {
        kind: 'leaf',
        type: 'text/plain',
        params: [{ name: 'charset', value: 'utf-8' }],
        headers: [],
        body: fixed(Buffer.from(`${draft.text.join('\r\n')}\r\n`, 'utf8')),
      },
      {
        kind: 'opaque',
        type: `message/${reportType}`,
        params: [],
        headers: [],
        body: fixed(Buffer.from(groups.join('\r\n'), 'latin1')),
      },
      isGlobal ? globalPart(returned) : returnedPart(returned, eightBit),
    ],
  }
  return { octets: writeMessage(draft.header, part, { boundary, eightBit: false, utf8 }), eightBit, utf8 }
}

/**
 * A whole message that has NUL, bare line ends or lines longer than mail allows (BINARYMIME, RFC 3030 §3) cannot stand in a
 * message/rfc822, which knows no encoding (RFC 2046 §5.2.1): its header block comes back instead.
 */
function sendable(returned: ReportDraft['returned']): ReportDraft['returned'] {
  const { form, octets } = returned
  if (form === 'header' || isMailOctets(octets)) return returned
  return { form: 'header', octets: octets.subarray(0, scanHeaderBlock(octets).bodyStart) }
}

function isMailOctets(octets: Uint8Array): boolean {
  let line = 0
  for (let i = 0; i < octets.length; i++) {
    const c = octets[i]
    if (c === 0 || (c === 10 && octets[i - 1] !== 13) || (c === 13 && octets[i + 1] !== 10)) return false
    line = c === 10 || c === 13 ? 0 : line + 1
    if (line > 998) return false
  }
  return true
}

const returnedPart = ({ form, octets }: ReportDraft['returned'], eightBit: boolean): Part =>
  form === 'message'
    ? {
        kind: 'opaque',
        type: 'message/rfc822',
        params: [],
        headers: eightBit ? [{ name: 'Content-Transfer-Encoding', value: '8bit' }] : [],
        body: fixed(octets),
      }
    : { kind: 'leaf', type: 'text/rfc822-headers', params: [], headers: [], body: fixed(octets) }

const globalPart = ({ form, octets }: ReportDraft['returned']): Part => ({
  kind: 'opaque',
  type: form === 'message' ? 'message/global' : 'message/global-headers',
  params: [],
  headers: [{ name: 'Content-Transfer-Encoding', value: 'base64' }],
  body: fixed(base64Lines(octets)),
})

/** Valid UTF-8 that is not ASCII; other 8-bit octets make it no internationalized message. */
function isUtf8Header(octets: Uint8Array): boolean {
  const { bodyStart } = scanHeaderBlock(octets)
  const header = Buffer.from(octets.buffer, octets.byteOffset, bodyStart).toString('latin1')
  return !isAscii(header) && utf8Of(header) !== undefined
}

const fixed = (octets: Uint8Array) => ({ octets: () => octets })

/** The type of a typed value is never encoded. */
function encodedValue(value: string): string {
  const match = /^([A-Za-z0-9-]+; ?)(.*)$/s.exec(value)
  return match ? `${match[1]}${encodeUnstructured(match[2] ?? '')}` : encodeUnstructured(value)
}

/** A header block without the fields that name blind recipients (SEC-040), for the third part. */
export function returnedHeader(block: Uint8Array): Uint8Array {
  const kept: string[] = []
  let keep = true
  const text = Buffer.from(block.buffer, block.byteOffset, block.length).toString('latin1')
  for (const line of text.split(/(?<=\n)/)) {
    if (line === '\r\n' || line === '\n') break
    if (!/^[ \t]/.test(line)) keep = !/^(resent-)?bcc\s*:/i.test(line)
    if (keep) kept.push(line)
  }
  return Buffer.from(kept.join(''), 'latin1')
}
