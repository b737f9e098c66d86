/** Compares what came back and what left with the expected files of a case (fixtures/rfc4356/README.md). */
import { decodeText } from '../../wire/mime/charset.ts'
import { decodeBody, scanMessage } from '../../wire/mime/scan.ts'
import type { Case } from './case-folder.ts'
import { compareHttp } from './compare-http.ts'
import { compareMail } from './compare-mail.ts'
import type { Comparison } from './comparison.ts'
import { compareEnvelope, type EnvelopeJson } from './envelopes.ts'
import { type HttpOctets, httpField, parseHttp } from './http-octets.ts'
import type { Item } from './peers.ts'
import type { ReplyLine, Stage } from './smtp-dialogue.ts'

export function compareResponse(one: Case, answer: HttpOctets, cmp: Comparison, out: string[]): void {
  if (!one.has('expected.response.http')) return
  compareHttp(parseHttp(one.octets('expected.response.http')), answer, cmp)
  mustContain(one, 'expected.response.http', answer.body.toString('utf8'), cmp)
  out.push(...cmp.out.map((line) => `response: ${line}`))
}

export function compareReply(
  one: Case,
  { stage, reply }: { readonly stage: Stage; readonly reply: ReplyLine },
  out: string[],
): void {
  const expected = one.has('expected.reply.json')
    ? one.parsed<{ stage: string; code: number; enhanced?: string }>('expected.reply.json')
    : undefined
  const got = `${stage} ${reply.code} ${reply.enhanced}`
  if (expected) {
    const want = `${expected.stage} ${expected.code} ${expected.enhanced ?? reply.enhanced}`
    if (want !== got) out.push(`reply: expected ${want}, got ${got} ${reply.text}`)
  } else if (stage !== 'end-of-data' || reply.code !== 250)
    out.push(`reply: expected 250 at the end of data, got ${got} ${reply.text}`)
}

export const hasItem = (one: Case, n: number): boolean =>
  one.has(`expected.${n}.envelope.json`) || one.has(`expected.${n}.http`)

/** The n-th expected item and one that left; what differs is in `cmp.out`. */
export function compareItem(one: Case, n: number, item: Item, cmp: Comparison): void {
  if (one.has(`expected.${n}.http`)) {
    const file = `expected.${n}.http`
    if (item.kind !== 'http') {
      cmp.out.push(`expected an MM7 request, got ${summary(item)}`)
      return
    }
    const actual = parseHttp(item.octets)
    compareHttp(parseHttp(one.octets(file)), actual, cmp)
    mustContain(one, file, actual.body.toString('utf8'), cmp)
  } else if (item.kind !== 'smtp') cmp.out.push(`expected SMTP, got ${summary(item)}`)
  else {
    compareEnvelope(one.parsed<EnvelopeJson>(`expected.${n}.envelope.json`), item.via, item.envelope, cmp)
    const file = `expected.${n}.eml`
    if (!one.has(file)) {
      if (item.octets) cmp.out.push('expected an attempt without DATA, got a message')
    } else if (!item.octets) cmp.out.push('expected a message, got an attempt without DATA')
    else {
      compareMail(one.octets(file), item.octets, cmp)
      mustContain(one, file, item.octets.toString('utf8'), cmp, item.octets)
      if (one.json.bytesBody === file && !body(item.octets).equals(body(one.octets('input.eml'))))
        cmp.out.push('the body is not the input body octet for octet')
    }
  }
}

const body = (octets: Buffer): Buffer => octets.subarray(scanMessage(octets).bodyStart)

/** Strings that the text of a file, or of its first body part, must hold, without case. */
function mustContain(one: Case, file: string, text: string, cmp: Comparison, mail?: Buffer): void {
  for (const [name, strings] of Object.entries(one.json.mustContain ?? {})) {
    const [wanted, part] = name.split('#')
    if (wanted !== file) continue
    const searched = part === undefined || !mail ? text : partText(mail, Number(part))
    for (const string of strings)
      if (!cmp.holds(searched, string)) cmp.out.push(`${name} does not hold ${string}`)
  }
}

function partText(octets: Buffer, n: number): string {
  const part = scanMessage(octets).parts[n - 1]
  if (!part) return ''
  return decodeText(decodeBody(octets, part), part.params.find((p) => p.name === 'charset')?.value)
}

export const summary = (item: Item): string =>
  item.kind === 'http'
    ? `HTTP to ${httpField(parseHttp(item.octets), 'Host')}\n${item.octets.toString('utf8').slice(0, 1500)}`
    : `SMTP ${item.via} from <${item.envelope.mailFrom.path ?? ''}> to ${item.envelope.rcptTo
        .map((r) => `<${r.path}>`)
        .join(' ')}\n${item.octets?.toString('utf8').slice(0, 1500) ?? ''}`
