/** CONDSTORE by rule (RFC 7162 §3.1): what has a mod-sequence, who is told it, and conditional STORE. */
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
const deliver = (text: string, flags?: readonly string[]) =>
  server.deliver('alice@example.net', box, `From: bob@example.org\nSubject: ${text}\n\n${text}\n`, flags)
const modSeqs = (text: string): number[] => [...text.matchAll(/MODSEQ \((\d+)\)/g)].map((m) => Number(m[1]))
const highestOf = (text: string): number => Number(/HIGHESTMODSEQ (\d+)/.exec(text)?.[1])

beforeAll(async () => {
  server = await startImap({ now: () => now })
})
afterAll(() => server.close())
beforeEach(async () => {
  for (const each of open.splice(0)) each.end()
  box = `Box${++count}`
  for (let i = 1; i <= 4; i++) await deliver(`m${i}`)
})

test('QR-01 to QR-03, QR-11: mod-sequences only grow, whoever changes a flag and whatever the clock says', async () => {
  const a = await client(`SELECT ${box}`)
  const b = await client('ENABLE CONDSTORE', `SELECT ${box}`)
  const first = modSeqs(await a.command('FETCH 1:4 (MODSEQ)'))
  expect(first).toHaveLength(4)
  expect(first.every((n, i) => n >= 1 && n < 2 ** 63 && (i === 0 || n > first[i - 1]!))).toBe(true)
  now -= 86_400_000
  const mine = modSeqs(await a.command('STORE 2 +FLAGS (\\Seen)')).at(-1)!
  expect(mine).toBeGreaterThan(first[3]!)
  const theirs = modSeqs(await b.command('STORE 3 +FLAGS ($Junk)')).at(-1)!
  expect(theirs).toBeGreaterThan(mine)
  // What changes nothing leaves the mod-sequence alone (RFC 7162 §3.1.11).
  for (const same of ['+FLAGS (\\Seen)', 'FLAGS (\\Seen)', '-FLAGS ($Junk)', '-FLAGS ($NeverSeen)'])
    await a.command(`STORE 2 ${same}`)
  await a.command('FETCH 2 BODY[]')
  expect(modSeqs(await b.command('FETCH 2 (MODSEQ)')).at(-1)).toBe(mine)
  await deliver('new')
  expect(modSeqs(await b.command('FETCH 5 (MODSEQ)')).at(-1)).toBeGreaterThan(theirs)
})

test('QR-04, MV-07, MV-08, SV-02: COPY, MOVE and APPEND give new mod-sequences; both mailboxes of a MOVE grow', async () => {
  const a = await client('CREATE Target', 'ENABLE CONDSTORE', `SELECT ${box}`)
  const status = async (name: string): Promise<number> =>
    highestOf(await a.command(`STATUS ${name} (HIGHESTMODSEQ)`))
  const old = modSeqs(await a.command('FETCH 1:2 (MODSEQ)'))
  const [, ids, saved] = /EMAILID \((\w+)\) SAVEDATE ("[^"]+")/.exec(
    await a.command('FETCH 2 (EMAILID SAVEDATE)'),
  )!
  now += 60_000
  let [source, target] = [await status(box), await status('Target')]
  await a.command('COPY 1 Target')
  expect(await status(box)).toBe(source)
  expect(await status('Target')).toBeGreaterThan(target)
  target = await status('Target')
  const moved = await a.command('MOVE 2 Target')
  expect(moved).toMatch(/OK \[HIGHESTMODSEQ \d+\] MOVE/)
  expect(highestOf(moved)).toBeGreaterThan(source)
  expect(await status(box)).toBe(highestOf(moved))
  expect(await status('Target')).toBeGreaterThan(target)
  source = await status('Target')
  await a.command('APPEND Target {14+}\r\nSubject: new\r\n')
  expect(await status('Target')).toBeGreaterThan(source)
  await a.command('SELECT Target')
  const news = await a.command('FETCH 1:3 (MODSEQ)')
  expect(Math.min(...modSeqs(news))).toBeGreaterThan(Math.max(...old))
  const arrived = await a.command('FETCH 2 (EMAILID SAVEDATE)')
  expect(arrived).toContain(`EMAILID (${ids})`)
  expect(arrived).not.toContain(saved)
  await a.command('CLOSE')
  await a.command('DELETE Target')
})

test.each([
  'SELECT $ (CONDSTORE)',
  'STATUS $ (HIGHESTMODSEQ)',
  'FETCH 1 (MODSEQ)',
  'SEARCH MODSEQ 1',
  'FETCH 1 (FLAGS) (CHANGEDSINCE 1)',
  'STORE 1 (UNCHANGEDSINCE 1) +FLAGS (\\Seen)',
  'ENABLE CONDSTORE',
  'ENABLE QRESYNC',
])('QR-05, QR-06, QR-07: %s makes the session tell mod-sequences, and says where the mailbox stands', async (enabling) => {
  const a = await client(`SELECT ${box}`)
  const b = await client(`SELECT ${box}`)
  await b.command('STORE 4 +FLAGS (\\Flagged)')
  expect(await a.command('NOOP')).not.toContain('MODSEQ')
  const answer = await a.command(enabling.replace('$', box))
  expect(answer).toMatch(/^t\d+ OK|\nt\d+ OK/)
  expect(answer).toMatch(/\* OK \[HIGHESTMODSEQ \d+\]/)
  expect((await a.command('NOOP')).startsWith('t')).toBe(true)
  await b.command('STORE 4 -FLAGS (\\Flagged)')
  expect(await a.command('NOOP')).toMatch(/^\* 4 FETCH \(UID 4 FLAGS \([^)]*\) MODSEQ \(\d+\)\)\r\nt/)
})

test('QR-08, QR-09: HIGHESTMODSEQ in SELECT, EXAMINE and STATUS, the same and never 0', async () => {
  const a = await client('CREATE Empty')
  for (const name of ['Empty', box]) {
    const status = highestOf(await a.command(`STATUS ${name} (HIGHESTMODSEQ)`))
    expect(status).toBeGreaterThanOrEqual(1)
    expect(highestOf(await a.command(`SELECT ${name}`))).toBe(status)
    expect(highestOf(await a.command(`EXAMINE ${name}`))).toBe(status)
  }
  await a.command('DELETE Empty')
})

test('QR-12, QR-20, QR-21: CHANGEDSINCE is more than, SEARCH MODSEQ is at least', async () => {
  const a = await client('ENABLE CONDSTORE', `SELECT ${box}`)
  const all = modSeqs(await a.command('FETCH 1:4 (MODSEQ)'))
  const changed = await a.command(`FETCH 1:* (FLAGS) (CHANGEDSINCE ${all[1]})`)
  expect([...changed.matchAll(/\* (\d) FETCH/g)].map((m) => m[1])).toEqual(['3', '4'])
  expect(modSeqs(changed)).toEqual(all.slice(2))
  expect(await a.command(`FETCH 1:* (FLAGS) (CHANGEDSINCE ${all[3]})`)).toMatch(/^t\d+ OK/)
  expect(await a.command(`SEARCH MODSEQ ${all[1]}`)).toContain(`* SEARCH 2 3 4 (MODSEQ ${all[3]})\r\n`)
  expect(await a.command(`SEARCH MODSEQ ${all[1]} 1:3`)).toContain(`* SEARCH 2 3 (MODSEQ ${all[2]})\r\n`)
  expect(await a.command(`SEARCH MODSEQ ${all[3]! + 1}`)).toMatch(/^\* SEARCH\r\n/)
  for (const type of ['all', 'priv', 'shared'])
    expect(await a.command(`SEARCH MODSEQ "/flags/\\\\seen" ${type} ${all[2]}`)).toContain('* SEARCH 3 4 (')
  expect(await a.command(`SEARCH MODSEQ "/flags/\\\\seen" ${all[2]}`)).toContain('BAD')
})

test('QR-23, ES-04: the MODSEQ of an ESEARCH is that of the messages that it names', async () => {
  const a = await client('ENABLE CONDSTORE', `SELECT ${box}`)
  await a.command('STORE 2 +FLAGS (\\Seen)')
  await a.command('STORE 1 +FLAGS (\\Seen)')
  const [first, second, third, fourth] = modSeqs(await a.command('FETCH 1:4 (MODSEQ)')) as [
    number,
    number,
    number,
    number,
  ]
  expect(first).toBeGreaterThan(second)
  const esearch = async (options: string, keys = 'MODSEQ 1'): Promise<string> =>
    /^\* ESEARCH \(TAG "t\d+"\) ?(.*)\r\n/.exec(await a.command(`SEARCH RETURN (${options}) ${keys}`))![1]!
  expect(await esearch('MIN')).toBe(`MIN 1 MODSEQ ${first}`)
  expect(await esearch('MAX')).toBe(`MAX 4 MODSEQ ${fourth}`)
  expect(await esearch('MIN MAX', 'MODSEQ 1 2:4')).toBe(`MIN 2 MAX 4 MODSEQ ${second}`)
  expect(await esearch('MIN MAX', 'MODSEQ 1 3:4')).toBe(`MIN 3 MAX 4 MODSEQ ${Math.max(third, fourth)}`)
  expect(await esearch('MIN COUNT', 'MODSEQ 1 2:4')).toBe(`MIN 2 COUNT 3 MODSEQ ${second}`)
  expect(await esearch('ALL MAX')).toBe(`MAX 4 ALL 1:4 MODSEQ ${first}`)
  expect(await esearch('COUNT', `MODSEQ ${first + 1}`)).toBe('COUNT 0')
})

test('QR-14, QR-24, QR-57, UR-09: silence tells UID and MODSEQ to who knows them; flags that others changed are told', async () => {
  const plain = await client(`SELECT ${box}`)
  expect(await plain.command('STORE 4 +FLAGS.SILENT (\\Flagged)')).toMatch(/^t\d+ OK/)
  const a = await client('ENABLE CONDSTORE', `SELECT ${box}`)
  expect(await a.command('STORE 1 +FLAGS.SILENT (\\Flagged)')).toMatch(
    /^\* 1 FETCH \(UID 1 MODSEQ \(\d+\)\)\r\nt/,
  )
  const last = highestOf(await a.command(`STATUS ${box} (HIGHESTMODSEQ)`))
  expect(await a.command(`STORE 1:2 (UNCHANGEDSINCE ${last}) +FLAGS.SILENT (\\Answered)`)).toMatch(
    /^\* 1 FETCH \(UID 1 MODSEQ \(\d+\)\)\r\n\* 2 FETCH \(UID 2 MODSEQ \(\d+\)\)\r\nt\d+ OK STORE/,
  )
  expect(await a.command('FETCH 3 (BODY[TEXT])')).toMatch(
    /^\* 3 FETCH \(BODY\[TEXT\] \{4\}\r\nm3\r\n FLAGS \([^)]*\\Seen\) UID 3 MODSEQ \(\d+\)\)\r\n/,
  )
  // The change of another session comes to the server first, and this one has not heard of it.
  plain.send('p STORE 2 +FLAGS.SILENT (\\Draft)\r\n')
  await plain.until(/p OK.*\r\n/)
  const told = await a.command('STORE 2 +FLAGS.SILENT (\\Deleted)')
  expect(told).toMatch(/\* 2 FETCH \(UID 2 FLAGS \([^)]*\\Draft[^)]*\) MODSEQ \(\d+\)\)/)
})

test('QR-16, QR-17: a change of other flags does not stop +FLAGS and -FLAGS; of the same flags it does', async () => {
  const a = await client('ENABLE CONDSTORE', `SELECT ${box}`)
  const b = await client(`SELECT ${box}`)
  const since = highestOf(await a.command(`STATUS ${box} (HIGHESTMODSEQ)`))
  await b.command('STORE 2 +FLAGS (\\Deleted)')
  await b.command('STORE 3 +FLAGS ($Processed)')
  const stored = await a.command(`STORE 1:4 (UNCHANGEDSINCE ${since}) +FLAGS ($Processed)`)
  expect(stored).toMatch(/t\d+ OK \[MODIFIED 3\]/)
  expect(stored).toMatch(/\* 2 FETCH \(UID 2 FLAGS \([^)]*\\Deleted \$Processed\) MODSEQ/)
  expect(stored).toMatch(/\* 3 FETCH \(UID 3 FLAGS \([^)]*\$Processed\) MODSEQ/)
  // Replacing all flags concerns every flag; what was set and taken away again was changed, too.
  expect(await a.command(`STORE 2 (UNCHANGEDSINCE ${since}) FLAGS (\\Seen)`)).toContain('[MODIFIED 2]')
  await b.command('STORE 4 +FLAGS (\\Answered)')
  await b.command('STORE 4 -FLAGS (\\Answered)')
  expect(await a.command(`STORE 4 (UNCHANGEDSINCE ${since}) -FLAGS (\\Answered)`)).toContain('[MODIFIED 4]')
  expect(await a.command('STORE 1 (UNCHANGEDSINCE 0) +FLAGS (\\Flagged)')).toContain('[MODIFIED 1]')
  expect(await a.command('STORE 1 (UNCHANGEDSINCE 0) +FLAGS ($Processed)')).toContain('[MODIFIED 1]')
  expect(await a.command('UID STORE 1 (UNCHANGEDSINCE 0) +FLAGS ($Other)')).toMatch(/t\d+ OK STORE/)
  // Its mod-sequence is not a change of a message that came later.
  const uid = await deliver('later')
  expect(await a.command(`UID STORE ${uid} (UNCHANGEDSINCE ${since}) +FLAGS (\\Seen)`)).toContain(
    `[MODIFIED ${uid}]`,
  )
})

test('QR-18, QR-19: a message named twice is stored once; what is gone is no reason to lose a flag', async () => {
  const a = await client('ENABLE CONDSTORE', `SELECT ${box}`)
  const b = await client(`SELECT ${box}`)
  let since = highestOf(await a.command(`STATUS ${box} (HIGHESTMODSEQ)`))
  const twice = await a.command(`STORE 2,1:3,2 (UNCHANGEDSINCE ${since}) +FLAGS (\\Seen)`)
  expect(twice).toMatch(/t\d+ OK STORE/)
  expect(twice.match(/FETCH/g)).toHaveLength(3)
  since = highestOf(await a.command(`STATUS ${box} (HIGHESTMODSEQ)`))
  await b.command('STORE 4 +FLAGS (\\Deleted)')
  await b.command('STORE 2 +FLAGS (\\Flagged)')
  await b.command('EXPUNGE')
  const mixed = await a.command(`STORE 1:4 (UNCHANGEDSINCE ${since}) +FLAGS (\\Flagged)`)
  expect(mixed).toMatch(/t\d+ (OK|NO) \[MODIFIED 2\]/)
  expect(mixed).not.toMatch(/EXPUNGE\r\n/)
  expect(await a.command('NOOP')).toContain('* 4 EXPUNGE\r\n')
  expect(await a.command('FETCH 1:3 (FLAGS)')).toMatch(
    /1 FETCH.*\\Flagged.*\r\n.*2 FETCH.*\\Flagged.*\r\n.*3 FETCH.*\\Flagged/,
  )
})

test('QR-55: no two states of a message have one mod-sequence, whoever reads while others write', async () => {
  const writers = await Promise.all([1, 2, 3].map(() => client(`SELECT ${box}`)))
  const reader = await client(`SELECT ${box} (CONDSTORE)`)
  const states = new Map<string, string>()
  const read = async (): Promise<void> => {
    const told = await reader.command('UID FETCH 1:4 (FLAGS MODSEQ)')
    for (const [, uid, flags, modSeq] of told.matchAll(
      /FETCH \(UID (\d+) FLAGS \(([^)]*)\) MODSEQ \((\d+)\)\)/g,
    )) {
      const now = flags!.split(' ').sort().join(' ')
      const key = `${uid} at ${modSeq}`
      expect(states.get(key) ?? now, key).toBe(now)
      states.set(key, now)
    }
  }
  for (let round = 0; round < 15; round++)
    await Promise.all([
      ...writers.map((w, i) => w.command(`STORE 1:4 ${(round + i) % 2 ? '+' : '-'}FLAGS.SILENT ($K${i})`)),
      read(),
    ])
  await read()
  expect(states.size).toBeGreaterThan(8)
})

test('SE-06, SE-18: keywords beyond the limit are refused with LIMIT, and no message has half of them', async () => {
  const a = await client(`SELECT ${box}`)
  for (let from = 0; from < 4090; from += 200) {
    const words = Array.from({ length: Math.min(200, 4090 - from) }, (_, i) => `k${from + i}`)
    expect(await a.command(`STORE 4 FLAGS.SILENT (${words.join(' ')})`)).toMatch(/t\d+ OK STORE/)
  }
  expect(await a.command(`SELECT ${box}`)).toMatch(/PERMANENTFLAGS \([^)]* \\\*\)/)
  expect(await a.command('STORE 1:4 FLAGS (n1 n2 n3 n4 n5 n6 n7 \\Flagged)')).toMatch(/t\d+ NO \[LIMIT\]/)
  expect(await a.command('FETCH 1:4 (FLAGS)')).not.toMatch(/ n1|\\Flagged/)
  const last = await a.command('STORE 1 FLAGS (n1 n2 n3 n4 n5 n6 \\Flagged)')
  expect(last).toMatch(/t\d+ OK STORE/)
  expect(last).toMatch(/PERMANENTFLAGS \([^)]* n6\)/)
})
