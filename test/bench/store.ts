/**
 * Figures of the store: node test/bench/store.ts [part ...]. Ratios against work of the same kind in the same run, so that a
 * busy machine changes little: rows against a bare read of the same columns, appends against a bare append and sync.
 */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writevSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type Engine, openSqlite } from '../../src/db/sqlite/engine.ts'
import { runsOf } from '../../src/db/sqlite/uid-runs.ts'
import type { NewMessage } from '../../src/model/queue.ts'
import type { AccountView, StoreOperation } from '../../src/store/store.ts'
import { digestMessage } from '../../src/wire/mime/digest.ts'
import { searchableText, textHolds } from '../../src/wire/mime/search-text.ts'

const parts = process.argv.slice(2)
const wanted = (part: string): boolean => parts.length === 0 || parts.includes(part)
const folder = mkdtempSync(join(tmpdir(), 'lemonade-bench-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

const print = (what: string, figure: string): void => console.log(`${what.padEnd(52)} ${figure}`)
const perSecond = (count: number, ms: number): string =>
  `${Math.round((count / ms) * 1000).toLocaleString('en')}/s`

/** Processor time of all threads: what a busy machine does not change. */
function cpuOf(count: number): () => string {
  const before = process.cpuUsage()
  return () => {
    const { user, system } = process.cpuUsage(before)
    return `${Math.round((user + system) / count)} µs of processor each`
  }
}

/** The best of several runs: what the code can do when nobody else has the processor. */
async function best(runs: number, work: () => Promise<unknown> | unknown): Promise<number> {
  let fastest = Number.POSITIVE_INFINITY
  for (let i = 0; i < runs; i++) {
    const start = performance.now()
    await work()
    fastest = Math.min(fastest, performance.now() - start)
  }
  return fastest
}

const searchText = new URL('../../src/wire/mime/search-text.ts', import.meta.url)
let engine: Engine = await openSqlite(folder)
await engine.directory.put('bench@example.net', 'secret')
const account = (await engine.directory.find('bench@example.net'))?.id ?? 0
const write = (...operations: StoreOperation[]) => engine.store.write(account, operations)
const view = <T>(fn: (view: AccountView) => Promise<T>) => engine.store.read(account, fn)
const boxNamed = async (name: string): Promise<number> => (await view((v) => v.mailbox(name)))?.id ?? 0

const text = (i: number, size: number): Buffer => {
  const head = [
    `Received: from mx${i % 7}.example.com by mail.example.net with ESMTP id ${i}; Mon, 7 Feb 2022 10:00:00 +0100`,
    `Message-ID: <${i}.${'x'.repeat(20)}@example.com>`,
    `From: "Person ${i % 97}" <person${i % 97}@example.com>`,
    `To: Bench <bench@example.net>, Other ${i % 13} <other${i % 13}@example.org>`,
    `Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?= and message number ${i} of many`,
    'Date: Mon, 7 Feb 2022 10:00:00 +0100',
    'MIME-Version: 1.0',
    'Content-Type: multipart/mixed; boundary="b"',
    '',
    '--b',
    'Content-Type: text/plain; charset=utf-8',
    '',
    `This is message ${i}. The word w${i}w is in no other.`,
    '--b',
    'Content-Type: image/jpeg; name="picture.jpg"',
    'Content-Transfer-Encoding: base64',
    '',
  ].join('\r\n')
  const tail = '\r\n--b--\r\n'
  const filler = Math.max(0, size - head.length - tail.length - 2)
  return Buffer.from(`${head}\r\n${'QUJD'.repeat(Math.ceil(filler / 4)).slice(0, filler)}${tail}`)
}
const message = (i: number, size = 2000): NewMessage => {
  const octets = text(i, size)
  return { octets: [octets], digest: digestMessage(octets), internalDate: 1_650_000_000_000 + i, flags: [] }
}

/** A mailbox of `count` messages made by SQL alone; all share the octets of one. */
async function filled(name: string, count: number): Promise<number> {
  await write({ op: 'create', name })
  const id = await boxNamed(name)
  await write({ op: 'append', mailbox: id, messages: [message(1)] })
  await engine.close()
  const db = new DatabaseSync(join(folder, 'lemonade.sqlite'))
  db.exec(`PRAGMA synchronous = OFF; BEGIN;
    INSERT INTO messages (mailbox, uid, mod_seq, created_mod_seq, flags, internal_date, saved_at, size, blob)
      WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})
      SELECT ${id}, i, 1000 + i, 1000 + i, iif(i % 4 = 0, '', '\\Seen'), 1650000000000 + i, 1650000000000, size, blob
      FROM n, (SELECT size, blob FROM messages WHERE mailbox = ${id});
    UPDATE mailboxes SET (uid_next, messages, octets, unseen, highest_mod_seq) =
      (SELECT max(uid) + 1, count(*), sum(size), sum(instr(flags, '\\Seen') = 0), max(mod_seq) FROM messages WHERE mailbox = ${id})
      WHERE id = ${id};
    UPDATE accounts SET mod_seq = (SELECT max(highest_mod_seq) FROM mailboxes),
      (used_octets, used_messages) = (SELECT sum(octets), sum(messages) FROM mailboxes);
    COMMIT; PRAGMA wal_checkpoint(TRUNCATE)`)
  db.close()
  engine = await openSqlite(folder)
  return id
}

const all = [{ from: 1, to: 4_294_967_295 }]
const count = 10_000

if (wanted('bulk')) {
  await write({ op: 'create', name: 'bulk' }, { op: 'create', name: 'other' })
  const bulk = await boxNamed('bulk')
  const other = await boxNamed('other')
  for (let i = 0; i < count; i += 500)
    await write({
      op: 'append',
      mailbox: bulk,
      messages: Array.from({ length: 500 }, (_, k) => message(i + k)),
    })

  const read = await best(7, () =>
    view(async (v) => {
      let length = 0
      for await (const batch of v.messages(bulk, { digest: ['envelope', 'bodyStructure'] }))
        for (const m of batch)
          length += m.digest.envelope.length + m.digest.bodyStructure.length + m.flags.length
      return length
    }),
  )
  const db = new DatabaseSync(join(folder, 'lemonade.sqlite'), { readOnly: true })
  const bare = db.prepare(
    `SELECT m.uid, m.flags, m.internal_date, m.size, d.envelope, d.body_structure FROM messages m JOIN digests d ON d.blob = m.blob WHERE mailbox = ${bulk} ORDER BY uid`,
  )
  bare.setReturnArrays(true)
  const bareMs = await best(7, () => bare.all())
  db.close()
  print(
    'list rows: uid flags dates size envelope structure',
    `${perSecond(count, read)}, ${(bareMs / read).toFixed(2)} of a bare read`,
  )
  const flagsOnly = await best(7, () =>
    view(async (v) => {
      let length = 0
      for await (const batch of v.messages(bulk, {})) for (const m of batch) length += m.flags.length
      return length
    }),
  )
  print('rows without digest', perSecond(count, flagsOnly))

  const change = (mode: 'add' | 'remove', flag: string) =>
    write({ op: 'flags', mailbox: bulk, uids: all, change: { mode, flags: [flag] } })
  let on = false
  const flags = await best(6, () => {
    on = !on
    return change(on ? 'add' : 'remove', '\\Flagged')
  })
  print('STORE of 10,000 in one', perSecond(count, flags))
  const seen = await best(4, () => {
    on = !on
    return change(on ? 'add' : 'remove', '\\Seen')
  })
  print('STORE \\Seen of 10,000 in one', perSecond(count, seen))
  const every3 = Array.from({ length: 3333 }, (_, i) => ({ from: i * 3 + 1, to: i * 3 + 1 }))
  const sparse = await best(4, () => {
    on = !on
    return write({
      op: 'flags',
      mailbox: bulk,
      uids: every3,
      change: { mode: on ? 'add' : 'remove', flags: ['$X'] },
    })
  })
  print('STORE of every third', perSecond(3333, sparse))

  let from = bulk
  let to = other
  const moved = await best(4, async () => {
    await write({ op: 'move', from, uids: all, to })
    ;[from, to] = [to, from]
  })
  print('MOVE of 10,000', perSecond(count, moved))
  const copied = await best(3, () => write({ op: 'copy', from, uids: all, to }))
  print('COPY of 10,000', perSecond(count, copied))
  const expunged = await best(1, () =>
    write({ op: 'expunge', mailbox: to, uids: [{ from: 1, to: 4e9 }], onlyDeleted: false }),
  )
  print('EXPUNGE of 30,000', perSecond(30_000, expunged))
  await write({ op: 'flags', mailbox: from, uids: all, change: { mode: 'add', flags: ['\\Deleted'] } })
  const marked = await best(1, () => write({ op: 'expunge', mailbox: from, uids: 'all', onlyDeleted: true }))
  print('EXPUNGE of 10,000 \\Deleted', perSecond(count, marked))
}

if (wanted('single')) {
  await write({ op: 'create', name: 'single' })
  const single = await boxNamed('single')
  await write({ op: 'append', mailbox: single, messages: Array.from({ length: 64 }, (_, i) => message(i)) })
  const total = 8000
  for (const clients of [1, 8, 64]) {
    const each = Math.ceil((clients === 1 ? 1000 : total) / clients)
    const cpu = cpuOf(2 * each * clients)
    const ms = await best(2, () =>
      Promise.all(
        Array.from({ length: clients }, async (_, client) => {
          const uids = [{ from: client + 1, to: client + 1 }]
          for (let i = 0; i < each; i++)
            await write({
              op: 'flags',
              mailbox: single,
              uids,
              change: { mode: i % 2 ? 'remove' : 'add', flags: ['\\Seen'] },
            })
        }),
      ),
    )
    print(`STORE of one message, ${clients} at once`, `${perSecond(each * clients, ms)}, ${cpu()}`)
  }
}

if (wanted('append')) {
  await write({ op: 'create', name: 'append' })
  const box = await boxNamed('append')
  const total = 3000
  const messages = Array.from({ length: 50 }, (_, i) => message(i, 60 * 1024))
  const fd = openSync(join(folder, 'bare'), 'w')
  const bare = await best(1, () => {
    for (let i = 0; i < total; i += 8) {
      writevSync(
        fd,
        Array.from({ length: 8 }, (_, k) => messages[(i + k) % 50]?.octets[0] ?? Buffer.alloc(0)),
      )
      fdatasyncSync(fd)
    }
  })
  closeSync(fd)
  const cpu = cpuOf(2 * total)
  const ms = await best(2, async () => {
    let next = 0
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        while (next < total) {
          const message = messages[next++ % 50]
          if (message) await write({ op: 'append', mailbox: box, messages: [message] })
        }
      }),
    )
  })
  print(
    'append of 60 KiB, 8 at once',
    `${perSecond(total, ms)}, ${(bare / ms).toFixed(2)} of bare append and sync, ${cpu()}`,
  )
}

if (wanted('size')) {
  const small = await filled('small', 10_000)
  const large = await filled('large', 1_000_000)
  const measures: readonly [string, (v: AccountView, box: number, name: string) => Promise<unknown>][] = [
    ['mailbox()', (v, _, name) => v.mailbox(name)],
    ['firstUnseen()', (v, box) => v.firstUnseen(box)],
    [
      'changes(), 10 changed',
      async (v, box) => v.changes(box, ((await v.mailboxById(box))?.highestModSeq ?? 0) - 10),
    ],
    ['gaps()', (v, box) => v.gaps(box)],
    [
      'messages of 10 UIDs',
      async (v, box) => {
        for await (const batch of v.messages(box, { uids: [{ from: 5000, to: 5009 }], digest: true }))
          batch.length
      },
    ],
  ]
  for (const [what, measure] of measures) {
    const times: number[] = []
    for (const [box, name] of [
      [small, 'small'],
      [large, 'large'],
    ] as const)
      times.push(await view((v) => best(200, async () => measure(v, box, name))))
    const [a = 0, b = 0] = times
    print(
      `${what}: 10,000 and 1,000,000`,
      `${(a * 1000).toFixed(0)} µs, ${(b * 1000).toFixed(0)} µs: ${(b / a).toFixed(2)}`,
    )
  }
  const one = async (box: number) => {
    let on = false
    return best(100, () => {
      on = !on
      return write({
        op: 'flags',
        mailbox: box,
        uids: [{ from: 5000, to: 5000 }],
        change: { mode: on ? 'add' : 'remove', flags: ['$X'] },
      })
    })
  }
  const [a, b] = [await one(small), await one(large)]
  print(
    'STORE of one: 10,000 and 1,000,000',
    `${(a * 1000).toFixed(0)} µs, ${(b * 1000).toFixed(0)} µs: ${(b / a).toFixed(2)}`,
  )
  const sorted = await best(2, () => view((v) => v.sorted(small, [{ by: 'subject' }, { by: 'date' }])))
  print('SORT by subject of 10,000', perSecond(10_000, sorted))
  const uids = await best(2, () => view((v) => v.uids(large)))
  print('uids() of 1,000,000', `${uids.toFixed(0)} ms`)
  const gone = await best(1, () => write({ op: 'delete', name: 'large' }))
  print('DELETE of a mailbox of 1,000,000', `${gone.toFixed(1)} ms`)
}

if (wanted('search')) {
  const total = 10_000
  await write({ op: 'create', name: 'search' })
  const box = await boxNamed('search')
  for (let i = 0; i < total; i += 500)
    await write({
      op: 'append',
      mailbox: box,
      messages: Array.from({ length: 500 }, (_, k) => message(i + k, 4000)),
    })
  const look = async (needle: string) => {
    const { maybe } = await view((v) => v.search(box, { in: 'body', needle }))
    const wantedUids = runsOf(maybe)
    let found = 0
    await view(async (v) => {
      for await (const batch of v.messages(box, { uids: wantedUids }))
        for (const m of batch)
          if (textHolds(searchableText(await engine.store.readBlob(m.blob)), 'body', needle)) found++
    })
    return found
  }
  const scan = await best(1, () => look('w5000w'))
  print('BODY search of 10,000 without index', `${scan.toFixed(0)} ms`)
  const header = await best(3, () =>
    view((v) => v.search(box, { in: 'header', field: 'From', needle: 'person 42' })),
  )
  print('FROM search of 10,000 without index', `${header.toFixed(1)} ms`)
  await engine.close()
  engine = await openSqlite(folder, { searchText })
  const cpu = cpuOf(total)
  const indexing = await best(1, () => engine.indexed())
  print('indexing 10,000 messages', `${perSecond(total, indexing)}, ${cpu()}`)
  for (const needle of ['w5000w', 'w5', 'is in no other', 'nowhere to be seen']) {
    const ms = await best(5, () => look(needle))
    const { maybe } = await view((v) => v.search(box, { in: 'body', needle }))
    const asked = await best(20, () => view((v) => v.search(box, { in: 'body', needle })))
    print(
      `BODY "${needle}": ${maybe.length} looked into`,
      `${ms.toFixed(1)} ms, index ${asked.toFixed(2)} ms`,
    )
  }
  const indexed = await best(5, () =>
    view((v) => v.search(box, { in: 'header', field: 'From', needle: 'person 42' })),
  )
  print('FROM search with index', `${indexed.toFixed(1)} ms, ${(header / indexed).toFixed(1)} times as fast`)
  const sorted = await best(3, () => view((v) => v.sorted(box, [{ by: 'subject' }, { by: 'date' }])))
  print('SORT by subject and date of 10,000', perSecond(total, sorted))
  const threads = await best(3, () =>
    view(async (v) => {
      let length = 0
      for await (const batch of v.threadKeys(box)) for (const k of batch) length += k.references.length
      return length
    }),
  )
  print('THREAD keys of 10,000', perSecond(total, threads))
}

await engine.close()
