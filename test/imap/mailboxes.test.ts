/** Names, mailbox commands, LIST, STATUS and SELECT of RFC 3501 on the wire. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { startImap, type TestImap } from '../support/imap-server.ts'
import { loggedIn, type RawImap } from '../support/raw-imap.ts'

let server: TestImap
let imap: RawImap
let user = 0
const address = (): string => `user${user}@example.net`

beforeAll(async () => {
  server = await startImap()
})
afterAll(() => server.close())
beforeEach(async () => {
  user += 1
  await server.directory.put(address(), 'secret')
  imap = await loggedIn(server.port, address())
})
afterEach(() => imap.end())

const names = async (client: RawImap, command: string): Promise<string[]> =>
  [...(await client.command(command)).matchAll(/^\* L(?:IST|SUB) \([^)]*\) "\/" (.*)\r$/gm)].map((m) => m[1]!)
const second = () => loggedIn(server.port, address())

test('MB-01, MX-22: INBOX in any case, its children, and names that only begin like it', async () => {
  expect(await imap.command('SELECT iNbOx')).toContain('OK [READ-WRITE]')
  expect(await imap.command('CREATE Inbox/x')).toContain('OK')
  expect(await imap.command('CREATE inboxes')).toContain('OK')
  expect(await names(imap, 'LIST "" "*"')).toEqual(['INBOX', 'INBOX/x', 'inboxes'])
  expect(await names(imap, 'LIST "" inbox')).toEqual(['INBOX'])
  expect(await names(imap, 'LIST "" "InB%"')).toEqual(['INBOX', 'inboxes'].slice(0, 1))
  expect(await names(imap, 'LIST "" "inB%"')).toContain('INBOX')
  expect(await imap.command('CREATE inbox')).toContain('NO [ALREADYEXISTS]')
})

test('MB-02, MB-03, MB-05, MB-06, U8-08: modified UTF-7 outside, one mailbox inside', async () => {
  const utf8 = await second()
  await utf8.command('ENABLE UTF8=ACCEPT')
  utf8.send('x CREATE "Пошта"\r\n')
  await utf8.until(/x OK.*\r\n/)
  expect(await names(imap, 'LIST "" "*"')).toEqual(['INBOX', '&BB8EPgRIBEIEMA-'])
  expect(await imap.command('SELECT "&BB8EPgRIBEIEMA-"')).toContain('OK [READ-WRITE]')
  expect(await imap.command('SELECT "&bb8EPgRIBEIEMA-"')).toContain('NO')
  expect(await imap.command('CREATE "a&-b"')).toContain('OK')
  expect(await names(utf8, 'LIST "" "a*"')).toEqual(['a&b'])
  imap.send(Buffer.from('x CREATE {2+}\r\n\xc3\xa4\r\n', 'latin1'))
  expect(await imap.until(/x (NO|BAD|OK).*\r\n/)).toMatch(/x (NO|BAD)/)
  utf8.end()
})

test('MB-04, MB-07, MB-08, MX-02: names that are none', async () => {
  for (const bad of [
    '"&Jjo!"',
    '"&U,BTFw-&ZeVnLIqe-"',
    '"&AGE-"',
    '"&2AA-"',
    '"a//b"',
    '"/a"',
    '"a/../b"',
    '"./a"',
    '"a/."',
    '"a*b"',
    '"a%b"',
    '""',
  ])
    expect(await imap.command(`CREATE ${bad}`), bad).toMatch(/NO \[CANNOT\]/)
  expect(await imap.command('CREATE foo/')).toContain('OK')
  expect(await names(imap, 'LIST "" "foo*"')).toEqual(['foo'])
  const rev2 = await second()
  await rev2.command('ENABLE IMAP4rev2')
  for (const bad of ['a\u0080', 'a\u2028', '\ud800'.toWellFormed().replace('\ufffd', '\u0085')]) {
    rev2.send(`x CREATE "${bad}"\r\n`)
    expect(await rev2.until(/x (NO|BAD|OK).*\r\n/), bad).toMatch(/x NO/)
  }
  rev2.end()
})

test('MB-09, MX-18 to MX-21, MX-23, MX-24: LIST and its wildcards', async () => {
  for (const name of ['a', 'a/b', 'a/b/c', 'ab', 'x/y/z', '"with space"'])
    await imap.command(`CREATE ${name}`)
  expect(await imap.command('LIST "" ""')).toMatch(/^\* LIST \(\\Noselect\) "\/" ""\r\nt\d+ OK/)
  const all = ['INBOX', '"with space"', 'a', 'a/b', 'a/b/c', 'ab', 'x', 'x/y', 'x/y/z']
  expect((await names(imap, 'LIST "" "*"')).sort()).toEqual([...all].sort())
  expect((await names(imap, 'LIST "" %')).sort()).toEqual(['INBOX', '"with space"', 'a', 'ab', 'x'].sort())
  expect(await names(imap, 'LIST "" "a%"')).toEqual(['a', 'ab'])
  expect(await names(imap, 'LIST "" "%/%"')).toEqual(['a/b', 'x/y'])
  expect(await names(imap, 'LIST "a/" %')).toEqual(['a/b'])
  expect(await names(imap, 'LIST "a" %')).toEqual(['a', 'ab'])
  expect(await names(imap, 'LIST "a" "/b*"')).toEqual(['a/b', 'a/b/c'])
  await imap.command('DELETE x')
  expect(await imap.command('LIST "" x')).toContain('* LIST (\\Noselect \\HasChildren) "/" x\r\n')
  expect(await imap.command('SELECT x')).toContain('NO')
  for (const line of (await imap.command('LIST "" "*"'))
    .split('\r\n')
    .filter((l) => l.startsWith('* LIST'))) {
    expect(line).toMatch(/^\* LIST \([^)]*\) "\/" /)
    expect((line.match(/\\(Noselect|Marked|Unmarked)/g) ?? []).length).toBeLessThan(2)
  }
})

test('MX-01, MX-03 to MX-14: CREATE, DELETE and RENAME', async () => {
  await imap.command('CREATE p/q/r')
  expect(await names(imap, 'LIST "" "p*"')).toEqual(['p', 'p/q', 'p/q/r'])
  expect(await imap.command('CREATE p')).toContain('NO [ALREADYEXISTS]')
  expect(await imap.command('DELETE inbox')).toContain('NO')
  expect(await imap.command('DELETE nosuch')).toContain('NO [NONEXISTENT]')
  const validity = async (name: string) =>
    Number(/UIDVALIDITY (\d+)/.exec(await imap.command(`STATUS ${name} (UIDVALIDITY)`))?.[1] ?? 0)
  const before = await validity('p/q/r')
  await imap.command('DELETE p/q/r')
  await imap.command('CREATE p/q/r')
  expect(await validity('p/q/r')).toBeGreaterThan(before)
  expect(await imap.command('DELETE p/q')).toContain('OK')
  expect(await names(imap, 'LIST "" "p*"')).toEqual(['p', 'p/q', 'p/q/r'])
  expect(await imap.command('DELETE p/q')).toContain('NO [HASCHILDREN]')
  expect(await imap.command('RENAME nosuch y')).toContain('NO [NONEXISTENT]')
  expect(await imap.command('RENAME p INBOX')).toContain('NO [ALREADYEXISTS]')
  expect(await imap.command('RENAME p p/inside')).toContain('NO [CANNOT]')
  await imap.command('SUBSCRIBE p/q/r')
  expect(await imap.command('RENAME p deep/new')).toContain('OK')
  expect((await names(imap, 'LIST "" "*"')).sort()).toEqual([
    'INBOX',
    'deep',
    'deep/new',
    'deep/new/q',
    'deep/new/q/r',
  ])
  expect(await names(imap, 'LSUB "" "*"')).toEqual(['p/q/r'])
  const freed = await validity('deep/new')
  await imap.command('RENAME deep/new elsewhere')
  await imap.command('CREATE deep/new')
  expect(await validity('deep/new')).not.toBe(freed)
  await server.deliver(address(), 'INBOX', 'Subject: x\n\nx\n')
  await imap.command('CREATE INBOX/kept')
  expect(await imap.command('RENAME INBOX old')).toContain('OK')
  expect(await imap.command('STATUS old (MESSAGES)')).toContain('MESSAGES 1')
  expect(await imap.command('STATUS INBOX (MESSAGES)')).toContain('MESSAGES 0')
  expect(await names(imap, 'LIST "" "INBOX*"')).toEqual(['INBOX', 'INBOX/kept'])
})

test('MX-15 to MX-17, MX-25, MX-26: subscriptions are a list of their own', async () => {
  expect(await imap.command('SUBSCRIBE foo/bar')).toContain('OK')
  expect(await imap.command('SUBSCRIBE foo/bar')).toContain('OK')
  expect(await imap.command('UNSUBSCRIBE never')).toContain('OK')
  expect(await imap.command('LSUB "" %')).toContain('* LSUB (\\Noselect) "/" foo\r\n')
  await imap.command('CREATE gone')
  await imap.command('SUBSCRIBE gone')
  await imap.command('DELETE gone')
  expect(await names(imap, 'LSUB "" "*"')).toEqual(['foo/bar', 'gone'])
  await imap.command('UNSUBSCRIBE gone')
  expect(await names(imap, 'LSUB "" "*"')).toEqual(['foo/bar'])
})

test('MX-27 to MX-30, SE-10, SE-11: STATUS and what it must not do', async () => {
  await server.deliver(address(), 'INBOX', 'Subject: x\n\nx\n')
  const other = await second()
  await imap.command('SELECT INBOX')
  await other.command('SELECT INBOX')
  await server.deliver(address(), 'INBOX', 'Subject: y\n\ny\n', ['\\Seen'])
  const status = await other.command('STATUS INBOX (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN)')
  expect(status).toMatch(
    /^\* STATUS INBOX \(MESSAGES 2 RECENT 1 UIDNEXT 3 UIDVALIDITY [1-9]\d* UNSEEN 1\)\r\n/m,
  )
  expect(await imap.command('STATUS INBOX (MESSAGES)')).toContain('MESSAGES 2')
  for (const bad of ['STATUS INBOX ()', 'STATUS INBOX (FROB)', 'STATUS INBOX MESSAGES', 'STATUS INBOX'])
    expect(await imap.command(bad), bad).toContain('BAD')
  expect(await imap.command('STATUS nosuch (MESSAGES)')).toContain('NO [NONEXISTENT]')
  expect(await imap.command('STATUS "IN%" (MESSAGES)')).toContain('NO [NONEXISTENT]')
  await imap.command('STORE 1:2 +FLAGS.SILENT (\\Deleted)')
  await imap.command('EXPUNGE')
  expect(await imap.command('STATUS INBOX (MESSAGES UIDNEXT)')).toContain('MESSAGES 0 UIDNEXT 3')
  other.end()
})

test('SE-01 to SE-05, SE-08, ST-10, AP-03, AP-17: SELECT, EXAMINE, CLOSE', async () => {
  for (let i = 0; i < 3; i++)
    await server.deliver(address(), 'INBOX', `Subject: ${i}\n\nx\n`, i === 0 ? ['\\Seen'] : [])
  expect(await imap.command('FETCH 1 FLAGS')).toContain('BAD')
  const examined = await imap.command('EXAMINE INBOX')
  expect(examined).toContain('OK [READ-ONLY]')
  for (const line of [
    '* 3 EXISTS',
    '* 3 RECENT',
    '* OK [UNSEEN 2]',
    '* FLAGS (',
    '* OK [PERMANENTFLAGS ()]',
    '* OK [UIDNEXT 4]',
    '* OK [UIDVALIDITY ',
  ])
    expect(examined).toContain(line)
  await imap.command('FETCH 2 BODY[]')
  expect(await imap.command('FETCH 2 FLAGS')).not.toContain('\\Seen')
  for (const refused of ['STORE 1 +FLAGS (\\Seen)', 'EXPUNGE', 'MOVE 1 INBOX', 'UID EXPUNGE 1'])
    expect(await imap.command(refused), refused).toMatch(/t\d+ NO/)
  const selected = await imap.command('SELECT INBOX')
  expect(selected).toMatch(/^\* OK \[CLOSED\][^\r]*\r\n\* 3 EXISTS/)
  expect(selected).toContain('* 3 RECENT')
  expect(selected).toContain('OK [READ-WRITE]')
  expect(selected).toMatch(/PERMANENTFLAGS \(.*\\\*\)/)
  await imap.command('STORE 1 +FLAGS.SILENT (\\Deleted)')
  expect(await imap.command('SELECT nosuch')).toContain('NO [NONEXISTENT]')
  expect(await imap.command('FETCH 1 FLAGS')).toContain('BAD')
  await imap.command('EXAMINE INBOX')
  expect(await imap.command('CLOSE')).toMatch(/^t\d+ OK/)
  expect(await imap.command('SELECT INBOX')).toContain('* 3 EXISTS')
  expect(await imap.command('CLOSE')).toMatch(/^t\d+ OK/)
  expect(await imap.command('SELECT INBOX')).toContain('* 2 EXISTS')
  await imap.command('STORE 1:* +FLAGS.SILENT (\\Seen)')
  expect(await imap.command('SELECT INBOX')).not.toContain('[UNSEEN')
})

test('SE-06, SE-07, SE-16, SE-17, LP-17 to LP-19, LP-22: keywords are kept, named before they are shown, found', async () => {
  await server.deliver(address(), 'INBOX', 'Subject: x\n\nx\n')
  await imap.command('SELECT INBOX')
  const other = await second()
  await other.command('SELECT INBOX')
  await imap.command('STORE 1 +FLAGS ($Forwarded $MDNSent $Junk $SubmitPending $Submitted Mine)')
  const told = await other.command('NOOP')
  expect(told.indexOf('* FLAGS (')).toBeGreaterThanOrEqual(0)
  expect(told.indexOf('* FLAGS (')).toBeLessThan(told.indexOf('* 1 FETCH'))
  expect(told).toContain('$Submitted Mine')
  await imap.command('STORE 1 +FLAGS (MINE)')
  expect(await imap.command('FETCH 1 FLAGS')).toMatch(/ Mine\)/)
  await imap.command('CREATE Copy')
  await imap.command('COPY 1 Copy')
  await imap.command('SELECT Copy')
  for (const keyword of ['$Forwarded', '$mdnsent', '$SubmitPending', '$Submitted', 'mine'])
    expect(await imap.command(`SEARCH KEYWORD ${keyword}`), keyword).toMatch(/^\* SEARCH 1\r\n/)
  expect(await imap.command('SEARCH UNKEYWORD $Phishing')).toMatch(/^\* SEARCH 1\r\n/)
  other.end()
})

test('SE-12, SE-19, R2-02: what a UID names never changes; rev2 says LIST in SELECT', async () => {
  const uid = await server.deliver(address(), 'INBOX', 'From: a@b\nSubject: x\n\nx\n')
  await imap.command('SELECT INBOX')
  const items = `UID FETCH ${uid} (RFC822.SIZE INTERNALDATE ENVELOPE BODYSTRUCTURE BODY.PEEK[])`
  const before = await imap.command(items)
  await imap.command(`UID STORE ${uid} FLAGS (\\Seen x)`)
  await imap.command('RENAME INBOX moved')
  const after = await imap.command(items)
  expect(after).not.toContain('ENVELOPE')
  await imap.command('SELECT moved')
  expect((await imap.command(items)).replace(/^t\d+.*$/m, '').trim()).toBe(
    before.replace(/^t\d+.*$/m, '').trim(),
  )
  const rev2 = await second()
  await rev2.command('ENABLE IMAP4rev2')
  expect(await rev2.command('SELECT moved')).toContain('* LIST (\\HasNoChildren) "/" moved\r\n')
  rev2.end()
})
