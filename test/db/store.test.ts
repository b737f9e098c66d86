import { afterAll, beforeAll, expect, test } from 'vitest'
import { checkStore } from '../../src/db/sqlite/check.ts'
import { type Engine, openSqlite } from '../../src/db/sqlite/engine.ts'
import type { Fault } from '../../src/model/fault.ts'
import type { NewMessage } from '../../src/model/queue.ts'
import type { Message, OperationResult, StoreOperation, UidSet } from '../../src/store/store.ts'
import { digestFor } from '../support/digest.ts'
import { tempFolder } from '../support/temp.ts'

const folder = tempFolder()
let engine: Engine
let account: number

const message = (text: string, flags: string[] = []): NewMessage => {
  const octets = Buffer.from(text)
  return {
    octets: [octets.subarray(0, 1), octets.subarray(1)],
    digest: digestFor(octets),
    internalDate: 1_700_000_000_000,
    flags,
  }
}
const write = (...operations: StoreOperation[]) => engine.store.write(account, operations)
const named = (name: string) => engine.store.read(account, (view) => view.mailbox(name))
const idOf = async (name: string) => (await named(name))!.id
const result = <O extends OperationResult['op']>(results: readonly OperationResult[], op: O) =>
  results.find((r) => r.op === op) as OperationResult & { op: O }
const fetch = (mailbox: number, uids?: UidSet) =>
  engine.store.read(account, async (view) => {
    const all: Message[] = []
    for await (const batch of view.messages(mailbox, { uids, digest: true })) all.push(...batch)
    return all
  })
const kind = (promise: Promise<unknown>) =>
  promise.then(
    () => 'done',
    (fault: Fault) => fault.kind,
  )

beforeAll(async () => {
  engine = await openSqlite(folder, { segmentOctets: 4096 })
  expect(await engine.directory.put('Alice@Example.net', 'secret')).toBe(true)
  account = (await engine.directory.find('alice@example.NET'))!.id
})
afterAll(() => engine.close())

test('ST-07: credentials: right, wrong password, unknown user', async () => {
  expect(await engine.credentials.verify('alice@example.net', 'secret')).toEqual({
    id: account,
    address: 'alice@example.net',
  })
  expect(await engine.credentials.verify('alice@example.net', 'secret')).toBeDefined()
  expect(await engine.credentials.verify('alice@example.net', 'wrong')).toBeUndefined()
  expect(await engine.credentials.verify('bob@example.net', 'secret')).toBeUndefined()
  expect(await engine.directory.put('alice@example.net', 'other')).toBe(false)
  expect(await engine.credentials.verify('alice@example.net', 'secret')).toBeUndefined()
  expect(await engine.credentials.verify('alice@example.net', 'other')).toBeDefined()
})

test('append: octets, digest, flags; counters without counting', async () => {
  const inbox = await idOf('inbox')
  const done = result(
    await write({
      op: 'append',
      mailbox: inbox,
      messages: [message('hello'), message('world', ['\\seen', 'Work'])],
    }),
    'append',
  )
  expect(done.uids).toEqual([1, 2])
  const [first, second] = await fetch(inbox)
  expect(Buffer.from(await engine.store.readBlob(first!.blob)).toString()).toBe('hello')
  expect(Buffer.from(await engine.store.readBlob(second!.blob, { start: 1, end: 3 })).toString()).toBe('or')
  expect(second!.flags).toEqual(['\\Seen', 'Work'])
  expect(second!.digest.baseSubject).toBe('subject')
  expect(second!.modSeq).toBeGreaterThan(first!.modSeq)
  expect(await named('INBOX')).toMatchObject({
    messages: 2,
    unseen: 1,
    deleted: 0,
    octets: 10,
    uidNext: 3,
    keywords: ['Work'],
  })
})

test('SE-09, MV: move keeps each message once; UIDs are never used again', async () => {
  await write({ op: 'create', name: 'a/b' })
  const inbox = await idOf('INBOX')
  const target = await idOf('a/b')
  expect(await named('a')).toMatchObject({ selectable: true })
  const moved = result(
    await write({ op: 'move', from: inbox, uids: [{ from: 2, to: 9 }], to: target }),
    'move',
  )
  expect(moved.copied).toMatchObject({ source: [2], target: [1] })
  const again = result(await write({ op: 'append', mailbox: inbox, messages: [message('three')] }), 'append')
  expect(again.uids).toEqual([3])
  expect(await engine.store.read(account, (view) => view.vanished(inbox, 0))).toEqual([{ from: 2, to: 2 }])
  expect((await fetch(target))[0]).toMatchObject({ flags: ['\\Seen', 'Work'] })
})

test('RFC 7162 §3.1.3: a conditional change leaves alone what changed since', async () => {
  const inbox = await idOf('INBOX')
  const before = (await fetch(inbox)).map((m) => m.modSeq)
  await write({
    op: 'flags',
    mailbox: inbox,
    uids: [{ from: 3, to: 3 }],
    change: { mode: 'add', flags: ['\\Flagged'] },
  })
  const done = result(
    await write({
      op: 'flags',
      mailbox: inbox,
      uids: [{ from: 1, to: 3 }],
      change: { mode: 'add', flags: ['\\Deleted'], unchangedSince: Math.max(...before) },
    }),
    'flags',
  )
  expect(done.modified).toEqual([3])
  expect(done.changed.map((c) => [c.uid, c.flags])).toEqual([[1, ['\\Deleted']]])
  expect(await named('INBOX')).toMatchObject({ deleted: 1, unseen: 2 })
})

test('expunge takes only what carries \\Deleted, and a transaction is whole or nothing', async () => {
  const inbox = await idOf('INBOX')
  const failed = write(
    { op: 'expunge', mailbox: inbox, uids: 'all', onlyDeleted: true },
    { op: 'delete', name: 'nosuch' },
  )
  expect(await kind(failed)).toBe('not-found')
  expect(await named('INBOX')).toMatchObject({ messages: 2, deleted: 1 })
  const done = result(
    await write({ op: 'expunge', mailbox: inbox, uids: 'all', onlyDeleted: true }),
    'expunge',
  )
  expect(done.uids).toEqual([1])
  expect(await named('INBOX')).toMatchObject({ messages: 1, deleted: 0, unseen: 1, octets: 5 })
})

test('MX-01 to MX-13: create, rename with children, delete', async () => {
  expect(await kind(write({ op: 'create', name: 'iNbOx' }))).toBe('exists')
  expect(await kind(write({ op: 'delete', name: 'INBOX' }))).toBe('forbidden')
  expect(await kind(write({ op: 'rename', from: 'a', to: 'a/c' }))).toBe('forbidden')
  expect(await kind(write({ op: 'rename', from: 'nosuch', to: 'x' }))).toBe('not-found')
  const before = await named('a/b')
  await write({ op: 'rename', from: 'a', to: 'y/z' })
  expect(await named('a/b')).toBeUndefined()
  expect(await named('y/z/b')).toMatchObject({ id: before!.id, objectId: before!.objectId, messages: 1 })
  await write({ op: 'delete', name: 'y/z' })
  expect(await named('y/z')).toMatchObject({ selectable: false })
  expect(await kind(write({ op: 'delete', name: 'y/z' }))).toBe('has-children')
  const validity = (await named('y/z/b'))!.uidValidity
  await write({ op: 'delete', name: 'y/z/b' }, { op: 'create', name: 'y/z/b' })
  expect((await named('y/z/b'))!.uidValidity).toBeGreaterThan(validity)
  await write({ op: 'rename', from: 'INBOX', to: 'old' })
  expect(await named('INBOX')).toMatchObject({ messages: 0 })
  expect(await named('old')).toMatchObject({ messages: 1 })
})

test('MX-14, MX-15: subscriptions are names of their own', async () => {
  await write(
    { op: 'subscribe', name: 'gone', subscribed: true },
    { op: 'subscribe', name: 'gone', subscribed: true },
  )
  expect(await engine.store.read(account, (view) => view.subscriptions())).toEqual(['gone'])
  await write({ op: 'subscribe', name: 'gone', subscribed: false })
  expect(await engine.store.read(account, (view) => view.subscriptions())).toEqual([])
})

test('watch is told after each commit; a snapshot stays as it was', async () => {
  const inbox = await idOf('INBOX')
  const seen: number[] = []
  const stop = engine.store.watch(account, (change) => seen.push(...change.mailboxes))
  await engine.store.read(account, async (view) => {
    const before = (await view.mailboxById(inbox))!.messages
    await write({ op: 'append', mailbox: inbox, messages: [message('new')] })
    expect((await view.mailboxById(inbox))!.messages).toBe(before)
  })
  stop()
  await write({ op: 'append', mailbox: inbox, messages: [message('unwatched')] })
  expect(seen).toEqual([inbox])
})

test('200 appends at once give unique ascending UIDs, over several segments', async () => {
  await write({ op: 'create', name: 'many' })
  const many = await idOf('many')
  const done = await Promise.all(
    Array.from({ length: 200 }, (_, i) =>
      write({ op: 'append', mailbox: many, messages: [message(`message ${i} ${'x'.repeat(100)}`)] }),
    ),
  )
  const uids = done.flatMap((r) => result(r, 'append').uids)
  expect(new Set(uids).size).toBe(200)
  expect(Math.max(...uids)).toBe(200)
  const texts = await Promise.all(
    (await fetch(many)).map(async (m) => Buffer.from(await engine.store.readBlob(m.blob)).toString()),
  )
  expect(new Set(texts).size).toBe(200)
  const streamed: Uint8Array[] = []
  for await (const chunk of engine.store.streamBlob((await fetch(many))[0]!.blob)) streamed.push(chunk)
  expect(Buffer.concat(streamed).toString()).toBe(texts[0])
})

test('a second opening is refused; everything is there after reopening, and the check is clean', async () => {
  expect(await kind(openSqlite(folder))).toBe('in-use')
  const before = await fetch(await idOf('many'))
  await engine.close()
  expect(await kind(write())).toBe('unavailable')
  engine = await openSqlite(folder)
  expect((await fetch(await idOf('many'))).map((m) => [m.uid, m.modSeq])).toEqual(
    before.map((m) => [m.uid, m.modSeq]),
  )
  expect((await checkStore(folder)).problems).toEqual([])
})
