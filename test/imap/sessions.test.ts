/** Several sessions on one mailbox: who is told what, and when. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { startImap, type TestImap } from '../support/imap-server.ts'
import { loggedIn, type RawImap } from '../support/raw-imap.ts'

let server: TestImap
let box = ''
let count = 0
const open: RawImap[] = []
const client = async (...commands: string[]): Promise<RawImap> => {
  const imap = await loggedIn(server.port)
  open.push(imap)
  for (const each of commands) await imap.command(each)
  return imap
}
const deliver = (text = 'hi') =>
  server.deliver('alice@example.net', box, `From: bob@example.org\nSubject: ${text}\n\n${text}\n`)

beforeAll(async () => {
  server = await startImap()
})
afterAll(() => server.close())
beforeEach(async () => {
  for (const each of open.splice(0)) each.end()
  box = `Box${++count}`
  for (let i = 1; i <= 4; i++) await deliver(`m${i}`)
})

test('UR-01, UR-03, UR-04: an expunge by another is told with NOOP, not with FETCH, STORE or SEARCH', async () => {
  const a = await client(`SELECT ${box}`)
  const b = await client(`SELECT ${box}`)
  await b.command('STORE 2:3 +FLAGS.SILENT (\\Deleted)')
  expect(await b.command('EXPUNGE')).toBe('* 3 EXPUNGE\r\n* 2 EXPUNGE\r\nt4 OK EXPUNGE completed\r\n')
  const fetched = await a.command('FETCH 1:4 (UID)')
  expect(fetched).not.toContain('EXPUNGE\r\n')
  expect(fetched).toContain('* 1 FETCH (UID 1)\r\n* 4 FETCH (UID 4)\r\n')
  expect(fetched).toContain('OK [EXPUNGEISSUED]')
  expect(await a.command('SEARCH ALL')).toMatch(/^\* SEARCH 1 4\r\n/)
  expect(await a.command('STORE 4 +FLAGS (\\Flagged)')).toContain('* 4 FETCH (FLAGS (\\Recent \\Flagged))')
  expect(await a.command('NOOP')).toBe('* 3 EXPUNGE\r\n* 2 EXPUNGE\r\nt6 OK NOOP completed\r\n')
  expect(await a.command('FETCH 1:* (UID)')).toContain('* 2 FETCH (UID 4)')
})

test('UR-06, UR-07, UR-08: growth and flags are told before the answer, EXISTS before FETCH', async () => {
  const a = await client(`SELECT ${box}`)
  const b = await client(`SELECT ${box}`)
  const uid = await deliver('new')
  await b.command(`UID STORE ${uid} +FLAGS (\\Flagged)`)
  const told = await a.command('NOOP')
  // The new message was told to the other session first, and is recent there.
  expect(told).toBe('* 5 EXISTS\r\n* 4 RECENT\r\nt3 OK NOOP completed\r\n')
  await b.command('STORE 1 +FLAGS (\\Answered)')
  expect(await a.command('NOOP')).toBe(
    '* 1 FETCH (UID 1 FLAGS (\\Recent \\Answered))\r\nt4 OK NOOP completed\r\n',
  )
})

test('SE-14, SE-15: each message is recent for one session; EXAMINE and STATUS take nothing', async () => {
  const e = await client()
  expect(await e.command(`STATUS ${box} (RECENT)`)).toContain('RECENT 4')
  expect(await e.command(`EXAMINE ${box}`)).toContain('* 4 RECENT')
  const a = await client()
  expect(await a.command(`SELECT ${box}`)).toContain('* 4 RECENT')
  const b = await client()
  expect(await b.command(`SELECT ${box}`)).toContain('* 0 RECENT')
  expect(await b.command('FETCH 1 (FLAGS)')).toContain('FLAGS ()')
})

test('IL-01, IL-02, IL-03, IL-07, LP-11: IDLE tells a delivery, flags and an expunge as they happen', async () => {
  const a = await client(`SELECT ${box}`)
  const b = await client(`SELECT ${box}`)
  a.send('i IDLE\r\n')
  await a.until(/^\+ idling\r\n/)
  const before = Date.now()
  await deliver('seen in idle')
  expect(await a.until(/\* 5 RECENT\r\n/)).toBe('* 5 EXISTS\r\n* 5 RECENT\r\n')
  expect(Date.now() - before).toBeLessThan(2000)
  await b.command('STORE 2 +FLAGS (\\Deleted)')
  expect(await a.until(/FETCH.*\r\n/)).toBe('* 2 FETCH (UID 2 FLAGS (\\Recent \\Deleted))\r\n')
  await b.command('EXPUNGE')
  expect(await a.until(/EXPUNGE\r\n/)).toBe('* 2 EXPUNGE\r\n')
  a.send('DONE\r\n')
  await a.until(/^i OK IDLE completed\r\n/)
  a.send('j IDLE\r\nDONE\r\nk IDLE\r\nk2 NOOP\r\nl NOOP\r\n')
  const rest = await a.until(/l OK.*\r\n/)
  expect(rest).toBe(
    '+ idling\r\nj OK IDLE completed\r\n+ idling\r\nk BAD expected DONE\r\nl OK NOOP completed\r\n',
  )
})

test('UR-13, UR-14: a mailbox deleted under a session ends it; renamed it goes on', async () => {
  const a = await client(`SELECT ${box}`)
  const b = await client()
  await b.command(`RENAME ${box} ${box}new`)
  expect(await a.command('FETCH 1 (UID)')).toContain('* 1 FETCH (UID 1)')
  a.send('i IDLE\r\n')
  await a.until(/^\+ idling\r\n/)
  await b.command(`DELETE ${box}new`)
  expect(await a.closed()).toContain('* BYE the mailbox was deleted')
})

test('QR-13, QR-15, LP-20: two race for one message, one is told MODIFIED', async () => {
  const a = await client('ENABLE CONDSTORE', `SELECT ${box}`)
  const b = await client('ENABLE CONDSTORE', `SELECT ${box}`)
  const modSeq = /MODSEQ \((\d+)\)/.exec(await a.command('FETCH 1 (MODSEQ)'))![1]
  const answers = await Promise.all(
    [a, b].map((c) => c.command(`STORE 1 (UNCHANGEDSINCE ${modSeq}) +FLAGS ($Submitted)`)),
  )
  expect(answers.filter((text) => text.includes('[MODIFIED 1]'))).toHaveLength(1)
  expect(answers.filter((text) => /\d+ OK STORE/.test(text))).toHaveLength(1)
})

test('QR-27, QR-31, QR-41, QR-43, QR-46: QRESYNC tells what is gone and what changed, and nothing else', async () => {
  const a = await client('ENABLE QRESYNC')
  const selected = await a.command(`SELECT ${box}`)
  const uidValidity = /UIDVALIDITY (\d+)/.exec(selected)![1]
  const modSeq = /HIGHESTMODSEQ (\d+)/.exec(selected)![1]
  const b = await client('ENABLE QRESYNC', `SELECT ${box}`)
  await b.command('STORE 1 +FLAGS (\\Seen)')
  await b.command('STORE 4 +FLAGS (\\Deleted)')
  expect(await b.command('EXPUNGE')).toMatch(/^\* VANISHED 4\r\nt\d+ OK \[HIGHESTMODSEQ \d+\] /)
  expect(await a.command('NOOP')).toMatch(
    /^\* VANISHED 4\r\n\* 1 FETCH \(UID 1 FLAGS \(\\Recent \\Seen\) MODSEQ \(\d+\)\)\r\n/,
  )
  await a.command('UNSELECT')
  const again = await a.command(`SELECT ${box} (QRESYNC (${uidValidity} ${modSeq}))`)
  expect(again).toMatch(
    /\* VANISHED \(EARLIER\) 4\r\n\* 1 FETCH \(UID 1 FLAGS \(\\Seen\) MODSEQ \(\d+\)\)\r\nt\d+ OK/,
  )
  expect(await a.command(`UID FETCH 1:* (FLAGS) (CHANGEDSINCE ${modSeq} VANISHED)`)).toMatch(
    /^\* VANISHED \(EARLIER\) 4\r\n\* 1 FETCH/,
  )
  expect(await a.command(`SELECT ${box} (QRESYNC (7 ${modSeq}))`)).not.toContain('VANISHED')
  expect(await a.command(`SELECT ${box} (QRESYNC (${uidValidity} 0))`)).toContain('BAD')
})

test('UR-12, MV-01, MV-02, UP-01: MOVE tells the new UIDs first, then the expunges', async () => {
  const a = await client('CREATE Target', `SELECT ${box}`)
  expect(await a.command('MOVE 2:3 Target')).toMatch(
    /^\* OK \[COPYUID \d+ 2:3 1:2\] Moved\r\n\* 3 EXPUNGE\r\n\* 2 EXPUNGE\r\nt\d+ OK \[HIGHESTMODSEQ \d+\]/,
  )
  expect(await a.command('MOVE 1 Nowhere')).toContain('NO [TRYCREATE]')
  expect(await a.command('UID MOVE 99 Target')).toMatch(/^t\d+ OK MOVE/)
  await a.command('DELETE Target')
})

test('RFC 8508 §3, §4.3: REPLACE puts the new message and takes the old one away in one', async () => {
  const a = await client('CREATE Drafts', `SELECT ${box}`)
  const b = await client(`SELECT ${box}`)
  expect(await a.command(`REPLACE 2 ${box} (\\Draft) {14+}\r\nSubject: new\r\n`)).toMatch(
    /^\* OK \[APPENDUID \d+ 5\] Replaced\r\n\* 2 EXPUNGE\r\n\* 4 EXISTS\r\n\* \d RECENT\r\nt\d+ OK REPLACE/,
  )
  expect(await b.command('NOOP')).toMatch(/^\* 2 EXPUNGE\r\n\* 4 EXISTS\r\n/)
  expect(await a.command('UID REPLACE 5 Drafts {14+}\r\nSubject: old\r\n')).toMatch(
    /^\* OK \[APPENDUID \d+ 1\] Replaced\r\n\* 4 EXPUNGE\r\nt\d+ OK REPLACE/,
  )
  expect(await a.command(`UID REPLACE 99 ${box} {14+}\r\nSubject: old\r\n`)).toContain('NO [NONEXISTENT]')
  expect(await a.command('REPLACE 1 Nowhere {14}')).toContain('NO [TRYCREATE]')
})
