/** Cases that decode only: the neutral model their input becomes (README: expected.model.json, rule 8). */
import { decodeMm1 } from '../../mapping/carriers/mm1.ts'
import { readMm7Message } from '../../mapping/carriers/mm7.ts'
import type { NeutralMessage, NeutralReport, Part } from '../../model/neutral.ts'
import type { IdSource } from '../../model/providers.ts'
import { isRefusal } from '../../model/refusal.ts'
import { decodeText } from '../../wire/mime/charset.ts'
import { readMm7 } from '../../wire/mm7/read.ts'
import type { Case } from './case-folder.ts'
import { fixtureIds } from './fixture-ids.ts'
import { httpField, parseHttp } from './http-octets.ts'

/** What the gateway itself adds, or keeps beside the model of mapping.md 1.6. */
const notCompared = new Set(['receivedAt', 'queueId', 'messageId', 'mmsMessageId', 'peer'])

export function compareModel(one: Case): string[] {
  const expected = one.parsed<Record<string, unknown>>('expected.model.json')
  const ids = fixtureIds(one.settings.gateway.host)
  if (one.has('input.hex')) return comparePdu(one, expected, ids)
  const input = parseHttp(one.octets('input.http'))
  const message = readMm7Message(
    readMm7(httpField(input, 'Content-Type') ?? '', input.body),
    { peer: one.json.peer ?? '', ip: '', queueId: ids.queueId(), receivedAt: one.clock },
    { settings: one.settings, ids: ids.of('Q-0001', ''), now: one.clock },
  )
  if (isRefusal(message)) return [`refused: ${message.text}`]
  return differ('', expected, plainModel(message))
}

/** An MM1 PDU: its message or report, or the answer that its sender gets instead. */
function comparePdu(one: Case, expected: Record<string, unknown>, ids: IdSource): string[] {
  const octets = Buffer.from(one.octets('input.hex').toString('latin1').replace(/\s+/g, ''), 'hex')
  const { networkMsisdn } = one.json
  const queueId = ids.queueId()
  const read = decodeMm1(
    octets,
    { queueId, receivedAt: Math.floor(one.clock / 1000), networkMsisdn },
    { settings: one.settings, ids: ids.of(queueId, ''), now: one.clock },
  )
  if (!isRefusal(read))
    return differ('', expected, read.kind === 'message' ? plainModel(read) : plainReport(read))
  const error = (expected.error ?? {}) as { responseStatus?: unknown; transactionId?: unknown }
  const status = Number(error.responseStatus)
  return [
    ...(status === read.responseStatus
      ? []
      : [`refused with 0x${read.responseStatus.toString(16)}: ${read.text}`]),
    ...differ('error.transactionId', error.transactionId, read.transactionId),
  ]
}

const plainReport = (report: NeutralReport): Record<string, unknown> =>
  JSON.parse(JSON.stringify(report)) as Record<string, unknown>

/** JSON of the model, leaves with their decoded text. */
export function plainModel(message: NeutralMessage): Record<string, unknown> {
  const { content, ...rest } = message
  const plain = JSON.parse(JSON.stringify(rest)) as Record<string, unknown>
  return { ...plain, ...(content ? { content: plainPart(content) } : {}) }
}

function plainPart(part: Part): unknown {
  if (part.kind === 'multi')
    return { kind: part.kind, subtype: part.subtype, parts: part.parts.map(plainPart) }
  const text = decodeText(part.body.octets(), part.kind === 'leaf' ? part.charset : undefined)
  return {
    kind: part.kind,
    type: part.type,
    ...(part.kind === 'leaf' && part.charset !== undefined ? { charset: part.charset.toLowerCase() } : {}),
    text: text.replace(/\r?\n$/, ''),
  }
}

const isEmpty = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  (Array.isArray(value) && value.length === 0) ||
  (typeof value === 'object' && Object.values(value).every(isEmpty))

function differ(at: string, expected: unknown, actual: unknown): string[] {
  if (isEmpty(expected) && isEmpty(actual)) return []
  if (typeof expected !== 'object' || typeof actual !== 'object' || expected === null || actual === null)
    return expected === actual
      ? []
      : [`${at}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`]
  const [want, got] = [expected as Record<string, unknown>, actual as Record<string, unknown>]
  return [...new Set([...Object.keys(want), ...Object.keys(got)])]
    .filter((key) => at !== '' || !notCompared.has(key) || key in want)
    .flatMap((key) => differ(at === '' ? key : `${at}.${key}`, want[key], got[key]))
}
