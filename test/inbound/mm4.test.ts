/** MM4 between operators: real sockets, the whole gateway, a peer that answers late, wrongly, twice or never. */
import { expect, test } from 'vitest'
import { folder, gatewayHere } from '../support/gateway.ts'
import { eventually, inbox, mailSink, smtpClient, type TakenMail } from '../support/peers.ts'

const header = (mail: TakenMail, name: string): string | undefined =>
  new RegExp(`^${name}: (.*(?:\r\n[ \t].*)*)`, 'im').exec(mail.data)?.[1]?.replace(/\r\n/g, '')
const type = (mail: TakenMail): string | undefined => header(mail, 'X-Mms-Message-Type')
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** A gateway whose only MM4 peer is on this machine: what we send to it ends in a sink. */
async function between(
  over: Record<string, unknown> = {},
  now?: () => number,
  before?: (mail: TakenMail) => Promise<void>,
) {
  const sink = await mailSink(before)
  const { peer, ...rest } = over as { peer?: Record<string, unknown> }
  const config = {
    gateway: {
      host: 'gw.mms.example.net',
      mmsDomain: 'mms.example.net',
      servedDomains: ['mms.example.net', 'example.net'],
      postmaster: 'postmaster@mms.example.net',
      mm4System: 'system-user@mms.example.net',
      mm4Version: '6.3.0',
    },
    numbering: {
      countryCode: '1',
      trunkPrefix: '',
      nationalLength: 10,
      internationalPrefixes: ['011', '00'],
      shortCode: { min: 3, max: 6 },
    },
    peers: {
      opb: { interface: 'mm4', role: 'rs', ip: '127.0.0.2', host: '127.0.0.1', port: sink.port, ...peer },
    },
    routes: [
      { match: 'number:+44', to: 'mm4:opb' },
      { match: 'domain:mms.example.net', to: 'by-number' },
      { match: 'domain:example.net', to: 'store' },
    ],
    ...rest,
  }
  const gateway = await gatewayHere(config, now ? { now } : {})
  const client = await smtpClient(gateway.addresses.smtp!, '127.0.0.2')
  return { gateway, sink, client, config }
}

const forwardReq = (extra: readonly string[] = [], ids = ['"T-1"', '"B-1"']): string =>
  [
    'X-Mms-3GPP-MMS-Version: 6.3.0',
    'X-Mms-Message-Type: MM4_forward.REQ',
    `X-Mms-Transaction-ID: ${ids[0]}`,
    `X-Mms-Message-ID: ${ids[1]}`,
    'X-Mms-Ack-Request: Yes',
    'X-Mms-Originator-System: system-user@op-b.example',
    'Date: Tue, 5 Mar 2024 10:14:30 +0000',
    'From: +447700900123/TYPE=PLMN',
    'To: alice@example.net',
    'Subject: Hello',
    'Message-ID: <1@op-b.example>',
    ...extra,
    'Content-Type: text/plain',
    '',
    'hi there',
  ].join('\r\n')
const fromPeer = '+447700900123/TYPE=PLMN@127.0.0.1'

test('MAP-200 to MAP-202, MAP-205, QUE-001: a forward.REQ reaches the mailbox, and is answered once', async () => {
  const { gateway, sink, client } = await between()
  expect(await client.send(fromPeer, ['alice@example.net'], forwardReq())).toMatch(/^250/)
  const [mail] = await eventually(async () => {
    const list = await inbox(gateway)
    return list.length > 0 && list
  })
  const text = mail!.toString('latin1')
  expect(text).toContain('From: +447700900123@mms.example.net\r\n')
  expect(text).toMatch(/^Received: from 127\.0\.0\.1 .*with MMS id/m)
  expect(text).toContain('X-Mms-Message-ID: "B-1"\r\n')
  expect(text).not.toMatch(/^X-Mms-(3GPP|Message-Type|Transaction|Ack|Originator)/im)

  const res = await eventually(() => sink.taken[0])
  expect(res.mailFrom).toContain('<system-user@mms.example.net>')
  expect(res.rcptTo).toEqual(['<system-user@op-b.example>'])
  expect(type(res)).toBe('MM4_forward.RES')
  expect(header(res, 'X-Mms-Transaction-ID')).toBe('"T-1"')
  expect(header(res, 'X-Mms-Message-ID')).toBe('"B-1"')
  expect(header(res, 'X-Mms-Request-Status-Code')).toBe('Ok')
  expect(header(res, 'Message-ID')).toMatch(/^<.+@gw\.mms\.example\.net>$/)

  // MAP-202, MAP-210: the same request again is done once; an echo gets no second answer.
  expect(
    await client.send(fromPeer, ['alice@example.net'], forwardReq(['Received: by a.new.hop; x'])),
  ).toMatch(/^250/)
  await pause(300)
  expect(await inbox(gateway)).toHaveLength(1)
  expect(sink.taken).toHaveLength(1)
  // Another message under the same transaction id is another message.
  expect(await client.send(fromPeer, ['alice@example.net'], forwardReq([], ['"T-1"', '"B-2"']))).toMatch(
    /^250/,
  )
  await eventually(async () => (await inbox(gateway)).length === 2)
})

test('MAP-202: a request repeated after its answer went lost is answered again, and done once', async () => {
  let now = Date.now()
  const { gateway, sink, client } = await between({}, () => now)
  await client.send(fromPeer, ['alice@example.net'], forwardReq())
  await eventually(() => sink.taken.length === 1)
  now += 600_000
  await client.send(fromPeer, ['alice@example.net'], forwardReq())
  await eventually(() => sink.taken.length === 2)
  expect(header(sink.taken[1]!, 'X-Mms-Request-Status-Code')).toBe('Ok')
  expect(await inbox(gateway)).toHaveLength(1)
})

let refusing: ReturnType<typeof between> | undefined
test.each<[string, string, readonly string[], string]>([
  ['MAP-074: hidden', 'Error-service-denied', ['X-Mms-Sender-Visibility: Hide'], 'alice@example.net'],
  ['MAP-071: reply charging', 'Error-service-denied', ['X-Mms-Reply-Charging-ID: "1"'], 'alice@example.net'],
  ['MAP-211: expiry', 'Error-message-format-corrupt', ['X-Mms-Expiry: soon'], 'alice@example.net'],
  ['SEC-060: no relaying', 'Error-sending-address-unresolved', [], 'someone@elsewhere.example'],
  ['ADR-045: back to the peer', 'Error-service-denied', [], '+447700900999/TYPE=PLMN@mms.example.net'],
])('MAP-168, %s is told by %s', async (name, status, extra, to) => {
  refusing ??= between()
  const { gateway, sink, client } = await refusing
  const id = `"${name}"`
  expect(await client.send(fromPeer, [to], forwardReq(extra, [id, id]))).toMatch(/^250/)
  const res = await eventually(() => sink.taken.find((m) => header(m, 'X-Mms-Transaction-ID') === id))
  expect(header(res, 'X-Mms-Request-Status-Code')).toBe(status)
  expect(header(res, 'X-Mms-Status-Text')).toBeTruthy()
  expect(await inbox(gateway)).toEqual([])
  const refused = gateway.logged.filter((l) => l.message === 'an MM was refused')
  expect(refused.some((l) => JSON.stringify(l.fields).includes(name))).toBe(true)
})

test('RPT-050, RPT-051: without an answer to give, or for some recipients, a delivery report tells it', async () => {
  const { gateway, sink, client } = await between()
  const asked = ['X-Mms-Delivery-Report: Yes']
  const to = ['alice@example.net', 'nobody@mms.example.net']
  await client.send(fromPeer, to, forwardReq(asked))
  const unreachable = (id: string) =>
    sink.taken.filter(
      (m) =>
        header(m, 'X-Mms-MM-Status-Code') === 'Unreachable' && header(m, 'X-Mms-Message-ID') === `"${id}"`,
    )
  const report = await eventually(() => unreachable('B-1')[0])
  expect(type(report)).toBe('MM4_delivery_report.REQ')
  expect(header(report, 'From')).toBe('nobody@mms.example.net')
  expect(header(report, 'To')).toBe('+447700900123/TYPE=PLMN')
  expect(report.rcptTo).toEqual(['<+447700900123/TYPE=PLMN@127.0.0.1>'])
  expect(await eventually(async () => (await inbox(gateway)).length === 1)).toBe(true)
  await eventually(() => sink.taken.some((m) => header(m, 'X-Mms-Request-Status-Code') === 'Ok'))

  const silent = forwardReq(asked, ['"T-2"', '"B-3"']).replace('Ack-Request: Yes', 'Ack-Request: No')
  await client.send(fromPeer, ['nobody@mms.example.net'], silent)
  await eventually(() => unreachable('B-3').length === 1)
  // MAP-200: what is malformed is dropped with a record where nobody can be answered.
  const broken = silent
    .replace(/^From:.*\r\n/m, '')
    .replace('T-2', 'T-3')
    .replace('B-3', 'B-4')
  await client.send(fromPeer, ['alice@example.net'], broken)
  await eventually(() => gateway.logged.find((l) => JSON.stringify(l).includes('From is missing')))
  await pause(200)
  const told = sink.taken.map((m) => header(m, 'X-Mms-Message-ID'))
  expect(told).not.toContain('"B-4"')
  expect(sink.taken.filter((m) => type(m)?.endsWith('.RES'))).toHaveLength(1)
})

test('MAP-212, SEC-001: from another address the same fields mean nothing', async () => {
  const { gateway, client } = await between({ peer: { ip: '192.0.2.30' } })
  const forged = forwardReq(['X-Mms-Sender-Visibility: Hide', 'X-Mms-Expiry: soon'])
  expect(await client.send('mallory@example.org', ['alice@example.net'], forged)).toMatch(/^250/)
  await eventually(async () => (await inbox(gateway)).length === 1)
})

const mail = [
  'From: Alice <alice@example.net>',
  'To: +447700900123@mms.example.net',
  'Subject: Lunch?',
  'Message-ID: <a1@example.net>',
  '',
  'hello',
].join('\r\n')

/** An answer to a request that the sink took. */
const res = (req: TakenMail, status: string, extra = ''): string =>
  [
    'X-MMS-3GPP-MMS-Version: 6.3.0',
    'X-Mms-Message-Type: MM4_Forward.res',
    `X-Mms-Transaction-Id: ${header(req, 'X-Mms-Transaction-ID')}`,
    `X-Mms-Message-Id: ${header(req, 'X-Mms-Message-ID')}`,
    `X-Mms-Request-Status-Code: ${status}`,
    'X-Mms-Status-Text: All is good.',
    `From: PostMaster${extra}`,
    '',
    '',
  ].join('\r\n')

async function outgoing(over: Record<string, unknown> = {}) {
  const all = await between(over)
  const sender = await smtpClient(all.gateway.addresses.smtp!)
  const sent = await sender.send('alice@example.net', ['+447700900123@mms.example.net'], mail, ' RET=HDRS')
  expect(sent).toMatch(/^250/)
  return { ...all, req: await eventually(() => all.sink.taken[0]) }
}
type Outgoing = Awaited<ReturnType<typeof outgoing>>

const recipient = async ({ gateway }: Pick<Outgoing, 'gateway'>) => {
  const list = await gateway.engine.spool.list({ open: false })
  return list.flatMap((e) => e.deliveries).find((d) => d.target === 'mm4:opb')?.recipients[0]
}
const settled = (all: Outgoing, state: string) =>
  eventually(async () => {
    const found = await recipient(all)
    return found?.state === state && found
  })

test('MAP-121, MAP-205, MAP-213: a mail leaves as forward.REQ, and waits for its answer', async () => {
  const all = await outgoing()
  const { req, client } = all
  expect(req.mailFrom).toContain('<alice@example.net>')
  expect(req.rcptTo).toEqual(['<+447700900123/TYPE=PLMN@127.0.0.1>'])
  expect(type(req)).toBe('MM4_forward.REQ')
  expect(header(req, 'X-Mms-Ack-Request')).toBe('Yes')
  expect(header(req, 'Received')).toContain('with ESMTP id')
  expect((await settled(all, 'deferred')).status?.text).toContain('an answer is awaited')
  expect(await client.send('', ['system-user@mms.example.net'], res(req, 'ok'))).toMatch(/^250/)
  expect((await settled(all, 'relayed')).status?.text).toContain('All is good.')
  // MAP-202: a second answer changes nothing.
  expect(await client.send('', ['system-user@mms.example.net'], res(req, 'Error-service-denied'))).toMatch(
    /^250/,
  )
  expect((await recipient(all))?.state).toBe('relayed')
  expect(all.sink.taken).toHaveLength(1)
})

test('MAP-202: an answer that is faster than the reply to the data is not lost', async () => {
  const door: { address?: string } = {}
  const all = await between({}, undefined, async (req) => {
    const early = await smtpClient(door.address ?? '', '127.0.0.2')
    expect(await early.send('', ['system-user@mms.example.net'], res(req, 'Ok'))).toMatch(/^250/)
  })
  door.address = all.gateway.addresses.smtp!
  const sender = await smtpClient(door.address)
  await sender.send('alice@example.net', ['+447700900123@mms.example.net'], mail)
  const found = await eventually(async () => {
    const one = await recipient(all)
    return one?.state === 'relayed' && one
  })
  expect(found.status?.text).toContain('All is good.')
  expect(all.sink.taken).toHaveLength(1)
})

test('MAP-203, RPT-054: an answer that refuses becomes a DSN with x-mm4', async () => {
  const all = await outgoing()
  await all.client.send('', ['system-user@mms.example.net'], res(all.req, 'Error-content-not-accepted'))
  expect((await settled(all, 'failed')).status?.code).toBe('5.6.1')
  const [dsn] = await eventually(async () => {
    const list = await inbox(all.gateway)
    return list.length > 0 && list
  })
  expect(dsn!.toString('latin1')).toContain('Diagnostic-Code: x-mm4; Error-content-not-accepted')
})

test('QUE-011: Error-network-problem is tried again later, under the same transaction', async () => {
  const all = await outgoing()
  await all.client.send('', ['system-user@mms.example.net'], res(all.req, 'Error-network-problem'))
  const found = await eventually(async () => {
    const one = await recipient(all)
    return one?.status?.text.includes('refused for now') && one
  })
  expect(found.state).toBe('deferred')
  const [entry] = await all.gateway.engine.spool.list({ open: true })
  await all.gateway.operations.retry(entry!.entry.queueId)
  await eventually(() => all.sink.taken.length === 2)
  expect(header(all.sink.taken[1]!, 'X-Mms-Transaction-ID')).toBe(header(all.req, 'X-Mms-Transaction-ID'))
  await all.client.send('', ['system-user@mms.example.net'], res(all.req, 'Ok'))
  await settled(all, 'relayed')
})

test('MAP-210: no answer: sent again three times, then failed', async () => {
  const all = await outgoing({ mm4: { ackTimeout: 1 } })
  const found = await eventually(async () => {
    const one = await recipient(all)
    return one?.state === 'failed' && one
  }, 15_000)
  expect(found.status?.text).toContain('no MM4 answer after 4 requests')
  const requests = all.sink.taken.filter((m) => type(m) === 'MM4_forward.REQ')
  expect(requests).toHaveLength(4)
  expect(new Set(requests.map((m) => header(m, 'X-Mms-Transaction-ID'))).size).toBe(1)
  // A late answer is dropped.
  expect(await all.client.send('', ['system-user@mms.example.net'], res(all.req, 'Ok'))).toMatch(/^250/)
  expect((await recipient(all))?.state).toBe('failed')
}, 20_000)

test('GEN-003, RPT-007: an answer that comes after a restart finds its request', async () => {
  const all = await outgoing({ store: `sqlite:${folder()}` })
  await settled(all, 'deferred')
  await all.gateway.close()
  const gateway = await gatewayHere(all.config)
  const client = await smtpClient(gateway.addresses.smtp!, '127.0.0.2')
  await client.send('', ['system-user@mms.example.net'], res(all.req, 'Ok'))
  const found = await eventually(async () => {
    const one = await recipient({ gateway })
    return one?.state === 'relayed' && one
  })
  expect(found.status?.text).toContain('All is good.')
})

test('QUIRKS 43: a peer that never answers is taken at its word', async () => {
  const all = await outgoing({ peer: { ackRequest: false } })
  expect(header(all.req, 'X-Mms-Ack-Request')).toBe('No')
  await settled(all, 'relayed')
})

test('an answer is believed only from the peer that was asked, and only for its transaction', async () => {
  const all = await outgoing()
  await settled(all, 'deferred')
  const stranger = await smtpClient(all.gateway.addresses.smtp!)
  expect(await stranger.send('', ['system-user@mms.example.net'], res(all.req, 'Ok'))).toMatch(/^5/)
  const wrong = res(all.req, 'Ok').replace(/Transaction-Id: .*/, 'Transaction-Id: "other"')
  expect(await all.client.send('', ['system-user@mms.example.net'], wrong)).toMatch(/^250/)
  await pause(100)
  expect((await recipient(all))?.state).toBe('deferred')
})

/** A report about a request that the sink took. */
const reportReq = (req: TakenMail, type: string, fields: readonly string[], transaction = 'R-1'): string =>
  [
    'X-Mms-3GPP-MMS-Version: 6.3.0',
    `X-Mms-Message-Type: MM4_${type}.REQ`,
    `X-Mms-Transaction-ID: "${transaction}"`,
    `X-Mms-Message-ID: ${header(req, 'X-Mms-Message-ID')}`,
    'X-Mms-Ack-Request: Yes',
    'Sender: system-user@op-b.example',
    'Date: Tue, 5 Mar 2024 12:00:00 +0100',
    'From: +447700900123/TYPE=PLMN',
    'To: alice@example.net',
    ...fields,
    '',
    '',
  ].join('\r\n')

const asking = [
  'From: alice@example.net',
  'Disposition-Notification-To: alice@example.net',
  'Message-ID: <a2@example.net>',
  '',
  'hello',
].join('\r\n')

async function asked() {
  const all = await between()
  const sender = await smtpClient(all.gateway.addresses.smtp!)
  await sender.command('MAIL FROM:<alice@example.net> RET=HDRS ENVID=E1')
  await sender.command('RCPT TO:<+447700900123@mms.example.net> NOTIFY=SUCCESS,FAILURE')
  await sender.command('DATA')
  sender.write(`${asking}\r\n.\r\n`)
  expect(await sender.reply()).toMatch(/^250/)
  const req = await eventually(() => all.sink.taken[0])
  const mails = async (count: number) =>
    eventually(async () => {
      const list = await inbox(all.gateway)
      return list.length === count && list.map((m) => m.toString('latin1'))
    })
  return { ...all, req, mails }
}

test('RPT-003, RPT-020, RPT-040, MAP-204: reports of the peer become DSN and MDN, and are answered', async () => {
  const all = await asked()
  expect(header(all.req, 'X-Mms-Delivery-Report')).toBe('Yes')
  expect(header(all.req, 'X-Mms-Read-Reply')).toBe('Yes')
  await settled(all, 'deferred')
  await all.client.send('', ['system-user@mms.example.net'], res(all.req, 'Ok'))
  await settled(all, 'relayed')

  const retrieved = reportReq(all.req, 'delivery_report', ['X-Mms-MM-Status-Code: Retrieved'])
  expect(await all.client.send('system-user@op-b.example', ['alice@example.net'], retrieved)).toMatch(/^250/)
  const [dsn] = await all.mails(1)
  expect(dsn).toContain('Action: delivered')
  expect(dsn).toContain('Original-Envelope-Id: E1')
  expect(dsn).toContain('X-MMS-Status: Retrieved')
  const answers = () => all.sink.taken.filter((m) => type(m)?.endsWith('.RES'))
  const first = await eventually(() => answers()[0])
  expect(type(first)).toBe('MM4_delivery_report.RES')
  expect(header(first, 'X-Mms-Request-Status-Code')).toBe('Ok')
  expect(header(first, 'X-Mms-Transaction-ID')).toBe('"R-1"')
  expect(header(first, 'X-Mms-Message-ID')).toBe(header(all.req, 'X-Mms-Message-ID'))

  const read = reportReq(all.req, 'read_reply_report', ['X-Mms-Read-Status: Read'], 'R-2')
  await all.client.send('system-user@op-b.example', ['alice@example.net'], read)
  const [, mdn] = await all.mails(2)
  expect(mdn).toContain('MDN-sent-automatically; displayed')
  // The same request again is done once, and an echo is not answered (MAP-202).
  await all.client.send('system-user@op-b.example', ['alice@example.net'], read)
  await pause(300)
  await all.mails(2)
  expect(answers()).toHaveLength(2)
})

test('RPT-003: a report that is faster than the answer finds its message', async () => {
  const all = await asked()
  await settled(all, 'deferred')
  const expired = reportReq(all.req, 'delivery_report', ['X-Mms-MM-Status-Code: Expired'])
  await all.client.send('system-user@op-b.example', ['alice@example.net'], expired)
  const [dsn] = await all.mails(1)
  expect(dsn).toContain('Status: 5.4.7')
})

test('RPT-003, SEC-050: a report about no message of ours: Error-message-not-found, and nothing else', async () => {
  const all = await asked()
  await settled(all, 'deferred')
  const foreign = reportReq(all.req, 'delivery_report', ['X-Mms-MM-Status-Code: Retrieved']).replace(
    /X-Mms-Message-ID: .*/,
    'X-Mms-Message-ID: "guessed"',
  )
  await all.client.send('system-user@op-b.example', ['alice@example.net'], foreign)
  const answer = await eventually(() => all.sink.taken.find((m) => type(m)?.endsWith('.RES')))
  expect(header(answer, 'X-Mms-Request-Status-Code')).toBe('Error-message-not-found')
  expect(await inbox(all.gateway)).toEqual([])
})

test('RPT-053, MAP-206, MAP-210: delivery to a mailbox is reported to the peer, until it answers', async () => {
  const { sink, client, gateway } = await between({ mm4: { ackTimeout: 1 } })
  await client.send(fromPeer, ['alice@example.net'], forwardReq(['X-Mms-Delivery-Report: Yes']))
  const reports = () => sink.taken.filter((m) => type(m) === 'MM4_delivery_report.REQ')
  const report = await eventually(() => reports()[0])
  expect(header(report, 'X-Mms-MM-Status-Code')).toBe('Retrieved')
  expect(header(report, 'X-Mms-Message-ID')).toBe('"B-1"')
  expect(header(report, 'To')).toBe('+447700900123/TYPE=PLMN')
  expect(report.mailFrom).toContain('<system-user@mms.example.net>')
  await eventually(() => reports().length === 2)
  const answer = res(report, 'Ok').replace('MM4_Forward', 'MM4_delivery_report')
  await client.send('', ['system-user@mms.example.net'], answer)
  await eventually(async () => (await gateway.engine.spool.list({ open: true })).length === 0)
})

test('QUIRKS 43: what bounces to our system address is dropped with a record, hostile octets too', async () => {
  const { gateway, client } = await between()
  expect(await client.send('', ['system-user@mms.example.net'], 'Subject: Undeliverable\r\n\r\nx')).toMatch(
    /^250/,
  )
  expect(gateway.logged.some((l) => l.message.includes('system address'))).toBe(true)
  for (const noise of [
    'X-Mms-Message-Type: MM4_forward.RES\r\n\r\n',
    'X-Mms-Message-Type: MM4_delivery_report.REQ\r\nX-Mms-3GPP-MMS-Version: 6\r\n\r\n',
    `X-Mms-3GPP-MMS-Version: ${'9'.repeat(900)}\r\n\r\n`,
    'X-Mms-3GPP-MMS-Version: 6.3.0\r\nX-Mms-Transaction-ID: "\\\r\nX-Mms-Ack-Request: Yes\r\nSender: <@@>\r\n\r\n',
    `X-Mms-3GPP-MMS-Version: 6.3.0\r\nX-Mms-Transaction-ID: ${'x'.repeat(900)}\r\nX-Mms-Ack-Request: Yes\r\nSender: a@b.example\r\n\r\n`,
  ])
    expect(await client.send('', ['system-user@mms.example.net'], noise)).toMatch(/^250/)
  expect(gateway.logged.filter((l) => l.level === 'error')).toEqual([])
})
