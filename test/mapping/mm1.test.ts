/** MM1 PDUs as neutral messages and reports, and back. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { fixtureIds } from '../../src/cli/conform/fixture-ids.ts'
import { writeMail } from '../../src/mapping/carriers/mail.ts'
import { decodeMm1 } from '../../src/mapping/carriers/mm1.ts'
import { encodeMm1, encodeMm1Answer, encodeMm1Report } from '../../src/mapping/carriers/mm1-write.ts'
import type { NeutralMessage, NeutralReport } from '../../src/model/neutral.ts'
import { isRefusal } from '../../src/model/refusal.ts'
import type { Settings } from '../../src/model/settings.ts'
import { decodePdu } from '../../src/wire/mm1/decode.ts'
import { encodePdu } from '../../src/wire/mm1/encode.ts'
import type { Mm1Headers, Mm1Pdu } from '../../src/wire/mm1/pdu.ts'

const root = new URL('../../fixtures/rfc4356/', import.meta.url)
const settings = JSON.parse(readFileSync(new URL('defaults.json', root), 'utf8')) as Settings & {
  clock: string
}
const now = Date.parse(settings.clock)
const context = () => {
  const ids = fixtureIds(settings.gateway.host)
  return { settings, now, ids: ids.of('Q', '') }
}
const from = { queueId: 'Q', receivedAt: now / 1000, networkMsisdn: '+12025550100' }
const hex = (id: string) =>
  Buffer.from(readFileSync(new URL(`${id}/input.hex`, root), 'latin1').replace(/\s+/g, ''), 'hex')
const model = (id: string) =>
  JSON.parse(readFileSync(new URL(`${id}/expected.model.json`, root), 'utf8')) as Record<string, unknown>

test('MAP-058, MAP-176, MAP-220 to MAP-224: S69, m-send-req', () => {
  const mm = decodeMm1(hex('S69-mm1-send-req'), from, context()) as NeutralMessage
  const { content, ...rest } = model('S69-mm1-send-req')
  const { queueId, receivedAt, messageId, previous, vas, passThrough, trace, content: part, ...read } = mm
  expect(read).toEqual(rest)
  expect([previous, vas, passThrough, trace]).toEqual([[], {}, [], []])
  expect(part).toMatchObject({ kind: 'leaf', type: 'text/plain', charset: 'utf-8' })
  const text = part?.kind === 'leaf' ? Buffer.from(part.body.octets()).toString('utf8') : ''
  expect(text).toBe((content as { text: string }).text)
  expect(messageId).toBe('<M-0001@gw.mms.example.net>')
})

test('MAP-170, MAP-225, AMB-33: S70, m-delivery-ind', () => {
  const { receivedAt, ...read } = decodeMm1(hex('S70-mm1-delivery-ind'), from, context()) as NeutralReport
  expect(read).toEqual(model('S70-mm1-delivery-ind'))
})

const send = (headers: Mm1Headers, content = true): Uint8Array =>
  encodePdu({
    type: 'm-send-req',
    headers: { transactionId: 'T', version: '1.2', from: null, to: ['alice@example.org'], ...headers },
    others: [],
    ...(content
      ? {
          content: {
            contentType: { type: 'text/plain', params: [] },
            body: { kind: 'octets', octets: Buffer.from('x') },
          },
        }
      : {}),
  })

test.each<[string, Uint8Array, number, object?]>([
  ['MAP-074: a hidden sender', send({ senderVisibility: 0x80 }), 0xea],
  ['MAP-071: reply charging accepted', send({ replyCharging: 0x82, replyChargingId: '1' }), 0xe7],
  ['MAP-072: a lone reply charging id', send({ replyChargingId: '1' }), 0xe7],
  ['MAP-058: no sender known', send({}), 0xe3, { networkMsisdn: undefined }],
  ['a sender that is no address', send({ from: 'nobody' }), 0xe3],
  ['no content', send({}, false), 0xe2],
  ['no recipient', send({ to: [] }), 0xe2],
  [
    'QUE-020: a hold beyond the expiry',
    send({ deliveryTime: { relative: 60 }, expiry: { relative: 30 } }),
    0xe2,
  ],
  ['MAP-229: cut', send({ subject: 'x' }).subarray(0, 30), 0xe2],
])('MAP-168: %s', (_, octets, responseStatus, other = {}) => {
  expect(decodeMm1(octets, { ...from, ...other }, context())).toMatchObject({
    responseStatus,
    transactionId: 'T',
  })
})

test('MAP-230: class Auto asks for no reports', () => {
  const mm = decodeMm1(send({ messageClass: 0x83, deliveryReport: 0x80, readReport: 0x80 }), from, context())
  expect(mm).toMatchObject({ class: 'auto' })
  expect(mm).not.toHaveProperty('deliveryReport')
  expect(mm).not.toHaveProperty('readReply')
})

test('MAP-024: a message id without brackets, and one that is none', () => {
  const id = (messageId: string) =>
    (decodeMm1(send({ messageId }), from, context()) as NeutralMessage).messageId
  expect(id('123@mmsc')).toBe('<123@mmsc>')
  expect(id('<123@mmsc>')).toBe('<123@mmsc>')
  expect(id('123 abc')).toBe('<M-0001@gw.mms.example.net>')
})

test('MAP-227: addresses', () => {
  const to = [
    '+12025550123/TYPE=PLMN',
    '1.2.3.4/TYPE=IPv4',
    '::1/TYPE=IPv6',
    '7777',
    'ACME',
    'Bob <b@example.com>',
  ]
  const mm = decodeMm1(send({ to }), from, context()) as NeutralMessage
  expect(mm.recipients.map((r) => [r.party.kind, r.party.value])).toEqual([
    ['number', '+12025550123'],
    ['ip', '1.2.3.4'],
    ['ip', '::1'],
    ['shortcode', '7777'],
    ['unknown', 'ACME'],
    ['mail', 'b@example.com'],
  ])
})

/** A picture message as a handset sends it: related, SMIL first, text in UTF-16. */
const picture: Mm1Pdu = {
  type: 'm-send-req',
  headers: {
    transactionId: 'T9',
    version: '1.2',
    from: null,
    to: ['alice@example.org'],
    cc: ['+12025550188/TYPE=PLMN'],
    bcc: ['b@example.com'],
    subject: 'Bild: \u{1F600}',
    date: now / 1000,
    messageClass: 0x80,
    priority: 0x80,
  },
  others: [],
  content: {
    contentType: {
      type: 'application/vnd.wap.multipart.related',
      params: [
        { name: 'start', value: '<smil>' },
        { name: 'type', value: 'application/smil' },
      ],
    },
    body: {
      kind: 'parts',
      parts: [
        {
          contentType: { type: 'application/smil', params: [{ name: 'charset', value: 'utf-8' }] },
          contentId: 'smil',
          headers: [],
          body: {
            kind: 'octets',
            octets: Buffer.from(
              '<smil><head><layout/></head><body><par><img src="a.jpg"/><text src="t.txt"/></par></body></smil>',
            ),
          },
        },
        {
          contentType: { type: 'image/jpeg', params: [{ name: 'name', value: 'a.jpg' }] },
          contentLocation: 'a.jpg',
          headers: [],
          body: { kind: 'octets', octets: Buffer.from([0xff, 0xd8, 0xff, 0, 0x0d, 0x0a]) },
        },
        {
          contentType: { type: 'text/plain', params: [{ name: 'charset', value: 'utf-16' }] },
          contentLocation: 't.txt',
          headers: [],
          body: { kind: 'octets', octets: Buffer.from('feff004b00f6006c006e', 'hex') },
        },
      ],
    },
  },
}

test('MAP-114, MAP-228, CNT-003: a picture message becomes a mail', () => {
  const mm = decodeMm1(encodePdu(picture), from, context()) as NeutralMessage
  expect(mm.recipients.map((r) => r.field)).toEqual(['to', 'cc', 'bcc'])
  const out = writeMail(mm, [0], { extensions: new Map() }, context())
  if (isRefusal(out)) throw new Error(out.text)
  const text = Buffer.concat(out.octets).toString('latin1')
  expect(text).toContain('Content-Type: multipart/related; type="application/smil"; start="<smil>"')
  expect(text).toContain('Content-Type: text/plain; charset=utf-8')
  expect(text).toContain('K=C3=B6ln')
  expect(text).toContain('with MMS')
  expect(text).not.toContain('b@example.com')
})

test('MAP-121, MAP-126, MAP-180: neutral to MM1 and back keeps what MM1 has', () => {
  const mm = decodeMm1(encodePdu(picture), from, context()) as NeutralMessage
  for (const type of ['m-send-req', 'm-retrieve-conf'] as const) {
    const octets = encodeMm1(mm, type, [0, 1, 2], context())
    if (isRefusal(octets)) throw new Error(octets.text)
    expect(decodePdu(octets)).toMatchObject({ type, headers: { transactionId: 'TX-0001', version: '1.2' } })
    const again = decodeMm1(octets, from, context()) as NeutralMessage
    expect(again).toMatchObject({
      sender: { kind: 'number', value: '+12025550100' },
      subject: mm.subject,
      date: mm.date,
      class: 'personal',
      priority: 'low',
    })
    // Nobody else sees a blind recipient.
    const fields = again.recipients.map((r) => r.field)
    expect(fields).toEqual(type === 'm-send-req' ? ['to', 'cc', 'bcc'] : ['to', 'cc'])
    const [root, image, words] = again.content?.kind === 'multi' ? again.content.parts : []
    expect(root).toMatchObject({ type: 'application/smil' })
    expect(image?.kind === 'leaf' && [...image.body.octets()]).toEqual([0xff, 0xd8, 0xff, 0, 0x0d, 0x0a])
    expect(words?.kind === 'leaf' && Buffer.from(words.body.octets()).toString('utf8')).toBe('Köln')
  }
})

test('MAP-170, RPT-035: reports to handsets', () => {
  const report = decodeMm1(hex('S70-mm1-delivery-ind'), from, context()) as NeutralReport
  const written = encodeMm1Report(report) as Uint8Array
  expect(decodePdu(written)).toMatchObject({
    type: 'm-delivery-ind',
    headers: { messageId: 'MMS-0901@gw', to: ['+12025550123/TYPE=PLMN'], status: 0x87 },
  })
  // MM1 before 1.2 has no Unreachable.
  expect(decodePdu(encodeMm1Report(report, '1.1') as Uint8Array).headers.status).toBe(0x82)
  const read: NeutralReport = {
    ...report,
    kind: 'read-report',
    delivery: undefined,
    read: { status: 'deleted', raw: '' },
    destination: { kind: 'number', value: '+12025550100', raw: '' },
  }
  const back = decodeMm1(encodeMm1Report(read) as Uint8Array, from, context())
  expect(back).toMatchObject({
    kind: 'read-report',
    recipient: { value: '+12025550123' },
    destination: { value: '+12025550100' },
    read: { status: 'deleted' },
  })
})

test('MAP-168: the answer to an m-send-req', () => {
  const answer = encodeMm1Answer({ transactionId: 'T', status: 0xea, text: 'hidden' })
  expect(decodePdu(answer)).toEqual({
    type: 'm-send-conf',
    headers: { transactionId: 'T', version: '1.2', responseStatus: 0xea, responseText: 'hidden' },
    others: [],
  })
})
