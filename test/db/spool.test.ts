import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, readdirSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { checkStore } from '../../src/db/sqlite/check.ts'
import { openSqlite } from '../../src/db/sqlite/engine.ts'
import { segmentFile } from '../../src/db/sqlite/segments.ts'
import type { NewQueueEntry, Outcome } from '../../src/model/queue.ts'
import { digestFor } from '../support/digest.ts'
import { tempFolder } from '../support/temp.ts'

const entry = (queueId: string, over: Partial<NewQueueEntry> = {}): NewQueueEntry => ({
  queueId,
  receivedAt: 1000,
  origin: {
    carrier: 'mm7',
    peer: 'mmsc',
    ip: '192.0.2.10',
    contentType: 'text/xml',
    operation: 'SubmitReq',
    receivedAt: 1000,
  },
  octets: [Buffer.from(`octets of ${queueId}`)],
  sender: '+12025550123',
  deliveries: [
    {
      target: 'store',
      recipients: [
        { index: 0, address: 'alice@example.net', account: 'alice@example.net' },
        { index: 2, address: 'bob@example.net' },
      ],
      dueAt: 1000,
      expiresAt: 99_000,
    },
  ],
  ...over,
})
const outcome = (index: number, state: Outcome['state'], code = '2.0.0'): Outcome => ({
  index,
  state,
  status: { code, text: 'text' },
})

test('QUE-001, QUE-002: enqueue, lease, settle in parts, done', async () => {
  const engine = await openSqlite(tempFolder())
  const { spool } = engine
  await spool.enqueue([
    entry('Q1'),
    entry('Q2', { deliveries: [{ ...entry('x').deliveries[0]!, dueAt: 50_000 }] }),
  ])
  expect(await spool.nextDue()).toBe(1000)
  const [leased, none] = await spool.claim(2000, 10_000, 10)
  expect(none).toBeUndefined()
  expect(leased).toMatchObject({
    target: 'store',
    number: 0,
    attempts: 0,
    entry: { queueId: 'Q1', size: 12 },
  })
  expect(leased!.recipients.map((r) => [r.index, r.state])).toEqual([
    [0, 'pending'],
    [2, 'pending'],
  ])
  expect(Buffer.from(await spool.octets('Q1')).toString()).toBe('octets of Q1')
  expect(await spool.claim(2000, 10_000, 10)).toEqual([])
  expect(await spool.claim(10_000, 20_000, 10)).toHaveLength(1)

  await spool.settle([
    {
      deliveryId: leased!.deliveryId,
      outcomes: [outcome(0, 'relayed'), outcome(2, 'deferred', '4.3.0')],
      nextDueAt: 30_000,
      peerMessageId: 'P-1',
      now: 2500,
    },
  ])
  expect(await spool.nextDue()).toBe(30_000)
  expect(await spool.byPeerMessageId('', 'P-1')).toHaveLength(0)
  expect(await spool.retry('Q1', 3000)).toBe(true)
  expect(await spool.retry('nosuch', 3000)).toBe(false)
  const [again] = await spool.claim(3000, 9000, 10)
  expect(again).toMatchObject({ attempts: 1, peerMessageId: 'P-1' })
  expect(again!.recipients.map((r) => r.state)).toEqual(['relayed', 'deferred'])
  await spool.settle([
    {
      deliveryId: again!.deliveryId,
      outcomes: [outcome(2, 'failed', '5.1.1')],
      now: 4000,
      reports: [entry('R1')],
    },
  ])
  expect((await spool.list({})).map((e) => e.entry.queueId).sort()).toEqual(['Q2', 'R1'])
  const [settled] = await spool.list({ queueId: 'Q1' })
  expect(settled!.deliveries[0]!.recipients[1]).toMatchObject({
    state: 'failed',
    status: { code: '5.1.1' },
    settledAt: 4000,
  })
  expect(await spool.purge(5000, 5000, 5000, 10)).toBe(1)
  expect(await spool.list({ queueId: 'Q1' })).toEqual([])
  await engine.close()
})

test('QUE-060: a mailbox delivery and the end of the queue entry are one transaction', async () => {
  const folder = tempFolder()
  const engine = await openSqlite(folder)
  await engine.directory.put('alice@example.net', 'x')
  const account = (await engine.directory.find('alice@example.net'))!.id
  await engine.spool.enqueue([entry('Q1')])
  const [leased] = await engine.spool.claim(2000, 10_000, 10)
  const octets = Buffer.from('mail')
  const delivery = (address: string) => ({
    account: address,
    mailbox: 'INBOX',
    message: { octets: [octets], digest: digestFor(octets), internalDate: 5, flags: [] },
  })
  const settlement = {
    deliveryId: leased!.deliveryId,
    outcomes: [outcome(0, 'delivered'), outcome(2, 'delivered')],
    now: 1,
  }
  await expect(
    engine.spool.settle([
      { ...settlement, mailbox: [delivery('alice@example.net'), delivery('nobody@example.net')] },
    ]),
  ).rejects.toThrow(/no account/)
  expect((await engine.store.read(account, (v) => v.mailbox('INBOX')))!.messages).toBe(0)
  await engine.spool.settle([{ ...settlement, mailbox: [delivery('alice@example.net')] }])
  expect((await engine.store.read(account, (v) => v.mailbox('INBOX')))!.messages).toBe(1)
  expect(await engine.spool.stats()).toMatchObject({ entries: 0 })
  await engine.close()
  expect((await checkStore(folder)).problems).toEqual([])
})

test('MM7-060, MM7-061: the answer to the same request is kept 24 h; another body is told', async () => {
  const engine = await openSqlite(tempFolder())
  await engine.spool.enqueue([entry('Q1', { duplicateKey: { key: 'k', hash: 'h', response: 'answer' } })])
  expect(await engine.spool.duplicate('k', 'h', 2000)).toEqual({ response: 'answer' })
  expect(await engine.spool.duplicate('k', 'other', 2000)).toBe('different')
  expect(await engine.spool.duplicate('k', 'h', 1000 + 86_400_001)).toBeUndefined()
  await engine.close()
})

test('leases of a dead process are free after a restart', async () => {
  const folder = tempFolder()
  const first = await openSqlite(folder)
  await first.spool.enqueue([entry('Q1')])
  expect(await first.spool.claim(2000, 9e12, 1)).toHaveLength(1)
  await first.close()
  const second = await openSqlite(folder)
  expect(await second.spool.claim(2000, 9e12, 1)).toHaveLength(1)
  await second.close()
})

test('a torn tail is cut on start; a damaged record is found by the check', async () => {
  const folder = tempFolder()
  const first = await openSqlite(folder)
  await first.spool.enqueue([entry('Q1'), entry('Q2')])
  await first.close()
  const segment = segmentFile(folder, 0)
  const size = statSync(segment).size
  appendFileSync(segment, 'LMR1 half a record')
  const second = await openSqlite(folder)
  expect(statSync(segment).size).toBe(size)
  await second.spool.enqueue([entry('Q3')])
  expect(Buffer.from(await second.spool.octets('Q3')).toString()).toBe('octets of Q3')
  await second.close()
  expect((await checkStore(folder)).problems).toEqual([])
  truncateSync(segment, size - 1)
  expect((await checkStore(folder)).problems).toHaveLength(2)
})

test('QUE-051: a failed write keeps nothing and answers so; later ones work', async () => {
  const engine = await openSqlite(tempFolder())
  await engine.spool.enqueue([entry('Q1')])
  const again = engine.spool.enqueue([entry('Q2'), entry('Q1')])
  await expect(again).rejects.toThrow()
  expect(await engine.spool.list({ queueId: 'Q2' })).toEqual([])
  await engine.spool.enqueue([entry('Q2')])
  await engine.close()
})

test('SIGKILL at any moment: what was acknowledged is there exactly once, and the check is clean', {
  timeout: 60_000,
}, async () => {
  const folder = tempFolder()
  const acknowledged = new Set<string>()
  for (let round = 0; round < 5; round++) {
    const child = spawn(process.execPath, [
      new URL('./enqueue-until-killed.ts', import.meta.url).pathname,
      folder,
      String(round),
    ])
    let text = ''
    let ready: () => void
    const started = new Promise<void>((resolve) => (ready = resolve))
    child.stdout.on('data', (chunk) => {
      text += chunk
      if (text.startsWith('ready')) ready()
    })
    await started
    await new Promise((resolve) => setTimeout(resolve, 50 + Math.random() * 300))
    child.kill('SIGKILL')
    await once(child, 'close')
    // The last line may be cut: it was on its way when the process died.
    for (const line of text.slice(0, text.lastIndexOf('\n')).split('\n').slice(1)) acknowledged.add(line)
  }
  const engine = await openSqlite(folder)
  const entries = (await engine.spool.list({ open: false, limit: 1e9 })).map((e) => e.entry.queueId)
  const account = (await engine.directory.find('alice@example.net'))!.id
  const kept: string[] = []
  await engine.store.read(account, async (view) => {
    const inbox = (await view.mailbox('INBOX'))!.id
    for await (const batch of view.messages(inbox, {}))
      for (const m of batch)
        kept.push(
          Buffer.from(await engine.store.readBlob(m.blob))
            .toString()
            .split('\n')[0]!,
        )
  })
  await engine.close()
  const all = [...entries, ...kept]
  expect(new Set(all).size).toBe(all.length)
  expect([...acknowledged].filter((id) => !all.includes(id))).toEqual([])
  expect(acknowledged.size).toBeGreaterThan(50)
  expect((await checkStore(folder)).problems).toEqual([])
})

test('the folder holds the database, segments, the secret and the lock, nothing else', async () => {
  const folder = tempFolder()
  writeFileSync(join(folder, 'lock'), '999999999')
  const engine = await openSqlite(folder)
  await engine.spool.enqueue([entry('Q1')])
  await engine.close()
  expect(readdirSync(folder).sort()).toEqual([
    'auth-secret',
    'lemonade.sqlite',
    'lock.db',
    'segment-000000.lmr',
  ])
})

test('QUE-001, QUE-002: what is due is leased as it is enqueued, and is what a claim would have told', async () => {
  const folder = tempFolder()
  const engine = await openSqlite(folder)
  const [due] = entry('x').deliveries
  const later = { ...due!, dueAt: 5000 }
  const entries = [
    entry('Q1', { deliveries: [later, due!] }),
    entry('Q2', { deliveries: [later] }),
    entry('Q3'),
  ]
  const leased = await engine.spool.enqueue(entries, { now: 2000, until: 10_000 })
  expect(leased.map((d) => [d.entry.queueId, d.number])).toEqual([
    ['Q1', 1],
    ['Q3', 0],
  ])
  expect(await engine.spool.claim(2000, 10_000, 10)).toEqual([])
  expect(await engine.spool.nextDue()).toBe(5000)
  const listed = await engine.spool.list({})
  expect(listed.find((l) => l.entry.queueId === 'Q1')?.deliveries[1]).toEqual(leased[0])
  // A lease that ran out, and one of a process that is gone, are due again.
  expect(await engine.spool.claim(10_000, 20_000, 10)).toHaveLength(4)
  await engine.close()
  const again = await openSqlite(folder)
  expect(await again.spool.claim(2000, 10_000, 10)).toEqual(leased)
  await again.close()
})
