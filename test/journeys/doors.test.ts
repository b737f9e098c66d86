/** What the doors take, refuse and show, over real sockets (mapping.md 2.3, 3.3, 6.4, 6.5, 7). */
import { request } from 'undici'
import { expect, test } from 'vitest'
import { element, schemaNamespace, writeMm7 } from '../../src/wire/mm7/write.ts'
import { gatewayHere } from '../support/gateway.ts'
import { eventually, fakeMmsc, inbox, mailSink, post, smtpClient } from '../support/peers.ts'

const handset = '+12025550123@mms.example.net'

const withVasp = async (more: Record<string, unknown> = {}) => {
  const sink = await mailSink()
  const gateway = await gatewayHere({
    peers: {
      vasp: {
        interface: 'mm7',
        role: 'vasp',
        ip: '127.0.0.1',
        host: 'vasp.example.com',
        vaspIds: ['internal-vasp-7'],
        senders: ['info@acme.example', '7777'],
        mailOut: true,
      },
      relay: { interface: 'smtp', host: '127.0.0.1', port: sink.port },
    },
    routes: [{ match: 'domain:*', to: 'smtp:relay' }],
    ...more,
  })
  return { gateway, sink }
}

interface Submit {
  readonly sender?: string
  readonly to?: readonly string[]
  readonly subject?: string
}
let transactions = 0
const submitReq = ({ sender = 'info@acme.example', to = ['bob@example.org'], subject }: Submit) =>
  writeMm7({
    transactionId: `S-${transactions++}`,
    namespace: schemaNamespace('REL-6-MM7-1-4'),
    body: element('SubmitReq', [
      element('MM7Version', '6.8.0'),
      element('SenderIdentification', [
        element('VASPID', 'internal-vasp-7'),
        element('VASID', 'internal-service-9'),
        element('SenderAddress', [element(sender.includes('@') ? 'RFC2822Address' : 'ShortCode', sender)]),
      ]),
      element('Recipients', [
        element(
          'To',
          to.map((address) => element('RFC2822Address', address)),
        ),
      ]),
      ...(subject === undefined ? [] : [element('Subject', subject)]),
    ]),
  })

async function raw(url: string, content: ReturnType<typeof submitReq>) {
  const response = await request(url, {
    method: 'POST',
    headers: { 'content-type': content.contentType },
    body: Buffer.concat(content.body),
  })
  return { type: response.headers['content-type'], text: await response.body.text() }
}

test('MM7-027, MM7-073, MM7-076: a SubmitReq of a Subject alone is taken, of nothing refused without a MessageID', async () => {
  const { gateway, sink } = await withVasp()
  const taken = await raw(gateway.addresses.mm7!, submitReq({ subject: 'Only this' }))
  expect(taken.type).toBe('text/xml; charset="utf-8"')
  expect(taken.text).toMatch(/<StatusCode>1000<.*<MessageID>[^<]+</s)
  await eventually(() => sink.taken.length === 1)
  expect(sink.taken[0]!.data).toMatch(/^Subject: Only this\r$/m)
  const empty = await raw(gateway.addresses.mm7!, submitReq({}))
  expect(empty.type).toBe('text/xml; charset="utf-8"')
  expect(empty.text).toContain('<StatusCode>2007<')
  expect(empty.text).not.toContain('MessageID')
})

test('MM7-074: more recipients than the limit are 2002, and nobody gets it', async () => {
  const { gateway, sink } = await withVasp({ limits: { recipients: 3 } })
  const to = (count: number) => Array.from({ length: count }, (_, i) => `r${i}@example.org`)
  expect((await post(gateway.addresses.mm7!, submitReq({ subject: 'x', to: to(3) }))).status).toBe(1000)
  expect(await post(gateway.addresses.mm7!, submitReq({ subject: 'x', to: to(4) }))).toMatchObject({
    status: 2002,
    details: 'too many recipients',
  })
  await eventually(() => sink.taken.length === 1)
  expect(sink.taken[0]!.rcptTo).toHaveLength(3)
})

test('SEC-030: a sender that is not registered for the VASP is refused', async () => {
  const { gateway } = await withVasp()
  for (const sender of ['boss@acme.example', '8888'])
    expect([2001, 4007]).toContain(
      (await post(gateway.addresses.mm7!, submitReq({ subject: 'x', sender }))).status,
    )
  expect(await gateway.engine.spool.list({})).toEqual([])
  expect((await post(gateway.addresses.mm7!, submitReq({ subject: 'x', sender: '7777' }))).status).toBe(1000)
})

test('SEC-041, QUE-043: mail that leaves tells no internal name, no address of the peer without trace.showIp; with MMS', async () => {
  const { gateway, sink } = await withVasp({ trace: { showIp: false } })
  await post(gateway.addresses.mm7!, submitReq({ subject: 'x' }))
  await eventually(() => sink.taken.length === 1)
  const { data } = sink.taken[0]!
  expect(data).toMatch(/^Received: from vasp\.example\.com by [^;]* with MMS id\s/m)
  expect(data).not.toMatch(/127\.0\.0\.1|internal-vasp-7|internal-service-9/)
})

test('MM7-051: 1100 fails the recipients that Details names, the others are taken; without names all are', async () => {
  const mmsc = await fakeMmsc()
  const gateway = await gatewayHere({
    peers: {
      mmsc: { interface: 'mm7', role: 'rs', ip: '127.0.0.1', host: 'mmsc.example.com', url: mmsc.url },
    },
  })
  const second = '+12025550124@mms.example.net'
  const smtp = await smtpClient(gateway.addresses.smtp!)
  const mail = `From: alice@example.net\r\nTo: ${handset}, ${second}\r\nSubject: two\r\n\r\nHi`
  mmsc.status = 1100
  mmsc.details = 'unknown: +12025550124'
  expect(await smtp.send('alice@example.net', [handset, second], mail)).toMatch(/^250/)
  const dsn = await eventually(async () => (await inbox(gateway))[0]?.toString('utf8'))
  expect(dsn).toMatch(/^Final-Recipient: rfc822; ?\+12025550124@mms\.example\.net\r\n.*^Action: failed/ms)
  expect(dsn).not.toMatch(/^Final-Recipient: rfc822; ?\+12025550123/m)
  expect(mmsc.received).toHaveLength(1)

  mmsc.details = 'some of them'
  expect(await smtp.send('alice@example.net', [handset, second], mail)).toMatch(/^250/)
  await eventually(() => mmsc.received.length === 2)
  await eventually(async () => (await gateway.engine.spool.list({})).length === 0)
  expect(mmsc.received).toHaveLength(2)
  expect(await inbox(gateway)).toHaveLength(1)
})

test('QUE-030, QUE-031: the keywords of port 25, each honoured; ETRN, TURN and ATRN are not there', async () => {
  const gateway = await gatewayHere()
  const smtp = await smtpClient(gateway.addresses.smtp!)
  const ehlo = await smtp.command('EHLO client.example.org')
  const keywords = ehlo
    .split('\r\n')
    .slice(1)
    .map((line) => line.slice(4).split(' ')[0])
  for (const keyword of [
    'PIPELINING',
    'SIZE',
    '8BITMIME',
    'STARTTLS',
    'ENHANCEDSTATUSCODES',
    'DSN',
    'DELIVERBY',
  ])
    expect(keywords).toContain(keyword)
  for (const keyword of ['SMTPUTF8', 'AUTH', 'ETRN', 'BURL', 'FUTURERELEASE'])
    expect(keywords).not.toContain(keyword)
  for (const verb of ['ETRN example.org', 'TURN', 'ATRN example.org'])
    expect(await smtp.command(verb)).toMatch(/^50[02] 5\.5\.1 /)
})

test('ADR-028: postmaster of each served domain, and without a domain, is the mailbox of the operator', async () => {
  const gateway = await gatewayHere({
    gateway: { servedDomains: ['mms.example.net', 'example.net'], postmaster: 'bob@example.net' },
  })
  const smtp = await smtpClient(gateway.addresses.smtp!)
  const to = ['postmaster', 'PostMaster@mms.example.net', 'postmaster@example.net']
  for (const [n, address] of to.entries())
    expect(
      await smtp.send('x@example.org', [address], `From: x@example.org\r\nSubject: n${n}\r\n\r\nHi`),
    ).toMatch(/^250/)
  expect(await smtp.send('x@example.org', ['postmaster@example.org'], 'Subject: no\r\n\r\nHi')).toMatch(
    /^550 5\.7\.1 /,
  )
  const mails = await eventually(async () => {
    const found = await inbox(gateway, 'bob@example.net')
    return found.length >= 3 && found
  })
  expect(mails).toHaveLength(3)
})

test('ADR-047, SEC-060: no header field opens the relay; the peer and the route decide', async () => {
  const { gateway, sink } = await withVasp()
  const smtp = await smtpClient(gateway.addresses.smtp!, '127.0.0.9')
  const forged =
    'From: info@acme.example\r\nTo: bob@example.org\r\nX-Mms-Message-Type: MM4_forward.REQ\r\nX-Mms-3GPP-MMS-Version: 6.3.0\r\nSender: postmaster@mms.example.net\r\n\r\nHi'
  for (const from of ['info@acme.example', 'postmaster@mms.example.net', handset])
    expect(await smtp.send(from, ['bob@example.org'], forged)).toMatch(/^550 5\.7\.1 /)
  for (const trick of ['bob%example.org@mms.example.net', 'example.org!bob@mms.example.net'])
    expect(await smtp.send('x@example.org', [trick], forged)).toMatch(/^550 5\.(1\.\d|7\.1) /)
  expect(sink.taken).toEqual([])
})

test('SEC-037: addresses without a way get one answer, whatever they look like', async () => {
  const gateway = await gatewayHere()
  const smtp = await smtpClient(gateway.addresses.smtp!)
  const answers = new Set<string>()
  for (const address of ['nobody@example.net', 'alicf@example.net', 'admin@example.net']) {
    const reply = await smtp.send('x@example.org', [address], 'Subject: x\r\n\r\nHi')
    expect(reply).toMatch(/^550 5\.1\.1 /)
    answers.add(reply.replaceAll(address, 'ADDRESS'))
  }
  expect(answers.size).toBe(1)
})

test('QUE-061, QUE-043: what is stored has Return-Path and Original-Recipient on top and one Received more', async () => {
  const gateway = await gatewayHere()
  const smtp = await smtpClient(gateway.addresses.smtp!)
  expect(await smtp.command('MAIL FROM:<x@example.org>')).toMatch(/^250/)
  expect(await smtp.command('RCPT TO:<alice@example.net> ORCPT=rfc822;a+2Bb@example.com')).toMatch(/^250/)
  expect(await smtp.command('DATA')).toMatch(/^354/)
  smtp.write(
    'Received: from a by b; Tue, 5 Mar 2024 10:00:00 +0000\r\nFrom: x@example.org\r\nSubject: s\r\n\r\nHi\r\n.\r\n',
  )
  expect(await smtp.reply()).toMatch(/^250/)
  const mail = (await eventually(async () => (await inbox(gateway))[0])).toString('latin1')
  const names = mail
    .slice(0, mail.indexOf('\r\n\r\n'))
    .split(/\r\n(?![ \t])/)
    .map((l) => l.slice(0, l.indexOf(':')))
  expect(names.slice(0, 2).sort()).toEqual(['Original-Recipient', 'Return-Path'])
  expect(names.filter((n) => n === 'Received')).toHaveLength(2)
  expect(mail).toMatch(/^Return-Path: <x@example\.org>\r$/m)
  expect(mail).toMatch(/^Original-Recipient: rfc822; ?a\+b@example\.com\r$/m)
  expect(mail).toMatch(/^Received: [^;]* with\s+ESMTP id /m)
})

test('QUE-041: a message that came through here five times is taken, one more is a loop', async () => {
  const gateway = await gatewayHere()
  const smtp = await smtpClient(gateway.addresses.smtp!)
  const times = (count: number, host: string) =>
    `${`Received: from a.example (a.example [192.0.2.1])\r\n by ${host} with ESMTP id x; Tue, 5 Mar 2024 10:00:00 +0000\r\n`.repeat(count)}From: x@example.org\r\nSubject: round\r\n\r\nHi`
  const own = 'LocalHost.localdomain'
  expect(await smtp.send('x@example.org', ['alice@example.net'], times(5, own))).toMatch(/^250/)
  expect(await smtp.send('x@example.org', ['alice@example.net'], times(6, own))).toMatch(/^554 5\.4\.6 /)
  expect(await smtp.send('x@example.org', ['alice@example.net'], times(6, 'b.example'))).toMatch(/^250/)
})

test('MAP-008: a message from either side that fails later is reported to where it came from', async () => {
  const gateway = await gatewayHere({
    peers: {
      mmsc: {
        interface: 'mm7',
        role: 'rs',
        ip: '127.0.0.1',
        host: 'mmsc.example.com',
        url: 'http://127.0.0.1:9/mm7',
      },
    },
  })
  const smtp = await smtpClient(gateway.addresses.smtp!)
  const mail = `From: alice@example.net\r\nTo: ${handset}\r\nSubject: late\r\n\r\nHi`
  expect(await smtp.send('alice@example.net', [handset], mail)).toMatch(/^250/)
  const [entry] = await gateway.engine.spool.list({})
  // Not while it is being tried.
  await eventually(
    async () => (await gateway.operations.bounce(entry!.entry.queueId, 'gave up').catch(() => 0)) > 0,
  )
  const dsn = await eventually(async () => (await inbox(gateway))[0]?.toString('utf8'))
  expect(dsn).toMatch(/^Action: failed\r$/m)
  expect(dsn).toContain('late')
})
