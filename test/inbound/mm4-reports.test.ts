/** Reports between mail and another operator's MMSC by MM4: real sockets, the whole gateway (TS 23.140 §8.4). */
import { expect, test } from 'vitest'
import { readReport } from '../../src/wire/mime/report.ts'
import { gatewayHere } from '../support/gateway.ts'
import { eventually, inbox, mailSink, smtpClient, type TakenMail } from '../support/peers.ts'

const header = (mail: TakenMail, name: string): string =>
  new RegExp(`^${name}: (.*(?:\r\n[ \t].*)*)`, 'im').exec(mail.data)?.[1]?.replace(/\r\n/g, '') ?? ''
const system = 'system-user@mms.example.net'
const peerPath = '+447700900123/TYPE=PLMN@127.0.0.1'

/** The MM4 peer speaks from 127.0.0.2; what we send to it, and to the mail relay, ends in a sink each. */
async function operators() {
  const mms = await mailSink()
  const relay = await mailSink()
  const gateway = await gatewayHere({
    peers: {
      opb: {
        interface: 'mm4',
        role: 'rs',
        ip: '127.0.0.2',
        host: '127.0.0.1',
        port: mms.port,
        mailOut: true,
      },
      relay: { interface: 'smtp', host: '127.0.0.1', port: relay.port, tls: 'never' },
    },
    routes: [
      { match: 'number:+44', to: 'mm4:opb' },
      { match: 'domain:mms.example.net', to: 'by-number' },
      { match: 'domain:example.net', to: 'store' },
      { match: 'domain:*', to: 'smtp:relay' },
    ],
  })
  const peer = await smtpClient(gateway.addresses.smtp!, '127.0.0.2')
  const internet = await smtpClient(gateway.addresses.smtp!)
  return { mms, relay, gateway, peer, internet }
}
const lines = (...list: readonly string[]): string => [...list, '', ''].join('\r\n')

test('RPT-003, RPT-020, MAP-204: MM4 reports about a mail become DSN and MDN, and are answered', async () => {
  const { mms, gateway, peer, internet } = await operators()
  await internet.send(
    'alice@example.net',
    ['<+447700900124@mms.example.net> NOTIFY=SUCCESS'],
    lines(
      'From: alice@example.net',
      'Disposition-Notification-To: alice@example.net',
      'Message-ID: <a1@example.net>',
      '',
      'hi',
    ),
  )
  const req = await eventually(() => mms.taken[0])
  const report = (kind: string, transaction: string, id: string, ...more: string[]) =>
    peer.send(
      peerPath,
      [system],
      lines(
        'X-Mms-3GPP-MMS-Version: 6.3.0',
        `X-Mms-Message-Type: MM4_${kind}.REQ`,
        `X-Mms-Transaction-ID: "${transaction}"`,
        `X-Mms-Message-ID: ${id}`,
        'X-Mms-Ack-Request: Yes',
        'Sender: system-user@op-b.example',
        'Date: Tue, 5 Mar 2024 10:14:30 +0000',
        'From: +447700900124/TYPE=PLMN',
        'To: alice@example.net',
        ...more,
      ),
    )
  const id = header(req, 'X-Mms-Message-ID')
  // Before the answer to the request itself: a report says more than the answer does.
  expect(await report('delivery_report', 'R-1', id, 'X-Mms-MM-Status-Code: Retrieved')).toMatch(/^250/)
  expect(await report('delivery_report', 'R-2', id, 'X-Mms-MM-Status-Code: Expired')).toMatch(/^250/)
  expect(await report('delivery_report', 'R-3', '"other"', 'X-Mms-MM-Status-Code: Retrieved')).toMatch(/^250/)
  expect(await report('read_reply_report', 'R-4', id, 'X-Mms-Read-Status: Read')).toMatch(/^250/)
  const answers = await eventually(() => mms.taken.length === 5 && mms.taken.slice(1))
  const said = answers.map((a) => [
    header(a, 'X-Mms-Message-Type'),
    header(a, 'X-Mms-Transaction-ID'),
    header(a, 'X-Mms-Request-Status-Code'),
  ])
  expect(said.sort()).toEqual([
    ['MM4_delivery_report.RES', '"R-1"', 'Ok'],
    ['MM4_delivery_report.RES', '"R-2"', 'Ok'],
    ['MM4_delivery_report.RES', '"R-3"', 'Error-message-not-found'],
    ['MM4_read_reply_report.RES', '"R-4"', 'Ok'],
  ])
  const mails = await eventually(async () => {
    const found = await inbox(gateway)
    return found.length === 2 && found
  })
  const reports = mails.map((m) => readReport(m)!)
  expect(
    reports.map((r) => (r.kind === 'delivery-status' ? r.recipients[0]!.action : r.kind)).sort(),
  ).toEqual(['delivered', 'disposition-notification'])
  expect(mails[0]!.toString()).toMatch(/^Return-Path: <>\r\nReceived: from 127\.0\.0\.1 .* with MMS id/)
})

test('RPT-035, RPT-045, MAP-206, MAP-207: DSN and MDN about an MM of another operator become MM4 reports', async () => {
  const { mms, relay, peer, internet } = await operators()
  await peer.send(
    peerPath,
    ['bob@outside.example'],
    lines(
      'X-Mms-3GPP-MMS-Version: 6.3.0',
      'X-Mms-Message-Type: MM4_forward.REQ',
      'X-Mms-Transaction-ID: "T-1"',
      'X-Mms-Message-ID: "B-1"',
      'X-Mms-Delivery-Report: Yes',
      'X-Mms-Read-Reply: Yes',
      'Date: Tue, 5 Mar 2024 10:14:30 +0000',
      'From: +447700900123/TYPE=PLMN',
      'To: bob@outside.example',
      'Message-ID: <b1@op-b.example>',
      'Content-Type: text/plain',
      '',
      'hi',
    ),
  )
  const sent = await eventually(() => relay.taken[0])
  const envid = /ENVID=(\S+)/.exec(sent.mailFrom)![1]!
  const mail = (type: string, machine: string) =>
    internet.send(
      '',
      ['+447700900123@mms.example.net'],
      lines(
        'Date: Tue, 5 Mar 2024 10:20:00 +0000',
        `Content-Type: multipart/report; report-type=${type}; boundary=b`,
        '',
        '--b',
        '',
        'It was done.',
        '--b',
        `Content-Type: message/${type}`,
        '',
        machine,
        '--b--',
      ),
    )
  const delivered = `Original-Envelope-Id: ${envid}\r\n\r\nFinal-Recipient: rfc822; bob@outside.example\r\nAction: delivered\r\nStatus: 2.0.0\r\n`
  const read = (type: string) =>
    `Original-Message-ID: ${header(sent, 'Message-ID')}\r\nFinal-Recipient: rfc822; bob@outside.example\r\nDisposition: manual-action/MDN-sent-manually; ${type}\r\n`
  expect(await mail('delivery-status', delivered)).toMatch(/^250/)
  // MM4 has no word for it: nothing leaves.
  expect(await mail('disposition-notification', read('dispatched'))).toMatch(/^250/)
  expect(await mail('disposition-notification', read('deleted'))).toMatch(/^250/)
  const reports = await eventually(() => mms.taken.length >= 2 && mms.taken)
  await new Promise((resolve) => setTimeout(resolve, 150))
  expect(reports.map((r) => header(r, 'X-Mms-Message-Type')).sort()).toEqual([
    'MM4_delivery_report.REQ',
    'MM4_read_reply_report.REQ',
  ])
  const [dr] = reports.filter((r) => header(r, 'X-Mms-MM-Status-Code') === 'Retrieved')
  expect(header(dr!, 'X-Mms-Message-ID')).toBe('"B-1"')
  expect(header(dr!, 'To')).toBe('+447700900123/TYPE=PLMN')
  expect(header(dr!, 'X-Mms-Status-Text')).toBe('It was done.')
  expect(header(dr!, 'Received')).toContain('with ESMTP id')
})
