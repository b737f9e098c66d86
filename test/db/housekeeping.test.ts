/** What need not be kept goes, what somebody still owns stays; files without a live record are removed. */
import { existsSync, readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { checkStore } from '../../src/db/sqlite/check.ts'
import { openSqlite } from '../../src/db/sqlite/engine.ts'
import { segmentFile } from '../../src/db/sqlite/segments.ts'
import { startHousekeeping } from '../../src/queue/housekeeping.ts'
import { digestFor } from '../support/digest.ts'
import { entry } from '../support/queue-entries.ts'
import { tempFolder } from '../support/temp.ts'

const hour = 3_600_000

test('SEC-052: settled entries, expunged octets and empty segments go; copies keep their octets', async () => {
  const folder = tempFolder()
  let now = Date.now()
  const engine = await openSqlite(folder, { segmentOctets: 100_000, now: () => now })
  const { store, spool, directory } = engine
  await directory.put('alice@example.net', 'secret')
  const { id: account } = (await directory.find('alice@example.net'))!
  const box = (await store.read(account, (v) => v.mailbox('INBOX')))!.id
  const message = (fill: number) => {
    const octets = Buffer.alloc(60_000, fill)
    return { octets: [octets], digest: digestFor(octets), internalDate: now, flags: [] }
  }
  for (let i = 1; i <= 6; i++)
    await store.write(account, [{ op: 'append', mailbox: box, messages: [message(i)] }])
  await store.write(account, [{ op: 'create', name: 'Kept' }])
  const kept = (await store.read(account, (v) => v.mailbox('Kept')))!.id
  const second = [{ from: 2, to: 2 }]
  await store.write(account, [{ op: 'copy', from: box, uids: second, to: kept }])
  const session = { peer: null, ehlo: 'x', ip: '127.0.0.1', port: 25, auth: null, tls: false, esmtp: true }
  await spool.enqueue([
    {
      queueId: 'Q1',
      receivedAt: now,
      origin: {
        carrier: 'mail',
        envelope: { session, mailFrom: { path: null, params: {} }, rcptTo: [], receivedAt: 0 },
      },
      octets: [Buffer.alloc(90_000, 9)],
      sender: '',
      deliveries: [
        { target: 'mx', recipients: [{ index: 0, address: 'a@b.example' }], dueAt: 0, expiresAt: now + hour },
      ],
    },
  ])
  const [leased] = await spool.lease('Q1', now + hour)
  expect(await spool.lease('Q1', now + hour)).toEqual([])
  await store.write(account, [
    { op: 'expunge', mailbox: box, uids: [{ from: 1, to: 5 }], onlyDeleted: false },
  ])
  const segments = () => readdirSync(folder).filter((name) => name.endsWith('.lmr')).length
  expect(segments()).toBe(4)

  // Still open, and just expunged: nothing may go.
  const clean = async () => {
    const stop = startHousekeeping({
      spool,
      now: () => now,
      keepMs: 24 * hour,
      keepContentMs: 24 * hour,
      everyMs: 1,
      log: () => {},
    })
    await new Promise((resolve) => setTimeout(resolve, 150))
    await stop()
  }
  await clean()
  expect(segments()).toBe(4)
  await spool.settle([
    {
      deliveryId: leased!.deliveryId,
      outcomes: [{ index: 0, state: 'relayed', status: { code: '2.0.0', text: 'ok' } }],
      now,
    },
  ])
  now += 25 * hour
  await clean()
  expect(await spool.list({ open: false })).toEqual([])
  const copied = await store.read(account, async (view) => {
    for await (const [first] of view.messages(kept, { digest: true })) return first
    return undefined
  })
  expect(Buffer.from(await store.readBlob(copied!.blob)).equals(Buffer.alloc(60_000, 2))).toBe(true)
  expect(copied!.digest.size).toBe(60_000)
  // Segments 1 and 2 held messages 3 to 5 and nothing else alive; the newest is being written.
  expect(existsSync(segmentFile(folder, 0))).toBe(true)
  expect(existsSync(segmentFile(folder, 1))).toBe(false)
  await store.write(account, [{ op: 'append', mailbox: box, messages: [message(7)] }])
  await engine.close()
  const checked = await checkStore(folder)
  expect(checked.problems).toEqual([])
  expect(checked.entries).toBe(0)
})

test('SEC-052: the content of what was settled goes first; what a report may have to return stays until it is out', async () => {
  const folder = tempFolder()
  const now = Date.now()
  const engine = await openSqlite(folder, { segmentOctets: 1000, now: () => now })
  const { spool } = engine
  await spool.enqueue([
    entry('PLAIN', now),
    entry('REPORTED', now, { keepContent: true }),
    entry('OPEN', now),
  ])
  // So that the newest segment is another one.
  await spool.enqueue([entry('LATER', now)])
  for (const queueId of ['PLAIN', 'REPORTED']) {
    const [leased] = await spool.lease(queueId, now + hour)
    const outcomes = [{ index: 0, state: 'relayed' as const, status: { code: '2.0.0', text: 'ok' } }]
    await spool.settle([{ deliveryId: leased!.deliveryId, outcomes, now }])
  }
  const purge = (contentBefore: number) =>
    spool.purge(now - 100 * hour, contentBefore, Date.now() + hour, 100)
  await purge(now - 1)
  expect((await spool.octets('PLAIN')).length).toBe(1500)
  while ((await purge(now + 1)) > 0);
  // Still listed, with all that became of it.
  expect((await spool.list({ queueId: 'PLAIN' }))[0]!.deliveries[0]!.recipients[0]!.state).toBe('relayed')
  await expect(spool.octets('PLAIN')).rejects.toThrow(/no queue entry/)
  expect((await spool.octets('REPORTED')).length).toBe(1500)
  expect((await spool.octets('OPEN')).length).toBe(1500)
  await spool.originals.mark([
    { queueId: 'REPORTED', index: 0, report: 'delivery', outcome: 'delivered', at: now },
  ])
  while ((await purge(now + 1)) > 0);
  await expect(spool.octets('REPORTED')).rejects.toThrow(/no queue entry/)
  expect((await spool.octets('OPEN')).length).toBe(1500)
  await engine.close()
  const checked = await checkStore(folder)
  expect(checked.problems).toEqual([])
  expect(checked.records).toBe(2)
})
