/** Sparse segments are emptied and removed; nothing is lost or mixed up by it, whenever the process dies. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { checkStore } from '../../src/db/sqlite/check.ts'
import { type EngineOptions, openSqlite } from '../../src/db/sqlite/engine.ts'
import { segmentFile } from '../../src/db/sqlite/segments.ts'
import type { NewQueueEntry } from '../../src/model/queue.ts'
import { atEnd } from '../support/at-end.ts'
import { digestFor } from '../support/digest.ts'
import { entry } from '../support/queue-entries.ts'
import { tempFolder } from '../support/temp.ts'

const segmentsOf = (folder: string): string[] => readdirSync(folder).filter((name) => name.endsWith('.lmr'))

/** Ten messages of 60,000 octets in segments of 200,000; all but the fifth are expunged and their octets freed. */
async function sparseStore(compaction: EngineOptions['compaction']) {
  const folder = tempFolder()
  const engine = await openSqlite(folder, { segmentOctets: 200_000, compaction })
  const { store, spool, directory } = engine
  await directory.put('alice@example.net', 'secret')
  const { id: account } = (await directory.find('alice@example.net'))!
  const inbox = (await store.read(account, (view) => view.mailbox('INBOX')))!.id
  for (let n = 1; n <= 10; n++) {
    const octets = Buffer.alloc(60_000 + n * 1000, n)
    const message = { octets: [octets], digest: digestFor(octets), internalDate: 1, flags: [] }
    await store.write(account, [{ op: 'append', mailbox: inbox, messages: [message] }])
  }
  const uids = [
    { from: 1, to: 4 },
    { from: 6, to: 10 },
  ]
  await store.write(account, [{ op: 'expunge', mailbox: inbox, uids, onlyDeleted: false }])
  const purge = () => spool.purge(0, 0, Date.now() + 1000, 100)
  while ((await purge()) > 0);
  const blob = await store.read(account, async (view) => {
    for await (const [first] of view.messages(inbox, {})) return first!.blob
    return 0
  })
  const right = async (): Promise<boolean> =>
    Buffer.from(await store.readBlob(blob)).equals(Buffer.alloc(65_000, 5))
  return { folder, engine, spool, store, purge, blob, right }
}

test('SEC-052: what is left in a sparse segment moves; the file stays for its readers, then goes', async () => {
  const { folder, engine, spool, store, purge, blob, right } = await sparseStore({
    graceMs: 300,
    lookEveryMs: 0,
  })
  // Messages 1 to 4 were in the first; 5 to 8 in the second; the newest is being written.
  expect(existsSync(segmentFile(folder, 0))).toBe(false)
  expect(existsSync(segmentFile(folder, 1))).toBe(true)
  // Somebody is in the middle of reading it.
  const slow = store.streamBlob(blob)[Symbol.asyncIterator]()
  const first = await slow.next()
  expect(first.done).toBe(false)
  while (await spool.compact());
  await purge()
  expect(existsSync(segmentFile(folder, 1))).toBe(true)
  expect(await right()).toBe(true)
  await expect
    .poll(async () => {
      await purge()
      return existsSync(segmentFile(folder, 1))
    })
    .toBe(false)
  expect(await right()).toBe(true)
  // The old file is gone and closed: the rest comes from the new place.
  const rest = [Buffer.from(first.value as Uint8Array)]
  for (let next = await slow.next(); !next.done; next = await slow.next()) rest.push(Buffer.from(next.value))
  expect(Buffer.concat(rest).equals(Buffer.alloc(65_000, 5))).toBe(true)
  expect(await spool.compact()).toBe(false)
  await engine.close()
  expect(await checkStore(folder)).toMatchObject({ problems: [] })
})

test('a damaged record is not moved: it would get a good checksum', async () => {
  const { folder, engine, spool } = await sparseStore({ graceMs: 0, lookEveryMs: 0 })
  const file = segmentFile(folder, 1)
  const octets = readFileSync(file)
  const at = octets.indexOf(Buffer.alloc(1000, 5))
  octets[at + 500] = 0
  writeFileSync(file, octets)
  while (await spool.compact());
  await engine.close()
  expect(readFileSync(file).equals(octets)).toBe(true)
  expect((await checkStore(folder)).problems.join()).toContain('checksum')
})

test('octets of what was refused take no room: quota, and a queue id that is taken', async () => {
  const folder = tempFolder()
  const engine = await openSqlite(folder)
  const { store, directory } = engine
  await directory.put('alice@example.net', 'secret')
  const { id: account } = (await directory.find('alice@example.net'))!
  const inbox = (await store.read(account, (view) => view.mailbox('INBOX')))!.id
  await store.write(account, [{ op: 'quota', octets: 100_000, messages: undefined }])
  const octets = Buffer.alloc(200_000, 1)
  const append = () => {
    const message = { octets: [octets], digest: digestFor(octets), internalDate: 1, flags: [] }
    return store.write(account, [{ op: 'append', mailbox: inbox, messages: [message] }])
  }
  for (let i = 0; i < 5; i++) await expect(append()).rejects.toMatchObject({ kind: 'over-quota' })
  // In one group, too.
  await Promise.all([1, 2, 3].map(() => expect(append()).rejects.toMatchObject({ kind: 'over-quota' })))
  expect(statSync(segmentFile(folder, 0)).size).toBe(0)
  await store.write(account, [{ op: 'quota', octets: undefined, messages: undefined }])
  await append()
  expect(statSync(segmentFile(folder, 0)).size).toBe(200_016)
  await engine.close()
  expect(await checkStore(folder)).toMatchObject({ problems: [], records: 1 })
})

const note = (queueId: string): NewQueueEntry => ({
  ...entry(queueId, Date.now()),
  octets: [Buffer.from(queueId)],
})

test('QUE-051: octets of what could not be begun, or committed, take no room', async (context) => {
  const disk = tempFolder()
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', disk], { stdio: 'pipe' })
  } catch {
    context.skip('mounting a small file system is not permitted here')
  }
  atEnd(() => {
    execFileSync('umount', ['-l', disk])
  })
  const folder = join(disk, 'data')
  const { spool, close } = await openSqlite(folder)
  const segment = segmentFile(folder, 0)
  // Somebody else holds the database.
  const other = new DatabaseSync(join(folder, 'lemonade.sqlite'))
  other.exec('BEGIN IMMEDIATE')
  for (let i = 0; i < 3; i++)
    await expect(spool.enqueue([note(`busy-${i}`)])).rejects.toMatchObject({ kind: 'unavailable' })
  other.exec('ROLLBACK')
  other.close()
  expect(statSync(segment).size).toBe(0)

  await spool.enqueue([note('first')])
  const ballast = join(disk, 'ballast')
  const { bavail, bsize } = statfsSync(disk)
  writeFileSync(ballast, Buffer.alloc(bavail * bsize))
  // The record fits into the last page of its file; the log of the database has no room to grow.
  let taken = 1
  let refused = 0
  for (let i = 0; refused < 20 && i < 500; i++)
    await spool.enqueue([note(`note-${i}`)]).then(
      () => taken++,
      () => refused++,
    )
  expect(refused).toBe(20)
  const full = statSync(segment).size
  rmSync(ballast)
  await spool.enqueue([note('last')])
  await close()
  const checked = await checkStore(folder)
  expect(checked).toMatchObject({ problems: [], records: taken + 1 })
  // Of twenty that failed one may have stayed until the next commit; none is there after it.
  expect(full).toBeLessThanOrEqual((taken + 1) * 40)
  const db = new DatabaseSync(join(folder, 'lemonade.sqlite'), { readOnly: true })
  const live = db.prepare('SELECT sum(length + 16) AS live FROM blobs').get() as { live: number }
  db.close()
  expect(statSync(segment).size).toBe(live.live)
})

test('QUE-001: SIGKILL while segments are compacted: every message is there, whole, and nothing else', async () => {
  const folder = tempFolder()
  const there = new Map<number, number>()
  const leaving = new Set<number>()
  let moved = 0
  for (let round = 0; round < 6; round++) {
    const program = new URL('./compact-until-killed.ts', import.meta.url).pathname
    const child = spawn(process.execPath, [program, folder, String(round)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let text = ''
    const enough = new Promise<void>((resolve) =>
      child.stdout.on('data', (chunk) => {
        text += chunk
        if (text.split('\n').filter((line) => line.startsWith('+')).length > 60 + round * 13) resolve()
      }),
    )
    await Promise.race([enough, once(child, 'close')])
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 30))
    child.kill('SIGKILL')
    await once(child, 'close')
    // The last line may be cut: it was on its way when the process died.
    for (const line of text.slice(0, text.lastIndexOf('\n')).split('\n').slice(1)) {
      expect(line).not.toMatch(/^!/)
      const [uid = 0, size = 0] = line.slice(1).split(' ').map(Number)
      if (line.startsWith('+')) there.set(uid, size)
      if (line.startsWith('-')) leaving.add(uid)
      if (line === '.') moved++
    }
  }
  expect(moved).toBeGreaterThan(10)
  expect((await checkStore(folder)).problems).toEqual([])
  const engine = await openSqlite(folder)
  const account = (await engine.directory.find('alice@example.net'))!.id
  const found = new Map<number, number>()
  await engine.store.read(account, async (view) => {
    const inbox = (await view.mailbox('INBOX'))!.id
    for await (const batch of view.messages(inbox, {}))
      for (const m of batch) {
        const octets = Buffer.from(await engine.store.readBlob(m.blob)).toString()
        expect(octets).toMatch(/^\d-\d+\ny*$/)
        found.set(m.uid, octets.length)
      }
  })
  await engine.close()
  const wrong = [...there].filter(([uid, size]) => !leaving.has(uid) && found.get(uid) !== size)
  expect(wrong).toEqual([])
  // Far more was written than is left.
  const written = [...there.values()].reduce((sum, n) => sum + n, 0)
  const kept = segmentsOf(folder).reduce((sum, name) => sum + statSync(`${folder}/${name}`).size, 0)
  expect(kept).toBeLessThan(written)
}, 120_000)
