/** Reports through the whole gateway: real sockets, the real store, an MMSC, a VASP and a mail server of the tests. */
import { request } from 'undici'
import { beforeAll, describe, expect, test } from 'vitest'
import { type DeliveryStatusReport, type DispositionReport, readReport } from '../../src/wire/mime/report.ts'
import { fieldValue, scanMessage } from '../../src/wire/mime/scan.ts'
import type { XmlElement } from '../../src/wire/mm7/message.ts'
import { readMm7Response } from '../../src/wire/mm7/response.ts'
import { element, writeMm7 } from '../../src/wire/mm7/write.ts'
import { childText } from '../../src/wire/mm7/xml.ts'
import { folder, gatewayHere, type LoggedGateway } from '../support/gateway.ts'
import {
  eventually,
  type FakeMmsc,
  fakeMmsc,
  inbox,
  mailSink,
  namespace,
  type SmtpClient,
  smtpClient,
} from '../support/peers.ts'

const number = '+12025550123'
const handset = `${number}@mms.example.net`
const store = folder()
let gateway: LoggedGateway
let mmsc: FakeMmsc
let vasp: FakeMmsc
let sink: Awaited<ReturnType<typeof mailSink>>
let smtp: SmtpClient

async function start(): Promise<void> {
  gateway = await gatewayHere({
    store: `sqlite:${store}`,
    peers: {
      mmsc: {
        interface: 'mm7',
        role: 'rs',
        host: 'mmsc.example.com',
        url: mmsc.url,
        auth: { scheme: 'basic', user: 'mmsc', password: 'm' },
        supportsDeliveryReport: true,
      },
      vasp: {
        interface: 'mm7',
        role: 'vasp',
        host: 'vasp.example.com',
        url: vasp.url,
        auth: { scheme: 'basic', user: 'vasp', password: 'v' },
        vaspIds: ['acme'],
        senders: ['7777', 'news@acme.example'],
        mailOut: true,
      },
      other: {
        interface: 'mm7',
        role: 'vasp',
        url: vasp.url,
        auth: { scheme: 'basic', user: 'other', password: 'o' },
        mailOut: true,
      },
      relay: { interface: 'smtp', host: '127.0.0.1', port: sink.port, tls: 'never' },
    },
    routes: [
      { match: 'domain:example.net', to: 'store' },
      { match: 'shortcode:7777', to: 'mm7-deliver:vasp' },
      { match: 'number:+', to: 'mm7-submit:mmsc' },
      { match: 'domain:mms.example.net', to: 'by-number' },
      { match: 'domain:*', to: 'smtp:relay' },
    ],
  })
  smtp = await smtpClient(gateway.addresses.smtp!)
}

beforeAll(async () => {
  mmsc = await fakeMmsc()
  vasp = await fakeMmsc()
  sink = await mailSink()
  await start()
})

const logins = { mmsc: 'mmsc:m', vasp: 'vasp:v', other: 'other:o' }
let transactions = 0

async function post(
  as: keyof typeof logins,
  operation: string,
  children: readonly XmlElement[],
  content?: string,
  transactionId = `t-${++transactions}`,
): Promise<{ status: number; messageId?: string; details?: string }> {
  const draft = writeMm7({
    transactionId,
    namespace,
    body: element(operation, [element('MM7Version', '6.8.0'), ...children]),
    ...(content === undefined
      ? {}
      : {
          rootId: '<root>',
          boundary: 'outer',
          content: {
            fields: [
              { name: 'Content-Type', value: 'text/plain; charset=us-ascii' },
              { name: 'Content-ID', value: '<c>' },
            ],
            body: [Buffer.from(content)],
          },
        }),
  })
  const response = await request(`${gateway.addresses.mm7}`, {
    method: 'POST',
    headers: {
      'content-type': draft.contentType,
      authorization: `Basic ${Buffer.from(logins[as]).toString('base64')}`,
    },
    body: Buffer.concat(draft.body),
  })
  const answer = readMm7Response(Buffer.from(await response.body.arrayBuffer()))
  return {
    status: answer.statusCode,
    ...(answer.messageId === undefined ? {} : { messageId: answer.messageId }),
    ...(answer.details === undefined ? {} : { details: answer.details }),
  }
}

const identification = (sender = '7777') =>
  element('SenderIdentification', [
    element('VASPID', 'acme'),
    element('SenderAddress', [
      sender.includes('@') ? element('RFC2822Address', sender) : element('ShortCode', sender),
    ]),
  ])
const recipients = (...to: string[]) =>
  element('Recipients', [
    element(
      'To',
      to.map((t) => element('RFC2822Address', t)),
    ),
  ])
const report = (
  id: string,
  status: string,
  to: string | undefined = number,
  more: readonly XmlElement[] = [],
) =>
  post('mmsc', 'DeliveryReportReq', [
    element('MessageID', id),
    ...(to === '' ? [] : [element('Recipient', [element('Number', to)])]),
    element('Date', '2024-03-05T10:14:00Z'),
    element('MMStatus', status),
    ...more,
  ])

/** A mail to the handset; the id that the MMSC gave it. */
async function toHandset(
  subject: string,
  rcptParams: string,
  from = 'alice@outside.example',
  extra = '',
): Promise<string> {
  const before = mmsc.received.length
  const reply = await smtp.send(
    from,
    [`<${handset}>${rcptParams}`],
    `From: alice@outside.example\r\nTo: ${handset}\r\nSubject: ${subject}\r\nMessage-ID: <${subject}@outside.example>\r\n${extra}\r\nhi\r\n`,
  )
  expect(reply).toMatch(/^250 2\.6\.0/)
  await eventually(() => mmsc.received.length > before)
  return `MMSC-${mmsc.received.length}`
}

const dsnsAbout = (subject: string): DeliveryStatusReport[] =>
  sink.taken
    .map((mail) => readReport(Buffer.from(mail.data, 'latin1')))
    .filter((r): r is DeliveryStatusReport => r?.kind === 'delivery-status')
    .filter((r) => r.returnedMessageId === `<${subject}@outside.example>`)
const actionsAbout = (subject: string): string[] =>
  dsnsAbout(subject).map((d) => `${d.recipients[0]!.action} ${d.recipients[0]!.status}`)
const quiet = () => new Promise((resolve) => setTimeout(resolve, 150))

describe('MMS reports become DSN and MDN', () => {
  test('RPT-003, RPT-006, MM7-069, QUIRKS 33: several reports, out of order and repeated: one of each, one that ends', async () => {
    const id = await toHandset('several', ' NOTIFY=SUCCESS,FAILURE')
    expect(mmsc.received.at(-1)!.message.body.children.find((c) => c.name === 'DeliveryReport')?.text).toBe(
      'true',
    )
    for (const status of ['Deferred', 'Forwarded', 'Forwarded', 'Retrieved', 'Retrieved', 'Expired', '421'])
      expect((await report(id, status)).status).toBe(1000)
    await eventually(() => actionsAbout('several').length === 2)
    await quiet()
    expect(actionsAbout('several')).toEqual(['relayed 2.0.0', 'delivered 2.1.5'])
    const dsn = sink.taken.at(-1)!
    expect([dsn.mailFrom, dsn.rcptTo]).toEqual(['<>', ['<alice@outside.example> NOTIFY=NEVER']])
  })

  test('RPT-006: the same report twenty times at once is one DSN', async () => {
    const id = await toHandset('at-once', ' NOTIFY=SUCCESS')
    const answers = await Promise.all(Array.from({ length: 20 }, () => report(id, 'Retrieved')))
    expect(new Set(answers.map((a) => a.status))).toEqual(new Set([1000]))
    await eventually(() => actionsAbout('at-once').length > 0)
    await quiet()
    expect(actionsAbout('at-once')).toEqual(['delivered 2.1.5'])
  })

  test('RPT-003, MM7-068: an unknown id, another recipient, another peer: 2005 or refused, and no mail', async () => {
    const id = await toHandset('unknown', '')
    const before = sink.taken.length
    expect(await report('MMSC-x', 'Retrieved')).toMatchObject({ status: 2005, details: expect.any(String) })
    expect((await report(id, 'Expired', '+12025550199')).status).toBe(2005)
    expect(
      (await post('vasp', 'DeliveryReportReq', [element('MessageID', id), element('MMStatus', 'Expired')]))
        .status,
    ).toBe(4001)
    await quiet()
    expect(sink.taken.length).toBe(before)
    // The recipient may be left out where there is one.
    expect((await report(id, 'Expired', '')).status).toBe(1000)
    await eventually(() => actionsAbout('unknown').length === 1)
    expect(actionsAbout('unknown')).toEqual(['failed 5.4.7'])
  })

  test('RPT-010, RPT-011: a null return path and NEVER are told nothing', async () => {
    const never = await toHandset('never', ' NOTIFY=NEVER')
    const nobody = await toHandset('nobody', '', '')
    for (const id of [never, nobody]) expect((await report(id, 'Expired')).status).toBe(1000)
    await quiet()
    expect([...actionsAbout('never'), ...actionsAbout('nobody')]).toEqual([])
  })

  test('RPT-040, RPT-043: Read once is one MDN, to Disposition-Notification-To; none where it was not asked', async () => {
    const id = await toHandset(
      'read',
      '',
      'alice@outside.example',
      'Disposition-Notification-To: alice@outside.example\r\n',
    )
    const silent = await toHandset('unread', '')
    const read = (of: string, status: string) =>
      post('mmsc', 'ReadReplyReq', [
        element('MessageID', of),
        element('Recipient', [element('Number', number)]),
        element('MMStatus', status),
      ])
    for (const of of [id, silent])
      for (const status of ['Indeterminate', 'Read', 'Read', 'Deleted'])
        expect((await read(of, status)).status).toBe(1000)
    const mdns = () =>
      sink.taken
        .map((m) => readReport(Buffer.from(m.data, 'latin1')))
        .filter((r): r is DispositionReport => r?.kind === 'disposition-notification')
    await eventually(() => mdns().length > 0)
    await quiet()
    expect(mdns().map((m) => `${m.originalMessageId} ${m.disposition.type}`)).toEqual([
      '<read@outside.example> displayed',
    ])
  })

  test('RPT-007: what was sent before a restart is reported on after it, content included', async () => {
    const id = await toHandset('restart', '')
    await eventually(
      async () => (await gateway.engine.spool.originals.byPeerMessageId('mmsc', id)).length === 1,
    )
    await gateway.close()
    await start()
    expect((await report(id, 'Unrecognized')).status).toBe(1000)
    await eventually(() => actionsAbout('restart').length === 1)
    expect(actionsAbout('restart')).toEqual(['failed 5.6.1'])
    expect(sink.taken.at(-1)!.data).toMatch(/Content-Type: message\/rfc822[\s\S]*\r\nhi\r\n/)
  })

  test('RPT-003: a report that is faster than the answer to its request is not lost', async () => {
    const id = `MMSC-${mmsc.received.length + 1}`
    await smtp.send(
      'alice@outside.example',
      [`<${handset}> NOTIFY=SUCCESS`],
      `From: alice@outside.example\r\nMessage-ID: <fast@outside.example>\r\n\r\nhi\r\n`,
    )
    await eventually(() => mmsc.received.length >= Number(id.slice('MMSC-'.length)))
    expect((await report(id, 'Retrieved')).status).toBe(1000)
    await eventually(() => actionsAbout('fast').length === 1)
  })
})

describe('DSN and MDN become MM7 reports', () => {
  /** An MM to a mail address; what the gateway knows it by, and the mail that left. */
  async function toMail(
    sender = '7777',
    to = ['bob@outside.example'],
    more: readonly XmlElement[] = [],
    asked: readonly XmlElement[] = [element('DeliveryReport', 'true'), element('ReadReply', 'true')],
  ) {
    const before = sink.taken.length
    const { status, messageId = '' } = await post(
      'vasp',
      'SubmitReq',
      [
        identification(sender),
        recipients(...to),
        ...asked,
        element('Subject', 'Ticket'),
        ...more,
        element('Content', [], { href: 'cid:c' }),
      ],
      'ticket',
    )
    expect(status).toBe(1000)
    await eventually(() => sink.taken.length > before)
    const mail = sink.taken[before]!
    const octets = Buffer.from(mail.data, 'latin1')
    return {
      messageId,
      mail,
      mailId: fieldValue(octets, scanMessage(octets), 'Message-ID')!,
      envid: /ENVID=(\S+)/.exec(mail.mailFrom)?.[1] ?? '',
      path: /<([^>]*)>/.exec(mail.mailFrom)![1]!,
    }
  }
  const sendReport = (to: readonly string[], type: string, machine: string, returned = '') =>
    smtp.send(
      '',
      to,
      `Date: Tue, 5 Mar 2024 10:12:00 +0000\r\nFrom: MAILER-DAEMON@outside.example\r\nTo: ${to[0]}\r\nSubject: report ${machine.length}\r\nMIME-Version: 1.0\r\n` +
        `Content-Type: multipart/report; report-type=${type}; boundary=b\r\n\r\n--b\r\n\r\nSaid the mail server.\r\nAnd a second line.\r\n--b\r\nContent-Type: message/${type}\r\n\r\n${machine}\r\n` +
        `--b\r\nContent-Type: text/rfc822-headers\r\n\r\n${returned}\r\n--b--`,
    )
  const group = (address: string, action: string, status: string) =>
    `Final-Recipient: rfc822; ${address}\r\nAction: ${action}\r\nStatus: ${status}\r\n`
  const told = (messageId: string) =>
    vasp.received
      .filter((r) => childText(r.message.body, 'MessageID') === messageId)
      .map((r) => `${r.message.operation} ${childText(r.message.body, 'MMStatus')}`)

  test('RPT-004, RPT-036, RPT-038: by ENVID, one report for each recipient, each its own transaction', async () => {
    const sent = await toMail('7777', ['bob@outside.example', 'eve@outside.example'])
    expect(sent.path).toBe('7777@mms.example.net')
    const machine = `Original-Envelope-Id: ${sent.envid}\r\nReporting-MTA: dns; outside.example\r\n\r\n${group('bob@outside.example', 'delivered', '2.0.0')}\r\n${group('eve@outside.example', 'failed', '5.1.1')}`
    expect(await sendReport([sent.path], 'delivery-status', machine)).toMatch(/^250/)
    await eventually(() => told(sent.messageId).length === 2)
    expect(told(sent.messageId).sort()).toEqual(['DeliveryReportReq Rejected', 'DeliveryReportReq Retrieved'])
    const ids = vasp.received.slice(-2).map((r) => r.message.transactionId)
    expect(new Set(ids).size).toBe(2)
    // RPT-006: once more changes nothing.
    expect(await sendReport([sent.path], 'delivery-status', machine)).toMatch(/^250/)
    await quiet()
    expect(told(sent.messageId)).toHaveLength(2)
  })

  test('RPT-005, SEC-050: forged reports change nothing: guessed ids, another addressee, another recipient', async () => {
    const sent = await toMail()
    const before = vasp.received.length
    const said = group('bob@outside.example', 'delivered', '2.0.0')
    const ours = `Message-ID: ${sent.mailId}\r\n`
    await sendReport([sent.path], 'delivery-status', `Original-Envelope-Id: guessed\r\n\r\n${said}`)
    await sendReport([handset], 'delivery-status', `Original-Envelope-Id: ${sent.envid}\r\n\r\n${said}`)
    await sendReport(
      [sent.path],
      'delivery-status',
      `X: y\r\n\r\n${group('mallory@outside.example', 'failed', '5.1.1')}`,
      ours,
    )
    await sendReport(
      [sent.path],
      'disposition-notification',
      `Final-Recipient: rfc822; mallory@outside.example\r\nOriginal-Message-ID: ${sent.mailId}\r\nDisposition: manual-action/MDN-sent-manually; displayed`,
    )
    await quiet()
    expect(vasp.received.length).toBe(before)
    expect(
      (await gateway.engine.spool.originals.byMessageId(sent.mailId))[0]!.recipients[0]!.reports,
    ).toEqual([])
    // RPT-063: they are the operator's to look at, not the handset's; but the MDN, which is discarded (RPT-047).
    const kept = await eventually(async () => {
      const mails = await inbox(gateway)
      return mails.length >= 3 && mails
    })
    expect(kept.every((m) => m.includes('report-type=delivery-status'))).toBe(true)
    // By Message-ID and a recipient that it had, it counts.
    await sendReport([sent.path], 'delivery-status', `X: y\r\n\r\n${said}`, ours)
    await eventually(() => told(sent.messageId).length === 1)
  })

  test('RPT-039, RPT-046, MAP-170: what was not asked for is noted and not told; StatusText is the first line', async () => {
    const about = (sent: { mailId: string }) => `Message-ID: ${sent.mailId}\r\n`
    const failed = group('bob@outside.example', 'failed', '5.1.1')
    const displayed = (sent: { mailId: string }) =>
      `Final-Recipient: rfc822; bob@outside.example\r\nOriginal-Message-ID: ${sent.mailId}\r\nDisposition: manual-action/MDN-sent-manually; displayed`
    for (const asked of [[], [element('DeliveryReport', 'false'), element('ReadReply', 'false')]]) {
      const sent = await toMail('7777', ['bob@outside.example'], [], asked)
      const before = vasp.received.length
      await sendReport([sent.path], 'delivery-status', `X: y\r\n\r\n${failed}`, about(sent))
      await sendReport([sent.path], 'disposition-notification', displayed(sent))
      const marks = async () =>
        (await gateway.engine.spool.originals.byMessageId(sent.mailId))[0]!.recipients[0]!.reports
      await eventually(async () => (await marks()).length === 2)
      expect((await marks()).map((m) => m.outcome)).toEqual(['failed', 'displayed'])
      // A report that is asked for goes out after them, and alone.
      const other = await toMail()
      await sendReport([other.path], 'delivery-status', `X: y\r\n\r\n${failed}`, about(other))
      await eventually(() => told(other.messageId).length === 1)
      expect(vasp.received.length).toBe(before + 1)
      const { body } = vasp.received.at(-1)!.message
      expect(childText(body, 'StatusText')).toBe('Said the mail server.')
      // About the recipient, to the sender.
      const address = (name: string) => body.children.find((c) => c.name === name)!.children[0]!.text
      expect([address('Recipient'), address('Sender')]).toEqual(['bob@outside.example', '7777'])
    }
  })

  test('RPT-045, RPT-046: an MDN is a ReadReplyReq, once', async () => {
    const sent = await toMail()
    const mdn = (type: string) =>
      sendReport(
        [sent.path],
        'disposition-notification',
        `Final-Recipient: rfc822; bob@outside.example\r\nOriginal-Message-ID: ${sent.mailId}\r\nDisposition: manual-action/MDN-sent-manually; ${type}`,
      )
    for (const type of ['displayed', 'displayed', 'deleted']) expect(await mdn(type)).toMatch(/^250/)
    await eventually(() => told(sent.messageId).length > 0)
    await quiet()
    expect(told(sent.messageId)).toEqual(['ReadReplyReq Read'])
    expect(vasp.received.at(-1)!.message.body.children.map((c) => c.name)).toContain('TimeStamp')
  })

  test('MAP-061, RPT-004, RPT-047: a sender at a foreign domain: reports by the address that was given out, nothing else', async () => {
    const sent = await toMail('news@acme.example')
    expect(sent.path).toMatch(/^report\+.+@mms\.example\.net$/)
    expect(
      await sendReport([sent.path], 'delivery-status', group('mbx@int.example', 'delivered', '2.0.0')),
    ).toMatch(/^250/)
    await eventually(() => told(sent.messageId).length === 1)
    expect(await smtp.send('', [sent.path], 'Subject: hello\r\n\r\nplain mail')).toMatch(/^550 5\.1\.1/)
    await smtp.command('RSET')
    expect(await smtp.send('', ['report+nobody@mms.example.net'], 'x: y\r\n\r\n')).toMatch(/^550 5\.1\.1/)
    await smtp.command('RSET')
    const before = (await inbox(gateway)).length
    const other = await toMail('news@acme.example')
    expect(
      await sendReport(
        [other.path],
        'disposition-notification',
        'Final-Recipient: rfc822; x@y.example\r\nDisposition: ; dispatched',
      ),
    ).toMatch(/^250/)
    // The same of a message that is gone, at an address that is still known: nobody is shown it.
    const forged = (to: string, id: string) =>
      sendReport(
        [to],
        'disposition-notification',
        `Final-Recipient: rfc822; x@y.example\r\nOriginal-Message-ID: <${id}@y.example>\r\nDisposition: manual-action/MDN-sent-manually; displayed`,
      )
    const mine = await toMail()
    expect(await forged(mine.path, 'forged')).toMatch(/^250/)
    await eventually(() =>
      gateway.logged.some(
        (l) =>
          l.message === 'a report about no message of ours' && JSON.stringify(l.fields).includes(mine.path),
      ),
    )
    // To a number that no report was ever asked for, the operator sees it (RPT-063).
    expect(await forged('+12025550177@mms.example.net', 'stray')).toMatch(/^250/)
    const mails = await eventually(async () => {
      const list = await inbox(gateway)
      return list.length > before && list
    })
    expect(mails).toHaveLength(before + 1)
    expect(mails.at(-1)!.toString()).toContain('<stray@y.example>')
  })

  test('RPT-061, RPT-060: feedback reports and ordinary replies stay what they are; a second addressee gets the mail too', async () => {
    const sent = await toMail()
    const before = (await inbox(gateway, 'bob@example.net')).length
    expect(await sendReport(['bob@example.net'], 'feedback-report', 'Feedback-Type: abuse')).toMatch(/^250/)
    expect(
      await sendReport(
        [sent.path, 'bob@example.net'],
        'delivery-status',
        `Original-Envelope-Id: ${sent.envid}\r\n\r\n${group('bob@outside.example', 'relayed', '2.0.0')}`,
      ),
    ).toMatch(/^250/)
    await eventually(() => told(sent.messageId).length === 1)
    await eventually(async () => (await inbox(gateway, 'bob@example.net')).length === before + 2)
    expect(told(sent.messageId)).toEqual(['DeliveryReportReq Forwarded'])
  })

  test('RPT-050, RPT-053: into a mailbox here: Retrieved; too late: Expired; refused later: Rejected', async () => {
    const submit = (to: string, more: readonly XmlElement[] = []) =>
      post(
        'vasp',
        'SubmitReq',
        [
          identification(),
          recipients(to),
          element('DeliveryReport', 'true'),
          element('Subject', 'x'),
          ...more,
        ],
        'text',
      )
    const here = await submit('bob@example.net')
    const late = await submit('bob@outside.example', [element('ExpiryDate', '2024-01-01T00:00:00Z')])
    await eventually(() => told(here.messageId!).length === 1 && told(late.messageId!).length === 1)
    expect([told(here.messageId!), told(late.messageId!)]).toEqual([
      ['DeliveryReportReq Retrieved'],
      ['DeliveryReportReq Expired'],
    ])
  })

  test('RPT-056: a report that the VASP refuses is logged, and nobody is told', async () => {
    const sent = await toMail()
    vasp.status = 2005
    const before = sink.taken.length
    await sendReport(
      [sent.path],
      'delivery-status',
      `Original-Envelope-Id: ${sent.envid}\r\n\r\n${group('bob@outside.example', 'failed', '5.1.1')}`,
    )
    await eventually(() => gateway.logged.some((l) => l.message === 'a report could not be delivered'))
    vasp.status = 1000
    await quiet()
    expect(sink.taken.length).toBe(before)
  })
})

describe('own failures of mail', () => {
  test('RPT-054, RPT-029, SEC-040: the MMSC refuses: one DSN for those that are shown, one for the blind', async () => {
    mmsc.status = 2002
    const before = sink.taken.length
    const to = ['+12025550101', '+12025550102', '+12025550103'].map((n) => `${n}@mms.example.net`)
    await smtp.send(
      'alice@outside.example',
      to,
      `From: alice@outside.example\r\nTo: ${to[0]}, ${to[1]}\r\nMessage-ID: <own@outside.example>\r\n\r\nhi\r\n`,
    )
    const dsns = await eventually(() => dsnsAbout('own').length === 2 && dsnsAbout('own'))
    mmsc.status = 1000
    expect(dsns.map((d) => d.recipients.map((r) => r.finalRecipient!.value)).sort()).toEqual(
      [[to[0], to[1]], [to[2]]].sort(),
    )
    expect(dsns[0]!.recipients[0]).toMatchObject({
      action: 'failed',
      status: '5.1.1',
      diagnostic: { type: 'x-mm7' },
    })
    await quiet()
    expect(sink.taken.length).toBe(before + 2)
  })

  test('RPT-014, RPT-030: a VASP cannot report, mode N is over at the border: relayed, once', async () => {
    await smtp.send(
      'alice@outside.example',
      ['<7777@mms.example.net> NOTIFY=SUCCESS'],
      'From: alice@outside.example\r\nMessage-ID: <silent@outside.example>\r\n\r\nhi\r\n',
    )
    await smtp.send(
      'alice@outside.example',
      [handset],
      'From: alice@outside.example\r\nMessage-ID: <mode-n@outside.example>\r\n\r\nhi\r\n',
      ' BY=600;N',
    )
    await eventually(() => dsnsAbout('silent').length === 1 && dsnsAbout('mode-n').length === 1)
    expect([...actionsAbout('silent'), ...actionsAbout('mode-n')]).toEqual(['relayed 2.0.0', 'relayed 2.0.0'])
  })
})

describe('CancelReq and ReplaceReq', () => {
  const held = async (to = ['carol@outside.example'], after = 'PT1H') => {
    const { messageId = '' } = await post(
      'vasp',
      'SubmitReq',
      [
        identification(),
        recipients(...to),
        element('EarliestDeliveryTime', after),
        element('Subject', 'Held'),
        element('Content', [], { href: 'cid:c' }),
      ],
      'first',
    )
    return messageId
  }
  const cancel = (id: string, more: readonly XmlElement[] = [], as: keyof typeof logins = 'vasp') =>
    post(as, 'CancelReq', [identification(), element('MessageID', id), ...more])

  test('MM7-064: foreign and unknown 2005, held 1000 and again 1000, a part of them, a stranger 2003', async () => {
    const id = await held(['carol@outside.example', 'dave@outside.example'])
    expect((await cancel('nope')).status).toBe(2005)
    expect((await cancel(id, [], 'other')).status).toBe(2005)
    expect((await cancel(id, [recipients('eve@outside.example')])).status).toBe(2003)
    expect((await cancel(id, [recipients('dave@outside.example', 'eve@outside.example')])).status).toBe(1100)
    expect((await gateway.engine.spool.stats()).entries).toBe(1)
    expect((await cancel(id)).status).toBe(1000)
    expect((await cancel(id)).status).toBe(1000)
    expect((await gateway.engine.spool.stats()).entries).toBe(0)
  })

  test('MM7-065: content and hold replaced, the rest kept; a relative time counts from now; too late is 3001', async () => {
    const id = await held()
    const replace = (hold: string, text: string) =>
      post(
        'vasp',
        'ReplaceReq',
        [
          identification(),
          element('MessageID', id),
          element('EarliestDeliveryTime', hold),
          element('Content', [], { href: 'cid:c' }),
        ],
        text,
      )
    expect((await replace('P30D', 'never')).status).toBe(2007)
    expect((await replace('PT2H', 'second')).status).toBe(1000)
    const before = sink.taken.length
    expect((await replace('PT0S', 'third')).status).toBe(1000)
    const mail = await eventually(() => sink.taken[before])
    expect(mail.data).toContain('Subject: Held')
    expect(mail.data).toContain('\r\nthird')
    expect(mail.data).not.toContain('first')
    expect((await replace('PT0S', 'fourth')).status).toBe(3001)
    expect((await cancel(id)).status).toBe(3001)
    expect((await post('vasp', 'ReplaceReq', [identification(), element('MessageID', 'nope')])).status).toBe(
      2005,
    )
  })

  test('MM7-065: ReplaceReq without Content keeps the content; with one that is not there 2004', async () => {
    const id = await held()
    expect(
      (
        await post(
          'vasp',
          'ReplaceReq',
          [identification(), element('MessageID', id), element('Content', [], { href: 'cid:none' })],
          'x',
        )
      ).status,
    ).toBe(2004)
    const before = sink.taken.length
    expect(
      (
        await post('vasp', 'ReplaceReq', [
          identification(),
          element('MessageID', id),
          element('EarliestDeliveryTime', 'PT0S'),
          element('ReadReply', 'true'),
        ])
      ).status,
    ).toBe(1000)
    const mail = await eventually(() => sink.taken[before])
    expect(mail.data).toContain('\r\nfirst')
    expect(mail.data).toContain('Disposition-Notification-To: 7777@mms.example.net')
  })

  test('2.1: the extended operations are not enabled', async () => {
    for (const operation of ['extendedCancelReq', 'extendedReplaceReq'])
      expect((await post('vasp', operation, [identification(), element('CancelID', '1')])).status).toBe(4003)
  })
})
