/** Results that are kept up to date (RFC 5267 §4.3). */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { startImap, type TestImap } from '../support/imap-server.ts'
import { loggedIn, type RawImap } from '../support/raw-imap.ts'

let server: TestImap
let now = Date.UTC(2024, 0, 1)
let box = ''
let count = 0
const open: RawImap[] = []
const client = async (...commands: string[]): Promise<RawImap> => {
  const imap = await loggedIn(server.port)
  open.push(imap)
  for (const each of commands) await imap.command(each)
  return imap
}
const deliver = (subject: string, flags: readonly string[] = []) =>
  server.deliver(
    'alice@example.net',
    box,
    `From: ${subject}@example.org\nSubject: ${subject}\n\n${subject}\n`,
    flags,
  )
const quiet = (ms = 60) => new Promise((resolve) => setTimeout(resolve, ms))

beforeAll(async () => {
  server = await startImap({ now: () => now, limits: { idleMs: 36_000_000 } })
})
afterAll(() => server.close())
beforeEach(async () => {
  for (const each of open.splice(0)) each.end()
  box = `Box${++count}`
  for (const name of ['d', 'b', 'c', 'a']) await deliver(name)
})

test('CX-07, CX-12, CX-15, CX-17, CX-20: a flag makes a message join and leave, without a command', async () => {
  const a = await client(`SELECT ${box}`)
  const b = await client(`SELECT ${box}`)
  a.send('u1 UID SEARCH RETURN (UPDATE COUNT) FLAGGED\r\nm1 SEARCH RETURN (UPDATE MIN) FLAGGED\r\n')
  expect(await a.until(/m1 OK.*\r\n/)).toBe(
    '* ESEARCH (TAG "u1") UID COUNT 0\r\nu1 OK SEARCH completed\r\n* ESEARCH (TAG "m1")\r\nm1 OK SEARCH completed\r\n',
  )
  await b.command('STORE 2:3 +FLAGS (\\Flagged)')
  expect(await a.until(/"m1"\) ADDTO.*\r\n/)).toBe(
    '* 2 FETCH (UID 2 FLAGS (\\Recent \\Flagged))\r\n* 3 FETCH (UID 3 FLAGS (\\Recent \\Flagged))\r\n' +
      '* ESEARCH (TAG "u1") UID ADDTO (0 2:3)\r\n* ESEARCH (TAG "m1") ADDTO (0 2:3)\r\n',
  )
  // What is the same as before is not told again.
  await b.command('STORE 2 +FLAGS (\\Seen)')
  expect(await a.until(/Seen\)\)\r\n/)).not.toContain('ESEARCH')
  expect(await a.command('STORE 2 -FLAGS (\\Flagged)')).toBe(
    '* 2 FETCH (FLAGS (\\Recent \\Seen))\r\n* ESEARCH (TAG "u1") UID REMOVEFROM (0 2)\r\n' +
      '* ESEARCH (TAG "m1") REMOVEFROM (0 2)\r\nt3 OK STORE completed\r\n',
  )
})

test('CX-07: UPDATE alone tells the whole result', async () => {
  const a = await client(`SELECT ${box}`)
  expect(await a.command('SEARCH RETURN (UPDATE) 2:3')).toMatch(/^\* ESEARCH \(TAG "t3"\) ALL 2:3\r\nt3 OK/)
})

test('CX-08, CX-10, DE-08: tags of contexts', async () => {
  const a = await client(`SELECT ${box}`)
  const b = await client(`SELECT ${box}`)
  a.send(
    'x SEARCH RETURN (UPDATE) FLAGGED\r\nx SORT RETURN (UPDATE) (DATE) UTF-8 ALL\r\nx SEARCH RETURN (COUNT) ALL\r\n',
  )
  expect(await a.until(/x OK[^\n]*\n[\s\S]*x OK.*\r\n/)).toMatch(/x BAD/)
  await b.command('STORE 1 +FLAGS (\\Flagged)')
  expect(await a.until(/ADDTO.*\r\n/)).toContain('* ESEARCH (TAG "x") ADDTO (0 1)')
  expect(await a.command('CANCELUPDATE "y"')).toMatch(/^t\d+ OK/)
  expect(await a.command('CANCELUPDATE x')).toMatch(/^t\d+ BAD/)
  expect(await a.command('CANCELUPDATE')).toMatch(/^t\d+ BAD/)
  expect(await a.command('CANCELUPDATE "x" "y"')).toMatch(/^t\d+ OK/)
  await b.command('STORE 1 -FLAGS (\\Flagged)')
  expect(await a.command('NOOP')).not.toContain('ESEARCH')
})

test('CX-11, CX-30: contexts end with the selection', async () => {
  const a = await client(`SELECT ${box}`, 'SEARCH RETURN (UPDATE) FLAGGED', `SELECT ${box}`)
  await a.command('STORE 1 +FLAGS (\\Flagged)')
  expect(await a.command('NOOP')).not.toContain('ESEARCH')
  await a.command('UNSELECT')
  expect(await a.command('CANCELUPDATE "t3"')).toMatch(/^t\d+ BAD/)
})

test('CX-09: the 33rd context is not updated, and everything else is served', async () => {
  const a = await client(`SELECT ${box}`)
  for (let i = 0; i < 32; i++)
    expect(await a.command('SEARCH RETURN (UPDATE COUNT) ALL')).not.toContain('NOUPDATE')
  expect(await a.command('SEARCH RETURN (UPDATE COUNT) ALL')).toMatch(
    /^\* ESEARCH \(TAG "t35"\) COUNT 4\r\n\* NO \[NOUPDATE "t35"\] .*\r\nt35 OK/,
  )
  await a.command('CANCELUPDATE "t3"')
  expect(await a.command('SEARCH RETURN (UPDATE COUNT) ALL')).not.toContain('NOUPDATE')
})

test('CX-13, CX-14, CX-28: who knows UIDs hears of an expunge at once; MSNs leave before their EXPUNGE', async () => {
  const a = await client(`SELECT ${box}`)
  const b = await client(`SELECT ${box}`)
  a.send('u UID SEARCH RETURN (UPDATE) ALL\r\nm SEARCH RETURN (UPDATE) ALL\r\n')
  await a.until(/m OK.*\r\n/)
  await b.command('STORE 2:3 +FLAGS.SILENT (\\Deleted)')
  await a.until(/\* 3 FETCH.*\r\n/)
  await b.command('EXPUNGE')
  expect(await a.until(/REMOVEFROM.*\r\n/)).toBe('* ESEARCH (TAG "u") UID REMOVEFROM (0 2:3)\r\n')
  await quiet()
  expect(a.taken()).toBe('')
  expect(await a.command('FETCH 1 (UID)')).not.toContain('REMOVEFROM')
  expect(await a.command('NOOP')).toBe(
    '* ESEARCH (TAG "m") REMOVEFROM (0 2:3)\r\n* 3 EXPUNGE\r\n* 2 EXPUNGE\r\nt4 OK NOOP completed\r\n',
  )
  await deliver('new')
  expect(await a.until(/"m"\) ADDTO.*\r\n/)).toBe(
    '* 3 EXISTS\r\n* 3 RECENT\r\n* ESEARCH (TAG "u") UID ADDTO (0 5)\r\n* ESEARCH (TAG "m") ADDTO (0 3)\r\n',
  )
})

test('CX-15, CX-16, CX-18: positions of a sorted context, applied from left to right, give its order', async () => {
  const a = await client(`SELECT ${box}`)
  const b = await client(`SELECT ${box}`)
  a.send(
    's UID SORT RETURN (UPDATE ALL) (SUBJECT) UTF-8 UNFLAGGED\r\nr SORT RETURN (UPDATE) (REVERSE FROM) UTF-8 UNFLAGGED\r\n',
  )
  expect(await a.until(/r OK.*\r\n/)).toContain('* ESEARCH (TAG "s") UID ALL 4,2:3,1\r\n')
  // a b c d = 4 2 3 1
  await b.command('STORE 1,4 +FLAGS (\\Flagged)')
  expect(await a.until(/"r"\) REM.*\r\n/)).toContain(
    '* ESEARCH (TAG "s") UID REMOVEFROM (1 4 3 1)\r\n* ESEARCH (TAG "r") REMOVEFROM (1 1 3 4)\r\n',
  )
  await deliver('bb')
  await deliver('bc')
  await b.command('STORE 1,4 -FLAGS (\\Flagged)')
  // By NOOP, everything has been told.
  await a.command('NOOP')
  expect(await a.command('UID SORT RETURN () (SUBJECT) UTF-8 UNFLAGGED')).toContain('ALL 4,2,5:6,3,1')
})

test('CX-19: MSNs of the criteria mean the messages that they were', async () => {
  const a = await client(`SELECT ${box}`)
  a.send('m UID SEARCH RETURN (UPDATE) 3:4\r\n')
  expect(await a.until(/m OK.*\r\n/)).toContain('UID ALL 3:4\r\n')
  await a.command('STORE 1,4 +FLAGS.SILENT (\\Deleted)')
  expect(await a.command('EXPUNGE')).toBe(
    '* ESEARCH (TAG "m") UID REMOVEFROM (0 4)\r\n* 4 EXPUNGE\r\n* 1 EXPUNGE\r\nt4 OK EXPUNGE completed\r\n',
  )
  await deliver('x')
  await a.until(/RECENT\r\n/)
  expect(await a.command('STORE 2 +FLAGS (\\Seen)')).not.toContain('ESEARCH')
})

test('CX-26, CX-27, DE-01, DE-21: UPDATE with items fetches what is new and matches, once', async () => {
  const a = await client(`SELECT ${box}`)
  const b = await client(`SELECT ${box}`)
  a.send('u UID SEARCH RETURN (COUNT UPDATE (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])) SUBJECT boss\r\n')
  expect(await a.until(/u OK.*\r\n/)).toBe('* ESEARCH (TAG "u") UID COUNT 0\r\nu OK SEARCH completed\r\n')
  await deliver('boss')
  expect(await a.until(/ADDTO.*\r\n/)).toBe(
    '* 5 EXISTS\r\n* 5 RECENT\r\n* 5 FETCH (UID 5 FLAGS (\\Recent) BODY[HEADER.FIELDS (SUBJECT)] {17}\r\nSubject: boss\r\n\r\n)\r\n' +
      '* ESEARCH (TAG "u") UID ADDTO (0 5)\r\n',
  )
  await deliver('other')
  expect(await a.until(/RECENT\r\n/)).toBe('* 6 EXISTS\r\n* 6 RECENT\r\n')
  a.send('v UID SEARCH RETURN (UPDATE (UID INTERNALDATE)) FLAGGED\r\n')
  await a.until(/v OK.*\r\n/)
  await b.command('NOOP')
  await b.command('STORE 6 +FLAGS (\\Flagged)')
  const joined = await a.until(/ADDTO.*\r\n/)
  expect(joined).toContain('* ESEARCH (TAG "v") UID ADDTO (0 6)')
  expect(joined).not.toContain('INTERNALDATE')
  // An own APPEND is known already (NO-23).
  a.send(`w APPEND ${box} (\\Flagged) {20+}\r\nSubject: boss\r\n\r\nhi!\r\n`)
  const own = await a.until(/w OK.*\r\n/)
  expect(own).toContain('* ESEARCH (TAG "u") UID ADDTO (0 7)')
  expect(own).not.toContain('FETCH')
})

test('CX-28: contexts are told in IDLE', async () => {
  const a = await client(`SELECT ${box}`)
  const b = await client(`SELECT ${box}`)
  a.send('m SORT RETURN (UPDATE) (SUBJECT) UTF-8 ALL\r\ni IDLE\r\n')
  await a.until(/\+ idling\r\n/)
  await b.command('STORE 3:4 +FLAGS.SILENT (\\Deleted)')
  await b.command('EXPUNGE')
  expect(await a.until(/\* 3 EXPUNGE\r\n/)).toContain(
    '* ESEARCH (TAG "m") REMOVEFROM (1 4 2 3)\r\n* 4 EXPUNGE\r\n',
  )
  a.send('DONE\r\n')
  await a.until(/i OK.*\r\n/)
})

test('CX-21: what grows older leaves and joins by itself', async () => {
  const a = await client(`SELECT ${box}`)
  a.send('o UID SEARCH RETURN (UPDATE) OLDER 3600\r\ny UID SEARCH RETURN (UPDATE) YOUNGER 3600\r\n')
  await a.until(/y OK.*\r\n/)
  now += 1_800_000
  await deliver('later')
  expect(await a.until(/"y"\) UID ADDTO.*\r\n/)).not.toContain('"o"')
  now += 1_801_000
  expect(await a.until(/"y"\) UID REM.*\r\n/)).toBe(
    '* ESEARCH (TAG "o") UID ADDTO (0 1:4)\r\n* ESEARCH (TAG "y") UID REMOVEFROM (0 1:4)\r\n',
  )
  now += 3_600_000
  expect(await a.until(/"y"\) UID REM.*\r\n/)).toContain('REMOVEFROM (0 5)')
})

test('CX-21, ES-18: the turn of an age is that of whole seconds', async () => {
  const started = now
  now = Math.floor(now / 1000) * 1000 + 900
  const a = await client(`SELECT ${box}`)
  await deliver('late')
  a.send(
    'o UID SEARCH RETURN (UPDATE) UID 5 OLDER 3600\r\ny UID SEARCH RETURN (UPDATE) UID 5 YOUNGER 3600\r\n',
  )
  await a.until(/y OK.*\r\n/)
  // 3600 seconds on as they are written, and not yet 3600 seconds later.
  now += 3_599_200
  expect(await a.until(/ADDTO.*\r\n/)).toContain('* ESEARCH (TAG "o") UID ADDTO (0 5)\r\n')
  await quiet()
  expect(a.taken()).toBe('')
  // The second is over: looked at again, five seconds after the last time at the earliest.
  now += 5000
  expect(await a.until(/REMOVEFROM.*\r\n/)).toBe('* ESEARCH (TAG "y") UID REMOVEFROM (0 5)\r\n')
  now = started + 3_700_000
})

test('CX-29, IL-01: sessions without contexts hear nothing between commands', async () => {
  const a = await client(`SELECT ${box}`, 'SEARCH RETURN (CONTEXT COUNT) ALL')
  await deliver('x')
  await quiet()
  expect(a.taken()).toBe('')
  expect(await a.command('SEARCH RETURN (COUNT) ALL')).toContain('COUNT 5')
})
