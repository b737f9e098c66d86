/** What `translate --explain` prints: for each field, parameter and element that was written, its row and its rules. */
import { otherRows, rowShown } from '../../mapping/explain.ts'
import { headerFields, scanMessage } from '../../wire/mime/scan.ts'
import { decodePdu } from '../../wire/mm1/decode.ts'
import type { Mm7Draft } from '../../wire/mm7/message.ts'
import type { EnvelopeJson } from '../conform/envelopes.ts'
import { rulesFor, type Written } from './rule-ids.ts'

/** `what` in the order in which the rows wrote it, and the row. */
export type Told = readonly (readonly [what: string, row: string])[]

const rows = {
  envelope: { name: 'Envelope', source: 'RFC 4356 §2.1.3.2; RFC 5321 §4.1.1' },
  passed: { name: 'Kept as it came', source: 'RFC 5321 §4.4' },
  mm1: { name: 'Carriage table', source: 'OMA MMS ENC §6, §7' },
}

/** Names that were written, each with the row that wrote it; those that no row told of are of the carrier's own. */
function lines(
  carrier: Written,
  names: readonly string[],
  told: Told,
  own: (name: string) => string,
): string[] {
  const left = new Map<string, string[]>()
  for (const [what, row] of told) left.set(what, [...(left.get(what) ?? []), row])
  return names.map((name) => {
    const row = left.get(name)?.shift() ?? own(name)
    return `${name}: ${row} [${rulesFor(carrier, name)}]`
  })
}

/** Mail and MM4: envelope, parameters, and all fields of the header. */
export function explainMail(
  carrier: 'mail' | 'mm4' | 'passed',
  envelope: EnvelopeJson,
  octets: Buffer,
  told: Told,
): string[] {
  const keywords = (params: readonly string[]): string[] => params.map((p) => p.split('=')[0] ?? '')
  const names = [
    'MAIL FROM',
    ...keywords(envelope.mailFrom.params).map((k) => `MAIL FROM ${k}`),
    ...envelope.rcptTo.flatMap((r) => [
      `RCPT TO:${r.path}`,
      ...keywords(r.params).map((k) => `RCPT TO:${r.path} ${k}`),
    ]),
    ...headerFields(octets, scanMessage(octets)).map((f) => f.name),
  ]
  const own = (name: string): string => {
    if (/^(MAIL FROM|RCPT TO)/.test(name)) return rowShown(rows.envelope)
    if (/^received$/i.test(name)) return rowShown(otherRows.trace)
    if (carrier === 'passed') return rowShown(rows.passed)
    return rowShown(/^(mime-version$|content-)/i.test(name) ? otherRows.content : otherRows.passThrough)
  }
  return lines(carrier, names, told, own)
}

/** MM7: what HTTP and SOAP need, and the elements of the request. */
export function explainMm7(carrier: 'mm7-submit' | 'mm7-deliver', draft: Mm7Draft, told: Told): string[] {
  const names = ['Content-Type', 'SOAPAction', 'TransactionID', ...draft.body.children.map((c) => c.name)]
  return lines(carrier, names, told, (name) =>
    rowShown(/^Content(Class)?$/.test(name) ? otherRows.content : otherRows.protocol),
  )
}

/** MM1: the headers of the PDU, and its body. */
export function explainMm1(pdu: Uint8Array): string[] {
  const { headers } = decodePdu(pdu)
  return lines('mm1', [...Object.keys(headers), 'content'], [], () => rowShown(rows.mm1))
}
