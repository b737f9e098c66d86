/** QRESYNC by rule (RFC 7162 §3.2): the parameter of SELECT, VANISHED, and when it is told. */
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
  for (const each of commands) expect(await imap.command(each), each).toMatch(/(^|\n)t\d+ OK/)
  return imap
}
const deliver = (text = 'hi') =>
  server.deliver('alice@example.net', box, `From: bob@example.org\nSubject: ${text}\n\n${text}\n`)
const standOf = (text: string): { validity: string; modSeq: number } => ({
  validity: /UIDVALIDITY (\d+)/.exec(text)![1]!,
  modSeq: Number(/HIGHESTMODSEQ (\d+)/.exec(text)![1]),
})
const earlier = (text: string): string | undefined => /VANISHED \(EARLIER\) ([\d:,]+)/.exec(text)?.[1]
const fetched = (text: string): string[] => [...text.matchAll(/FETCH \(UID (\d+)/g)].map((m) => m[1]!)

beforeAll(async () => {
  server = await startImap()
})
afterAll(() => server.close())
beforeEach(async () => {
  for (const each of open.splice(0)) each.end()
  box = `Box${++count}`
  for (let i = 1; i <= 8; i++) await deliver(`m${i}`)
})

test('QR-25, QR-26, QR-42: ENABLE first, then QRESYNC and VANISHED, and these only where they have a meaning', async () => {
  const a = await client(`SELECT ${box}`)
  expect(await a.command(`SELECT ${box} (QRESYNC (1 1))`)).toMatch(/^t\d+ BAD/)
  expect(await a.command('FETCH 1 (UID)')).toContain('* 1 FETCH (UID 1)')
  expect(await a.command('UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1 VANISHED)')).toMatch(/^t\d+ BAD/)
  for (const [order, told] of [
    ['QRESYNC', 'QRESYNC'],
    ['CONDSTORE QRESYNC', 'CONDSTORE QRESYNC'],
    ['QRESYNC CONDSTORE', 'QRESYNC'],
  ] as const) {
    const b = await client()
    expect(await b.command(`ENABLE ${order}`)).toMatch(new RegExp(`^\\* ENABLED ${told}( CONDSTORE)?\r\n`))
    await b.command(`SELECT ${box}`)
    await b.command('STORE 1 +FLAGS.SILENT (\\Seen)')
    expect(await b.command('UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1 VANISHED)')).toMatch(/t\d+ OK FETCH/)
  }
  const c = await client('ENABLE QRESYNC', `SELECT ${box}`)
  expect(await c.command('FETCH 1:* (FLAGS) (CHANGEDSINCE 1 VANISHED)')).toMatch(/^t\d+ BAD/)
  expect(await c.command('UID FETCH 1:* (FLAGS) (VANISHED)')).toMatch(/^t\d+ BAD/)
  expect(await c.command('UID FETCH 1:* (FLAGS) (VANISHED CHANGEDSINCE 1)')).toMatch(/t\d+ OK/)
})

test('QR-30, QR-32 to QR-36, QR-40, QR-44, QR-51: what SELECT tells of the time between', async () => {
  const a = await client('ENABLE QRESYNC')
  const { validity, modSeq } = standOf(await a.command(`SELECT ${box}`))
  await a.command('STORE 2:3,8 +FLAGS (\\Deleted)')
  await a.command('EXPUNGE')
  await a.command('UID STORE 1,5 +FLAGS (\\Flagged)')
  await deliver('new')
  const again = async (parameter: string): Promise<string> => a.command(`SELECT ${box} (${parameter})`)

  const whole = await again(`QRESYNC (${validity} ${modSeq})`)
  expect(whole).toMatch(/^\* OK \[CLOSED\]/)
  expect(earlier(whole)).toBe('2:3,8')
  expect(whole).not.toMatch(/VANISHED \d/)
  expect(fetched(whole)).toEqual(['1', '5', '9'])
  expect(whole.indexOf('VANISHED')).toBeGreaterThan(whole.indexOf('HIGHESTMODSEQ'))

  const part = await again(`QRESYNC (${validity} ${modSeq} 1:3)`)
  expect(earlier(part)).toBe('2:3')
  expect(fetched(part)).toEqual(['1'])
  expect(part).toContain('* 6 EXISTS')
  // UIDs that were never given out are no news.
  expect(earlier(await again(`QRESYNC (${validity} ${modSeq} 8:500)`))).toBe('8')

  const other = await again(`QRESYNC (${Number(validity) + 1} ${modSeq} 1:8 (1:8 1:8))`)
  expect(other).toMatch(/t\d+ OK \[READ-WRITE\]/)
  expect(other).not.toMatch(/VANISHED|FETCH/)
  const future = await again(`QRESYNC (${validity} 9223372036854775807)`)
  expect(future).toMatch(/t\d+ OK \[READ-WRITE\]/)
  expect(future).not.toMatch(/VANISHED|FETCH/)
  expect(standOf(future).modSeq).toBeGreaterThan(modSeq)

  for (const both of [
    `QRESYNC (${validity} ${modSeq}) CONDSTORE`,
    `CONDSTORE QRESYNC (${validity} ${modSeq})`,
  ])
    expect(earlier(await again(both)), both).toBe('2:3,8')

  for (const bad of [
    `QRESYNC (${validity} 0)`,
    `QRESYNC (${validity})`,
    `QRESYNC (0 ${modSeq})`,
    `QRESYNC (${validity} 9223372036854775808)`,
    `QRESYNC (${validity} ${modSeq} 1:*)`,
    `QRESYNC (${validity} ${modSeq} 1:8 (1:* 1:8))`,
    `QRESYNC (${validity} ${modSeq} 1:8 (1:3 1:3)`,
    `QRESYNC (${validity} ${modSeq}`,
    'QRESYNC',
    `QRESYNC (${validity} ${modSeq}) QRESYNC`,
  ]) {
    await a.command('NOOP')
    const refused = await again(bad)
    expect(refused, bad).toMatch(/^t\d+ BAD/)
  }
  // Nothing was opened or closed by them.
  expect(await a.command('FETCH 1 (UID)')).toContain('* 1 FETCH (UID 1')

  const fresh = await client('ENABLE QRESYNC', 'CREATE Never')
  const empty = standOf(await fresh.command('SELECT Never'))
  expect(await fresh.command(`SELECT Never (QRESYNC (${empty.validity} 1))`)).not.toMatch(/VANISHED|FETCH/)
  await fresh.command('UNSELECT')
  await fresh.command('DELETE Never')
  const plain = await client(`SELECT ${box}`)
  expect(await plain.command('EXAMINE INBOX')).toMatch(/^\* OK \[CLOSED\]/)
})

test('QR-37, QR-38: pairs of numbers never hide what is gone, and odd ones never break anything', async () => {
  const a = await client('ENABLE QRESYNC')
  const { validity, modSeq } = standOf(await a.command(`SELECT ${box}`))
  await a.command('UID STORE 2,6 +FLAGS (\\Deleted)')
  await a.command('EXPUNGE')
  const ask = (match: string): Promise<string> =>
    a.command(`SELECT ${box} (QRESYNC (${validity} ${modSeq} 1:8 ${match}))`)
  for (const match of ['(1,3 1,3)', '(1 1)', '(2:4 2:4)', '(1:3,8 1,3,4,8)', '(7:8 7:8)'])
    expect(earlier(await ask(match)), match).toContain('6')
  for (const odd of ['(1:3 1:2)', '(3,2,1 3,2,1)', '(1,1 1,2)', '(1:4294967295 1:4294967295)', '(0 0)']) {
    const answer = await ask(odd)
    expect(answer, odd).toMatch(/t\d+ (OK|BAD)/)
    if (answer.includes(' OK [READ-WRITE]')) expect(earlier(answer)).toBe('2,6')
  }
  expect(earlier(await a.command(`SELECT ${box} (QRESYNC (${validity} ${modSeq} (1 1)))`))).toContain('6')
})

test('QR-39, QR-52: from the first mod-sequence on all that is gone is known; UID sets of 8192 octets are read', async () => {
  const a = await client('ENABLE QRESYNC')
  for (let i = 0; i < 30; i++) await deliver()
  const { validity } = standOf(await a.command(`SELECT ${box}`))
  for (const uid of [2, 4, 6, 20, 21, 38]) {
    await a.command(`UID STORE ${uid} +FLAGS.SILENT (\\Deleted)`)
    await a.command('EXPUNGE')
  }
  expect(earlier(await a.command(`SELECT ${box} (QRESYNC (${validity} 1))`))).toBe('2,4,6,20:21,38')
  let set = '2'
  for (let uid = 4; set.length < 8180; uid += 2) set += `,${uid}`
  expect(earlier(await a.command(`SELECT ${box} (QRESYNC (${validity} 1 ${set}))`))).toBe('2,4,6,20,38')
  expect(await a.command(`UID FETCH ${set} (FLAGS)`)).toMatch(/\nt\d+ OK FETCH/)
  expect(earlier(await a.command(`UID FETCH ${set} (FLAGS) (CHANGEDSINCE 1 VANISHED)`))).toBe('2,4,6,20,38')
})

test('QR-28: VANISHED waits where EXPUNGE would, by UID too when the criteria have message numbers', async () => {
  const a = await client('ENABLE QRESYNC', `SELECT ${box}`)
  const b = await client(`SELECT ${box}`)
  const gone = async (uid: number): Promise<void> => {
    await b.command(`UID STORE ${uid} +FLAGS.SILENT (\\Deleted)`)
    await b.command('EXPUNGE')
  }
  await gone(8)
  for (const held of [
    'FETCH 1 (FLAGS)',
    'STORE 1 +FLAGS (\\Seen)',
    'SEARCH ALL',
    'UID SEARCH 1:3',
    'UID SEARCH NOT 2',
  ])
    expect(await a.command(held), held).not.toContain('VANISHED 8')
  expect(await a.command('UID SEARCH ALL')).toMatch(/\* VANISHED 8\r\n/)
  for (const [uid, telling] of [
    [7, 'UID FETCH 1 (FLAGS)'],
    [6, 'UID STORE 1 +FLAGS (\\Answered)'],
    [5, `STATUS ${box} (MESSAGES)`],
  ] as const) {
    await gone(uid)
    expect(await a.command(telling)).toContain(`* VANISHED ${uid}\r\n`)
  }
  // A command that is only half there.
  await gone(4)
  a.send(`x APPEND ${box} {14}\r\n`)
  expect(await a.until(/\+ .*\r\n/)).not.toContain('VANISHED')
  await gone(3)
  a.send('Subject: new\r\n\r\n')
  expect(await a.until(/x OK.*\r\n/)).toContain('* VANISHED 3:4\r\n')
})

test('QR-47, QR-48, MV-03, MV-05: CLOSE tells no HIGHESTMODSEQ; MOVE tells COPYUID, VANISHED, HIGHESTMODSEQ', async () => {
  const a = await client('ENABLE QRESYNC', 'CREATE Away', `SELECT ${box}`)
  expect(await a.command('MOVE 2,7 Away')).toMatch(
    /^\* OK \[COPYUID \d+ 2,7 1,2\] .*\r\n\* VANISHED 2,7\r\nt\d+ OK \[HIGHESTMODSEQ \d+\]/,
  )
  expect(await a.command(`UID MOVE 3 ${box}`)).toMatch(
    /^\* OK \[COPYUID \d+ 3 9\] .*\r\n\* VANISHED 3\r\n\* 6 EXISTS\r\n/,
  )
  // Each message is in exactly one mailbox.
  expect(await a.command('UID SEARCH ALL')).toContain('* SEARCH 1 4 5 6 8 9\r\n')
  expect(await a.command('STATUS Away (MESSAGES)')).toContain('MESSAGES 2')
  await a.command('STORE 1 +FLAGS.SILENT (\\Deleted)')
  expect(await a.command('CLOSE')).toMatch(/^t\d+ OK CLOSE completed\r\n$/)
  await a.command('DELETE Away')
})
