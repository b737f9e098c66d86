/** `lemonade store check` against a store that somebody else has written to. */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { checkStore } from '../../src/db/sqlite/check.ts'
import { openSqlite } from '../../src/db/sqlite/engine.ts'
import { digestFor } from '../support/digest.ts'
import { tempFolder } from '../support/temp.ts'

test('the check finds wrong counters, usage and runs', async () => {
  const folder = tempFolder()
  const engine = await openSqlite(folder)
  await engine.directory.put('alice@example.net', 'secret')
  const { id: account } = (await engine.directory.find('alice@example.net'))!
  const mailbox = (await engine.store.read(account, (v) => v.mailbox('INBOX')))!.id
  const messages = ['alpha', 'beta', 'gamma'].map((text) => {
    const octets = Buffer.from(text)
    return { octets: [octets], digest: digestFor(octets), internalDate: 1, flags: [] }
  })
  await engine.store.write(account, [
    { op: 'append', mailbox, messages },
    { op: 'expunge', mailbox, uids: [{ from: 2, to: 2 }], onlyDeleted: false },
  ])
  await engine.close()
  expect((await checkStore(folder)).problems).toEqual([])
  const damages: readonly [string, RegExp][] = [
    ['UPDATE mailboxes SET unseen = unseen + 1', /counters are wrong/],
    ['UPDATE mailboxes SET deleted_octets = 5', /counters are wrong/],
    ['UPDATE accounts SET used_octets = used_octets + 1', /quota usage is wrong/],
    ['UPDATE expunged SET last = 3', /live and expunged/],
    ['DELETE FROM expunged', /neither live nor expunged/],
    ['DELETE FROM sort_keys', /sort_keys/],
    ["INSERT INTO access_keys VALUES (99, x'00')", /access key without mailbox/],
    ["INSERT INTO metadata VALUES (1, 99, '/private/x', x'00')", /annotation without mailbox/],
    ['DELETE FROM freed', /nothing will reclaim/],
    ["UPDATE mailboxes SET special_use = '\\Sent \\Sent'", /special use held twice/],
    ['UPDATE messages SET mod_seq = 99999', /highest of its mailbox/],
  ]
  for (const [damage, problem] of damages) {
    const db = new DatabaseSync(join(folder, 'lemonade.sqlite'))
    db.exec(damage)
    db.close()
    expect([damage, (await checkStore(folder)).problems.join('\n')]).toEqual([
      damage,
      expect.stringMatching(problem),
    ])
  }
})
