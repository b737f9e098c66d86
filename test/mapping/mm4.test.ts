/** MM4 through the mapper: the worked cases, and what peers really send (QUIRKS 35-45). */
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fixtureIds } from '../../src/cli/conform/fixture-ids.ts'
import { readMail, receivedWithMms, writeMail } from '../../src/mapping/carriers/mail.ts'
import {
  type OutgoingMm4,
  readMm4Forward,
  readMm4Report,
  writeMm4Forward,
  writeMm4Report,
} from '../../src/mapping/carriers/mm4.ts'
import { readMm4Answer, readMm4Head, scanMm4, writeMm4Answer } from '../../src/mapping/carriers/mm4-head.ts'
import type { NeutralMessage, NeutralReport } from '../../src/model/neutral.ts'
import { isRefusal, type Refusal } from '../../src/model/refusal.ts'
import type { Settings } from '../../src/model/settings.ts'
import type { EnvelopePath, SmtpEnvelope } from '../../src/model/smtp-envelope.ts'
import { decodeWords } from '../../src/wire/mime/encoded-words.ts'
import { headerFields, scanMessage } from '../../src/wire/mime/scan.ts'

const root = new URL('../../fixtures/rfc4356/', import.meta.url)
const settings = JSON.parse(readFileSync(new URL('defaults.json', root), 'utf8')) as Settings & {
  clock: string
}
const now = Date.parse(settings.clock)
const opb = { peerKey: 'opb', peer: settings.peers.opb! }
const file = (path: string) => readFileSync(new URL(path, root))
const context = (scope: string, ids = fixtureIds(settings.gateway.host)) => {
  const queueId = ids.queueId()
  return {
    queueId,
    ctx: { settings, now, ids: ids.of(queueId, scope) },
    write: { settings, now, ids: ids.of(queueId, '0') },
  }
}

const envelope = (from: string | null, to: readonly string[], peer = 'opb'): SmtpEnvelope => ({
  session: { peer, ehlo: 'x.example', ip: '192.0.2.30', port: 25, auth: null, tls: false, esmtp: true },
  mailFrom: { path: from, params: {} },
  rcptTo: to.map((path) => ({ path, params: {} })),
  receivedAt: now / 1000,
})

/** Fields without order, values decoded, blanks as one; and the body. */
const shape = (octets: Uint8Array) => {
  const node = scanMessage(octets)
  return {
    fields: headerFields(octets, node)
      .map((f) => `${f.name.toLowerCase()}: ${decodeWords(f.value).replace(/\s+/g, ' ')}`)
      .filter((f) => !/^content-transfer-encoding/.test(f))
      .map((f) => f.replace(/ ?boundary=\S+$/, ''))
      .sort(),
    body: Buffer.from(octets.subarray(node.bodyStart)).toString('latin1').trimEnd(),
  }
}
const whole = (out: { octets: readonly Uint8Array[] }) => Buffer.concat(out.octets)
const ok = <T>(value: T | Refusal): T => {
  if (isRefusal(value)) throw new Error(`${value.refused}: ${value.text}`)
  return value
}
const paths = (e: { mailFrom: EnvelopePath; rcptTo: readonly EnvelopePath[] }) => ({
  from: `<${e.mailFrom.path ?? ''}>`,
  to: e.rcptTo.map((r) => `<${r.path}>`),
})
const expectedPaths = (path: string) => {
  const json = JSON.parse(file(path).toString()) as {
    mailFrom: { path: string }
    rcptTo: { path: string }[]
  }
  return { from: json.mailFrom.path, to: json.rcptTo.map((r) => r.path) }
}

test.each([
  ['S06-mm4-full-headers', ['alice@example.org', 'bob@example.com']],
  ['S13-resend-history-to-mail', ['alice@example.org']],
])('MAP-022, MAP-041, MAP-101 to MAP-105, MAP-111: %s, MM4 to mail', (id, to) => {
  const { queueId, ctx, write } = context('')
  const sent = envelope('+447700900123/TYPE=PLMN@mms.operator-b.example', to)
  const message = ok(readMm4Forward(file(`${id}/input.eml`), sent, { queueId, peer: 'opb' }, ctx))
  const serve = message.recipients.flatMap((r, i) => (r.serve ? [i] : []))
  const out = ok(writeMail(message, serve, { extensions: new Map([['DSN', '']]) }, write))
  expect(paths(out.envelope)).toEqual(expectedPaths(`${id}/expected.1.envelope.json`))
  const [actual, expected] = [shape(whole(out)), shape(file(`${id}/expected.1.eml`))]
  expect(actual).toEqual(expected)
  // Order matters among Received and Resent, and those come first.
  const order = (octets: Uint8Array) =>
    headerFields(octets, scanMessage(octets))
      .map((f) => f.name)
      .filter((name) => /^(Received|Resent-)/.test(name))
  expect(order(whole(out))).toEqual(order(file(`${id}/expected.1.eml`)))
})

test('MAP-074, SEC-043: S10, a hidden sender is refused', () => {
  const { queueId, ctx } = context('')
  const sent = envelope('+447700900123/TYPE=PLMN@mms.operator-b.example', ['alice@example.org'])
  expect(
    readMm4Forward(file('S10-mm4-hidden-sender/input.eml'), sent, { queueId, peer: 'opb' }, ctx),
  ).toMatchObject({ refused: 'sender-hiding' })
})

const trace =
  'from client.example.org ([198.51.100.7]) by gw.mms.example.net with ESMTP id Q-0001; Tue, 5 Mar 2024 10:15:30 +0000'

test.each([
  ['S30-resent-mail-to-mm4', 'nova@example.org'],
  ['S41-signed-mail-to-mm4', 'alice@example.org'],
])('MAP-145 to MAP-150, MAP-205, MAP-213, CNT-090: %s, mail to MM4', (id, from) => {
  const { queueId, ctx, write } = context('')
  const sent = envelope(from, ['+447700900123@mms.example.net'], 'internet')
  const input = file(`${id}/input.eml`)
  const message = ok(readMail(input, sent, { queueId }, ctx))
  const out = ok(writeMm4Forward(message, [0], opb, trace, write))
  expect(paths(out.envelope)).toEqual(expectedPaths(`${id}/expected.1.envelope.json`))
  expect(shape(whole(out))).toEqual(shape(file(`${id}/expected.1.eml`)))
  expect(out).toMatchObject({ transactionId: 'TX-0001', mmsMessageId: 'MMS-0001' })
  if (id.startsWith('S41'))
    expect(whole(out).subarray(whole(out).indexOf('\r\n\r\n'))).toEqual(
      input.subarray(input.indexOf('\r\n\r\n')),
    )
})

const report: NeutralReport = {
  kind: 'delivery-report',
  source: 'mm3',
  receivedAt: now / 1000,
  originalMmsId: 'B-1',
  recipient: { kind: 'mail', value: 'alice@example.org', raw: 'alice@example.org' },
  destination: { kind: 'number', value: '+447700900123', raw: '+447700900123' },
  at: { epoch: Date.parse('2024-03-05T10:12:00Z') / 1000, offsetMinutes: 0 },
  delivery: { status: 'forwarded', raw: 'relayed' },
  text: 'free text',
}

test('MAP-206, MAP-213, RPT-035: S51, a delivery report on MM4', () => {
  const { write } = context('')
  const received = trace.replace('client.example.org ([198.51.100.7])', 'relay.example.org ([198.51.100.9])')
  const out = ok(writeMm4Report(report, opb, received, write))
  expect(paths(out.envelope)).toEqual(expectedPaths('S51-dsn-relayed-to-mm4/expected.1.envelope.json'))
  expect(shape(whole(out))).toEqual(shape(file('S51-dsn-relayed-to-mm4/expected.1.eml')))
})

test('MAP-207: S56, a read report on MM4', () => {
  const { write } = context('')
  const read = {
    ...report,
    kind: 'read-report' as const,
    delivery: undefined,
    read: { status: 'deleted' as const, raw: 'deleted' },
    at: { epoch: Date.parse('2024-03-05T10:12:00Z') / 1000, offsetMinutes: 60 },
  }
  const out = ok(writeMm4Report(read, opb, trace, write))
  expect(shape(whole(out))).toEqual(shape(file('S56-mdn-to-mm4/expected.1.eml')))
})

test('MAP-170, MAP-206, MAP-207: a report written is the report read', () => {
  for (const status of [
    'expired',
    'retrieved',
    'rejected',
    'deferred',
    'forwarded',
    'unreachable',
  ] as const) {
    const { ctx } = context('')
    const by = status === 'rejected' ? ('other-rs' as const) : undefined
    const out = ok(writeMm4Report({ ...report, delivery: { status, raw: '', by } }, opb, undefined, ctx))
    expect(readMm4Report(whole(out), { peer: 'opb', receivedAt: now / 1000 }, ctx)).toMatchObject({
      kind: 'delivery-report',
      originalMmsId: 'B-1',
      recipient: { kind: 'mail', value: 'alice@example.org' },
      destination: { kind: 'number', value: '+447700900123' },
      at: report.at,
      delivery: { status, ...(by ? { by } : {}) },
      text: 'free text',
      reportingHost: 'mms.example.net',
    })
  }
})

test('MAP-202, MAP-204, MAP-209: S06, the answer', () => {
  const { ctx } = context('')
  const out = writeMm4Answer(
    { operation: 'forward', transactionId: 'T-77', messageId: 'B-1', status: 'Ok' },
    { to: 'system-user@mms.operator-b.example', peer: opb.peer },
    ctx,
  )
  const expected = shape(file('S06-mm4-full-headers/expected.2.eml'))
  // Message-ID is made when the answer is sent.
  expect(shape(out).fields).toEqual(expected.fields.filter((f) => !f.startsWith('message-id')))
  const mail = scanMm4(out)
  const head = readMm4Head(mail, opb.peer)!
  expect(head.answer).toBe(true)
  expect(readMm4Answer(mail, head)).toEqual({
    operation: 'forward',
    transactionId: 'T-77',
    messageId: 'B-1',
    status: 'Ok',
  })
})

/** The shape of real traffic, with its spellings. */
const field = [
  'From: +15550100/TYPE=PLMN@mms.mnc001.mcc001.gprs',
  'To: +15550101/TYPE=PLMN@mms.example.net,',
  '  ',
  ' +15550102@mms.example.net',
  'Sender: +15550100/TYPE=PLMN@mms.mnc001.mcc001.gprs',
  'Date: Tue, 05 Mar 24 10:14:30 GMT',
  'X-MMS-3GPP-MMS-Version: 6.10.0',
  'X-Mms-Message-Type: mm4_FORWARD.req',
  'X-Mms-Transaction-Id: "a1b2.+15550100"',
  'X-Mms-Message-Id: <a1b2@mms.mnc001.mcc001.gprs>',
  'X-Mms-Ack-Request: yes',
  'X-Mms-Originator-System: system-user',
  'X-Mms-Expiry: 600 ',
  'X-Mms-Message-Class: Personal',
  'X-Mms-Priority: Normal',
  'X-Mms-Delivery-Report: 1',
  'X-Mms-Read-Report: true',
  'X-Brightmail-Tracker: AAAA',
  'Content-Type: multipart/related;Start=0.smil;Type="application/smil";boundary=b1',
  '',
  '--b1',
  'Content-Type:application/smil; Name=0.smil',
  'Content-ID:0.smil',
  '',
  '<smil><body><par><text src="1.txt"/></par></body></smil>',
  '--b1',
  'Content-Type:text/plain; charset=utf-8; Name=1.txt',
  'Content-Location:1.txt',
  '',
  'hello',
  '--b1--',
  '',
]
const number = { ...settings, numbering: { ...settings.numbering, nationalLength: 7 } }

test('QUIRKS 35-42: what operators send is read', () => {
  const { ctx } = context('')
  const octets = Buffer.from(`\uFEFF${field.join('\r\n')}`)
  const sent = envelope('+15550100/TYPE=PLMN@mms.mnc001.mcc001.gprs', [
    '+15550101/TYPE=PLMN@mms.example.net',
    '+15550102/TYPE=PLMN@mms.example.net',
  ])
  const head = readMm4Head(scanMm4(octets), opb.peer)
  expect(head).toEqual({
    operation: 'forward',
    answer: false,
    hasVersion: true,
    transactionId: 'a1b2.+15550100',
    messageId: '<a1b2@mms.mnc001.mcc001.gprs>',
    ackRequest: true,
    originatorSystem: 'system-user@mms.operator-b.example',
  })
  const message = ok(
    readMm4Forward(octets, sent, { queueId: 'Q', peer: 'opb' }, { ...ctx, settings: number }),
  )
  expect(message).toMatchObject({
    source: 'mm4',
    version: '6.10.0',
    sender: { kind: 'number', value: '+15550100' },
    expiry: { kind: 'relative', seconds: 600 },
    deliveryReport: true,
    readReply: true,
    date: { epoch: Date.parse('2024-03-05T10:14:30Z') / 1000, offsetMinutes: 0 },
    content: { kind: 'multi', subtype: 'related', start: '0.smil' },
  })
  expect(message.recipients.map((r) => [r.party.value, r.field, r.serve])).toEqual([
    ['+15550101', 'to', true],
    ['+15550102', 'to', true],
  ])
  expect(message.passThrough.map((f) => f.name)).toEqual(['X-Brightmail-Tracker', 'X-Mms-Message-ID'])
})

test('MAP-201: a system address may be a list of words, a person, or missing', () => {
  const at = (value: string) =>
    readMm4Head(scanMm4(Buffer.from(`X-Mms-3GPP-Version: 6.3.0\r\n${value}\r\n\r\n`)), opb.peer)
      ?.originatorSystem
  expect(at('X-Mms-Originator-System: system=mmsc@b.example;party=+15550100')).toBe('mmsc@b.example')
  expect(at('X-Mms-Originator-System: jo@b.example')).toBe('jo@b.example')
  expect(at('Sender: PostMaster')).toBe('PostMaster@mms.operator-b.example')
  expect(at('Subject: x')).toBeUndefined()
  // Nothing that could end a command gets into an envelope (SEC-011).
  expect(at('X-Mms-Originator-System: "a>\u0001 b"@b.example')).toBeUndefined()
})

test.each([
  'X-Mms-3GPP-MMS-Version',
  'X-Mms-Transaction-ID',
  'X-Mms-Message-ID',
  'From',
  'Date',
  'Content-Type',
])('MAP-200: without %s a forward.REQ is malformed', (name) => {
  const { queueId, ctx } = context('')
  const octets = Buffer.from(
    file('S06-mm4-full-headers/input.eml')
      .toString('latin1')
      .replace(new RegExp(`^${name}: .*\r\n`, 'gim'), ''),
    'latin1',
  )
  const sent = envelope('a@b.example', ['alice@example.org'])
  expect(readMm4Forward(octets, sent, { queueId, peer: 'opb' }, ctx)).toMatchObject({ refused: 'malformed' })
})

const forward = (extra: string, peer = settings.peers.opb!): NeutralMessage | Refusal => {
  const { queueId, ctx } = context('')
  const octets = Buffer.from(
    [
      'X-Mms-3GPP-MMS-Version: 6.3.0',
      'X-Mms-Transaction-ID: T',
      'X-Mms-Message-ID: M',
      'Date: Tue, 5 Mar 2024 10:14:30 +0000',
      'From: +447700900123/TYPE=PLMN',
      'Content-Type: text/plain',
      extra,
      '',
      'x',
    ].join('\r\n'),
  )
  const sent = envelope('a@b.example', ['alice@example.org'])
  const config = { ...settings, peers: { ...settings.peers, opb: peer } }
  return readMm4Forward(octets, sent, { queueId, peer: 'opb' }, { ...ctx, settings: config })
}

test('MAP-071, MAP-072: a use of reply charging is refused, a permission is kept for MMS', () => {
  expect(forward('X-Mms-Reply-Charging-ID: "1"')).toMatchObject({ refused: 'reply-charging' })
  expect(forward('X-Mms-Reply-Charging: Accepted text only')).toMatchObject({ refused: 'reply-charging' })
  expect(forward('X-Mms-Reply-Charging: requested\r\nX-Mms-Reply-Charging-Size: 30')).toMatchObject({
    replyCharging: { state: 'requested', size: 30 },
  })
})

test('SEC-031: a sender outside the ranges of the peer is refused', () => {
  expect(forward('', { ...settings.peers.opb!, numbers: ['+4477'] })).toMatchObject({ source: 'mm4' })
  expect(forward('', { ...settings.peers.opb!, numbers: ['+4478'] })).toMatchObject({ refused: 'bad-sender' })
})

test('MAP-211: expiry and delivery time as seconds or date, else malformed', () => {
  expect(forward('X-Mms-Expiry: Wed, 06 Mar 2024 10:15:30 GMT')).toMatchObject({
    expiry: { kind: 'absolute', at: { epoch: now / 1000 + 86_400 } },
  })
  expect(forward('X-Mms-Expiry: soon')).toMatchObject({ refused: 'malformed' })
  expect(forward('X-Mms-Delivery-Time: 600')).toMatchObject({
    earliestDelivery: { kind: 'relative', seconds: 600 },
  })
  expect(forward('X-Mms-Delivery-Time: 600\r\nX-Mms-Expiry: 300')).toMatchObject({ refused: 'malformed' })
})

test('MAP-106: gaps, doubles and halves of a history', () => {
  const message = ok(
    forward(
      [
        'X-Mms-Previously-Sent-By: 3, c@example.com',
        'X-Mms-Previously-Sent-Date: 3, Sun, 03 Mar 2024 00:00:00 GMT',
        'X-Mms-Previously-Sent-By: 1, first@example.com',
        'X-Mms-Previously-Sent-By: 1, a@example.com',
        'X-Mms-Previously-Sent-Date-and-Time: 1, Fri, 01 Mar 2024 00:00:00 GMT',
        'X-Mms-Previously-Sent-By: 2, b@example.com',
        'X-Mms-Forward-Counter: 9',
      ].join('\r\n'),
    ),
  )
  const { write } = context('')
  const out = ok(writeMail(message, [0], { extensions: new Map() }, write))
  const text = whole(out).toString('latin1')
  expect(text).toContain('\r\nFrom: a@example.com\r\n')
  expect([...text.matchAll(/^Resent-From: (.*)\r$/gm)].map((m) => m[1])).toEqual([
    '+447700900123@mms.example.net',
    'c@example.com',
  ])
})

test('MAP-180: every row that MM4 has survives a trip through MM4', () => {
  const message = ok(
    forward(
      [
        'To: alice@example.org, Bob <bob@example.com>',
        'Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=',
        'X-Mms-Message-Class: weekly',
        'X-Mms-Priority: Low',
        'X-Mms-Expiry: 600',
        'X-Mms-Delivery-Report: No',
        'X-Mms-Originator-R/S-Delivery-Report: Yes',
        'X-Mms-Read-Reply: No',
        'X-Mms-Sender-Visibility: Show',
        'X-Mms-Reply-Charging: Requested text only',
        'X-Mms-Reply-Charging-Deadline: Wed, 06 Mar 2024 10:15:30 GMT',
        'X-Mms-Previously-Sent-By: 0, ada@example.com',
        'X-Mms-Previously-Sent-Date-and-Time: 0, Fri, 01 Mar 2024 06:00:00 GMT',
        'X-Mms-Forward-Counter: 1',
        'X-Mms-VASP-ID: v',
        'X-Mms-Service-Code: s',
        'X-Mms-Charged-Party: both',
        'X-Mms-Applic-ID: a',
        'X-Mms-Content-Class: image-basic',
        'X-Mms-DRM-Content: No',
        'X-Mms-Adaptation-Allowed: Yes',
        'Reply-To: elsewhere@example.com',
      ].join('\r\n'),
    ),
  )
  const { ctx, write } = context('')
  const out: OutgoingMm4 = ok(writeMm4Forward(message, [0], opb, receivedWithMms(message, ctx), write))
  const again = ok(
    readMm4Forward(
      whole(out),
      { ...envelope(out.envelope.mailFrom.path, ['alice@example.org']), receivedAt: now / 1000 },
      { queueId: 'Q', peer: 'opb' },
      ctx,
    ),
  )
  const stable = ({
    content,
    trace,
    passThrough,
    transactionId,
    returnPath,
    queueId,
    vas,
    expiry,
    ...rest
  }: NeutralMessage) => ({
    ...rest,
    vas: { ...vas, relayServerId: undefined },
    pass: passThrough.filter((f) => f.name === 'Reply-To'),
  })
  expect(stable(again)).toEqual(stable(message))
  expect(again.expiry).toMatchObject({ kind: 'absolute', at: { epoch: now / 1000 + 600 } })
  expect(again.messageId).toBe(message.messageId)
})

test('SEC-010: nothing that a peer writes makes a field of its own', () => {
  const message = ok(
    forward('Subject: =?utf-8?Q?a=0D=0ABcc:_x@y.example?=\r\nX-Mms-VASP-ID: =?utf-8?Q?v=0D=0AX-Evil:_1?='),
  )
  const { write } = context('')
  const out = ok(writeMm4Forward(message, [0], opb, undefined, write))
  const names = headerFields(whole(out), scanMessage(whole(out))).map((f) => f.name.toLowerCase())
  expect(names).not.toContain('bcc')
  expect(names).not.toContain('x-evil')
})

test('QUIRKS 34, 40, 41, 45: status under either name, codes of providers, quotes inside brackets', () => {
  const read = (...fields: string[]) => {
    const { ctx } = context('')
    const head = ['X-Mms-3GPP-MMS-Version: 6.3.0', 'From: +447700900123', 'To: <"a"@example.net>', ...fields]
    return readMm4Report(
      Buffer.from(`${head.join('\r\n')}\r\n\r\n`),
      { peer: 'opb', receivedAt: now / 1000 },
      ctx,
    )
  }
  const delivery = ['X-Mms-Message-Type: MM4_Delivery_report.REQ', 'X-Mms-Message-ID: <"MMS-1">']
  expect(read(...delivery, 'X-Mms-Status: RETRIEVED')).toMatchObject({ delivery: { status: 'retrieved' } })
  expect(read(...delivery, 'X-Mms-MM-Status-Code: Unrecognized')).toMatchObject({
    originalMmsId: 'MMS-1',
    delivery: { status: 'unrecognised' },
  })
  for (const code of ['300', '410', '421', '435', 'Lost'])
    expect(read(...delivery, `X-Mms-MM-Status-Code: ${code}`)).toMatchObject({
      delivery: { status: 'indeterminate', raw: code },
    })
  expect(read(...delivery)).toMatchObject({ refused: 'malformed' })
  const readReply = ['X-Mms-Message-Type: MM4_read_reply_report.REQ', 'X-Mms-Message-ID: 1']
  for (const [status, meaning] of [
    ['Read', 'read'],
    ['Deleted without being read', 'deleted'],
    ['Deletedwithoutbeingread', 'deleted'],
    ['?', 'indeterminate'],
  ])
    expect(read(...readReply, `X-Mms-Read-Status: ${status}`)).toMatchObject({
      kind: 'read-report',
      recipient: { value: '+447700900123' },
      read: { status: meaning },
    })
})

test('MAP-208: who rejected', () => {
  const { ctx } = context('')
  const by = (extension: string) => {
    const octets = Buffer.from(
      `X-Mms-3GPP-MMS-Version: 6.3.0\r\nX-Mms-Message-Type: MM4_delivery_report.REQ\r\nX-Mms-Message-ID: "1"\r\nFrom: +447700900123\r\nX-Mms-MM-Status-Code: Rejected\r\nX-Mms-MM-Status-Extension: ${extension}\r\n\r\n`,
    )
    const read = readMm4Report(octets, { peer: 'opb', receivedAt: 0 }, ctx)
    return isRefusal(read) ? undefined : read.delivery?.by
  }
  expect(by('Rejected-by-recipient')).toBe('recipient')
  expect(by('RejectionByMMSRecipient')).toBe('recipient')
  expect(by('Rejected-by-other-MMSC')).toBe('other-rs')
  expect(by('RejectionByOtherRS')).toBe('other-rs')
  expect(by('by the moon')).toBeUndefined()
})

test('whatever octets come from a peer, reading ends in a value or a refusal, in time', () => {
  const { queueId, ctx } = context('')
  const names = [
    'X-Mms-3GPP-MMS-Version',
    'X-Mms-Message-Type',
    'X-Mms-Transaction-ID',
    'X-Mms-Message-ID',
    'X-Mms-Originator-System',
    'X-Mms-Previously-Sent-By',
    'X-Mms-Previously-Sent-Date-and-Time',
    'X-Mms-Expiry',
    'X-Mms-Delivery-Time',
    'X-Mms-Reply-Charging',
    'X-Mms-MM-Status-Code',
    'X-Mms-Read-Status',
    'From',
    'To',
    'Cc',
    'Date',
    'Subject',
    'Content-Type',
  ]
  const piece = fc.constantFrom(
    ...[
      '0, ',
      '"',
      '<',
      '>',
      '@',
      '/TYPE=PLMN',
      '+447700900123',
      'a@b.example',
      '=?utf-8?B?',
      '\\',
      '(',
      ';',
      ',',
    ],
    ...[
      'MM4_forward.REQ',
      'MM4_delivery_report.REQ',
      'Yes',
      '600',
      'Fri, 01 Mar 2024 06:00:00 GMT',
      '\r\n ',
      '\xff',
    ],
  )
  const value = fc.oneof(
    fc.array(piece, { maxLength: 12 }).map((p) => p.join('')),
    fc.string({ maxLength: 30 }),
  )
  const field = fc.tuple(fc.constantFrom(...names), value).map(([n, v]) => `${n}: ${v}\r\n`)
  const complete = [
    'X-Mms-3GPP-MMS-Version: 6.3.0\r\nX-Mms-Transaction-ID: "T"\r\nX-Mms-Message-ID: "M"\r\n',
    'From: +447700900123/TYPE=PLMN\r\nDate: Tue, 5 Mar 2024 10:14:30 +0000\r\nContent-Type: text/plain\r\n',
  ]
  let mails = 0
  const started = performance.now()
  fc.assert(
    fc.property(
      fc.array(field, { maxLength: 25 }),
      fc.string({ maxLength: 40 }),
      fc.boolean(),
      (some, body, isComplete) => {
        // Complete ones get past the first check; a field that comes again after it does no more harm.
        const fields = isComplete ? [...complete, ...some] : some
        const octets = Buffer.from(`${fields.join('')}\r\n${body}`, 'latin1')
        const scanned = scanMm4(octets)
        const head = readMm4Head(scanned, opb.peer)
        if (head?.answer) readMm4Answer(scanned, head)
        const read = readMm4Forward(
          octets,
          envelope('a@b.example', ['alice@example.org']),
          { queueId, peer: 'opb' },
          ctx,
        )
        if (!isRefusal(read)) {
          mails++
          const mail = writeMail(read, [0], { extensions: new Map() }, ctx)
          if (!isRefusal(mail)) expect(/[^\x00-\x7f]/.test(whole(mail).toString('latin1'))).toBe(false)
          const again = writeMm4Forward(read, [0], opb, undefined, ctx)
          if (!isRefusal(again)) expect(/[^\x00-\x7f]/.test(whole(again).toString('latin1'))).toBe(false)
        }
        readMm4Report(octets, { peer: 'opb', receivedAt: 0 }, ctx)
      },
    ),
    { numRuns: 1500 },
  )
  expect(mails).toBeGreaterThan(100)
  expect(performance.now() - started).toBeLessThan(15_000)
})

test('ADR-034: a peer that drops the plus is read and written without it', () => {
  const peer = { ...opb.peer, numberFormat: 'plain' as const }
  const message = ok(forward('To: 447700900188/TYPE=PLMN', peer))
  expect(message.recipients[0]?.party).toMatchObject({ kind: 'number', value: '+447700900188' })
  const { write } = context('')
  const text = whole(ok(writeMm4Forward(message, [1], { peerKey: 'opb', peer }, undefined, write))).toString(
    'latin1',
  )
  expect(text).toContain('From: 447700900123/TYPE=PLMN\r\n')
  expect(text).toContain('To: 447700900188/TYPE=PLMN, alice@example.org\r\n')
  expect(forward('To: 447700900188/TYPE=PLMN')).toMatchObject({ recipients: [{ field: 'to' }] })
})

test('MAP-129: of several who wrote a mail, Sender and the envelope on MM4 name the one who sent it', () => {
  const { queueId, ctx, write } = context('')
  const to = '+447700900123@mms.example.net'
  const mail = `From: Ada <ada@example.org>, Ben <ben@example.org>\r\nSender: Ben <ben@example.org>\r\nTo: ${to}\r\n\r\nhi\r\n`
  const message = ok(readMail(Buffer.from(mail), envelope('ben@example.org', [to]), { queueId }, ctx))
  const out = ok(writeMm4Forward(message, [0], opb, undefined, write))
  const { fields } = shape(whole(out))
  expect(fields).toContain('from: Ada <ada@example.org>, Ben <ben@example.org>')
  expect(fields).toContain('sender: Ben <ben@example.org>')
  expect(out.envelope.mailFrom.path).toBe('ben@example.org')
})

test('MAP-003: a field that Table 1 does not list goes through as it stands; raw 8-bit text becomes ASCII', () => {
  const { queueId, ctx, write } = context('')
  const kept = [
    'Reply-To: =?iso-8859-1?Q?J=F6rg?= <j@example.com>, k@example.com',
    'Comments: =?utf-8?Q?gr=C3=BCn?= and plain',
    'References: <1@a.example> <2@a.example>',
  ]
  const raw = 'Organization: Grünzeug AG\r\nX-Reply-To: Zoë <z@example.com>'
  const base = `From: a@example.org\r\nTo: +447700900123@mms.example.net\r\n${kept.join('\r\n')}\r\n${raw}\r\n\r\nhi\r\n`
  const message = ok(
    readMail(
      Buffer.from(base),
      envelope('a@example.org', ['+447700900123@mms.example.net']),
      { queueId },
      ctx,
    ),
  )
  const out = whole(ok(writeMm4Forward(message, [0], opb, undefined, write)))
  const lines = headerFields(out, scanMessage(out)).map((f) => `${f.name}: ${f.value}`)
  expect(lines).toEqual(expect.arrayContaining(kept))
  expect(lines.indexOf(kept[0]!)).toBeLessThan(lines.indexOf(kept[1]!))
  expect(out.toString('latin1')).not.toMatch(/[^\x00-\x7f]/)
  expect(lines.map((l) => decodeWords(l))).toEqual(
    expect.arrayContaining(['Organization: Grünzeug AG', 'X-Reply-To: Zoë <z@example.com>']),
  )
})
