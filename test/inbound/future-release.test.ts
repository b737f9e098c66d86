/** FUTURERELEASE (RFC 4865; lemonade.md 5.7), with the real queue; clocks that are set, crashes, quotas. */
import { expect, test } from 'vitest'
import { configFile, folder, type LoggedGateway, run, serve, testConfig } from '../support/gateway.ts'
import { eventually, inbox, mailSink, type TakenMail } from '../support/peers.ts'
import {
  code,
  listening,
  plain,
  SubmitClient,
  submissionGateway,
  submitClient,
} from '../support/submission.ts'

const alice = 'alice@example.net'
const hour = 3_600_000

/** A gateway whose clock can be set (`leap`), or moved on with time (`pass`). */
async function clocked(over: Record<string, unknown> = {}) {
  let set = 0
  let passed = 0
  const made = await submissionGateway(over, undefined, {
    now: () => Date.now() + set + passed,
    elapsed: () => performance.now() + passed,
  })
  /** The queue looks what is due. */
  const look = async (): Promise<void> => {
    const [any] = await made.gateway.operations.queue({ all: true, limit: 1 })
    if (any) await made.gateway.operations.release(any.entry.queueId)
  }
  return {
    ...made,
    now: () => Date.now() + set + passed,
    async leap(ms: number) {
      set += ms
      await look()
    },
    async pass(ms: number) {
      passed += ms
      await look()
    },
  }
}

const message = (subject: string): string =>
  `From: ${alice}\r\nDate: Fri, 21 Nov 1997 09:55:06 -0600\r\nMessage-ID: <${subject}@phone>\r\nSubject: ${subject}\r\n\r\nx`
const utc = (at: number): string => new Date(at).toISOString().replace(/\.\d+Z$/, 'Z')

async function held(
  client: SubmitClient,
  subject: string,
  params: string,
  to = 'bob@example.org',
): Promise<string> {
  const answer = await client.send(alice, [to], message(subject), ` ${params}`)
  const [, id] = /^250 2\.6\.0 Queued as (\S+)$/.exec(answer) ?? []
  if (id === undefined) throw new Error(answer)
  return id
}
const dueOf = async (gateway: LoggedGateway, id: string): Promise<number> =>
  (await gateway.operations.queueEntry(id)).deliveries[0]?.dueAt ?? 0
const isTaken = (taken: readonly TakenMail[], subject: string): boolean =>
  taken.some((mail) => mail.data.includes(`Subject: ${subject}\r\n`))

test('FR-01, FR-06, QUE-022: EHLO tells interval and date, on the submission port, and not when it is off', async () => {
  const { gateway, now, pass } = await clocked()
  const client = await submitClient(gateway)
  const told = async (): Promise<[number, number]> => {
    const [, seconds = '', date = ''] =
      /^250[ -]FUTURERELEASE (\d+) (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)\r?$/m.exec(
        await client.command('EHLO x'),
      ) ?? []
    return [Number(seconds), Date.parse(date)]
  }
  for (const _ of [1, 2]) {
    const [seconds, date] = await told()
    expect(seconds).toBe(604_800)
    expect(Math.abs(date - now() - 604_800_000)).toBeLessThan(60_000)
    await pass(24 * hour)
  }
  const { gateway: off } = await submissionGateway({ submission: { futureRelease: false } })
  const other = await submitClient(off, { user: alice })
  expect(await other.command('EHLO x')).not.toMatch(/FUTURERELEASE/)
  expect(await other.codes(`MAIL FROM:<${alice}> HOLDFOR=10`)).toEqual(['555 5.5.4'])
})

test('FR-02, FR-12, MAP-142: held for so long from acceptance, or until then, and never earlier; nothing of it is changed', async () => {
  const { gateway, taken } = await clocked()
  const client = await submitClient(gateway, { user: alice })
  const from = Date.now()
  const byInterval = await held(client, 'interval', 'HOLDFOR=2')
  const until = Math.ceil(Date.now() / 1000 + 2) * 1000
  const byDate = await held(client, 'date', `HOLDUNTIL=${utc(until)}`)
  expect((await dueOf(gateway, byInterval)) - from).toBeGreaterThanOrEqual(2000)
  expect(await dueOf(gateway, byDate)).toBe(until)
  expect(taken).toEqual([])
  const at = new Map<string, number>()
  await eventually(() => {
    for (const subject of ['interval', 'date'])
      if (isTaken(taken, subject) && !at.has(subject)) at.set(subject, Date.now())
    return at.size === 2
  })
  expect((at.get('interval') ?? 0) - from).toBeGreaterThanOrEqual(2000)
  expect(at.get('date')).toBeGreaterThanOrEqual(until)
  expect(taken[0]?.data).toContain('Date: Fri, 21 Nov 1997 09:55:06 -0600\r\n')
  expect(taken[0]?.mailFrom).not.toMatch(/HOLD/)
})

test('FR-03, FR-04, FR-05, FR-07, OR-02, OR-03: what is no hold, and what BY does not allow', async () => {
  const { gateway, now } = await clocked()
  const client = await submitClient(gateway, { user: alice })
  const tried = async (params: string): Promise<string> => {
    const [answer = ''] = await client.codes(`MAIL FROM:<${alice}> ${params}`)
    await client.command('RSET')
    return answer
  }
  for (const bad of [
    'HOLDFOR=0',
    'HOLDFOR=604801',
    'HOLDFOR=1234567890',
    'HOLDFOR=x',
    'HOLDFOR=-1',
    'HOLDFOR=',
    'HOLDFOR',
    `HOLDUNTIL=${utc(now() + 604_900_000)}`,
    `HOLDUNTIL=${utc(now() - 62_000)}`,
    'HOLDUNTIL=2026-02-30T00:00:00Z',
    'HOLDUNTIL=tomorrow',
    `HOLDUNTIL=${utc(now() + hour).replace('Z', '+00:00')}`,
    `HOLDUNTIL=${utc(now() + hour).replace('Z', '.5Z')}`,
    `HOLDFOR=10 HOLDUNTIL=${utc(now() + hour)}`,
    'HOLDFOR=10 HOLDFOR=10',
    'HOLDFOR=61 BY=60;R',
    'BY=60;N HOLDFOR=61',
    `HOLDUNTIL=${utc(now() + 2 * hour)} BY=3600;R`,
  ])
    expect([bad, await tried(bad)]).toEqual([bad, '501 5.5.4'])
  for (const good of [
    'HOLDFOR=604800',
    'HOLDFOR=60 BY=60;R',
    'HOLDFOR=60 BY=61;N',
    `HOLDUNTIL=${utc(now() + hour).toLowerCase()}`,
    `HOLDUNTIL=${utc(now() - 30_000)}`,
    `SIZE=100 BODY=8BITMIME AUTH=<> RET=HDRS ENVID=x BY=120;RT HOLDFOR=100`,
  ])
    expect([good, await tried(good)]).toEqual([good, '250 2.1.0'])
  expect(await tried('HOLDFOR=60 X=1')).toBe('555 5.5.4')
})

test('FR-05: a date that has just passed is due at once', async () => {
  const { gateway, taken, now } = await clocked()
  await held(await submitClient(gateway, { user: alice }), 'past', `HOLDUNTIL=${utc(now() - 30_000)}`)
  await eventually(() => isTaken(taken, 'past'))
})

test('FR-08: quotas of the user and of the system, told at MAIL; what is released or cancelled makes room', async () => {
  const { gateway } = await clocked({ limits: { holdsPerUser: 2, holds: 3 } })
  const client = await submitClient(gateway, { user: alice })
  const first = await held(client, 'one', 'HOLDFOR=1000')
  await held(client, 'two', 'HOLDFOR=1000')
  expect(await client.codes(`MAIL FROM:<${alice}> HOLDFOR=5`)).toEqual(['552 5.7.16'])
  expect(await client.codes(`MAIL FROM:<${alice}>`, 'RSET')).toEqual(['250 2.1.0', '250 2.0.0'])
  const bob = await submitClient(gateway, { user: 'bob@example.net' })
  await bob.send('bob@example.net', ['x@example.org'], 'From: bob@example.net\r\n\r\nx', ' HOLDFOR=1000')
  expect(await bob.codes('MAIL FROM:<bob@example.net> HOLDFOR=5')).toEqual(['552 5.7.17'])
  expect(await gateway.operations.withdraw(alice, first)).toBe(1)
  expect(await client.codes(`MAIL FROM:<${alice}> HOLDFOR=5`)).toEqual(['250 2.1.0'])
})

test('FR-09, DB-09: a DSN about it has Arrival-Date and Future-Release-Request', async () => {
  const { gateway } = await clocked()
  const client = await submitClient(gateway, { user: alice })
  const id = await held(client, 'reported', 'HOLDFOR=600 BY=3600;N')
  await gateway.operations.bounce(id, 'for the test')
  const [report] = await eventually(async () => {
    const mails = await inbox(gateway)
    return mails.length > 0 && mails
  })
  expect(report?.toString()).toMatch(
    /\r\nArrival-Date: .*\r\n(?:.*\r\n)*Deliver-By-Date: .*\r\n(?:.*\r\n)*Future-Release-Request: for;600\r\n/,
  )
})

test('FR-10: a clock that is set releases nothing early, and loses nothing', async () => {
  const { gateway, taken, leap, now } = await clocked()
  const client = await submitClient(gateway, { user: alice })
  const id = await held(client, 'interval', 'HOLDFOR=600')
  const until = Math.ceil(now() / 1000 + 600) * 1000
  const dated = await held(client, 'dated', `HOLDUNTIL=${utc(until)}`)
  const left = (await dueOf(gateway, id)) - now()
  await leap(3 * hour)
  const isNear = (a: number, b: number): void => expect(Math.abs(a - b)).toBeLessThan(20_000)
  await eventually(async () => (await dueOf(gateway, id)) - now() > left - 20_000)
  isNear((await dueOf(gateway, id)) - now(), left)
  expect(await dueOf(gateway, dated)).toBeGreaterThanOrEqual(until + 3 * hour - 20_000)
  await leap(-3 * hour)
  await eventually(async () => (await dueOf(gateway, id)) < now() + left + 20_000)
  isNear((await dueOf(gateway, id)) - now(), left)
  isNear(await dueOf(gateway, dated), until)
  await leap(-48 * hour)
  await eventually(async () => (await dueOf(gateway, id)) < now() + left + 20_000)
  isNear((await dueOf(gateway, id)) - now(), left)
  // A date is a date: not before it, whatever the clock showed.
  expect(await dueOf(gateway, dated)).toBeGreaterThanOrEqual(until)
  expect(taken).toEqual([])
})

test('FR-10: what is held survives the end of the process, and leaves in its time', async () => {
  const sink = await mailSink()
  const store = `sqlite:${folder()}`
  const file = configFile(
    testConfig({
      store,
      listen: listening,
      peers: { relay: { interface: 'smtp', host: '127.0.0.1', port: sink.port } },
      routes: [
        { match: 'domain:example.net', to: 'store' },
        { match: 'domain:*', to: 'smtp:relay' },
      ],
    }),
  )
  const first = await serve(file)
  const client = new SubmitClient(first.ready.submission ?? '')
  await client.reply()
  await client.command('EHLO x')
  await client.command(`AUTH PLAIN ${plain(alice)}`)
  const from = Date.now()
  await held(client, 'crash', 'HOLDFOR=6 ENVID=trip+2B1')
  await held(client, 'to be cancelled', 'HOLDFOR=6000 ENVID=trip+2B2')
  await first.end('SIGKILL')
  const second = await serve(file)
  const listed = await run(['queue', 'list', '--config', file])
  expect(listed.out).toMatch(
    new RegExp(`due=.* from=<${alice}> bob@example.org=pending hold=6000 s by=<${alice}>`),
  )
  // FR-14: by its sender only, by ENVID or queue id.
  const cancel = (user: string): ReturnType<typeof run> =>
    run(['queue', 'cancel', 'trip+2', '--submitter', user, '--config', file])
  const other = await cancel('bob@example.net')
  expect(other.code).not.toBe(0)
  expect((await cancel(alice)).out).toMatch(/cancelled 1 recipients/)
  expect((await run(['queue', 'list', '--config', file])).out).not.toMatch(/6000 s/)
  await eventually(() => isTaken(sink.taken, 'crash'))
  expect(Date.now() - from).toBeGreaterThanOrEqual(6000)
  expect(isTaken(sink.taken, 'to be cancelled')).toBe(false)
  await second.end()
}, 90_000)

test('FR-11: what a URL stands for is fetched at submission', async () => {
  const { gateway, taken } = await clocked()
  const { loggedIn } = await import('../support/raw-imap.ts')
  const imap = await loggedIn(Number(gateway.addresses.imap?.split(':')[1]), alice)
  const octets = `${message('fixed')}\r\n`
  const [, validity, uid] =
    /APPENDUID (\d+) (\d+)/.exec(await imap.command(`APPEND INBOX {${octets.length}+}\r\n${octets}`)) ?? []
  const url = `imap://alice%40example.net@mail.example.net/INBOX;UIDVALIDITY=${validity}/;UID=${uid};URLAUTH=submit+alice%40example.net`
  const [, full] = /GENURLAUTH "([^"]+)"/.exec(await imap.command(`GENURLAUTH "${url}" INTERNAL`)) ?? []
  const client = await submitClient(gateway, { user: alice })
  await client.codes(`MAIL FROM:<${alice}> HOLDFOR=2`, 'RCPT TO:<bob@example.org>')
  expect(code(await client.command(`BURL ${full} LAST`))).toBe('250 2.6.0')
  await imap.command('RESETKEY')
  await imap.command('SELECT INBOX')
  await imap.command('STORE 1 +FLAGS (\\Deleted)')
  await imap.command('EXPUNGE')
  imap.end()
  await eventually(() => isTaken(taken, 'fixed'))
})

test('FR-13: what the gateway itself reports is never held', async () => {
  const { gateway } = await clocked()
  const client = await submitClient(gateway, { user: alice })
  const id = await held(client, 'own', 'HOLDFOR=600')
  await gateway.operations.bounce(id, '')
  await eventually(async () => (await inbox(gateway)).length > 0)
})

test('FR-15: time to deliver and delay notices count from the release', async () => {
  const { gateway, pass, now } = await clocked({
    peers: { relay: { interface: 'smtp', host: '127.0.0.1', port: 1 } },
  })
  const client = await submitClient(gateway, { user: alice })
  await client.codes(
    `MAIL FROM:<${alice}> HOLDFOR=36000`,
    'RCPT TO:<bob@example.org> NOTIFY=DELAY,FAILURE',
    'DATA',
  )
  client.write(`${message('late')}\r\n.\r\n`)
  const [, id = ''] = /Queued as (\S+)/.exec(await client.reply()) ?? []
  const { deliveries } = await gateway.operations.queueEntry(id)
  expect(deliveries[0]!.expiresAt - now()).toBeGreaterThan(36_000_000 + 5 * 24 * hour - 60_000)
  const attempts = async (): Promise<number> =>
    (await gateway.operations.queueEntry(id)).deliveries[0]?.attempts ?? 0
  await pass(10 * hour + 60_000)
  await eventually(async () => (await attempts()) === 1)
  // Ten hours after it came, and a minute late.
  expect(await inbox(gateway)).toEqual([])
  await pass(4 * hour)
  await gateway.operations.retry(id)
  const [report] = await eventually(async () => {
    const mails = await inbox(gateway)
    return mails.length > 0 && mails
  })
  expect(report?.toString()).toMatch(/Action: delayed/)
})

test('FR-16, SU-17: the longest of these parameters fit the line', async () => {
  const { gateway, now } = await clocked()
  const client = await submitClient(gateway, { user: alice })
  expect(
    await client.codes(`MAIL FROM:<${alice}> ENVID=${'x'.repeat(100)} HOLDUNTIL=${utc(now() + hour)}`),
  ).toEqual(['250 2.1.0'])
})
