/** DSN, DELIVERBY and enhanced codes on submission (RFC 3461, RFC 2852, RFC 2034; lemonade.md 5.5, 5.6, 5.8). */
import { readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { atEnd } from '../support/at-end.ts'
import type { LoggedGateway } from '../support/gateway.ts'
import { eventually, fakeMmsc, inbox, mailSink, type TakenMail } from '../support/peers.ts'
import { type SubmitClient, submissionGateway, submitClient } from '../support/submission.ts'

const alice = 'alice@example.net'
const message = (subject: string): string => `From: ${alice}\r\nSubject: ${subject}\r\n\r\nx`

/** Refuses every recipient. */
async function refusingServer(): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.write('220 no.example ESMTP\r\n')
    socket.on('data', (chunk) => {
      for (const line of chunk.toString().split('\r\n').slice(0, -1))
        socket.write(/^RCPT/.test(line) ? '550 5.1.1 nobody\r\n' : '250 2.0.0 OK\r\n')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  atEnd(() => void server.close())
  return (server.address() as { port: number }).port
}

interface World {
  readonly gateway: LoggedGateway
  readonly taken: readonly TakenMail[]
  readonly old: readonly TakenMail[]
  readonly client: SubmitClient
  readonly pass: (ms: number) => Promise<void>
  readonly now: () => number
}

/** `new.example` goes to a server with DSN and DELIVERBY 30, `old.example` to one without, `no.example` is refused. */
async function world(over: Record<string, unknown> = {}): Promise<World> {
  let passed = 0
  const now = (): number => Date.now() + passed
  const old = await mailSink(undefined, ['8BITMIME'])
  const made = await submissionGateway(
    {
      ...over,
      peers: {
        old: { interface: 'smtp', host: '127.0.0.1', port: old.port },
        no: { interface: 'smtp', host: '127.0.0.1', port: await refusingServer() },
        down: { interface: 'smtp', host: '127.0.0.1', port: 1 },
        ...(over.peers as object),
      },
      routes: [
        { match: 'domain:example.net', to: 'store' },
        { match: 'domain:old.example', to: 'smtp:old' },
        { match: 'domain:no.example', to: 'smtp:no' },
        { match: 'domain:down.example', to: 'smtp:down' },
        ...((over.routes as object[]) ?? []),
        { match: 'domain:*', to: 'smtp:relay' },
      ],
    },
    ['8BITMIME', 'DSN', 'DELIVERBY 30'],
    { now, elapsed: () => performance.now() + passed },
  )
  return {
    gateway: made.gateway,
    taken: made.taken,
    old: old.taken,
    client: await submitClient(made.gateway, { user: alice }),
    now,
    async pass(ms) {
      passed += ms
      for (const { entry } of await made.gateway.operations.queue({ all: false, limit: 10 }))
        await made.gateway.operations.retry(entry.queueId)
    },
  }
}

const submit = async (
  { client }: World,
  subject: string,
  to: readonly string[],
  params = '',
): Promise<string> => {
  const answer = await client.send(alice, to, message(subject), params)
  const [, id] = /^250 2\.6\.0 Queued as (\S+)$/.exec(answer) ?? []
  if (id === undefined) throw new Error(answer)
  return id
}
const about = (mails: readonly TakenMail[], subject: string): Promise<TakenMail> =>
  eventually(() => mails.find((mail) => mail.data.includes(`Subject: ${subject}\r\n`)))
/** Reports in alice's mailbox that hold the text. */
const reports = async ({ gateway }: World, text: string): Promise<string[]> =>
  (await inbox(gateway)).map(String).filter((mail) => mail.includes('delivery-status') && mail.includes(text))
const report = (at: World, text: string): Promise<string> =>
  eventually(async () => (await reports(at, text))[0])
const settled = ({ gateway }: World, id: string): Promise<boolean> =>
  eventually(async () =>
    (await gateway.operations.queueEntry(id)).deliveries.every((d) =>
      d.recipients.every((r) => r.state !== 'pending' && r.state !== 'deferred'),
    ),
  )

test('DN-01, DN-02, DN-04, DB-01, DB-02: parameters that are right change no reply, and wrong ones are 501', async () => {
  const { client, gateway } = await world()
  const mail = async (params: string): Promise<string> => {
    const [answer = ''] = await client.codes(`MAIL FROM:<${alice}> ${params}`)
    await client.command('RSET')
    return answer
  }
  for (const good of [
    'RET=FULL ENVID=x',
    'ret=hdrs envid=a+2Bb',
    `ENVID=${'e'.repeat(100)}`,
    'BY=120;R',
    'BY=+120;R',
    'BY=-5;N',
    'BY=0;N',
    'BY=120;NT',
    'BY=120;rt',
    'BY=999999999;N',
  ])
    expect([good, await mail(good)]).toEqual([good, '250 2.1.0'])
  for (const bad of [
    'RET=foo',
    'RET',
    'RET=FULL RET=FULL',
    'ENVID=x ENVID=y',
    'ENVID=',
    'ENVID=a+2b',
    'ENVID=a+0D+0A',
    'ENVID=a=b',
    `ENVID=${'e'.repeat(101)}`,
    'BY=0;R',
    'BY=-1;R',
    'BY=1234567890;N',
    'BY=5',
    'BY=5;X',
    'BY=5;TR',
    'BY=;R',
    'BY=5;R BY=5;R',
  ])
    expect([bad, await mail(bad)]).toEqual([bad, '501 5.5.4'])
  const other = await submitClient(gateway, { user: alice })
  await other.command(`MAIL FROM:<${alice}>`)
  const rcpt = async (params: string): Promise<string> =>
    (await other.codes(`RCPT TO:<bob@new.example> ${params}`))[0] ?? ''
  for (const good of [
    'NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;bob@new.example',
    'notify=never orcpt=RFC822;x',
    `ORCPT=rfc822;${'o'.repeat(493)}`,
  ])
    expect([good, await rcpt(good)]).toEqual([good, '250 2.1.5'])
  for (const bad of [
    'NOTIFY=NEVER,FAILURE',
    'NOTIFY=',
    'NOTIFY=ALWAYS',
    'NOTIFY=DELAY NOTIFY=DELAY',
    'ORCPT=x',
    'ORCPT=rfc822;a+2b',
    'ORCPT=rfc822;a+0Ab',
    `ORCPT=rfc822;${'o'.repeat(494)}`,
  ])
    expect([bad, await rcpt(bad)]).toEqual([bad, '501 5.5.4'])
  expect(await rcpt('RET=FULL')).toBe('555 5.5.4')
})

test('DB-03, DB-04: less time than the least that is told cannot be asked for with R', async () => {
  const { client } = await world({ limits: { deliverBySeconds: 60 } })
  expect(await client.command('EHLO x')).toMatch(/^250[ -]DELIVERBY 60\r?$/m)
  expect(await client.codes(`MAIL FROM:<${alice}> BY=59;R`, `MAIL FROM:<${alice}> BY=59;N`)).toEqual([
    '555 5.5.4',
    '250 2.1.0',
  ])
})

test('DN-05: nobody is told of what has no sender', async () => {
  const at = await world()
  await at.client.codes('MAIL FROM:<>', 'RCPT TO:<bob@no.example> NOTIFY=SUCCESS,FAILURE', 'DATA')
  at.client.write(`${message('from nobody')}\r\n.\r\n`)
  const [, id = ''] = /Queued as (\S+)/.exec(await at.client.reply()) ?? []
  await settled(at, id)
  expect(await at.gateway.operations.queue({ all: true, limit: 10 })).toHaveLength(1)
})

test('DN-06: a server with DSN gets what was asked as it was asked, and nothing that was not', async () => {
  const at = await world()
  await submit(
    at,
    'asked',
    ['<bob@new.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Bob+2B@new.example'],
    ' ENVID=e+2B1 RET=HDRS',
  )
  const asked = await about(at.taken, 'asked')
  expect(asked.mailFrom).toMatch(/ENVID=e\+2B1/)
  expect(asked.mailFrom).toMatch(/RET=HDRS/)
  expect(asked.rcptTo).toEqual(['<bob@new.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Bob+2B@new.example'])
  await submit(at, 'not asked', ['bob@new.example'])
  const plain = await about(at.taken, 'not asked')
  expect([plain.mailFrom, ...plain.rcptTo].join(' ')).not.toMatch(/ENVID|RET|NOTIFY/)
  expect(await reports(at, 'asked')).toEqual([])
})

test('DN-07, DN-10: a server without DSN gets no parameters; relayed is told on SUCCESS, failure unless NEVER or left out', async () => {
  const at = await world()
  await submit(at, 'to old', ['<bob@old.example> NOTIFY=SUCCESS ORCPT=rfc822;bob@old.example'], ' ENVID=e1')
  const relayed = await report(at, 'to old')
  expect(relayed).toMatch(/Action: relayed/)
  const { mailFrom, rcptTo } = await about(at.old, 'to old')
  expect([mailFrom, ...rcptTo].join(' ')).not.toMatch(/ENVID|RET|NOTIFY|ORCPT/)
  const ids = [
    await submit(at, 'never', ['<bob@no.example> NOTIFY=NEVER']),
    await submit(at, 'only success', ['<bob@no.example> NOTIFY=SUCCESS']),
    await submit(at, 'absent', ['bob@no.example']),
    await submit(at, 'failure', ['<bob@no.example> NOTIFY=FAILURE']),
    await submit(at, 'silent relay', ['<bob@old.example> NOTIFY=NEVER']),
  ]
  for (const id of ids) await settled(at, id)
  expect(await report(at, 'Subject: absent')).toMatch(/Action: failed\r\nStatus: 5\.1\.1/)
  expect(await report(at, 'Subject: failure')).toMatch(/Action: failed/)
  for (const quiet of ['never', 'only success', 'silent relay'])
    expect(await reports(at, `Subject: ${quiet}`)).toEqual([])
})

test('DN-08, DN-12: delivery into a mailbox is told on SUCCESS alone, in the form of a report', async () => {
  const at = await world()
  const quiet = await submit(at, 'no word', ['<bob@example.net> NOTIFY=FAILURE,DELAY'])
  await submit(
    at,
    'delivered here',
    ['<bob@example.net> NOTIFY=SUCCESS ORCPT=rfc822;b+2Bb@example.net'],
    ' ENVID=en+2Bv',
  )
  const told = await report(at, 'Subject: delivered here')
  expect(told).toMatch(/^Return-Path: <>\r\n/)
  expect(told).toMatch(/multipart\/report;[^\r]*(?:\r\n\s[^\r]*)*report-type=delivery-status/)
  expect(told).toMatch(/\r\nOriginal-Envelope-Id: en\+v\r\n/)
  expect(told).toMatch(/\r\nOriginal-Recipient: rfc822; b\+b@example\.net\r\n/)
  expect(told).toMatch(/\r\nFinal-Recipient: rfc822; bob@example\.net\r\nAction: delivered\r\nStatus: 2\./)
  await settled(at, quiet)
  expect(await reports(at, 'no word')).toEqual([])
})

test('DN-09, DB-10: towards MMS a delivery report is asked for where SUCCESS is, and BY becomes the expiry', async () => {
  const mmsc = await fakeMmsc()
  const at = await world({
    peers: {
      mmsc: { interface: 'mm7', role: 'rs', ip: '127.0.0.9', host: 'mmsc.example.com', url: mmsc.url },
    },
    routes: [
      { match: 'number:+', to: 'mm7-submit:mmsc' },
      { match: 'domain:mms.example.net', to: 'by-number' },
    ],
  })
  const handset = '+12025550123@mms.example.net'
  const body = async (index: number): Promise<string> =>
    String((await eventually(() => mmsc.received[index])).body)
  await submit(at, 'mm success', [`<${handset}> NOTIFY=SUCCESS`], ' BY=3600;R')
  expect(await body(0)).toMatch(/DeliveryReport[^>]*>true</)
  expect(await body(0)).toMatch(/ExpiryDate/)
  expect(await body(0)).not.toMatch(/EarliestDeliveryTime/)
  await submit(at, 'mm never', [`<${handset}> NOTIFY=NEVER`])
  expect(await body(1)).not.toMatch(/DeliveryReport[^>]*>true</)
})

test('DN-11, DB-06: late is told where DELAY is asked for, or nothing; with mode N the time of BY counts, and delivery goes on', async () => {
  const at = await world()
  const quiet = await submit(at, 'no delay', ['<bob@down.example> NOTIFY=FAILURE'], ' BY=60;N')
  const late = await submit(at, 'late', ['bob@down.example'], ' BY=60;N')
  const attempts = async (id: string): Promise<number> =>
    (await at.gateway.operations.queueEntry(id)).deliveries[0]?.attempts ?? 0
  await eventually(async () => (await attempts(late)) > 0 && (await attempts(quiet)) > 0)
  expect(await inbox(at.gateway)).toEqual([])
  await at.pass(61_000)
  const told = await report(at, 'Subject: late')
  expect(told).toMatch(/Action: delayed\r\nStatus: 4\.4\.7/)
  expect(told).toMatch(/\r\nDeliver-By-Date: /)
  await eventually(async () => (await attempts(quiet)) > 1)
  expect(await reports(at, 'no delay')).toEqual([])
  expect((await at.gateway.operations.queueEntry(late)).deliveries[0]?.recipients[0]?.state).toBe('deferred')
})

test('DB-05, DB-11: with mode R the message is given up in time, and BY never makes that later', async () => {
  const at = await world()
  const id = await submit(at, 'too late', ['bob@down.example'], ' BY=60;R')
  const long = await submit(at, 'long', ['bob@down.example'], ' BY=999999999;R')
  expect((await at.gateway.operations.queueEntry(long)).deliveries[0]!.expiresAt - at.now()).toBeLessThan(
    5 * 86_400_000 + 1,
  )
  await eventually(
    async () => ((await at.gateway.operations.queueEntry(id)).deliveries[0]?.attempts ?? 0) > 0,
  )
  await at.pass(61_000)
  expect(await report(at, 'Subject: too late')).toMatch(/Action: failed\r\nStatus: 5\.4\.7/)
})

test('DB-07, DB-08: BY is passed with what is left; R only to who keeps it, N to others with word of it', async () => {
  const at = await world()
  await submit(at, 'r kept', ['bob@new.example'], ' BY=600;R')
  const [, left = ''] = /BY=(\d+);R/.exec((await about(at.taken, 'r kept')).mailFrom) ?? []
  expect(Number(left)).toBeGreaterThan(540)
  expect(Number(left)).toBeLessThanOrEqual(600)
  // Its least time is 30 seconds; the other knows nothing of it.
  await submit(at, 'r too short', ['bob@new.example'], ' BY=20;R')
  await submit(at, 'r unknown', ['bob@old.example'], ' BY=600;R')
  for (const subject of ['r too short', 'r unknown'])
    expect(await report(at, `Subject: ${subject}`)).toMatch(/Action: failed\r\nStatus: 5\.3\.3/)
  await submit(at, 'n passed', ['bob@new.example'], ' BY=-5;N')
  expect((await about(at.taken, 'n passed')).mailFrom).toMatch(/BY=-\d+;N/)
  await submit(at, 'n unknown', ['bob@old.example'], ' BY=600;N')
  expect(await report(at, 'Subject: n unknown')).toMatch(/Action: relayed/)
  await submit(at, 'trace', ['bob@new.example'], ' BY=600;NT')
  expect(await report(at, 'Subject: trace')).toMatch(/Action: relayed/)
  expect((await about(at.taken, 'trace')).mailFrom).toMatch(/BY=\d+;NT/)
  const never = await submit(at, 'quiet', ['<bob@old.example> NOTIFY=NEVER'], ' BY=600;NT')
  await settled(at, never)
  expect(await reports(at, 'Subject: quiet')).toEqual([])
})

test('DB-07: a hop with DSN and without DELIVERBY is asked for word of a delay', async () => {
  const at = await world()
  const { passedEnvelope } = await import('../../src/outbound/pass-through.ts')
  const envelope = (notify: string | undefined) => ({
    session: { peer: null, ehlo: 'x', ip: '127.0.0.1', port: 1, auth: alice, tls: true, esmtp: true },
    mailFrom: { path: alice, params: { BY: '600;N' } },
    rcptTo: [{ path: 'b@example.org', params: notify === undefined ? {} : { NOTIFY: notify } }],
    receivedAt: Math.floor(at.now() / 1000),
  })
  const asked = (notify: string | undefined): unknown =>
    passedEnvelope(envelope(notify), ['b@example.org'], new Map([['DSN', '']]), at.now()).rcptTo[0]?.params
      .NOTIFY
  expect([undefined, 'SUCCESS', 'FAILURE,DELAY', 'NEVER'].map(asked)).toEqual([
    'FAILURE,DELAY',
    'SUCCESS,DELAY',
    'FAILURE,DELAY',
    'NEVER',
  ])
})

test('EC-03, DE-06: every code that this server can say is one that is registered, in the class of its reply', () => {
  const registered = new Set(
    `2.0.0 2.1.0 2.1.5 2.3.6 2.5.0 2.6.0 2.6.4 2.7.0 4.2.0 4.2.2 4.3.0 4.3.1 4.3.2 4.4.1 4.4.2 4.4.7 4.5.3 4.6.6 4.7.0 4.7.1 4.7.12
     4.7.15 5.1.1 5.1.2 5.1.3 5.1.7 5.2.2 5.2.3 5.3.3 5.3.4 5.4.6 5.4.7 5.5.0 5.5.1 5.5.2 5.5.4 5.5.6 5.6.0 5.6.1 5.6.2 5.6.3 5.6.6
     5.6.7 5.6.9 4.7.1 5.7.0 5.7.1 5.7.8 5.7.9 5.7.14 5.7.15 5.7.16 5.7.17`.split(/\s+/),
  )
  const folders = ['../../src/inbound/smtp/', '../../src/inbound/smtp/commands/', '../../src/wire/smtp/']
  const said = folders.flatMap((folder) => {
    const at = new URL(folder, import.meta.url)
    return readdirSync(at)
      .filter((name) => name.endsWith('.ts'))
      .flatMap((name) => [
        ...readFileSync(new URL(name, at), 'utf8').matchAll(
          /(?:reply\(|: \[)\s*(\d{3}),\s*'(\d\.\d+\.\d+)'/g,
        ),
      ])
  })
  expect(said.length).toBeGreaterThan(60)
  for (const [, reply = '', enhanced = ''] of said) {
    expect(registered, enhanced).toContain(enhanced)
    expect([enhanced, enhanced[0]]).toEqual([enhanced, reply[0]])
  }
  // 4865's meaning of X.7.16 and X.7.17 is the only one here.
  expect(said.filter(([, , enhanced]) => /7\.1[67]$/.test(enhanced ?? '')).map(([, reply]) => reply)).toEqual(
    ['552', '552'],
  )
})

test('S8-01, S8-05, S8-06: SMTPUTF8 without arguments, beside 8BITMIME; names of clients are ASCII', async () => {
  const { client, taken } = await world({ smtputf8: true })
  const ehlo = await client.command('EHLO xn--bcher-kva.example')
  expect(ehlo).toMatch(/^250[ -]SMTPUTF8\r?$/m)
  expect(ehlo).toMatch(/8BITMIME/)
  expect(await client.codes('EHLO b\u00fccher.example', `MAIL FROM:<${alice}> SMTPUTF8=x`)).toEqual([
    '501 5.5.4',
    '501 5.5.4',
  ])
  const utf8 = Buffer.from(`From: Jörg <${alice}>\r\nSubject: stays\r\nX-Ü: ü\r\n\r\nx`)
  expect(await client.send(alice, ['bob@new.example'], utf8)).toMatch(/^250 2\.6\.4/)
  expect((await about(taken, 'stays')).data).toMatch(/From: =\?utf-8\?/i)
})
