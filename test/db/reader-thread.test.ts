/** The thread that answers what takes long: the same answers, also when it ended, and the store closes behind it. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ReaderThread } from '../../src/db/sqlite/reader-thread.ts'
import { Fault } from '../../src/model/fault.ts'
import { digestMessage } from '../../src/wire/mime/digest.ts'
import { startImap, type TestImap } from '../support/imap-server.ts'

let server: TestImap
let account = 0
const inboxes: number[] = []
const boxOf = (name: string) => server.store.read(account, async (view) => (await view.mailbox(name))!.id)

beforeAll(async () => {
  server = await startImap({ indexed: true })
  account = (await server.directory.find('alice@example.net'))!.id
  const message = (i: number) => {
    const octets = Buffer.from(
      `Subject: n${(i * 7919) % 100}\r\nFrom: p${i % 13}@example.org\r\n\r\nwords ${i}\r\n`,
    )
    return { octets: [octets], digest: digestMessage(octets), internalDate: i, flags: [] }
  }
  // The same messages above the size from which on the thread is asked, and a part of them below it.
  for (const [name, count] of [
    ['Large', 2500],
    ['Small', 500],
  ] as const) {
    await server.store.write(account, [{ op: 'create', name }])
    const mailbox = await boxOf(name)
    inboxes.push(mailbox)
    for (let i = 0; i < count; i += 500)
      await server.store.write(account, [
        { op: 'append', mailbox, messages: Array.from({ length: 500 }, (_, j) => message(i + j)) },
      ])
  }
  await server.indexed()
})
afterAll(() => server.close())

test('what a large mailbox is told of its first messages is what a small one is told of all', async () => {
  const [large = 0, small = 0] = inboxes
  const both = async <T>(ask: (mailbox: number) => Promise<T>): Promise<[T, T]> => [
    await ask(large),
    await ask(small),
  ]
  const orders = await both((box) =>
    server.store.read(account, (view) =>
      view.sorted(box, [{ by: 'subject' }, { by: 'from', reverse: true }]),
    ),
  )
  expect([...orders[0]].filter((uid) => uid <= 500)).toEqual([...orders[1]])
  for (const term of [
    { in: 'header', field: 'FROM', needle: 'p1' },
    { in: 'header', field: 'SUBJECT', needle: 'N77' },
    { in: 'text', needle: 'words 4' },
    { in: 'body', needle: 'words 42' },
    { in: 'text', needle: 'nowhere' },
  ] as const) {
    const hits = await both((box) => server.store.read(account, (view) => view.search(box, term)))
    for (const kind of ['matches', 'maybe'] as const)
      expect(
        [...hits[0][kind]].filter((uid) => uid <= 500),
        term.needle,
      ).toEqual([...hits[1][kind]])
  }
  // What was written a moment ago is part of the answer.
  const octets = Buffer.from('Subject: brand-new\r\n\r\nx\r\n')
  await server.store.write(account, [
    {
      op: 'append',
      mailbox: large,
      messages: [{ octets: [octets], digest: digestMessage(octets), internalDate: 1, flags: [] }],
    },
  ])
  const term = { in: 'header', field: 'SUBJECT', needle: 'brand-new' } as const
  const { matches } = await server.store.read(account, (view) => view.search(large, term))
  expect([...matches]).toEqual([2501])
})

test('many questions at once are all answered; a wrong one alone fails; after the end none is', async () => {
  const reader = new ReaderThread(server.folder, true)
  const [large = 0] = inboxes
  const asked = Array.from({ length: 30 }, (_, i) =>
    reader.ask<Uint32Array>({ ask: 'sorted', mailbox: i % 2 ? large : 0, keys: [{ by: 'size' }] }),
  )
  const wrong = reader.ask({ ask: 'sorted', mailbox: large, keys: [{ by: 'nothing' as 'size' }] })
  await expect(wrong).rejects.toThrow()
  expect((await Promise.all(asked)).map((uids) => uids.length)).toEqual(
    Array.from({ length: 30 }, (_, i) => (i % 2 ? 2501 : 0)),
  )
  const last = reader.ask<Uint32Array>({ ask: 'sorted', mailbox: large, keys: [{ by: 'date' }] })
  await reader.close()
  expect((await last).length).toBe(2501)
  await expect(reader.ask({ ask: 'sorted', mailbox: large, keys: [] })).rejects.toBeInstanceOf(Fault)
  // It was never started: nothing is there to end.
  await new ReaderThread(server.folder, true).close()
})
