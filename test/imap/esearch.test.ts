/** ESEARCH, SEARCHRES and WITHIN by rule (RFC 4731, RFC 5182, RFC 5032). */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { startImap, type TestImap } from '../support/imap-server.ts'
import { loggedIn, type RawImap } from '../support/raw-imap.ts'

let server: TestImap
let box = ''
let count = 0
let now = Date.parse('2026-03-01T12:00:00Z')
const open: RawImap[] = []
const client = async (...commands: string[]): Promise<RawImap> => {
  const imap = await loggedIn(server.port)
  open.push(imap)
  for (const each of commands) expect(await imap.command(each), each).toMatch(/(^|\n)t\d+ OK/)
  return imap
}
const deliver = (text: string, flags: readonly string[] = []) =>
  server.deliver('alice@example.net', box, `From: bob@example.org\nSubject: ${text}\n\n${text}\n`, flags)
const msns = (text: string): string[] => [...text.matchAll(/^\* (\d+) FETCH/gm)].map((m) => m[1]!)

beforeAll(async () => {
  server = await startImap({ now: () => now })
})
afterAll(() => server.close())
beforeEach(async () => {
  for (const each of open.splice(0)) each.end()
  box = `Box${++count}`
  for (let i = 1; i <= 9; i++) await deliver(`m${i}`, [2, 3, 4, 7, 9].includes(i) ? ['\\Flagged'] : [])
  // UIDs and message numbers are different: UID is number + 1.
  const first = await client(`SELECT ${box}`, 'STORE 1 +FLAGS (\\Deleted)', 'EXPUNGE')
  first.end()
})

test('ES-01 to ES-07: one ESEARCH, with what was asked for and in exact sets', async () => {
  const a = await client(`SELECT ${box}`)
  a.send('A]"5 SEARCH RETURN (MIN) ALL\r\n')
  await a.until(/BAD.*\r\n/)
  expect(await a.command('SEARCH RETURN (MIN MAX COUNT ALL) FLAGGED')).toMatch(
    /^\* ESEARCH \(TAG "t3"\) MIN 1 MAX 8 COUNT 5 ALL 1:3,6,8\r\nt3 OK/,
  )
  expect(await a.command('UID SEARCH RETURN (MIN MAX COUNT ALL) FLAGGED')).toMatch(
    /^\* ESEARCH \(TAG "t4"\) UID MIN 2 MAX 9 COUNT 5 ALL 2:4,7,9\r\nt4 OK/,
  )
  expect(await a.command('SEARCH RETURN () FLAGGED')).toContain('* ESEARCH (TAG "t5") ALL 1:3,6,8\r\n')
  expect(await a.command('SEARCH RETURN (MAX) FLAGGED')).toContain('* ESEARCH (TAG "t6") MAX 8\r\n')
  expect(await a.command('SEARCH RETURN (MIN MAX ALL) ANSWERED')).toMatch(/^\* ESEARCH \(TAG "t7"\)\r\nt7 OK/)
  expect(await a.command('SEARCH RETURN (COUNT ALL) ANSWERED')).toContain('* ESEARCH (TAG "t8") COUNT 0\r\n')
  expect(await a.command('UID SEARCH RETURN (COUNT) ANSWERED')).toContain(
    '* ESEARCH (TAG "t9") UID COUNT 0\r\n',
  )
  for (const bad of ['(MIN FROB)', '(MIN,MAX)', '(MIN', 'MIN', '(COUNT ) '])
    expect(await a.command(`SEARCH RETURN ${bad} ALL`), bad).toMatch(/^t\d+ BAD/)
  // Ranges never span what is not there.
  await a.command('UID STORE 5 +FLAGS (\\Deleted)')
  await a.command('EXPUNGE')
  expect(await a.command('UID SEARCH RETURN (ALL) ALL')).toContain('UID ALL 2:4,6:9\r\n')
  // Tags are strings here, whatever they look like (RFC 4466 §3).
  a.send('A.b/c]1 SEARCH RETURN (COUNT) ALL\r\n12 SEARCH RETURN (COUNT) ALL\r\n')
  expect(await a.until(/12 OK.*\r\n/)).toMatch(
    /^\* ESEARCH \(TAG "A\.b\/c\]1"\) COUNT 7\r\n.*\r\n\* ESEARCH \(TAG "12"\) COUNT 7\r\n/,
  )
})

test('ES-08, ES-09: SAVE alone tells nothing; MIN and MAX save themselves, COUNT and ALL save everything', async () => {
  const a = await client(`SELECT ${box}`)
  const saved = async (options: string): Promise<[string, string[]]> => {
    const told = await a.command(`SEARCH RETURN (${options}) FLAGGED`)
    return [/ESEARCH \(TAG "t\d+"\) (.*)\r\n/.exec(told)?.[1] ?? '', msns(await a.command('FETCH $ (FLAGS)'))]
  }
  const all = ['1', '2', '3', '6', '8']
  expect(await saved('SAVE')).toEqual(['', all])
  expect(await saved('SAVE MIN')).toEqual(['MIN 1', ['1']])
  expect(await saved('MAX SAVE')).toEqual(['MAX 8', ['8']])
  expect(await saved('SAVE MIN MAX')).toEqual(['MIN 1 MAX 8', ['1', '8']])
  expect(await saved('SAVE COUNT')).toEqual(['COUNT 5', all])
  expect(await saved('SAVE MIN COUNT')).toEqual(['MIN 1 COUNT 5', all])
  expect(await saved('SAVE MAX ALL')).toEqual(['MAX 8 ALL 1:3,6,8', all])
})

test('ES-10, ES-16: $ stands for messages wherever a set may, by number and by UID, in one pipeline', async () => {
  const a = await client(`SELECT ${box}`, 'CREATE Copies')
  a.send('1 SEARCH RETURN (SAVE) 2:3\r\n2 UID FETCH $ (UID)\r\n3 FETCH $ (UID)\r\n')
  const got = await a.until(/(^|\n)3 OK.*\r\n/)
  expect(got.match(/\* [23] FETCH \(UID [34]\)/g)).toHaveLength(4)
  expect(await a.command('STORE $ +FLAGS (\\Answered)')).toMatch(/\* 2 FETCH.*\r\n\* 3 FETCH/)
  expect(await a.command('UID STORE $ +FLAGS ($Junk)')).toMatch(/\* 2 FETCH.*\r\n\* 3 FETCH/)
  expect(await a.command('COPY $ Copies')).toContain('3:4 1:2]')
  expect(await a.command('UID COPY $ Copies')).toContain('3:4 3:4]')
  expect(await a.command('SEARCH $ FLAGGED')).toContain('* SEARCH 2 3\r\n')
  expect(await a.command('UID SEARCH UID $ FLAGGED')).toContain('* SEARCH 3 4\r\n')
  expect(await a.command('SEARCH NOT $ FLAGGED')).toContain('* SEARCH 1 6 8\r\n')
  expect(await a.command('SORT (REVERSE ARRIVAL) UTF-8 $')).toContain('* SORT 2 3\r\n')
  expect(await a.command('THREAD REFERENCES UTF-8 $')).toMatch(/^\* THREAD \(2\)\(3\)\r\n/)
  await a.command('STORE 1:3 +FLAGS.SILENT (\\Deleted)')
  expect(await a.command('UID EXPUNGE $')).toMatch(/^\* 3 EXPUNGE\r\n\* 2 EXPUNGE\r\nt/)
  await a.command('SEARCH RETURN (SAVE) UID 7')
  expect(await a.command('MOVE $ Copies')).toMatch(/COPYUID \d+ 7 5\] .*\r\n\* 4 EXPUNGE/)
  await a.command('DELETE Copies')
})

test('ES-11, ES-12: $ is empty or stays as it was, as the outcome says', async () => {
  const a = await client(`SELECT ${box}`)
  const left = async (): Promise<string[]> => msns(await a.command('FETCH $ (FLAGS)'))
  expect(await left()).toEqual([])
  for (const empty of [
    'FETCH $ (FLAGS)',
    'STORE $ +FLAGS (\\Seen)',
    'COPY $ INBOX',
    'UID EXPUNGE $',
    'SEARCH $',
  ])
    expect(await a.command(empty), empty).toMatch(/(^|\n)t\d+ OK/)
  expect(await a.command('COPY $ INBOX')).not.toContain('COPYUID')
  const save = async (): Promise<void> => void (await a.command('SEARCH RETURN (SAVE) 1:2'))
  await save()
  expect(await left()).toEqual(['1', '2'])
  expect(await a.command('SEARCH RETURN (SAVE) FROB')).toMatch(/^t\d+ BAD/)
  expect(await left()).toEqual(['1', '2'])
  expect(await a.command('SEARCH CHARSET X-NONE SUBJECT x')).toMatch(/^t\d+ NO \[BADCHARSET/)
  expect(await left()).toEqual(['1', '2'])
  expect(await a.command('SEARCH FLAGGED')).toMatch(/t\d+ OK/)
  expect(await left()).toEqual(['1', '2'])
  for (const failing of [
    'SEARCH RETURN (SAVE) CHARSET X-NONE SUBJECT x',
    'SEARCH RETURN (SAVE) FILTER nosuch',
    'UID SEARCH RETURN (SAVE COUNT) NOT FILTER nosuch',
    'SORT RETURN (SAVE) (DATE) X-NONE ALL',
    'SORT RETURN (SAVE) (DATE) UTF-8 FILTER nosuch',
  ]) {
    await save()
    expect(await a.command(failing), failing).toMatch(/^t\d+ NO/)
    expect(await left(), failing).toEqual([])
  }
  await save()
  await a.command('SEARCH RETURN (SAVE) ANSWERED')
  expect(await left()).toEqual([])
  for (const name of [`SELECT ${box}`, `EXAMINE ${box}`]) {
    await save()
    await a.command(name)
    expect(await left(), name).toEqual([])
  }
})

test('ES-13, ES-14: what is expunged leaves $; another mailbox under the name does not inherit it', async () => {
  const a = await client(`SELECT ${box}`)
  const b = await client(`SELECT ${box}`)
  await a.command('SEARCH RETURN (SAVE) 2:4')
  await b.command('UID STORE 2,4 +FLAGS.SILENT (\\Deleted)')
  await b.command('EXPUNGE')
  expect(await a.command('NOOP')).toMatch(/^\* 3 EXPUNGE\r\n\* 1 EXPUNGE\r\n/)
  expect(await a.command('FETCH $ (UID)')).toMatch(/^\* 1 FETCH \(UID 3\)\r\n\* 2 FETCH \(UID 5\)\r\nt/)
  await a.command('UNSELECT')
  await b.command('UNSELECT')
  await b.command(`DELETE ${box}`)
  await deliver('other')
  expect(await a.command(`SELECT ${box}`)).toContain('* 1 EXISTS')
  expect(await a.command('FETCH $ (UID)')).toMatch(/^t\d+ OK/)
})

test('ES-18: OLDER and YOUNGER count seconds from now, both ends included', async () => {
  const a = await client(`SELECT ${box}`)
  await a.command('STORE 1:8 +FLAGS.SILENT (\\Deleted)')
  await a.command('EXPUNGE')
  for (const age of [0, 59, 60, 61, 3600])
    await a.command(
      `APPEND ${box} "${new Date(now - age * 1000)
        .toUTCString()
        .replace(/^\w+, (\d+) (\w+) (\d+) (.*) GMT$/, '$1-$2-$3 $4 +0000')}" {14+}\r\nSubject: new\r\n`,
    )
  expect(await a.command('SEARCH OLDER 60')).toContain('* SEARCH 3 4 5\r\n')
  expect(await a.command('SEARCH YOUNGER 60')).toContain('* SEARCH 1 2 3\r\n')
  expect(await a.command('SEARCH YOUNGER 3600 OLDER 61')).toContain('* SEARCH 4 5\r\n')
  now += 1000
  expect(await a.command('SEARCH YOUNGER 60')).toContain('* SEARCH 1 2\r\n')
  // An arrival late in its second, asked for early in one and late in one: both count as whole seconds.
  const before = now
  now = Math.floor(now / 1000) * 1000 + 900
  const uid = await deliver('late')
  for (const [after, older, younger] of [
    [59_000, false, true],
    [59_099, false, true],
    [59_100, true, true],
    [60_099, true, true],
    [60_100, true, false],
  ] as const) {
    const at = now
    now += after
    expect(await a.command(`UID SEARCH UID ${uid} OLDER 60`), `${after}`).toMatch(
      older ? /^(?:\* \d+ .*\r\n)*\* SEARCH \d+\r\n/ : /\* SEARCH\r\n/,
    )
    expect(await a.command(`UID SEARCH UID ${uid} YOUNGER 60`), `${after}`).toMatch(
      younger ? /^\* SEARCH \d+\r\n/ : /^\* SEARCH\r\n/,
    )
    now = at
  }
  now = before
  for (const bad of ['OLDER 0', 'YOUNGER 0', 'OLDER', 'YOUNGER -1', 'OLDER 4294967296'])
    expect(await a.command(`SEARCH ${bad}`), bad).toMatch(/^t\d+ BAD/)
})
