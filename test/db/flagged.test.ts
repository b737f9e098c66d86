/** What a change of flags tells by itself, against what a read of the store finds (QR-56). */
import { expect, test } from 'vitest'
import { openSqlite } from '../../src/db/sqlite/engine.ts'
import type { AccountChange, StoreOperation } from '../../src/store/store.ts'
import { digestMessage } from '../../src/wire/mime/digest.ts'
import { seeded } from '../support/random.ts'
import { tempFolder } from '../support/temp.ts'

test('QR-02, QR-56: a small change of flags tells what a read would find; every other change tells nothing of it', async () => {
  const engine = await openSqlite(tempFolder(), { now: Date.now })
  await engine.directory.put('a@example.net', 'secret')
  const account = (await engine.directory.find('a@example.net'))?.id ?? 0
  const boxOf = (name: string) => engine.store.read(account, (view) => view.mailbox(name))
  const box = (await boxOf('INBOX'))?.id ?? 0
  await engine.store.write(account, [{ op: 'create', name: 'Other' }])
  const other = (await boxOf('Other'))?.id ?? 0
  const octets = Buffer.from('Subject: hi\r\n\r\nhi\r\n')
  const message = { octets: [octets], digest: digestMessage(octets), internalDate: 0, flags: ['\\Seen'] }
  const count = 300
  for (const mailbox of [box, other])
    await engine.store.write(account, [{ op: 'append', mailbox, messages: Array(count).fill(message) }])

  const changes: AccountChange[] = []
  const stop = engine.store.watch(account, (change) => changes.push(change))
  const changeOf = async (...operations: StoreOperation[]): Promise<AccountChange | undefined> => {
    changes.length = 0
    await engine.store.write(account, operations)
    return changes[0]
  }
  const random = seeded(11)
  const number = (below: number): number => Math.floor(random() * below)
  const flagNames = ['\\Seen', '\\Deleted', '\\Flagged', '$Forwarded', 'k1', 'k2']
  const flags = (mailbox: number, most: number): StoreOperation => {
    const from = 1 + number(count - most)
    return {
      op: 'flags',
      mailbox,
      uids: [{ from, to: from + number(most) }],
      change: {
        mode: (['add', 'remove', 'replace'] as const)[number(3)] ?? 'add',
        flags: flagNames.filter(() => random() < 0.3),
      },
    }
  }
  let told = 0
  for (let i = 0; i < 150; i++) {
    const change = await changeOf(flags(box, 40))
    if (!change) continue
    const { flagged } = change
    const [mailbox, read] = await engine.store.read(account, async (view) => [
      await view.mailboxById(box),
      await view.changes(box, flagged?.before ?? 0),
    ])
    expect(flagged?.mailbox).toBe(box)
    expect(mailbox).toMatchObject(flagged?.counters ?? {})
    expect(flagged?.counters.highestModSeq).toBeGreaterThan(flagged?.before ?? 0)
    expect(flagged?.messages).toEqual(read.messages.map(({ uid, modSeq, flags }) => ({ uid, modSeq, flags })))
    told += 1
  }
  expect(told).toBeGreaterThan(50)

  const all: StoreOperation = {
    op: 'flags',
    mailbox: box,
    uids: [{ from: 1, to: count }],
    change: { mode: 'replace', flags: ['big'] },
  }
  const one = (uid: number, mailbox = box): StoreOperation => ({
    ...all,
    mailbox,
    uids: [{ from: uid, to: uid }],
    change: { mode: 'add', flags: ['one'] },
  })
  const gone: StoreOperation = {
    op: 'expunge',
    mailbox: box,
    uids: [{ from: 7, to: 7 }],
    onlyDeleted: false,
  }
  const move: StoreOperation = { op: 'move', from: box, uids: [{ from: 8, to: 8 }], to: other }
  const append: StoreOperation = { op: 'append', mailbox: box, messages: [message] }
  for (const operations of [[all], [one(1), one(2)], [one(3), gone], [one(4), move], [one(5), append]]) {
    const change = await changeOf(...operations)
    expect(change?.mailboxes).toContain(box)
    expect(change?.flagged).toBeUndefined()
  }
  expect((await changeOf(one(9), one(9, other)))?.flagged).toBeUndefined()
  stop()
  await engine.close()
})
