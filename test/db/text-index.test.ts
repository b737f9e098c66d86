/** The full-text index is derived: whatever becomes of it, searches are right and it is made again. */
import { copyFileSync, existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { checkStore } from '../../src/db/sqlite/check.ts'
import { type Engine, openSqlite } from '../../src/db/sqlite/engine.ts'
import { digestMessage } from '../../src/wire/mime/digest.ts'
import { tempFolder } from '../support/temp.ts'

const searchText = new URL('../../src/wire/mime/search-text.ts', import.meta.url)
const open = (folder: string) => openSqlite(folder, { searchText })

async function inboxOf(engine: Engine) {
  await engine.directory.put('alice@example.net', 'secret')
  const { id: account } = (await engine.directory.find('alice@example.net'))!
  const box = (await engine.store.read(account, (v) => v.mailbox('INBOX')))!.id
  const add = async (...texts: string[]) =>
    engine.store.write(account, [
      {
        op: 'append',
        mailbox: box,
        messages: texts.map((text) => {
          const octets = Buffer.from(`Subject: x\r\n\r\n${text}`)
          return { octets: [octets], digest: digestMessage(octets), internalDate: 1, flags: [] }
        }),
      },
    ])
  /** UIDs that must be looked into for a text of the body. */
  const looked = async (needle: string) => {
    const hits = await engine.store.read(account, (v) => v.search(box, { in: 'body', needle }))
    return [...hits.maybe]
  }
  const expunge = (uid: number) =>
    engine.store.write(account, [
      { op: 'expunge', mailbox: box, uids: [{ from: uid, to: uid }], onlyDeleted: false },
    ])
  return { add, looked, expunge }
}

const rowsOf = (folder: string): number => {
  const db = new DatabaseSync(join(folder, 'search.sqlite'), { readOnly: true })
  const { n } = db.prepare('SELECT count(*) AS n FROM texts').get() as { n: number }
  db.close()
  return n
}

test('lost, overwritten or of another version: searches look into everything, then it is there again', async () => {
  const folder = tempFolder()
  let engine = await open(folder)
  await (await inboxOf(engine)).add('alpha', 'beta', 'gamma')
  await engine.indexed()
  expect(await (await inboxOf(engine)).looked('beta')).toEqual([2])
  await engine.close()
  const file = join(folder, 'search.sqlite')
  const damages = [
    () => rmSync(file),
    () => writeFileSync(file, 'not a database'.repeat(1000)),
    () => {
      const db = new DatabaseSync(file)
      db.exec('PRAGMA user_version = 99')
      db.close()
    },
    () => writeFileSync(join(folder, 'search.broken'), ''),
  ]
  for (const damage of damages) {
    damage()
    engine = await open(folder)
    const { looked } = await inboxOf(engine)
    expect(await looked('beta')).toContain(2)
    await engine.indexed()
    expect(await looked('beta')).toEqual([2])
    expect(existsSync(join(folder, 'search.broken'))).toBe(false)
    await engine.close()
  }
  expect((await checkStore(folder)).problems).toEqual([])
})

test('the check finds what the index lacks', async () => {
  const folder = tempFolder()
  const engine = await open(folder)
  await (await inboxOf(engine)).add('alpha', 'beta')
  await engine.indexed()
  await engine.close()
  expect((await checkStore(folder)).problems).toEqual([])
  const db = new DatabaseSync(join(folder, 'search.sqlite'))
  db.exec('DELETE FROM texts WHERE rowid = (SELECT max(rowid) FROM texts)')
  db.close()
  expect((await checkStore(folder)).problems).toEqual([
    expect.stringMatching(/^message that the full-text index does not know: \d+\/2$/),
  ])
})

test('a store restored from before is not searched with what was indexed after', async () => {
  const folder = tempFolder()
  let engine = await open(folder)
  await (await inboxOf(engine)).add('alpha')
  await engine.indexed()
  await engine.close()
  const saved = join(folder, 'saved')
  copyFileSync(join(folder, 'lemonade.sqlite'), saved)
  engine = await open(folder)
  await (await inboxOf(engine)).add('beta', 'gamma')
  await engine.indexed()
  await engine.close()
  copyFileSync(saved, join(folder, 'lemonade.sqlite'))
  engine = await open(folder)
  const { add, looked } = await inboxOf(engine)
  await add('delta', 'beta')
  await engine.indexed()
  expect(await looked('delta')).toEqual([2])
  expect(await looked('beta')).toEqual([3])
  await engine.close()
})

test('what is not indexed at the end is indexed after the next start', async () => {
  const folder = tempFolder()
  let engine = await open(folder)
  await (await inboxOf(engine)).add('alpha', 'beta')
  await engine.close()
  engine = await open(folder)
  const { looked } = await inboxOf(engine)
  expect(await looked('beta')).toContain(2)
  await expect.poll(() => looked('beta'), { timeout: 10_000 }).toEqual([2])
  await engine.close()
})

test('rows of messages that are gone are dropped', async () => {
  const folder = tempFolder()
  const engine = await open(folder)
  const { add, expunge, looked } = await inboxOf(engine)
  await add('alpha', 'beta', 'gamma')
  await engine.indexed()
  expect(rowsOf(folder)).toBe(3)
  await expunge(2)
  expect(await looked('beta')).toEqual([])
  const later = Date.now() + 1_000_000
  await engine.spool.purge(later, later, later, 100)
  await engine.indexed()
  expect(rowsOf(folder)).toBe(2)
  expect(await looked('gamma')).toEqual([3])
  await engine.close()
})
