/** What only time brings: late, too late, given up; and next hops that say nothing more. The clock is the test's own. */
import { readFileSync } from 'node:fs'
import { afterEach, expect, test } from 'vitest'
import type { CaseSettings } from '../../src/cli/conform/case-folder.ts'
import { type CaseGateway, openGateway } from '../../src/cli/conform/gateway.ts'
import { writeHttp } from '../../src/cli/conform/http-octets.ts'
import { createFakePeers, type FakePeers } from '../../src/cli/conform/peers.ts'
import type { EnvelopePath } from '../../src/model/smtp-envelope.ts'
import { type DeliveryStatusReport, readReport } from '../../src/wire/mime/report.ts'
import { readMm7 } from '../../src/wire/mm7/read.ts'
import { element, schemaNamespace, writeMm7 } from '../../src/wire/mm7/write.ts'
import { childText } from '../../src/wire/mm7/xml.ts'

const defaults = JSON.parse(
  readFileSync(new URL('../../fixtures/rfc4356/defaults.json', import.meta.url), 'utf8'),
) as CaseSettings
const clock = Date.parse(defaults.clock)
const hour = 3_600_000
const namespace = schemaNamespace('REL-6-MM7-1-4')
const handset = '+12025550123@mms.example.net'

/** The MMSC says this code to everything, until it is changed. */
let code = 1000
let peers: FakePeers
let gateway: CaseGateway

async function open(over: Partial<CaseSettings> = {}, smtpReply?: string): Promise<void> {
  const settings = { ...defaults, ...over }
  peers = createFakePeers(settings, {
    smtp: () => (smtpReply ? [{ command: '.', reply: smtpReply }] : []),
    http: () => {
      if (code === 1000) return undefined
      const status = [element('StatusCode', String(code)), element('StatusText', 'as told')]
      const answer = writeMm7({
        transactionId: 't',
        namespace,
        body: element('SubmitRsp', [element('Status', status)]),
      })
      return writeHttp('HTTP/1.1 200 OK', { 'Content-Type': answer.contentType }, Buffer.concat(answer.body))
    },
  })
  gateway = await openGateway(settings, clock, peers)
}
afterEach(async () => {
  code = 1000
  await gateway.close()
})

async function mail(
  rcptTo: readonly (EnvelopePath & { readonly path: string })[],
  mailFrom: EnvelopePath = { path: 'alice@example.org', params: {} },
): Promise<void> {
  const session = {
    peer: 'internet',
    ehlo: 'c',
    ip: '198.51.100.7',
    port: 25,
    auth: null,
    tls: false,
    esmtp: true,
  }
  const octets = Buffer.from(
    'From: alice@example.org\r\nSubject: x\r\nMessage-ID: <a1@example.org>\r\n\r\nhi\r\n',
  )
  const accepted = await gateway.acceptor.mail({ session, mailFrom, rcptTo, receivedAt: clock / 1000 }, [
    octets,
  ])
  expect(accepted).toHaveProperty('queueId')
  await gateway.runDue()
}
/** Every attempt that falls into the time, at its time. */
async function pass(until: number): Promise<void> {
  for (;;) {
    const due = await gateway.spool.nextDue()
    if (due === undefined || due > until) break
    gateway.setClock(due)
    await gateway.runDue()
  }
  gateway.setClock(until)
}
const told = (): string[] =>
  peers.items.flatMap((item) => {
    const report = item.kind === 'smtp' && item.octets ? readReport(item.octets) : undefined
    return report?.kind === 'delivery-status' ? [statusOf(report)] : []
  })
const statusOf = ({ recipients }: DeliveryStatusReport): string =>
  recipients.map((r) => `${r.action} ${r.status}`).join(', ')

test('RPT-015: late after four hours, again a day later, given up after five days', async () => {
  await open()
  code = 3000
  await mail([{ path: handset, params: { NOTIFY: 'DELAY,FAILURE' } }])
  await pass(clock + 3.9 * hour)
  expect(told()).toEqual([])
  await pass(clock + 6 * hour)
  expect(told()).toEqual(['delayed 4.3.0'])
  await pass(clock + 27 * hour)
  expect(told()).toHaveLength(1)
  await pass(clock + 30 * hour)
  expect(told()).toEqual(['delayed 4.3.0', 'delayed 4.3.0'])
  await pass(clock + 125 * hour)
  expect(told().at(-1)).toBe('failed 5.4.7')
  expect(told()).toHaveLength(6)
})

test('RPT-015: without DELAY nobody is told that it is late', async () => {
  await open()
  code = 4006
  await mail([{ path: handset, params: {} }])
  await pass(clock + 48 * hour)
  expect(told()).toEqual([])
})

test('RPT-030, RFC 2852 §4.1.4: mode N late: delayed 4.4.7 once, delivery goes on; mode R: failed 5.4.7', async () => {
  await open()
  code = 3000
  await mail([{ path: handset, params: {} }], { path: 'alice@example.org', params: { BY: '600;N' } })
  await pass(clock + 3 * hour)
  expect(told()).toEqual(['delayed 4.4.7'])
  code = 1000
  await pass(clock + 5 * hour)
  expect(told()).toEqual(['delayed 4.4.7', 'relayed 2.0.0'])
  await gateway.close()

  await open()
  code = 3000
  await mail([{ path: handset, params: {} }], { path: 'alice@example.org', params: { BY: '600;R' } })
  await pass(clock + 0.5 * hour)
  expect(told()).toEqual(['failed 5.4.7'])
})

test('RPT-017, RPT-030: NEVER is told nothing of mode N; a trace is told in mode R too', async () => {
  await open()
  await mail(
    [
      { path: handset, params: { NOTIFY: 'NEVER' } },
      { path: '+12025550124@mms.example.net', params: {} },
    ],
    { path: 'alice@example.org', params: { BY: '600;NT' } },
  )
  expect(told()).toEqual(['relayed 2.0.0'])
})

const submit = async (more: readonly ReturnType<typeof element>[] = []): Promise<void> => {
  const content = writeMm7({
    transactionId: 'v',
    namespace,
    body: element('SubmitReq', [
      element('SenderIdentification', [
        element('VASPID', 'acme'),
        element('SenderAddress', [element('ShortCode', '7777')]),
      ]),
      element('Recipients', [element('To', [element('RFC2822Address', 'bob@example.org')])]),
      element('Subject', 'x'),
      ...more,
    ]),
  })
  const octets = Buffer.concat(content.body)
  const result = await gateway.acceptor.mm7(readMm7(content.contentType, octets), {
    peer: 'vasp1',
    ip: '192.0.2.20',
    octets,
    contentType: content.contentType,
    receivedAt: clock,
  })
  expect(result.status).toBe(1000)
  await gateway.runDue()
}
const reports = (): string[] =>
  peers.items.flatMap((item) => {
    if (item.kind !== 'http') return []
    const text = item.octets.toString('utf8')
    const request = readMm7('text/xml', Buffer.from(text.slice(text.indexOf('\r\n\r\n') + 4)))
    return [`${request.operation} ${childText(request.body, 'MMStatus')}`]
  })
const asked = element('DeliveryReport', 'true')

test('RPT-052: a next hop without DSN has the mail: Forwarded; one with DSN will say so itself', async () => {
  await open({ nextHop: { relay: [] } })
  await submit([asked])
  expect(reports()).toEqual(['DeliveryReportReq Forwarded'])
  await gateway.close()
  await open()
  await submit([asked])
  expect(reports()).toEqual([])
})

test('RPT-039, RPT-050, AMB-40: a failure that nobody asked about is not reported; DeliveryReport false neither', async () => {
  await open({}, '554 5.7.1 no')
  await submit()
  await submit([element('DeliveryReport', 'false')])
  expect(reports()).toEqual([])
  await submit([asked])
  expect(reports()).toEqual(['DeliveryReportReq Rejected'])
})

test('RPT-010, RPT-056: a DSN that cannot be delivered, or whose address is a number, goes nowhere', async () => {
  await open({}, '554 5.7.1 no')
  code = 2002
  await mail([{ path: handset, params: {} }])
  expect(told()).toEqual(['failed 5.1.1'])
  await mail([{ path: handset, params: {} }], { path: '+12025550199@mms.example.net', params: {} })
  await pass(clock + 200 * hour)
  expect(told()).toHaveLength(1)
  expect(peers.items.filter((i) => i.kind === 'http')).toHaveLength(2)
  expect(
    gateway.log.filter((l) => l.includes('cannot be delivered') || l.includes('could not be delivered')),
  ).toHaveLength(2)
})

test('AMB-41, RPT-013: askFailures: the report is asked for, a failure is told, a success is not', async () => {
  const mmsc = { ...defaults.peers.mmsc!, askFailures: true }
  await open({ peers: { ...defaults.peers, mmsc } })
  await mail([{ path: handset, params: {} }])
  await mail([{ path: handset, params: { NOTIFY: 'DELAY' } }])
  const [first, second] = peers.items.map((item) => item.kind === 'http' && item.octets.toString('utf8'))
  expect(first).toContain('<DeliveryReport>true</DeliveryReport>')
  expect(second).not.toContain('DeliveryReport>')
  const [original] = await gateway.spool.originals.byPeerMessageId('mmsc', 'PEER-1')
  const report = (status: 'retrieved' | 'expired') => ({
    kind: 'delivery-report' as const,
    source: 'mm7-deliver' as const,
    receivedAt: clock / 1000,
    originalMmsId: 'PEER-1',
    recipient: original!.recipients[0]!.party,
    at: { epoch: clock / 1000, offsetMinutes: 0 },
    delivery: { status, raw: status },
  })
  expect(await gateway.acceptor.mmsReport(report('retrieved'), { peer: 'mmsc' })).toBe('taken')
  await gateway.runDue()
  expect(told()).toEqual([])
})

test('MM7-067: a mail that answers an MM goes back with its LinkedID, after a restart of the attempt too', async () => {
  await open({ routes: [{ match: 'domain:example.org', to: 'smtp:relay' }, ...defaults.routes] })
  const deliver = writeMm7({
    transactionId: 'd',
    namespace,
    body: element('DeliverReq', [
      element('LinkedID', 'LINK-7'),
      element('Sender', [element('Number', '+12025550123')]),
      element('Recipients', [element('To', [element('RFC2822Address', 'bob@example.org')])]),
      element('Subject', 'x'),
    ]),
  })
  const octets = Buffer.concat(deliver.body)
  const from = { peer: 'mmsc', ip: '192.0.2.10', octets, contentType: deliver.contentType, receivedAt: clock }
  expect((await gateway.acceptor.mm7(readMm7(deliver.contentType, octets), from)).status).toBe(1000)
  await gateway.runDue()
  const answer = async (to: string, inReplyTo: string) => {
    const session = {
      peer: 'internet',
      ehlo: 'c',
      ip: '198.51.100.7',
      port: 25,
      auth: null,
      tls: false,
      esmtp: true,
    }
    const text = `From: bob@example.org\r\nIn-Reply-To: ${inReplyTo}\r\nMessage-ID: <r@example.org>\r\n\r\nyes\r\n`
    const envelope = {
      session,
      mailFrom: { path: 'bob@example.org', params: {} },
      rcptTo: [{ path: to, params: {} }],
      receivedAt: clock / 1000,
    }
    const accepted = await gateway.acceptor.mail(envelope, [Buffer.from(text)])
    const [entry] = await gateway.spool.list({ queueId: (accepted as { queueId: string }).queueId })
    const message = gateway.acceptor.read(entry!.entry, Buffer.from(text))
    return 'vas' in message && message.vas.linkedId
  }
  expect(await answer(handset, '<other@x> <M-0001@gw.mms.example.net>')).toBe('LINK-7')
  await gateway.runDue()
  const sent = peers.items.at(-1)
  expect(sent?.kind === 'http' && sent.octets.toString('utf8')).toContain('<LinkedID>LINK-7</LinkedID>')
  expect(await answer(handset, '<other@x>')).toBeUndefined()
  // To another peer it would mean nothing.
  expect(await answer('+447700900123@mms.example.net', '<M-0001@gw.mms.example.net>')).toBeUndefined()
})

test('RPT-048: a read reply of MMS 1.0 is an ordinary mail from nobody, no MDN', async () => {
  await open()
  await submit([element('MessageClass', 'Auto'), element('DeliveryReport', 'true')])
  const [item] = peers.items
  if (item?.kind !== 'smtp' || !item.octets) throw new Error('no mail left')
  expect(item.envelope.mailFrom).toEqual({ path: null, params: {} })
  expect(readReport(item.octets)).toBeUndefined()
})

test('MM7-066: a LinkedID that names nothing here is accepted', async () => {
  await open()
  await submit([element('LinkedID', 'nowhere')])
  expect(peers.items).toHaveLength(1)
})

test('RPT-055, RPT-057: automatic and list mail is answered by nothing of its own; a DSN goes to its return path alone', async () => {
  await open()
  const session = {
    peer: 'internet',
    ehlo: 'c',
    ip: '198.51.100.7',
    port: 25,
    auth: null,
    tls: false,
    esmtp: true,
  }
  const automatic = ['Auto-Submitted: auto-replied', 'Precedence: bulk', 'List-Id: <l.example.org>']
  const send = async (field: string) => {
    const text = `From: alice@example.org\r\nReply-To: other@example.org\r\nErrors-To: third@example.org\r\n${field}\r\nMessage-ID: <a1@example.org>\r\n\r\nhi\r\n`
    const envelope = {
      session,
      mailFrom: { path: 'bounces@example.org', params: {} },
      rcptTo: [{ path: handset, params: {} }],
      receivedAt: clock / 1000,
    }
    expect(await gateway.acceptor.mail(envelope, [Buffer.from(text)])).toHaveProperty('queueId')
    await gateway.runDue()
  }
  for (const field of automatic) await send(field)
  expect(peers.items.map((i) => i.kind)).toEqual(['http', 'http', 'http'])
  code = 2002
  for (const field of automatic) await send(field)
  const own = peers.items.flatMap((i) => (i.kind === 'smtp' ? [i] : []))
  expect(own).toHaveLength(3)
  for (const { envelope, octets } of own) {
    expect(envelope.mailFrom.path).toBeNull()
    expect(envelope.rcptTo).toEqual([{ path: 'bounces@example.org', params: { NOTIFY: 'NEVER' } }])
    expect(octets?.toString()).toMatch(/^Auto-Submitted: auto-replied\r$/m)
  }
})

test('RPT-063: deliverUnmatched on: a report about nothing of ours reaches the handset as a message', async () => {
  const text =
    'Date: Tue, 5 Mar 2024 10:12:00 +0000\r\nFrom: daemon@example.org\r\nSubject: failed\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n' +
    '--b\r\n\r\nNot delivered.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nFinal-Recipient: rfc822; x@y.example\r\nAction: failed\r\nStatus: 5.1.1\r\n--b--\r\n'
  const session = {
    peer: 'internet',
    ehlo: 'c',
    ip: '198.51.100.7',
    port: 25,
    auth: null,
    tls: false,
    esmtp: true,
  }
  const send = () =>
    gateway.acceptor.mail(
      {
        session,
        mailFrom: { path: null, params: {} },
        rcptTo: [{ path: handset, params: {} }],
        receivedAt: clock / 1000,
      },
      [Buffer.from(text)],
    )
  for (const deliverUnmatched of [false, true]) {
    await open({ reports: { ...defaults.reports, deliverUnmatched } })
    expect(await send()).toHaveProperty('queueId')
    await gateway.runDue()
    expect(peers.items).toHaveLength(deliverUnmatched ? 1 : 0)
    if (!deliverUnmatched) await gateway.close()
  }
  expect(peers.items[0]?.kind === 'http' && peers.items[0].octets.toString()).toContain('Not delivered.')
})
