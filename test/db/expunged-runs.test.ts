/** What is remembered of expunged messages stays bounded (RFC 7162 §5.3). */
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { ExpungedRuns } from '../../src/db/sqlite/expunged-runs.ts'
import { migrate } from '../../src/db/sqlite/schema.ts'
import { Statements } from '../../src/db/sqlite/statements.ts'
import { viewOf } from '../../src/db/sqlite/view.ts'

test('QR-53: old runs that touch become one, no UID is lost or added, the newest keep their mod-sequence', async () => {
  const db = new DatabaseSync(':memory:')
  migrate(db)
  const sql = new Statements(db)
  db.exec(`INSERT INTO mailboxes (id, account, name, selectable, uid_validity, highest_mod_seq, object_id) VALUES
    (1, 1, 'a', 1, 1, 1, 'F1'), (2, 1, 'b', 1, 1, 1, 'F2')`)
  // Mailbox 1: UID 1 to 5000 gone one by one, all but every hundredth. Mailbox 2: too few to be touched.
  for (let uid = 1; uid <= 5000; uid++)
    if (uid % 100 !== 0)
      sql.run('INSERT INTO expunged (mailbox, first, last, mod_seq) VALUES (1, ?, ?, ?)', uid, uid, 10 + uid)
  sql.run('INSERT INTO expunged (mailbox, first, last, mod_seq) VALUES (2, 1, 1, 5), (2, 2, 2, 6)')
  const view = viewOf(sql, 1)
  const gaps = await view.gaps(1)
  const recent = await view.changes(1, 10 + 4990)
  const runs = new ExpungedRuns(sql, 50)
  for (let i = 0; i < 10; i++) runs.step()
  expect(await view.gaps(1)).toEqual(gaps)
  expect(await view.changes(1, 10 + 4990)).toEqual(recent)
  const count = (mailbox: number) =>
    Number(sql.get('SELECT count(*) AS n FROM expunged WHERE mailbox = ?', mailbox)!.n)
  expect(count(1)).toBeLessThan(110)
  expect(count(2)).toBe(2)
  // One that was away: told of all that went after, and perhaps of some that went before.
  const { vanished } = await view.changes(1, 10 + 2050)
  expect(vanished[0]).toEqual({ from: 2001, to: 2099 })
  db.close()
})
