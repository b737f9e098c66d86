/**
 * A mailbox has one owner, who may do everything with it: no ACL, no shared mailboxes, no flags of one's own, none without
 * mod-sequences. What the RFCs ask where those exist is answered so that their absence shows, and nothing else.
 */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { startImap, type TestImap } from '../support/imap-server.ts'
import { loggedIn, type RawImap } from '../support/raw-imap.ts'

let server: TestImap
const open: RawImap[] = []
const as = async (user: string, ...commands: string[]): Promise<RawImap> => {
  const imap = await loggedIn(server.port, `${user}@example.net`)
  open.push(imap)
  for (const each of commands) expect(await imap.command(each), each).toMatch(/ OK .*\r\n$/)
  return imap
}
const messages = '(MessageNew MessageExpunge)'

beforeAll(async () => {
  server = await startImap({
    accounts: ['alice', 'bob'].map((name) => ({ address: `${name}@example.net`, password: 'secret' })),
  })
  for (const name of ['INBOX', 'Box'])
    for (let i = 1; i <= 3; i++)
      await server.deliver(
        'alice@example.net',
        name,
        `Subject: m${i}\nFrom: bob@example.org\n\nsecret words\n`,
      )
  await server.deliver('bob@example.net', 'Only bob', 'Subject: private\n\nsecret words\n')
  const bob = await as('bob', 'SETMETADATA "Only bob" (/shared/comment "bob\'s")')
  bob.end()
})
afterEach(() => {
  for (const each of open.splice(0)) each.end()
})
afterAll(async () => {
  expect(server.logged).toEqual([])
  await server.close()
})

test('UR-19: access is told with SELECT and EXAMINE, and never changes under way', async () => {
  const reader = await as('alice')
  const writer = await as('alice')
  expect(await reader.command('CAPABILITY')).not.toMatch(/ ACL|RIGHTS=/)
  expect(await reader.command('EXAMINE Box')).toMatch(/\r\nt\d+ OK \[READ-ONLY\] .*\r\n$/)
  expect(await writer.command('SELECT Box')).toMatch(/\r\nt\d+ OK \[READ-WRITE\] .*\r\n$/)
  expect(await writer.command('SETACL Box bob lrs')).toMatch(/^t\d+ BAD/)
  expect(await reader.command('GETACL Box')).toMatch(/^t\d+ BAD/)
  // What takes or gives a mailbox other powers elsewhere: renamed, unsubscribed, opened by others in other ways.
  let told = ''
  for (const command of [
    'RENAME Box Other',
    'UNSUBSCRIBE Other',
    'STORE 1 +FLAGS (\\Deleted)',
    'EXPUNGE',
    'RENAME Other Box',
  ])
    told += `${await writer.command(command)}${await reader.command('NOOP')}${await writer.command('NOOP')}`
  expect(told).not.toMatch(/READ-(?:ONLY|WRITE)/)
  expect(await reader.command('STORE 1 +FLAGS (\\Seen)')).toMatch(/^t\d+ NO/)
  expect(await writer.command('STORE 1 +FLAGS (\\Draft)')).toMatch(/ OK /)
})

test('QR-10, QR-58: every mailbox has mod-sequences: NOMODSEQ is never told, and QRESYNC always answered', async () => {
  const imap = await as('alice', 'CREATE Fresh', 'CREATE "Parent/Child"', 'ENABLE QRESYNC')
  for (const name of ['INBOX', 'Box', 'Fresh', 'Parent', 'Parent/Child']) {
    for (const command of [`SELECT "${name}"`, `EXAMINE "${name}"`, `SELECT "${name}" (CONDSTORE)`]) {
      const said = await imap.command(command)
      expect(said, command).toMatch(/\* OK \[HIGHESTMODSEQ \d+\]/)
      expect(said, command).not.toContain('NOMODSEQ')
    }
    const validity = /UIDVALIDITY (\d+)/.exec(await imap.command(`STATUS "${name}" (UIDVALIDITY)`))![1]
    const said = await imap.command(`SELECT "${name}" (QRESYNC (${validity} 1 1:100))`)
    expect(said).toMatch(/\[HIGHESTMODSEQ \d+\]/)
    expect(said).not.toContain('NOMODSEQ')
    for (const command of [
      'FETCH 1:* (MODSEQ)',
      'UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1)',
      'UID SEARCH MODSEQ 1',
    ])
      expect(await imap.command(command), `${name}: ${command}`).toMatch(
        name === 'INBOX' || name === 'Box' || !command.startsWith('FETCH') ? / OK / : / (?:OK|BAD) /,
      )
  }
})

test("QR-54: flags are the mailbox's, \\Seen too: every session is told of the new mod-sequence", async () => {
  const a = await as('alice', 'ENABLE CONDSTORE', 'SELECT INBOX')
  const b = await as('alice', 'ENABLE CONDSTORE', 'SELECT INBOX')
  const changed = await a.command('STORE 2 +FLAGS.SILENT (\\Seen)')
  const modSeq = /MODSEQ \((\d+)\)/.exec(changed)![1]
  expect(await b.command('NOOP')).toContain(`* 2 FETCH (UID 2 FLAGS (\\Seen) MODSEQ (${modSeq}))`)
  expect(await b.command('FETCH 2 (MODSEQ FLAGS)')).toMatch(
    new RegExp(`MODSEQ \\(${modSeq}\\) FLAGS \\(.*\\\\Seen`),
  )
  expect(await b.command('SEARCH MODSEQ "/flags/\\\\seen" priv 1 SEEN')).toMatch(
    /^\* SEARCH 2 \(MODSEQ \d+\)/,
  )
})

test('NO-16: what can be listed can be read: \\NoAccess is never told, a name without mailbox is no mailbox', async () => {
  const imap = await as('alice', 'CREATE "Hollow/Leaf"', 'DELETE Hollow')
  expect(await imap.command('LIST "" Hollow')).toContain('\\Noselect')
  const said = await imap.command(
    `NOTIFY SET STATUS (mailboxes (Hollow "Hollow/Leaf" "Only bob" Nowhere) (MessageNew MessageExpunge FlagChange))`,
  )
  expect(said).toMatch(/ OK /)
  expect(said.match(/^\* /gm)).toHaveLength(1)
  expect(said).toContain('* STATUS Hollow/Leaf (')
  expect(await imap.command('LIST "" "*"')).not.toContain('\\NoAccess')
})

test('NO-20, NO-15: NOTIFY is OK with names of which one, and of which none, is a mailbox; a later one is watched', async () => {
  const imap = await as('alice')
  expect(await imap.command(`NOTIFY SET (mailboxes (INBOX Nowhere) ${messages})`)).toMatch(/^t\d+ OK/)
  expect(await imap.command(`NOTIFY SET (mailboxes (Later) ${messages})`)).toMatch(/^t\d+ OK/)
  await server.deliver('alice@example.net', 'Later', 'Subject: x\n\nx\n')
  expect(await imap.until(/\* STATUS .*\r\n/)).toMatch(/^\* STATUS "?Later"? \(.*MESSAGES 1.*\)\r\n$/)
})

test('NO-37: a mailbox that goes is watched no more, and again when it is there again', async () => {
  const imap = await as(
    'alice',
    'CREATE Coming',
    `NOTIFY SET (mailboxes (Coming) (MessageNew MessageExpunge MailboxName))`,
  )
  const other = await as('alice')
  await server.deliver('alice@example.net', 'Coming', 'Subject: x\n\nx\n')
  await imap.until(/\* STATUS "?Coming"? .*MESSAGES 1.*\r\n/)
  await other.command('DELETE Coming')
  expect(await imap.until(/\* LIST .*\r\n/)).toMatch(
    /^(?:\* STATUS .*\r\n)?\* LIST \(\\NonExistent\) "\/" "?Coming"?\r\n$/,
  )
  await other.command('CREATE Elsewhere')
  await server.deliver('alice@example.net', 'Elsewhere', 'Subject: x\n\nx\n')
  await other.command('CREATE Coming')
  await server.deliver('alice@example.net', 'Coming', 'Subject: x\n\nx\n')
  const said = await imap.until(/\* STATUS .*MESSAGES 1.*\r\n/)
  expect(said).toMatch(/\* LIST \([^)]*\) "\/" "?Coming"?\r\n/)
  expect(said).toMatch(/\* STATUS "?Coming"? \(.*MESSAGES 1.*\)\r\n$/)
  expect(said).not.toContain('Elsewhere')
})

test('NO-45: after UNAUTHENTICATE nothing of NOTIFY is left, for the same user and for another', async () => {
  for (const user of ['alice', 'bob']) {
    const imap = await as(
      'alice',
      `NOTIFY SET (selected ${messages}) (personal (MessageNew MessageExpunge MailboxName))`,
    )
    await imap.command('SELECT INBOX')
    expect(await imap.command('UNAUTHENTICATE')).toMatch(/^t\d+ OK/)
    expect(await imap.command(`LOGIN ${user}@example.net secret`)).toContain(' OK ')
    await imap.command('SELECT INBOX')
    for (const each of ['alice', 'bob']) {
      await server.deliver(`${each}@example.net`, 'INBOX', 'Subject: x\n\nx\n')
      await server.deliver(`${each}@example.net`, 'Aside', 'Subject: x\n\nx\n')
    }
    // Behind the events of those deliveries, in a session that is told of them.
    const witness = await as(user, 'SELECT INBOX')
    await witness.command('NOOP')
    expect(imap.taken()).toBe('')
    // And what is selected speaks up in commands, as before the first NOTIFY (NO-05).
    expect(await imap.command('NOOP')).toMatch(/^\* \d+ EXISTS\r\n/)
  }
})

test('SC-26, MS-10: of the mailboxes of others nothing can be told from mailboxes that are not there', async () => {
  const imap = await as('alice', 'SELECT INBOX')
  const answer = async (command: (name: string) => string, name: string): Promise<string> =>
    (await imap.command(command(name)))
      .replace(/^t\d+|"t\d+"/gm, 't')
      .replaceAll(name, 'X')
      .replaceAll(encodeURIComponent(name), 'X')
  for (const command of [
    (x: string) => `STATUS "${x}" (MESSAGES UIDNEXT SIZE MAILBOXID HIGHESTMODSEQ)`,
    (x: string) => `SELECT "${x}"`,
    (x: string) => `EXAMINE "${x}"`,
    (x: string) => `GETMETADATA "${x}" (/shared/comment)`,
    (x: string) => `SETMETADATA "${x}" (/shared/comment "mine")`,
    (x: string) => `LIST "" "${x}" RETURN (STATUS (MESSAGES) SUBSCRIBED CHILDREN)`,
    (x: string) => `LSUB "" "${x}"`,
    (x: string) => `GETQUOTAROOT "${x}"`,
    (x: string) => `NOTIFY SET STATUS (mailboxes ("${x}") (MessageNew MessageExpunge))`,
    (x: string) => `ESEARCH IN (mailboxes "${x}") RETURN (COUNT MIN MAX ALL) ALL`,
    (x: string) => `ESEARCH IN (mailboxes ("${x}" INBOX) subtree "${x}") RETURN (COUNT) TEXT secret`,
    (x: string) => `APPEND "${x}" {5+}\r\nA: b\n`,
    (x: string) => `APPEND INBOX CATENATE (URL "/${encodeURIComponent(x)}/;UID=1")`,
    (x: string) => `COPY 1 "${x}"`,
    (x: string) => `DELETE "${x}"`,
    (x: string) => `RENAME "${x}" y`,
    (x: string) =>
      `GENURLAUTH "imap://alice%40example.net@mail.example.net/${encodeURIComponent(x)}/;UID=1;URLAUTH=user+alice%40example.net" INTERNAL`,
    (x: string) =>
      `GENURLAUTH "imap://bob%40example.net@mail.example.net/${encodeURIComponent(x)}/;UID=1;URLAUTH=user+alice%40example.net" INTERNAL`,
    (x: string) =>
      `URLFETCH "imap://bob%40example.net@mail.example.net/${encodeURIComponent(x)}/;UID=1;URLAUTH=user+alice%40example.net:internal:${'0'.repeat(64)}"`,
    (x: string) => `RESETKEY "${x}"`,
  ]) {
    const others = await answer(command, 'Only bob')
    await imap.command('SELECT INBOX')
    const none = await answer(command, 'Not here')
    await imap.command('SELECT INBOX')
    expect(others, command('X')).toBe(none)
    expect(others).not.toMatch(/secret words|bob's|private/)
  }
  expect(
    await imap.command(
      'ESEARCH IN (personal subtree "" mailboxes ("Only bob" "Not here")) RETURN (COUNT) TEXT secret',
    ),
  ).not.toContain('Only')
})
