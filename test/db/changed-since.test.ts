/** Changed messages of a UID set, by both ways of finding them: one by one, and through the mailbox (QR-56). */
import { expect, test } from 'vitest'
import { openSqlite } from '../../src/db/sqlite/engine.ts'
import type { UidSet } from '../../src/store/store.ts'
import { digestMessage } from '../../src/wire/mime/digest.ts'
import { seeded } from '../support/random.ts'
import { tempFolder } from '../support/temp.ts'

test('QR-56: what changed since, in any set of UIDs, is what a look at every message finds', async () => {
  const engine = await openSqlite(tempFolder(), { now: Date.now })
  await engine.directory.put('a@example.net', 'secret')
  const account = (await engine.directory.find('a@example.net'))?.id ?? 0
  const box = (await engine.store.read(account, (view) => view.mailbox('INBOX')))?.id ?? 0
  const octets = Buffer.from('Subject: hi\r\n\r\nhi\r\n')
  const message = { octets: [octets], digest: digestMessage(octets), internalDate: 0, flags: [] }
  const count = 2600
  await engine.store.write(account, [{ op: 'append', mailbox: box, messages: Array(count).fill(message) }])
  const random = seeded(3)
  const some = (part: number): UidSet =>
    Array.from({ length: count }, (_, i) => i + 1)
      .filter(() => random() < part)
      .map((uid) => ({ from: uid, to: uid }))
  for (const part of [0.3, 0.01, 0.002, 0.1, 0.6])
    await engine.store.write(account, [
      { op: 'flags', mailbox: box, uids: some(part), change: { mode: 'add', flags: [`$${part}`] } },
    ])
  await engine.store.write(account, [{ op: 'expunge', mailbox: box, uids: some(0.1), onlyDeleted: false }])
  const found = (uids: UidSet | undefined, changedSince: number | undefined): Promise<[number, number][]> =>
    engine.store.read(account, async (view) => {
      const all: [number, number][] = []
      const query = { ...(uids ? { uids } : {}), ...(changedSince === undefined ? {} : { changedSince }) }
      for await (const batch of view.messages(box, query)) for (const m of batch) all.push([m.uid, m.modSeq])
      return all
    })
  const all = await found(undefined, undefined)
  const sets: UidSet[] = [
    [{ from: 1, to: 4_294_967_295 }],
    [{ from: 100, to: 1500 }],
    [
      { from: 1, to: 1 },
      { from: count, to: count },
    ],
    some(0.2),
    [],
  ]
  const highest = Math.max(...all.map(([, modSeq]) => modSeq))
  const sizes = new Set<boolean>()
  const steps = [0, 1, 700, 1700, 2400, ...Array.from({ length: 8 }, (_, i) => highest - i)]
  for (const since of steps)
    for (const uids of sets) {
      const expected = all.filter(
        ([uid, modSeq]) => modSeq > since && uids.some(({ from, to }) => from <= uid && uid <= to),
      )
      expect(await found(uids, since)).toEqual(expected)
      sizes.add(expected.length > 1000)
    }
  expect(sizes.size).toBe(2)
  await engine.close()
})
