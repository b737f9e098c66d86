/** The worked cases through the mapper alone: headers, envelope and decoded content of what comes out. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { fixtureIds } from '../../src/cli/conform/fixture-ids.ts'
import { readMail, writeMail } from '../../src/mapping/carriers/mail.ts'
import { readMm7Message, writeMm7Request } from '../../src/mapping/carriers/mm7.ts'
import type { NeutralMessage } from '../../src/model/neutral.ts'
import { isRefusal } from '../../src/model/refusal.ts'
import type { Settings } from '../../src/model/settings.ts'
import type { EnvelopePath, SmtpEnvelope } from '../../src/model/smtp-envelope.ts'
import { decodeWords } from '../../src/wire/mime/encoded-words.ts'
import type { MimeNode } from '../../src/wire/mime/node.ts'
import { decodeBody, fieldValue, scanMessage } from '../../src/wire/mime/scan.ts'
import type { XmlElement } from '../../src/wire/mm7/message.ts'
import { readMm7 } from '../../src/wire/mm7/read.ts'
import { writeMm7 } from '../../src/wire/mm7/write.ts'

const root = new URL('../../fixtures/rfc4356/', import.meta.url)
const settings = JSON.parse(readFileSync(new URL('defaults.json', root), 'utf8')) as Settings & {
  clock: string
}
const now = Date.parse(settings.clock)
const extensions = new Map([
  ['SIZE', ''],
  ['8BITMIME', ''],
  ['DSN', ''],
  ['DELIVERBY', ''],
])

interface Json {
  readonly mailFrom: { path: string; params: string[] }
  readonly rcptTo: { path: string; params: string[] }[]
}
const pathOf = ({ path, params }: Json['mailFrom']): EnvelopePath => ({
  path: path === '<>' ? null : path.slice(1, -1),
  params: Object.fromEntries(
    params.map((p) => [p.split('=')[0]!.toUpperCase(), p.slice(p.indexOf('=') + 1)]),
  ),
})
const written = ({ path, params }: EnvelopePath) => ({
  path: path === null ? '<>' : `<${path}>`,
  params: Object.entries(params)
    .map(([k, v]) => `${k}=${v}`)
    .sort(),
})

function httpParts(raw: Buffer): { type: string; body: Buffer } {
  const end = raw.indexOf('\r\n\r\n')
  return {
    type: /^content-type: (.*)$/im.exec(raw.subarray(0, end).toString('latin1'))![1]!,
    body: raw.subarray(end + 4),
  }
}

/** Headers without order, leaves with type, ids and decoded content. */
function summary(octets: Buffer, node: MimeNode = scanMessage(octets)): unknown {
  const headers = node.fields
    .map((f) => [f.name.toLowerCase(), decodeWords(fieldValue(octets, { ...node, fields: [f] }, f.name)!)])
    .filter(([name]) => !/^content-(type|transfer-encoding)$/.test(name!))
    .map((pair) => pair.join(': ').replace(/\s+/g, ' '))
    .sort()
  const params = node.params
    .filter((p) => p.name !== 'boundary')
    .map((p) => `${p.name}=${p.value}`)
    .sort()
  const type = `${node.type}/${node.subtype}`
  if (node.parts.length > 0 && node.type === 'multipart')
    return { headers, type, params, parts: node.parts.map((p) => summary(octets, p)) }
  const body = Buffer.from(decodeBody(octets, node))
  return { headers, type, params, body: body.toString(node.type === 'text' ? 'utf8' : 'base64').trimEnd() }
}

/** Generated Content-IDs by order of appearance. */
const renamed = (value: unknown): unknown => {
  const ids = new Map<string, string>()
  return JSON.parse(
    JSON.stringify(value).replace(/P-\d{4}@/g, (id) => {
      if (!ids.has(id)) ids.set(id, `ID${ids.size}@`)
      return ids.get(id)!
    }),
  )
}
const xml = (e: XmlElement): unknown => [
  e.name,
  e.attributes,
  e.children.length > 0 ? e.children.map(xml) : e.text,
]

const cases = readdirSync(root).filter((name) => existsSync(new URL(`${name}/case.json`, root)))
const mmsToMail = ['S01', 'S02', 'S03', 'S04', 'S05', 'S07', 'S08', 'S09', 'S12', 'S18', 'S19', 'S21', 'S82']
const mailToMms = ['S22', 'S23', 'S24', 'S25', 'S26', 'S27', 'S31', 'S32', 'S33', 'S34', 'S35', 'S36']
const folder = (id: string) => new URL(`${cases.find((c) => c.startsWith(id))!}/`, root)
const merged = (id: string): Settings => ({
  ...settings,
  ...JSON.parse(readFileSync(new URL('case.json', folder(id)), 'utf8')).config,
})

test.each(mmsToMail)('%s: MM7 to mail', (id) => {
  const at = folder(id)
  const ids = fixtureIds(settings.gateway.host)
  const queueId = ids.queueId()
  const ctx = { settings: merged(id), now, ids: ids.of(queueId, '') }
  const { type, body } = httpParts(readFileSync(new URL('input.http', at)))
  const request = readMm7(type, body)
  const peer = request.operation === 'SubmitReq' ? 'vasp1' : 'mmsc'
  const message = readMm7Message(
    request,
    { peer, ip: '192.0.2.1', queueId, receivedAt: now },
    ctx,
  ) as NeutralMessage
  const serve = message.recipients.map((_, i) => i).filter((i) => message.recipients[i]!.serve)
  const out = writeMail(message, serve, { extensions }, { ...ctx, ids: ids.of(queueId, '0') })
  if (isRefusal(out)) throw new Error(out.text)
  const expected = JSON.parse(readFileSync(new URL('expected.1.envelope.json', at), 'utf8')) as Json
  expect(written(out.envelope.mailFrom)).toEqual({
    ...expected.mailFrom,
    params: expected.mailFrom.params.sort(),
  })
  expect(out.envelope.rcptTo.map(written)).toEqual(
    expected.rcptTo.map((r) => ({ ...r, params: r.params.sort() })),
  )
  const octets = Buffer.concat(out.octets)
  expect(/[^\x00-\x7f]/.test(octets.toString('latin1'))).toBe(false)
  const ignore = (JSON.parse(readFileSync(new URL('case.json', at), 'utf8')).ignore ?? []) as string[]
  const strip = (value: unknown) =>
    JSON.parse(JSON.stringify(value), (key, v) =>
      key === 'headers'
        ? v.filter((h: string) => !ignore.some((i) => h.startsWith(`${i.toLowerCase()}:`)))
        : v,
    )
  expect(strip(renamed(summary(octets)))).toEqual(
    strip(renamed(summary(readFileSync(new URL('expected.1.eml', at))))),
  )
})

test.each(mailToMms)('%s: mail to MM7', (id) => {
  const at = folder(id)
  const ids = fixtureIds(settings.gateway.host)
  const queueId = ids.queueId()
  const config = merged(id)
  const ctx = { settings: config, now, ids: ids.of(queueId, '') }
  const json = JSON.parse(readFileSync(new URL('input.envelope.json', at), 'utf8')) as Json & {
    session: { peer: string }
  }
  const envelope: SmtpEnvelope = {
    session: {
      ...json.session,
      ehlo: 'x',
      ip: '198.51.100.7',
      port: 25,
      auth: null,
      tls: false,
      esmtp: true,
    },
    mailFrom: pathOf(json.mailFrom),
    rcptTo: json.rcptTo.map((r) => pathOf(r) as EnvelopePath & { path: string }),
    receivedAt: now / 1000,
  }
  const message = readMail(
    readFileSync(new URL('input.eml', at)),
    envelope,
    { queueId },
    ctx,
  ) as NeutralMessage
  const groups = new Map<string, number[]>()
  message.recipients.forEach((r, i) => {
    const key = r.notify === 'never' ? '1' : r.notify?.success ? '0' : '2'
    if (r.serve) groups.set(key, [...(groups.get(key) ?? []), i])
  })
  const target = { kind: 'mm7-submit' as const, peerKey: 'mmsc', peer: config.peers.mmsc! }
  let n = 0
  for (const key of [...groups.keys()].sort()) {
    n++
    const draft = writeMm7Request(message, groups.get(key)!, target, {
      ...ctx,
      ids: ids.of(queueId, String(n)),
    })
    if (isRefusal(draft)) throw new Error(draft.text)
    const out = writeMm7(draft)
    const actual = readMm7(out.contentType, Buffer.concat(out.body))
    const wanted = httpParts(readFileSync(new URL(`expected.${n}.http`, at)))
    const expected = readMm7(wanted.type, wanted.body)
    const shape = (m: typeof actual) => [
      xml(m.body),
      summary(Buffer.from(m.content!.octets), m.content!.node),
    ]
    expect(actual.transactionId).toBe(expected.transactionId)
    expect(renamed(shape(actual))).toEqual(renamed(shape(expected)))
  }
  expect(existsSync(new URL(`expected.${n + 1}.http`, at))).toBe(false)
})
