import { expect, test } from 'vitest'
import { openSqlite } from '../../src/db/sqlite/engine.ts'
import type { NewOriginal } from '../../src/model/original.ts'
import type { NewQueueEntry, NewReportMark, Outcome } from '../../src/model/queue.ts'
import { keepUntil, mayFollow } from '../../src/queue/correlation.ts'
import { tempFolder } from '../support/temp.ts'

const day = 86_400_000
const original = (over: Partial<NewOriginal> = {}): NewOriginal => ({
  messageId: '<a1@example.org>',
  origin: {
    kind: 'mail',
    returnPath: 'alice@example.org',
    envid: 'e=1',
    header: 'Subject: x\r\n',
    size: 100,
  },
  recipients: [0, 1].map((index) => ({
    index,
    address: `+1202555012${index}@mms.example.net`,
    party: { kind: 'number', value: `+1202555012${index}`, raw: `+1202555012${index}@mms.example.net` },
    notify: { success: true, failure: true, delay: false },
    blind: false,
    target: 'mm7-submit:mmsc',
    reports: [],
  })),
  keepContent: true,
  keepUntil: 50 * day,
  ...over,
})
const entry = (queueId: string, over: Partial<NewQueueEntry> = {}): NewQueueEntry => ({
  queueId,
  receivedAt: 1000,
  origin: {
    carrier: 'mm7',
    peer: 'vasp1',
    ip: '192.0.2.20',
    contentType: 'text/xml',
    operation: 'SubmitReq',
    receivedAt: 1000,
  },
  octets: [Buffer.from(`octets of ${queueId}`)],
  sender: '7777',
  deliveries: [
    {
      target: 'mm7-submit:mmsc',
      recipients: [0, 1].map((index) => ({ index, address: `+1202555012${index}` })),
      dueAt: 1000,
      expiresAt: 9 * day,
    },
  ],
  ...over,
})
const relayed = (index: number, peerMessageId?: string): Outcome => ({
  index,
  state: 'relayed',
  status: { code: '2.0.0', text: '' },
  peerMessageId,
})
const mark = (index: number, outcome: string, at = 2000): NewReportMark => ({
  queueId: 'Q1',
  index,
  report: 'delivery',
  outcome,
  at,
})

test('RPT-001, RPT-007: an original is written with its entry, learns the peer id at settlement, survives a restart', async () => {
  const folder = tempFolder()
  const first = await openSqlite(folder)
  await first.spool.enqueue([entry('Q1', { original: original() })])
  const [leased] = await first.spool.claim(2000, 10_000, 10)
  expect(await first.spool.originals.isSending('mmsc')).toBe(true)
  expect(await first.spool.originals.isSending('vasp1')).toBe(false)
  await first.spool.settle([
    {
      deliveryId: leased!.deliveryId,
      outcomes: [relayed(0), relayed(1, 'P-2')],
      peerMessageId: 'P-1',
      now: 2500,
    },
  ])
  await first.close()
  const engine = await openSqlite(folder)
  const { originals } = engine.spool
  const [found] = await originals.byPeerMessageId('mmsc', 'P-1')
  expect(found).toMatchObject({
    queueId: 'Q1',
    messageId: '<a1@example.org>',
    acceptedAt: 1000,
    hasContent: true,
    origin: { kind: 'mail', returnPath: 'alice@example.org', envid: 'e=1', header: 'Subject: x\r\n' },
  })
  expect(found!.recipients.map((r) => r.peerMessageId)).toEqual(['P-1', 'P-2'])
  expect(await originals.byPeerMessageId('other', 'P-1')).toEqual([])
  expect((await originals.byPeerMessageId('mmsc', 'P-2'))[0]!.queueId).toBe('Q1')
  expect((await originals.byMessageId('<a1@example.org>')).map((o) => o.queueId)).toEqual(['Q1'])
  expect(await originals.byQueueId('Q2')).toBeUndefined()
  await engine.close()
})

test('RPT-006, RPT-015, SEC-035: what may follow what', () => {
  const at = (outcome: string, ms = 0) => ({ report: 'delivery', outcome, at: ms }) as const
  expect(mayFollow([], at('delivered'))).toBe(true)
  expect(mayFollow([at('relayed')], at('delivered'))).toBe(true)
  expect(mayFollow([at('relayed')], at('relayed'))).toBe(false)
  expect(mayFollow([at('failed')], at('delivered'))).toBe(false)
  expect(mayFollow([at('delivered')], at('relayed'))).toBe(false)
  expect(mayFollow([at('delayed', 0)], at('delayed', day - 1))).toBe(false)
  expect(mayFollow([at('delayed', 0)], at('delayed', day))).toBe(true)
  expect(mayFollow([at('failed')], { report: 'read', outcome: 'displayed', at: 0 })).toBe(true)
  const ten = Array.from({ length: 10 }, (_, i) => at('delayed', i * day))
  expect(mayFollow(ten, at('failed'))).toBe(false)
})

test('RPT-006, MM7-069: of two reports at once one entry is kept; the content goes with the last report (SEC-052)', async () => {
  const engine = await openSqlite(tempFolder(), { now: () => 2000 })
  const { spool } = engine
  await spool.enqueue([entry('Q1', { original: original(), deliveries: [] })])
  const report = (queueId: string) => entry(queueId, { marks: [mark(0, 'delivered')], deliveries: [] })
  const both = await Promise.allSettled([spool.enqueue([report('R1')]), spool.enqueue([report('R2')])])
  expect(both.map((r) => r.status).sort()).toEqual(['fulfilled', 'rejected'])
  expect(await spool.list({ open: false })).toHaveLength(2)
  await spool.originals.mark([mark(0, 'failed'), mark(0, 'relayed')])
  expect((await spool.originals.byQueueId('Q1'))!.recipients[0]!.reports).toEqual([
    { report: 'delivery', outcome: 'delivered', at: 2000 },
  ])
  // The entry goes, the content stays as long as a report may ask for it.
  const last = Date.now() + 1000
  await spool.purge(9000, 9000, last, 10)
  expect(Buffer.from(await spool.octets('Q1')).toString()).toBe('octets of Q1')
  await spool.originals.mark([mark(1, 'failed')])
  expect(await spool.originals.byQueueId('Q1')).toMatchObject({ hasContent: false })
  await spool.purge(9000, 9000, last, 10)
  await expect(spool.octets('Q1')).rejects.toThrow(/no queue entry/)
  await engine.close()
})

test('RPT-002: kept until the later of expiry + 7 days and 14 days, 30 for read reports; then gone', async () => {
  expect(keepUntil(0, 2 * day, false)).toBe(14 * day)
  expect(keepUntil(0, 10 * day, false)).toBe(17 * day)
  expect(keepUntil(0, 2 * day, true)).toBe(30 * day)
  expect(keepUntil(0, 2 * day, true, { keepDays: 90 })).toBe(90 * day)
  expect(keepUntil(0, 2 * day, false, { keepDays: 3 })).toBe(9 * day)
  const engine = await openSqlite(tempFolder())
  await engine.spool.enqueue([entry('Q1', { original: original(), deliveries: [] })])
  expect(await engine.spool.originals.purge(50 * day, 10)).toBe(0)
  expect(await engine.spool.originals.purge(50 * day + 1, 10)).toBe(1)
  expect(await engine.spool.originals.byMessageId('<a1@example.org>')).toEqual([])
  await engine.close()
})

test('MM7-064, MM7-065: waiting recipients are cancelled, those under way are not; an entry is replaced whole or not', async () => {
  const engine = await openSqlite(tempFolder())
  const { spool } = engine
  await spool.enqueue([
    entry('Q1', { mmsMessageId: 'MMS-1' }),
    entry('Q2', { mmsMessageId: 'MMS-2', deliveries: [{ ...entry('x').deliveries[0]!, dueAt: 5 * day }] }),
  ])
  expect(await spool.byMmsMessageId('vasp1', 'MMS-1')).toEqual(['Q1'])
  expect(await spool.byMmsMessageId('vasp2', 'MMS-1')).toEqual([])
  const [leased] = await spool.claim(2000, 3000, 10)
  const origin = { carrier: 'report', reports: [] } as const
  expect(await spool.replace({ queueId: 'Q1', octets: Buffer.from('new'), origin }, 2000)).toBe(false)
  expect(await spool.cancel('Q1', [0, 1], 2000)).toEqual({ cancelled: 0, before: 0, tooLate: 2 })
  expect(
    await spool.replace({ queueId: 'Q2', octets: Buffer.from('new'), origin, dueAt: 6 * day }, 2000),
  ).toBe(true)
  expect(Buffer.from(await spool.octets('Q2')).toString()).toBe('new')
  expect((await spool.list({ queueId: 'Q2' }))[0]!.deliveries[0]).toMatchObject({ dueAt: 6 * day })
  expect(await spool.cancel('Q2', [1], 2000)).toEqual({ cancelled: 1, before: 0, tooLate: 0 })
  expect(await spool.stats()).toMatchObject({ entries: 2 })
  expect(await spool.cancel('Q2', [0, 1], 2000)).toEqual({ cancelled: 1, before: 1, tooLate: 0 })
  expect(await spool.stats()).toMatchObject({ entries: 1 })
  expect(await spool.replace({ queueId: 'Q2', octets: Buffer.from('newer'), origin }, 2000)).toBe(false)
  await spool.settle([{ deliveryId: leased!.deliveryId, outcomes: [relayed(0), relayed(1)], now: 2500 }])
  expect(await spool.nextDue()).toBeUndefined()
  await engine.close()
})
