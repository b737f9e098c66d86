/**
 * The program under load, killed without warning again and again (QUE-001, QUE-002): what was acknowledged is there
 * exactly once. And a disk that fills up: refused in the protocol's terms, taken again when there is room.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { checkStore } from '../../src/db/sqlite/check.ts'
import { openSqlite } from '../../src/db/sqlite/engine.ts'
import { atEnd } from '../support/at-end.ts'
import { configFile, folder, type Served, serve, testConfig } from '../support/gateway.ts'
import { deliverReq, eventually, fakeMmsc, inbox, post, SmtpClient } from '../support/peers.ts'
import { seeded } from '../support/random.ts'

/** As many as go into 45 s where others keep the machine busy. */
const rounds = 20
const seed = Number(process.env.CRASH_SEED ?? Date.now() % 1_000_000)
const handset = '+12025550123@mms.example.net'
const subjectOf = (octets: Buffer): string => /^Subject: (\S+)/m.exec(octets.toString('latin1'))?.[1] ?? ''

test(`QUE-001, QUE-002, MM7-060: ${rounds} times SIGKILL under MM7 and SMTP load (CRASH_SEED=${seed})`, async () => {
  const random = seeded(seed)
  const store = join(folder(), 'data')
  const mmsc = await fakeMmsc()
  const config = testConfig({
    store: `sqlite:${store}`,
    log: 'error',
    peers: { mmsc: { interface: 'mm7', role: 'rs', ip: '127.0.0.1', url: mmsc.url } },
  })
  const file = configFile(config)
  /** Acknowledged, by the way they go on. */
  const toMailbox = new Set<string>()
  const toHandset = new Set<string>()
  /** MM7 requests without an answer: the MMSC repeats them, as MM7-062 says. */
  const unanswered: string[] = []
  let mails = 0
  const text = () => Buffer.alloc(Math.floor(random() * 20_000), 'lemonade ')

  let next = 0
  const postLoad = async (url: string, stop: () => boolean): Promise<void> => {
    while (!stop()) {
      const id = unanswered.pop() ?? `mm7-${next++}`
      const octets = Buffer.alloc((id.length * 1237) % 20_000, id)
      const content = deliverReq({
        transactionId: id,
        subject: id,
        parts: [
          {
            type: 'text/plain; charset=utf-8',
            id: 'a',
            octets: octets.length > 0 ? octets : Buffer.from('x'),
          },
        ],
      })
      const answer = await post(url, content).catch(() => undefined)
      if (answer) expect(answer.status).toBe(1000)
      if (answer) toMailbox.add(id)
      else unanswered.push(id)
      if (!answer) return
    }
  }
  const mailLoad = async (address: string, stop: () => boolean): Promise<void> => {
    const smtp = new SmtpClient(address)
    await smtp.reply()
    await smtp.command('EHLO load.example.org')
    while (!stop()) {
      const id = `mail-${mails++}`
      const out = mails % 3 === 0
      const to = out ? handset : 'alice@example.net'
      const reply = await smtp.send('bob@example.net', [to], `Subject: ${id}\r\n\r\n${out ? id : text()}`)
      if (reply === '') break
      expect(reply).toMatch(/^250 2\.6\.0/)
      if (out) toHandset.add(id)
      else toMailbox.add(id)
    }
    smtp.end()
  }

  const until = performance.now() + 45_000
  let killed = 0
  for (; killed < rounds && performance.now() < until; killed++) {
    // Now and then the MMSC is out of order, so that some of its messages wait in the queue over a crash.
    mmsc.status = random() < 0.5 ? 1000 : 3000
    const served: Served = await serve(file)
    let over = false
    const stop = () => over
    const load = [
      postLoad(served.ready.mm7!, stop),
      postLoad(served.ready.mm7!, stop),
      mailLoad(served.ready.smtp!, stop),
      mailLoad(served.ready.smtp!, stop),
    ]
    await new Promise((resolve) => setTimeout(resolve, 30 + random() * 350))
    await served.end('SIGKILL')
    over = true
    await Promise.all(load)
  }

  // One quiet run: what the MMSC repeats is answered, what waits is delivered.
  mmsc.status = 1000
  const last = await serve(file)
  for (const id of unanswered.splice(0)) {
    const octets = Buffer.alloc((id.length * 1237) % 20_000, id)
    const content = deliverReq({
      transactionId: id,
      subject: id,
      parts: [
        { type: 'text/plain; charset=utf-8', id: 'a', octets: octets.length > 0 ? octets : Buffer.from('x') },
      ],
    })
    expect((await post(last.ready.mm7!, content)).status).toBe(1000)
    toMailbox.add(id)
  }
  await new Promise((resolve) => setTimeout(resolve, 500))
  expect(await last.end()).toBe(0)

  const engine = await openSqlite(store)
  const delivered = (await inbox({ engine })).map(subjectOf)
  const waiting: string[] = []
  for (const { entry, deliveries } of await engine.spool.list({ limit: 100_000 })) {
    const { origin } = entry
    if (origin.carrier === 'mail')
      waiting.push(subjectOf(Buffer.from(await engine.spool.octets(entry.queueId))))
    else waiting.push(`${origin.carrier}: ${deliveries[0]?.target}`)
  }
  await engine.close()
  expect(await checkStore(store)).toMatchObject({ problems: [] })

  const counts = new Map<string, number>()
  for (const id of [...delivered, ...waiting]) counts.set(id, (counts.get(id) ?? 0) + 1)
  const wrong = [...toMailbox].filter((id) => counts.get(id) !== 1)
  expect(wrong.map((id) => `${id}: ${counts.get(id) ?? 0} times`)).toEqual([])
  // A SubmitReq may be repeated, with the same TransactionID: the MMSC then knows it (MM7-062).
  const submitted = new Map<string, Set<string>>()
  for (const { message } of mmsc.received) {
    const subject = message.body.children.find((c) => c.name === 'Subject')?.text ?? ''
    submitted.set(subject, (submitted.get(subject) ?? new Set()).add(message.transactionId ?? ''))
  }
  for (const id of toHandset) {
    expect(counts.has(id) || submitted.has(id), `${id} is in the queue or at the MMSC`).toBe(true)
    expect(counts.get(id) ?? 1).toBe(1)
    expect(submitted.get(id)?.size ?? 1).toBe(1)
  }
  // Nothing twice, acknowledged or not.
  expect([...counts].filter(([id, n]) => n > 1 && id !== '')).toEqual([])
  expect(toMailbox.size).toBeGreaterThan(killed)
  if (killed === rounds) expect(toHandset.size).toBeGreaterThan(0)
  console.log(
    `${killed} times killed; acknowledged: ${toMailbox.size} for mailboxes, ${toHandset.size} for handsets`,
  )
}, 180_000)

test('QUE-051, MM7-004: a full disk gives MM7 3000 and SMTP 452, loses nothing, and recovers', async (context) => {
  const disk = folder()
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', disk], { stdio: 'pipe' })
  } catch {
    context.skip('mounting a small file system is not permitted here')
  }
  atEnd(() => {
    execFileSync('umount', ['-l', disk])
  })
  const store = join(disk, 'data')
  mkdirSync(store)
  writeFileSync(join(disk, 'ballast'), Buffer.alloc(3_000_000))
  const served = await serve(
    configFile(testConfig({ store: `sqlite:${store}`, log: 'error', limits: { freeOctets: 0 } })),
  )
  const acknowledged: string[] = []
  const postOne = async (id: string): Promise<number> => {
    const parts = [{ type: 'image/jpeg', id: 'a', octets: Buffer.alloc(150_000, id) }]
    const { status } = await post(served.ready.mm7!, deliverReq({ transactionId: id, subject: id, parts }))
    if (status === 1000) acknowledged.push(id)
    return status
  }
  const smtp = new SmtpClient(served.ready.smtp!)
  await smtp.reply()
  await smtp.command('EHLO load.example.org')
  const mailOne = async (id: string): Promise<string> => {
    const octets = `Subject: ${id}\r\n\r\n${`${'y'.repeat(70)}\r\n`.repeat(2000)}`
    const reply = await smtp.send('bob@example.net', ['alice@example.net'], octets)
    if (reply.startsWith('250')) acknowledged.push(id)
    return reply
  }
  let status = 1000
  for (let n = 0; n < 60 && status === 1000; n++) status = await postOne(`full-${n}`)
  expect(status).toBe(3000)
  expect(acknowledged.length).toBeGreaterThan(2)
  expect(await mailOne('full-mail')).toMatch(/^452 4\.3\.1/)
  expect(await postOne('full-again')).toBe(3000)
  expect((await smtp.command('NOOP')).slice(0, 3)).toBe('250')

  rmSync(join(disk, 'ballast'))
  await eventually(async () => (await postOne('room')) === 1000)
  expect(await mailOne('room-mail')).toMatch(/^250/)
  smtp.end()
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(await served.end()).toBe(0)
  const engine = await openSqlite(store)
  const found = (await inbox({ engine })).map(subjectOf)
  for (const { entry } of await engine.spool.list({})) {
    const octets = Buffer.from(await engine.spool.octets(entry.queueId)).toString('latin1')
    found.push(/<Subject>(\S+)<\/Subject>/.exec(octets)?.[1] ?? subjectOf(Buffer.from(octets, 'latin1')))
  }
  await engine.close()
  for (const id of acknowledged)
    expect(
      found.filter((f) => f === id),
      id,
    ).toHaveLength(1)
  expect(await checkStore(store)).toMatchObject({ problems: [] })
}, 60_000)
