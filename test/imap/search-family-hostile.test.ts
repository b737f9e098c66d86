/** Damaged commands of the searching family and NOTIFY: each has its answer, and nothing goes wrong inside (SC-37). */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startImap, type TestImap } from '../support/imap-server.ts'
import { loggedIn, type RawImap, rawImap } from '../support/raw-imap.ts'

let server: TestImap
beforeAll(async () => {
  server = await startImap()
  for (const name of ['INBOX', 'a/b'])
    for (let i = 0; i < 5; i++) await server.deliver('alice@example.net', name, `Subject: ${i}\n\nx\n`)
})
afterAll(() => server.close())

const commands = [
  'SORT RETURN (MIN MAX COUNT ALL) (REVERSE DATE SUBJECT) UTF-8 OR UNSEEN 1:*',
  'UID SORT RETURN (UPDATE (UID FLAGS) PARTIAL 1:500) (DISPLAYFROM) UTF-8 NOT DELETED',
  'THREAD REFERENCES UTF-8 SUBJECT "x" MODSEQ 1',
  'UID SEARCH RETURN (CONTEXT UPDATE COUNT SAVE) CHARSET UTF-8 YOUNGER 10 UID 1:*,5 $',
  'ESEARCH IN (mailboxes ("a/b" INBOX) subtree-one a selected) RETURN (COUNT) TEXT "x"',
  'CANCELUPDATE "x" "y"',
  'NOTIFY SET STATUS (selected-delayed (MessageNew (UID BODY.PEEK[HEADER.FIELDS (TO)]) MessageExpunge FlagChange)) (subtree (a b) (MailboxName SubscriptionChange)) (personal NONE)',
  'NOTIFY NONE',
]
const pieces = [
  '(',
  ')',
  '"',
  ' ',
  '*',
  '0',
  '4294967296',
  '{',
  '}',
  '\\',
  '%',
  'NIL',
  ':',
  ',',
  '[',
  ']',
  '$',
  '\x80',
  '-',
  '',
]

/** One piece of the command is left out, doubled or put in. */
function damaged(text: string, next: (below: number) => number): string {
  const at = next(text.length + 1)
  const cut = next(4) === 0 ? 0 : next(6)
  const piece = next(3) === 0 ? text.slice(at, at + next(9)) : pieces[next(pieces.length)]!
  return text.slice(0, at) + piece + text.slice(at + cut)
}

async function answered(imap: RawImap, text: string, i: number): Promise<string> {
  // A literal that was announced by chance is not sent.
  const line = text.replace(/\{\d*\+?\}$/, '')
  imap.send(`h${i} ${line}\r\n`)
  return imap.until(
    new RegExp(
      `(^|\\n)(h${i}|\\*) (OK|NO|BAD|BYE) (?!\\[HIGHEST|\\[PERMANENT|\\[NOUPDATE|\\[NOTIFICATION)[^\\n]*\\n`,
    ),
  )
}

test('SC-35, SC-37, NO-42, CX-24, CX-25: 600 damaged commands, selected and not', async () => {
  let seed = 7
  const next = (below: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) & 0x7fffffff
    return (seed >> 8) % below
  }
  let imap: RawImap | undefined
  let bad = 0
  for (let i = 0; i < 600; i++) {
    if (!imap || i % 25 === 0) {
      imap?.end()
      imap = await loggedIn(server.port)
      if (i % 50 === 0) await imap.command('SELECT INBOX')
    }
    let text = commands[next(commands.length)]!
    for (let n = 1 + next(3); n > 0; n--) text = damaged(text, next)
    const answer = await answered(imap, text, i)
    if (answer.includes(`h${i} BAD`)) bad += 1
  }
  imap?.end()
  expect(bad).toBeGreaterThan(300)
  expect(server.logged).toEqual([])
})

test('ST-01: before login none of them is had', async () => {
  const imap = await rawImap(server.port)
  for (const text of commands.slice(0, 4)) expect(await imap.command(text)).toMatch(/^t\d+ BAD/)
  imap.end()
})

test('NO-21, MS-12, 8.5: of more than 5000 mailboxes neither NOTIFY nor ESEARCH is had', async () => {
  await server.directory.put('many@example.net', 'secret')
  const account = (await server.directory.find('many@example.net'))!.id
  await server.store.write(
    account,
    Array.from({ length: 5001 }, (_, i) => ({ op: 'create', name: `m${i}` }) as const),
  )
  const imap = await loggedIn(server.port, 'many@example.net')
  expect(await imap.command('NOTIFY SET (personal (MessageNew MessageExpunge))')).toMatch(
    /^t\d+ NO \[NOTIFICATIONOVERFLOW\]/,
  )
  expect(await imap.command('ESEARCH IN (personal) ALL')).toMatch(/^t\d+ NO \[LIMIT\]/)
  expect(await imap.command('NOTIFY SET (mailboxes m7 (MessageNew MessageExpunge))')).toMatch(/^t\d+ OK/)
  imap.end()
})
