/** Addresses that are not ASCII, both ways, where SMTPUTF8 is switched on (AMB-26; RFC 6531, 6532, 6533). */
import { expect, test } from 'vitest'
import { fieldValue, scanMessage } from '../../src/wire/mime/scan.ts'
import { element, writeMm7 } from '../../src/wire/mm7/write.ts'
import { gatewayHere } from '../support/gateway.ts'
import {
  eventually,
  fakeMmsc,
  inbox,
  mailSink,
  namespace,
  post,
  smtpClient,
  type TakenMail,
} from '../support/peers.ts'

const jörg = 'jörg@bücher.example'
const jörgOnTheWire = 'jörg@xn--bcher-kva.example'
const withUtf8 = ['8BITMIME', 'DSN', 'SMTPUTF8', 'SIZE 0']
const handset = '+12025550123@mms.example.net'

async function gateways(over: Record<string, unknown> = {}, offers?: readonly string[]) {
  const mmsc = await fakeMmsc()
  const vaspSide = await fakeMmsc()
  const sink = await mailSink(undefined, offers)
  const { peers, ...rest } = over as { peers?: Record<string, unknown> }
  const gateway = await gatewayHere({
    smtputf8: true,
    peers: {
      mmsc: {
        interface: 'mm7',
        role: 'rs',
        ip: '127.0.0.5',
        host: 'mmsc.example.com',
        url: mmsc.url,
        mailOut: true,
      },
      vasp: {
        interface: 'mm7',
        role: 'vasp',
        ip: '127.0.0.1',
        host: 'vasp.example.com',
        url: vaspSide.url,
        vaspIds: ['acme'],
        senders: ['7777'],
        mailOut: true,
      },
      relay: { interface: 'smtp', host: '127.0.0.1', port: sink.port },
      partner: { interface: 'smtp', ip: '127.0.0.2', host: 'partner.example.org', mailOut: true },
      ...peers,
    },
    routes: [
      { match: 'number:+44', to: 'mm4:opb' },
      { match: 'number:+', to: 'mm7-submit:mmsc' },
      { match: 'domain:mms.example.net', to: 'by-number' },
      { match: 'domain:example.net', to: 'store' },
      { match: 'domain:*', to: 'smtp:relay' },
    ].filter((r) => r.to !== 'mm4:opb' || peers?.opb !== undefined),
    accounts: [
      { address: 'alice@example.net', password: 'secret' },
      { address: 'zoë@example.net', password: 'secret' },
    ],
    ...rest,
  })
  return { gateway, mmsc, vaspSide, sink }
}

const utf8 = (mail: TakenMail): string => Buffer.from(mail.data, 'latin1').toString('utf8')
const octets = (text: string): Buffer => Buffer.from(text, 'utf8')

function submitReq(to: readonly string[], bcc: readonly string[] = [], report = false) {
  const list = (name: string, addresses: readonly string[]) =>
    addresses.length === 0
      ? []
      : [
          element(
            name,
            addresses.map((a) => element('RFC2822Address', a)),
          ),
        ]
  return writeMm7({
    transactionId: `U-${to.join()}-${bcc.join()}-${report}`,
    namespace,
    body: element('SubmitReq', [
      element('MM7Version', '6.8.0'),
      element('SenderIdentification', [
        element('VASPID', 'acme'),
        element('SenderAddress', [element('ShortCode', '7777')]),
      ]),
      element('Recipients', [...list('To', to), ...list('Bcc', bcc)]),
      ...(report ? [element('DeliveryReport', 'true')] : []),
      element('Subject', 'Grüße'),
    ]),
  })
}

const postAs = async (gateway: { addresses: { mm7?: string } }, content: ReturnType<typeof submitReq>) =>
  (await post(gateway.addresses.mm7!, content)).status

test('MAP-039, MAP-038, MAP-090, AMB-26: a local part that is not ASCII goes out under SMTPUTF8, ORCPT in 7 bits', async () => {
  const { gateway, sink } = await gateways({}, withUtf8)
  expect(await postAs(gateway, submitReq([jörg, 'bob@example.org'], [], true))).toBe(1000)
  const mail = await eventually(() => sink.taken[0])
  expect(mail.mailFrom).toMatch(/^<7777@mms\.example\.net>.* SMTPUTF8( |$)/)
  const rcpt = mail.rcptTo.map((r) => Buffer.from(r, 'latin1').toString('utf8'))
  expect(rcpt[0]).toBe(
    `<${jörgOnTheWire}> NOTIFY=SUCCESS,FAILURE ORCPT=utf-8;j\\x{F6}rg@b\\x{FC}cher.example`,
  )
  expect(rcpt[1]).toBe('<bob@example.org> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;bob@example.org')
  expect(utf8(mail)).toContain(`\r\nTo: ${jörgOnTheWire}, bob@example.org\r\n`)
  // What ASCII can say stays ASCII.
  expect(utf8(mail)).toContain('\r\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\n')
})

test('MAP-089: a message without such an address asks for nothing, whatever the next hop offers (RFC 6531 §3.4)', async () => {
  const { gateway, sink } = await gateways({}, withUtf8)
  expect(await postAs(gateway, submitReq(['bob@bücher.example']))).toBe(1000)
  const mail = await eventually(() => sink.taken[0])
  expect(mail.mailFrom).toBe('<7777@mms.example.net>')
  expect(mail.rcptTo).toEqual(['<bob@xn--bcher-kva.example>'])
})

test('MAP-039, AMB-26, RPT-050: a next hop without SMTPUTF8 gets no such address; the sender is told, a blind one does not harm others', async () => {
  const { gateway, sink, vaspSide } = await gateways()
  expect(await postAs(gateway, submitReq([jörg], [], true))).toBe(1000)
  const report = await eventually(() =>
    vaspSide.received.find((r) => r.message.operation === 'DeliveryReportReq'),
  )
  expect(report.body.toString()).toMatch(/<MMStatus>Rejected</)
  expect(report.body.toString()).toContain(jörgOnTheWire)
  expect(sink.taken).toEqual([])
  expect(await postAs(gateway, submitReq(['bob@example.org'], [jörg], true))).toBe(1000)
  const mail = await eventually(() => sink.taken[0])
  expect(mail.rcptTo.map((r) => r.split(' ')[0])).toEqual(['<bob@example.org>'])
  expect(mail.data).not.toMatch(/[^\x00-\x7f]/)
  await eventually(() => vaspSide.received.length === 2)
  // Shown, it would have to stand in the header of all: nothing can be sent to any of them.
  expect(await postAs(gateway, submitReq(['carol@example.org', jörg]))).toBe(1000)
  await eventually(async () =>
    (await gateway.engine.spool.list({})).every((q) =>
      q.deliveries.every((d) => d.recipients.every((r) => r.state === 'failed' || r.state === 'relayed')),
    ),
  )
  expect(sink.taken).toHaveLength(1)
})

test('MAP-129, MAP-124, ADR-031, MAP-140: a mail under SMTPUTF8 becomes a SubmitReq in UTF-8', async () => {
  const { gateway, mmsc } = await gateways()
  const smtp = await smtpClient(gateway.addresses.smtp!)
  const mail = octets(
    [
      `From: Jörg Übel <${jörg}>`,
      `To: ${handset}, Zoë <zoë@example.net>`,
      'Subject: Grüße aus Köln',
      'Message-ID: <1@client.example.org>',
      'Content-Type: text/plain; charset=utf-8',
      'Content-Transfer-Encoding: 8bit',
      '',
      'schön',
    ].join('\r\n'),
  )
  expect(await smtp.send(jörg, [handset], mail, ' SMTPUTF8 BODY=8BITMIME')).toMatch(/^250/)
  const { message, body } = await eventually(() => mmsc.received[0])
  expect(message.operation).toBe('SubmitReq')
  const text = body.toString('utf8')
  expect(text).toContain(`<SenderAddress><RFC2822Address>${jörgOnTheWire}</RFC2822Address></SenderAddress>`)
  expect(text).toContain('<RFC2822Address displayOnly="true">zoë@example.net</RFC2822Address>')
  expect(text).toContain('<Subject>Grüße aus Köln</Subject>')
  expect(text).toContain('schön')
})

test('MAP-159, MAP-003: names, descriptions and enclosed messages in raw UTF-8 are read whole (RFC 6532 §3.7)', async () => {
  const { gateway, mmsc } = await gateways()
  const smtp = await smtpClient(gateway.addresses.smtp!)
  const enclosed = octets(`From: Bär <bär@bücher.example>\r\nSubject: Früher\r\n\r\nältere Zeilen\r\n`)
  const mail = octets(
    [
      'From: a@example.org',
      `To: ${handset}`,
      'MIME-Version: 1.0',
      'Content-Type: multipart/mixed; boundary=b',
      '',
      '--b',
      'Content-Type: image/png; name="Blüte.png"',
      'Content-Description: größte Blüte',
      'Content-Disposition: attachment; filename="Blüte.png"',
      'Content-Transfer-Encoding: base64',
      '',
      'iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAEUlEQVR42mP4/9AUK2IYWhIAQ1SFQeOKoc8AAAAASUVORK5CYII=',
      '--b',
      'Content-Type: message/global',
      'Content-Transfer-Encoding: base64',
      '',
      enclosed.toString('base64'),
      '--b--',
      '',
    ].join('\r\n'),
  )
  expect(await smtp.send('a@example.org', [handset], mail, ' SMTPUTF8')).toMatch(/^250/)
  const { body } = await eventually(() => mmsc.received[0])
  const text = body.toString('utf8')
  expect(text).toContain("filename*=utf-8''Bl%C3%BCte.png")
  expect(text).toContain('Content-Description: =?utf-8?Q?gr=C3=B6=C3=9Fte_Bl=C3=BCte?=')
  expect(text).toContain('From: Bär <bär@bücher.example>\r\nSubject: Früher\r\n\r\nältere Zeilen')
})

test('MAP-056, MAP-039, ADR-033: switched off, such addresses are refused on every side', async () => {
  const { gateway, sink } = await gateways({ smtputf8: false }, withUtf8)
  expect(await postAs(gateway, submitReq([jörg, 'bob@example.org']))).toBe(2002)
  const smtp = await smtpClient(gateway.addresses.smtp!)
  expect(await smtp.command('EHLO c.example.org')).not.toContain('SMTPUTF8')
  expect(await smtp.command('MAIL FROM:<a@example.org> SMTPUTF8')).toMatch(/^555/)
  expect(await smtp.command('MAIL FROM:<a@example.org>')).toMatch(/^250/)
  expect(await smtp.command('RCPT TO:<zoë@example.net>')).toMatch(/^553 5\.6\.7/)
  expect(sink.taken).toEqual([])
})

test('S8-02, S8-03, DN-13: what is not ASCII needs SMTPUTF8 at MAIL; ORCPT of the type utf-8 may be raw then', async () => {
  const { gateway } = await gateways()
  const smtp = await smtpClient(gateway.addresses.smtp!)
  const said = async (line: string): Promise<string> => (await smtp.command(line)).slice(0, 9)
  expect(await said('MAIL FROM:<a@example.org> SMTPUTF8=x')).toBe('501 5.5.4')
  expect(await said(`MAIL FROM:<${jörg}>`)).toBe('550 5.6.7')
  expect(await said('MAIL FROM:<a@example.org>')).toBe('250 2.1.0')
  expect(await said('RCPT TO:<zoë@example.net>')).toBe('553 5.6.7')
  expect(await said(`RCPT TO:<${handset}> ORCPT=utf-8;zoë@example.net`)).toBe('501 5.5.4')
  expect(await said(`RCPT TO:<${handset}> ORCPT=utf-8;zo\\x{EB}@example.net`)).toBe('250 2.1.5')
  expect(await said('RSET')).toBe('250 2.0.0')
  expect(await said('MAIL FROM:<a@example.org> SMTPUTF8')).toBe('250 2.1.0')
  for (const bad of ['zo ë@x.example', 'zo=ë@x.example', 'zo+ë@x.example', 'zo\\ë@x.example'])
    expect(await said(`RCPT TO:<zoë@example.net> ORCPT=utf-8;${bad}`), bad).toBe('501 5.5.4')
  expect(await said('RCPT TO:<zoë@example.net> ORCPT=utf-8;zoë@example.net')).toBe('250 2.1.5')
})

test('ADR-033: switched on, a number is ASCII all the same', async () => {
  const { gateway } = await gateways()
  const smtp = await smtpClient(gateway.addresses.smtp!)
  expect(await smtp.command('MAIL FROM:<a@example.org> SMTPUTF8')).toMatch(/^250/)
  for (const wide of ['+１２０２５５５０１２３', '１２０２５５５０１２３', '+1202555012３'])
    expect(await smtp.command(`RCPT TO:<${wide}@mms.example.net>`)).toMatch(/^55[03] 5\./)
  expect(await smtp.command(`RCPT TO:<${handset}>`)).toMatch(/^250/)
})

test('QUE-061, QUE-043: into a mailbox with such a name, header and Return-Path in UTF-8; with UTF8SMTP (RFC 6531 §4.3)', async () => {
  const { gateway } = await gateways()
  const smtp = await smtpClient(gateway.addresses.smtp!)
  const mail = octets(`From: ${jörg}\r\nTo: zoë@example.net\r\nSubject: x\r\n\r\nHi\r\n`)
  const orcpt = ' ORCPT=utf-8;zo\\x{EB}@example.net'
  expect(await smtp.command(`MAIL FROM:<${jörg}> SMTPUTF8`)).toMatch(/^250/)
  expect(await smtp.command(`RCPT TO:<zoë@example.net>${orcpt}`)).toMatch(/^250/)
  await smtp.command('DATA')
  smtp.write(mail)
  expect(await smtp.command('.')).toMatch(/^250/)
  const [stored] = await eventually(async () => {
    const list = await inbox(gateway, 'zoë@example.net')
    return list.length > 0 && list
  })
  const text = stored!.toString('utf8')
  expect(text).toContain(`Return-Path: <${jörg}>\r\n`)
  expect(text).toContain('Original-Recipient: utf-8;zoë@example.net\r\n')
  expect(text).toMatch(/^Received: from client\.example\.org .*by \S+ with\s+UTF8SMTP id /m)
  expect(text).toContain(`From: ${jörg}\r\nTo: zoë@example.net\r\n`)
  // From MMS as well: the store takes what a next hop with SMTPUTF8 would.
  expect(await postAs(gateway, submitReq(['zoë@example.net']))).toBe(1000)
  const [, second] = await eventually(async () => {
    const list = await inbox(gateway, 'zoë@example.net')
    return list.length > 1 && list
  })
  expect(second!.toString('utf8')).toContain('\r\nTo: zoë@example.net\r\n')
})

const relayed = (to: string, from = 'partner@example.org', more = ''): Buffer =>
  octets(`From: ${from}\r\nTo: ${to}\r\nSubject: x\r\n${more}\r\nHi\r\n`)

test('S8-04: mail that stays mail goes on under SMTPUTF8 only where it must, and not to a hop without it', async () => {
  const able = await gateways({}, withUtf8)
  const smtp = await smtpClient(able.gateway.addresses.smtp!, '127.0.0.2')
  // Said to need it, and does not: not asked of the next hop.
  await smtp.send('partner@example.org', ['bob@example.com'], relayed('bob@example.com'), ' SMTPUTF8')
  expect((await eventually(() => able.sink.taken[0])).mailFrom).toBe('<partner@example.org>')
  // A header alone, and that of a part.
  await smtp.send(
    'partner@example.org',
    ['bob@example.com'],
    relayed('bob@example.com, ö@x.example'),
    ' SMTPUTF8',
  )
  expect((await eventually(() => able.sink.taken[1])).mailFrom).toBe('<partner@example.org> SMTPUTF8')
  const part = relayed('bob@example.com')
    .toString()
    .replace(
      'Subject: x\r\n',
      'Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n',
    )
    .replace('Hi', '--b\r\nContent-Description: größer\r\n\r\nHi\r\n--b--')
  await smtp.send('partner@example.org', ['bob@example.com'], octets(part), ' SMTPUTF8')
  expect((await eventually(() => able.sink.taken[2])).mailFrom).toBe('<partner@example.org> SMTPUTF8')
  await smtp.send(jörg, ['ö@bücher.example'], relayed('ö@bücher.example', jörg), ' SMTPUTF8')
  const fourth = await eventually(() => able.sink.taken[3])
  expect(Buffer.from(fourth.mailFrom, 'latin1').toString()).toBe(`<${jörgOnTheWire}> SMTPUTF8`)
  expect(Buffer.from(fourth.rcptTo[0]!, 'latin1').toString()).toBe('<ö@xn--bcher-kva.example>')
})

test('S8-04, RPT-026: 5.6.9 for a header, 5.6.7 for an address, told with an address in the form of RFC 6533', async () => {
  const { gateway, sink } = await gateways()
  const smtp = await smtpClient(gateway.addresses.smtp!, '127.0.0.2')
  const dsns = async (count: number) =>
    eventually(async () => {
      const list = await inbox(gateway)
      return list.length >= count && list.map((m) => m.toString('utf8'))
    })
  await smtp.send(
    'alice@example.net',
    ['bob@example.com'],
    relayed('bob@example.com, ö@x.example', 'alice@example.net'),
    ' SMTPUTF8',
  )
  const [header] = await dsns(1)
  expect(header).toMatch(
    /^Final-Recipient: rfc822; bob@example\.com\r\nAction: failed\r\nStatus: 5\.6\.9\r$/m,
  )
  // The original has UTF-8 in its header, and comes back whole in a form that passes everywhere.
  expect(header).toMatch(/^Content-Type: message\/global\r\nContent-Transfer-Encoding: base64\r$/m)
  const back = /message\/global\r\nContent-Transfer-Encoding: base64\r\n\r\n([A-Za-z0-9+/=\r\n]+)/.exec(
    header!,
  )![1]!
  expect(Buffer.from(back, 'base64').toString('utf8')).toContain('To: bob@example.com, ö@x.example\r\n')
  await smtp.send(
    'alice@example.net',
    ['ö+x=y@example.com', 'bob@example.com'],
    relayed('bob@example.com', 'alice@example.net'),
    ' SMTPUTF8',
  )
  const list = await dsns(2)
  expect(list[1]).toMatch(
    /^Final-Recipient: utf-8; \\x\{F6\}\\x\{2B\}x\\x\{3D\}y@example\.com\r\nAction: failed\r\nStatus: 5\.6\.7\r$/m,
  )
  expect((await eventually(() => sink.taken[0])).rcptTo).toEqual(['<bob@example.com>'])
  expect(sink.taken).toHaveLength(1)
})

test('RPT-021: a DSN to a reverse-path that is not ASCII goes under SMTPUTF8 itself', async () => {
  const { gateway, mmsc, sink } = await gateways({}, withUtf8)
  mmsc.status = 2002
  const smtp = await smtpClient(gateway.addresses.smtp!)
  await smtp.send(jörg, [handset], relayed(handset, jörg), ' SMTPUTF8')
  const dsn = await eventually(() => sink.taken[0])
  expect(dsn.mailFrom).toBe('<> SMTPUTF8')
  expect(Buffer.from(dsn.rcptTo[0]!, 'latin1').toString()).toBe(`<${jörgOnTheWire}> NOTIFY=NEVER`)
  const whole = Buffer.from(dsn.data, 'latin1')
  const to = fieldValue(whole, scanMessage(whole), 'To')!
  expect(Buffer.from(to, 'latin1').toString()).toBe(jörg)
  expect(dsn.data).toMatch(/^Content-Type: message\/global\r$/m)
})

test('RPT-004, RPT-037: a DSN of another system names the recipient as `utf-8`, and the VASP hears of it', async () => {
  const { gateway, sink, vaspSide } = await gateways({}, withUtf8)
  expect(await postAs(gateway, submitReq([jörg], [], true))).toBe(1000)
  const sent = await eventually(() => sink.taken[0])
  const envid = /ENVID=(\S+)/.exec(sent.mailFrom)![1]!
  const smtp = await smtpClient(gateway.addresses.smtp!)
  const dsn = octets(
    [
      'From: MAILER-DAEMON@mx.example',
      'To: 7777@mms.example.net',
      'Subject: failed',
      'MIME-Version: 1.0',
      'Content-Type: multipart/report; report-type=delivery-status; boundary=r',
      '',
      '--r',
      'Content-Type: text/plain; charset=utf-8',
      '',
      'nobody ☹',
      '--r',
      'Content-Type: message/global-delivery-status',
      'Content-Transfer-Encoding: 8bit',
      '',
      'Reporting-MTA: dns; mx.example',
      `Original-Envelope-Id: ${envid}`,
      '',
      `Original-Recipient: utf-8; ${jörg}`,
      `Final-Recipient: utf-8; 宛先@bücher.example`,
      'Action: failed',
      'Status: 5.1.1',
      '',
      '--r--',
    ].join('\r\n'),
  )
  expect(await smtp.send('', ['7777@mms.example.net'], dsn, ' SMTPUTF8 BODY=8BITMIME')).toMatch(/^250/)
  const report = await eventually(() => vaspSide.received[0])
  expect(report.body.toString()).toContain(`<RFC2822Address>${jörgOnTheWire}</RFC2822Address>`)
  expect(report.body.toString()).toContain('<MMStatus>Rejected</MMStatus>')
})

test('MAP-205, MAP-213, AMB-26: MM4 to a peer that offers SMTPUTF8; to another it fails with 5.6.7', async () => {
  for (const offers of [withUtf8, ['8BITMIME']]) {
    const mm4 = await mailSink(undefined, offers)
    const opb = {
      interface: 'mm4',
      role: 'rs',
      ip: '127.0.0.4',
      host: '127.0.0.1',
      port: mm4.port,
      ackRequest: false,
    }
    const { gateway, sink } = await gateways({ peers: { opb } }, withUtf8)
    const smtp = await smtpClient(gateway.addresses.smtp!)
    const to = '+447700900123@mms.example.net'
    await smtp.send(
      jörg,
      [to],
      relayed(to, jörg, 'Reply-To: =?utf-8?Q?J=C3=B6rg?= <j@example.org>\r\n'),
      ' SMTPUTF8',
    )
    if (offers === withUtf8) {
      const mail = await eventually(() => mm4.taken[0])
      expect(Buffer.from(mail.mailFrom, 'latin1').toString()).toBe(
        `<${jörgOnTheWire}> BODY=8BITMIME SMTPUTF8`,
      )
      expect(utf8(mail)).toContain(`\r\nFrom: ${jörgOnTheWire}\r\n`)
      expect(utf8(mail)).toContain('\r\nReply-To: =?utf-8?Q?J=C3=B6rg?= <j@example.org>\r\n')
    } else {
      const dsn = await eventually(() => sink.taken[0])
      expect(dsn.data).toMatch(/^Status: 5\.6\.7\r$/m)
      expect(mm4.taken).toEqual([])
    }
  }
})

test('SEC-011, SEC-010: characters that no local part may hold are refused, never cleaned', async () => {
  const { gateway, sink } = await gateways({}, withUtf8)
  const smtp = await smtpClient(gateway.addresses.smtp!)
  expect(await smtp.command('MAIL FROM:<a@example.org> SMTPUTF8')).toMatch(/^250/)
  for (const bad of [
    'a\u0085b',
    'a\u00a0b',
    'a\u2028b',
    'a\u202eb',
    'a\ufeffb',
    'a\u3000b',
    'ö'.repeat(33),
  ]) {
    expect(await smtp.command(`RCPT TO:<${bad}@example.net>`), JSON.stringify(bad)).toMatch(/^553 5\.1\.3/)
    expect(await postAs(gateway, submitReq([`${bad}@example.org`]))).toBe(2002)
  }
  smtp.write(Buffer.from('RCPT TO:<j\xf6rg@example.net>\r\n', 'latin1'))
  expect(await smtp.reply()).toMatch(/^553 5\.1\.3/)
  expect(sink.taken).toEqual([])
})
