/** UIDPLUS, MOVE, MULTIAPPEND, LITERAL+, SAVEDATE by rule (RFC 4315, 6851, 3502, 7888, 8514). */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { startImap, type TestImap } from '../support/imap-server.ts'
import { loggedIn, type RawImap, rawImap } from '../support/raw-imap.ts'

let server: TestImap
let small: TestImap
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
const literal = (octets: string, kind = ''): string => `${kind}{${octets.length}+}\r\n${octets}`
const mail = (n: number): string => `Subject: m${n}\r\n\r\nbody ${n}\r\n`

beforeAll(async () => {
  server = await startImap({ now: () => now })
  small = await startImap({ limits: { messageOctets: 2000 } })
})
afterAll(async () => {
  await server.close()
  await small.close()
})
beforeEach(async () => {
  for (const each of open.splice(0)) each.end()
  box = `Box${++count}`
  for (let i = 1; i <= 5; i++) await server.deliver('alice@example.net', box, mail(i))
})

test('UP-02, UP-05, MV-06: COPYUID names what was copied, pair by pair, and nothing else', async () => {
  const a = await client(`SELECT ${box}`, 'CREATE To')
  const uids = (text: string): number[] =>
    text.split(',').flatMap((part) => {
      const [from, to = from] = part.split(':').map(Number)
      return Array.from({ length: to! - from! + 1 }, (_, i) => from! + i)
    })
  for (const set of ['3,1', '5,2:3', '1:*', '4']) {
    const answer = await a.command(`COPY ${set} To`)
    const [, source, target] = /COPYUID \d+ (\S+) (\S+)\]/.exec(answer)!
    expect(`${source} ${target}`).not.toMatch(/\*/)
    const b = await client('SELECT To')
    for (const [i, uid] of uids(source!).entries()) {
      const subject = `UID FETCH ${uids(target!)[i]} (BODY.PEEK[HEADER.FIELDS (SUBJECT)])`
      expect(await b.command(subject), set).toContain(`Subject: m${uid}\r\n`)
    }
  }
  for (const nothing of ['UID COPY 99 To', 'UID MOVE 99,100:200 To'])
    expect(await a.command(nothing)).toMatch(/^t\d+ OK [A-Z]+ completed\r\n$/)
  await a.command('DELETE To')
})

test('UP-03, UP-04, UP-06: UID EXPUNGE takes what is deleted and named; codes only of mailboxes that can be selected', async () => {
  const a = await client('CREATE Only/Child')
  expect(await a.command(`SELECT ${box}`)).not.toContain('UIDNOTSTICKY')
  await a.command('STORE 1,3,4 +FLAGS.SILENT (\\Deleted)')
  expect(await a.command('UID EXPUNGE 2:3,99')).toBe('* 3 EXPUNGE\r\nt5 OK EXPUNGE completed\r\n')
  expect(await a.command('UID SEARCH DELETED')).toContain('* SEARCH 1 4\r\n')
  expect(await a.command('UID SEARCH ALL')).toContain('* SEARCH 1 2 4 5\r\n')
  await a.command('DELETE Only')
  for (const holder of ['COPY 1 Only', 'MOVE 1 Only', `APPEND Only ${literal(mail(1))}`]) {
    const answer = await a.command(holder)
    expect(answer, holder).toMatch(/t\d+ (NO|OK)/)
    if (answer.includes(' NO ')) expect(answer).not.toMatch(/COPYUID|APPENDUID/)
  }
})

test('MA-02, MA-04, MA-05: one message has one UID in the answer; of several all come at once, or none', async () => {
  const a = await client()
  const watching = await client(`SELECT ${box}`)
  expect(await a.command(`APPEND ${box} ${literal(mail(6))}`)).toMatch(/OK \[APPENDUID \d+ 6\]/)
  expect(await watching.command('NOOP')).toMatch(/^\* 6 EXISTS/)
  watching.send('i IDLE\r\n')
  await watching.until(/\+ .*\r\n/)
  expect(
    await a.command(`APPEND ${box} (\\Seen) ${literal(mail(7))} ${literal(mail(8))} ${literal(mail(9))}`),
  ).toMatch(/OK \[APPENDUID \d+ 7:9\]/)
  expect(await watching.until(/RECENT\r\n/)).toMatch(/^\* 9 EXISTS\r\n\* \d+ RECENT\r\n$/)
  watching.send('DONE\r\n')
  await watching.until(/i OK.*\r\n/)

  const s = await loggedIn(small.port)
  await s.command('APPEND INBOX {14+}\r\nSubject: old\r\n')
  const big = 'x'.repeat(3000)
  expect(await s.command(`APPEND INBOX ${literal(mail(1))} ${literal(big)} ${literal(mail(2))}`)).toContain(
    'NO [TOOBIG]',
  )
  const id = (await small.directory.find('alice@example.net'))!.id
  await small.store.write(id, [{ op: 'quota', octets: 1_000_000, messages: 2 }])
  expect(await s.command(`APPEND INBOX ${literal(mail(1))} ${literal(mail(2))}`)).toContain('NO [OVERQUOTA]')
  expect(await s.command('STATUS INBOX (MESSAGES)')).toContain('MESSAGES 1)')
  expect(await s.command(`APPEND INBOX ${literal(mail(1))}`)).toContain('[APPENDUID')
  s.end()
})

test('LT-01, LT-06, LT-08, R2-09: literals that wait for nobody, in any command; ~{n+} where octets are meant', async () => {
  const a = await client(`SELECT ${box}`)
  for (const text of [
    `STATUS ${literal(box)} (MESSAGES)`,
    `LIST ${literal('')} ${literal('*')}`,
    `SEARCH SUBJECT ${literal('m1')} FROM ${literal('')}`,
    `FETCH 1 (BODY.PEEK[HEADER.FIELDS (${literal('Subject')})])`,
    `ID (${literal('name')} ${literal('x')})`,
    `APPEND ${literal(box)} ${literal(mail(6))}`,
    `APPEND ${box} ${literal(`Subject: z\r\n\r\n\0\x01`, '~')}`,
  ]) {
    const answer = await a.command(text)
    expect(answer, text).toMatch(/(^|\n)t\d+ OK/)
    expect(answer, text).not.toMatch(/^\+|\n\+/)
  }
  const out = await a.command('FETCH 1:* (ENVELOPE BODY.PEEK[] BINARY.PEEK[1])')
  expect(out).toMatch(/\{\d+\}\r\n/)
  expect(out).not.toMatch(/\{\d+\+\}/)
})

test('LT-04, LT-05: what is too large is passed over or ends the session, and is never kept', async () => {
  const s = await loggedIn(small.port)
  expect(await s.command(`APPEND INBOX {500000+}\r\n${'x'.repeat(500_000)}`)).toContain('NO [TOOBIG]')
  expect(await s.command('NOOP')).toMatch(/^t\d+ OK/)
  s.send('b APPEND INBOX {4000000000+}\r\n')
  const before = process.memoryUsage().rss
  const megabyte = 'x'.repeat(1_000_000)
  for (let i = 0; i < 30; i++) s.send(megabyte)
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(process.memoryUsage().rss - before).toBeLessThan(120_000_000)
  expect(s.taken()).not.toMatch(/b OK/)
  s.end()
  const early = await rawImap(server.port)
  early.send(`a LOGIN {9000+}\r\n${'x'.repeat(9000)} {3+}\r\nabc\r\nb NOOP\r\n`)
  await early.until(/(?:^|\n)(?:a (?:NO|BAD)|\* BYE) .*\r\n/)
  early.end()
  const many = await rawImap(server.port)
  many.send(
    `a ID (${Array.from({ length: 20 }, (_, i) => `"f${i}" ${literal('v'.repeat(8000))}`).join(' ')})\r\n`,
  )
  await many.until(/(?:^|\n)(?:a (?:NO|BAD)|\* BYE) .*\r\n/)
  many.end()
})

test('SV-01 to SV-05, R2-05: SAVEDATE is when it came here, whatever date the message has', async () => {
  const a = await client('CREATE Saved')
  await a.command(`APPEND Saved "01-Jan-2020 00:00:00 +0000" ${literal(mail(1))}`)
  await a.command('SELECT Saved')
  expect(await a.command('FETCH 1 (SAVEDATE INTERNALDATE)')).toContain(
    'SAVEDATE " 1-Mar-2026 12:00:00 +0000" INTERNALDATE " 1-Jan-2020 00:00:00 +0000"',
  )
  now += 2 * 86_400_000
  await a.command('COPY 1 Saved')
  await a.command('STORE 1 +FLAGS (\\Seen)')
  const both = await a.command('FETCH 1:2 (SAVEDATE INTERNALDATE)')
  expect(both).toContain('1 FETCH (SAVEDATE " 1-Mar-2026 12:00:00 +0000"')
  expect(both).toContain('2 FETCH (SAVEDATE " 3-Mar-2026 12:00:00 +0000" INTERNALDATE " 1-Jan-2020')
  expect(await a.command('SEARCH SAVEDON 1-Mar-2026')).toContain('* SEARCH 1\r\n')
  expect(await a.command('SEARCH SAVEDBEFORE 3-Mar-2026')).toContain('* SEARCH 1\r\n')
  expect(await a.command('SEARCH SAVEDSINCE 3-Mar-2026')).toContain('* SEARCH 2\r\n')
  expect(await a.command('SEARCH SAVEDSINCE 1-Mar-2026 BEFORE 2-Jan-2020')).toContain('* SEARCH 1 2\r\n')
  expect(await a.command('SEARCH SAVEDATESUPPORTED')).toContain('* SEARCH 1 2\r\n')
  expect(await a.command('SEARCH NOT SAVEDATESUPPORTED')).toMatch(/^\* SEARCH\r\n/)
  const sizes = [...(await a.command('FETCH 1:2 (RFC822.SIZE)')).matchAll(/SIZE (\d+)/g)].map((m) =>
    Number(m[1]),
  )
  await a.command('STORE 2 +FLAGS (\\Deleted)')
  expect(await a.command('STATUS Saved (SIZE DELETED)')).toContain(`SIZE ${sizes[0]! + sizes[1]!} DELETED 1`)
  now -= 2 * 86_400_000
  await a.command('UNSELECT')
  await a.command('DELETE Saved')
})
