/** Cost grows with the work that is asked, not with the size of what is stored: no statement looks through a table. */
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { expect, test } from 'vitest'
import { AccountWrite } from '../../src/db/sqlite/account-write.ts'
import { runOperation } from '../../src/db/sqlite/operations.ts'
import { migrate } from '../../src/db/sqlite/schema.ts'
import { Statements } from '../../src/db/sqlite/statements.ts'
import { viewOf } from '../../src/db/sqlite/view.ts'
import { digestFor } from '../support/digest.ts'

const all = [{ from: 1, to: 4_294_967_295 }]

/** Statements that were prepared while `fn` ran, with their plans. */
async function plansOf(fn: (sql: Statements) => unknown): Promise<Map<string, string[]>> {
  const db = new DatabaseSync(':memory:')
  migrate(db)
  db.exec(`INSERT INTO accounts (id, address, password) VALUES (1, 'a', '');
    INSERT INTO mailboxes (id, account, name, selectable, uid_validity, highest_mod_seq, object_id) VALUES
      (1, 1, 'INBOX', 1, 1, 1, 'F1'), (2, 1, 'Other', 1, 1, 1, 'F2')`)
  const texts: string[] = []
  const sql = new Statements(db)
  const of = sql.of.bind(sql)
  const tuples = sql.tuples.bind(sql)
  sql.of = (text) => {
    texts.push(text)
    return of(text)
  }
  sql.tuples = (text, ...values: SQLInputValue[]) => {
    texts.push(text)
    return tuples(text, ...values)
  }
  await fn(sql)
  const plans = new Map(
    texts.map((text): [string, string[]] => [
      text,
      db
        .prepare(`EXPLAIN QUERY PLAN ${text}`)
        .all()
        .map((row) => String(row.detail)),
    ]),
  )
  db.close()
  return plans
}

const append = (write: AccountWrite) =>
  runOperation(write, {
    op: 'append',
    mailbox: 1,
    messages: [
      {
        octets: 0,
        digest: digestFor(Buffer.from('x')),
        internalDate: 1,
        internalOffsetMinutes: 0,
        flags: ['\\Deleted'],
      },
    ],
  })

test('QR-56: writes find their rows by an index', async () => {
  const plans = await plansOf((sql) => {
    const write = new AccountWrite({ sql, blobs: [1], now: 1 }, 1)
    append(write)
    const change = { mode: 'add', flags: ['\\Seen'] } as const
    runOperation(write, { op: 'flags', mailbox: 1, uids: all, change })
    runOperation(write, { op: 'copy', from: 1, uids: all, to: 2 })
    runOperation(write, { op: 'expunge', mailbox: 1, uids: 'all', onlyDeleted: true })
    runOperation(write, { op: 'move', from: 2, uids: all, to: 1 })
    runOperation(write, { op: 'create', name: 'a/b', use: ['\\Sent'] })
    runOperation(write, { op: 'rename', from: 'a', to: 'c' })
    runOperation(write, { op: 'delete', name: 'c' })
    runOperation(write, { op: 'reset-keys', mailbox: 'all' })
    write.finish(true, undefined)
  })
  expect(plans.size).toBeGreaterThan(20)
  for (const [text, plan] of plans)
    expect([text, plan.filter((step) => /^SCAN/.test(step))]).toEqual([text, []])
  const marked = [...plans].filter(([text]) => text.includes('instr(flags'))
  expect(marked.map(([, plan]) => plan[0])).toEqual(
    marked.map(() => expect.stringContaining('messages_deleted')),
  )
})

test('reads find their rows by an index, the first unseen message without those that are seen', async () => {
  const plans = await plansOf(async (sql) => {
    const write = new AccountWrite({ sql, blobs: [1], now: 1 }, 1)
    append(write)
    write.finish(true, undefined)
    const view = viewOf(sql, 1)
    await view.mailboxes()
    await view.mailbox('INBOX')
    await view.firstUnseen(1)
    await view.changes(1, 5)
    await view.gaps(1)
    await view.countFrom(1, 5)
    await view.quota()
    await view.metadata(null)
    await view.sorted(1, [{ by: 'from' }])
    for (const query of [
      { digest: true, threadId: true },
      { changedSince: 4 },
      { uids: all, changedSince: 4 },
    ])
      for await (const _ of view.messages(1, query));
    for (const term of [
      { in: 'header', field: 'Subject', needle: 'x' },
      { in: 'text', needle: 'x' },
      { in: 'thread-id', id: 'T1' },
      { in: 'email-id', id: 'M1' },
    ] as const)
      await view.search(1, term)
  })
  for (const [text, plan] of plans)
    expect([text, plan.filter((step) => /^SCAN/.test(step))]).toEqual([text, []])
  const planOf = (part: string) => [...plans].find(([text]) => text.includes(part))?.[1].join(', ')
  expect(planOf("'\\Seen'")).toContain('messages_unseen')
  expect(planOf('k.thread = ?')).toMatch(/sort_keys_thread.*messages_blob/)
  expect(planOf('AND m.mod_seq > ?')).toContain('messages_mod_seq')
})
