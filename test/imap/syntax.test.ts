/** Syntax and framing (RFC 3501 §2.2, §4, §9) on the wire. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { startImap, type TestImap } from '../support/imap-server.ts'
import { loggedIn, type RawImap, rawImap } from '../support/raw-imap.ts'

let server: TestImap
let imap: RawImap

beforeAll(async () => {
  server = await startImap()
  for (let i = 1; i <= 3; i++)
    await server.deliver(
      'alice@example.net',
      'INBOX',
      `From: bob@example.org\nSubject: "q\\uote" ${i}\nX-Empty:\n\nbody ${i}\n`,
    )
})
afterAll(() => server.close())
beforeEach(async () => {
  imap = await loggedIn(server.port)
})
afterEach(() => imap.end())

/** Sends and gives what came up to the tagged answer. */
const sent = async (octets: string, tag = 'a'): Promise<string> => {
  imap.send(Buffer.from(octets, 'latin1'))
  return imap.until(new RegExp(`(^|\\n)${tag} (OK|NO|BAD)[^\\n]*\\n`))
}

test('SY-01, SY-02, SY-04, SY-05: literals wait for "+ ", stand anywhere, and are data whatever they hold', async () => {
  const fresh = await rawImap(server.port)
  fresh.send('a LOGIN {17}\r\n')
  expect(await fresh.until(/\+.*\r\n/)).toMatch(/^\+ .*\r\n$/)
  fresh.send('alice@example.net {6}\r\n')
  expect(await fresh.until(/\+.*\r\n/)).toMatch(/^\+ /)
  fresh.send('secret\r\n')
  expect(await fresh.until(/a OK.*\r\n/)).toMatch(/^a OK/)
  fresh.end()
  imap.send('b LIST {0}\r\n')
  expect(await imap.until(/\+.*\r\n/)).toMatch(/^\+ /)
  imap.send(' {5}\r\n')
  await imap.until(/\+.*\r\n/)
  imap.send('INBOX\r\n')
  expect(await imap.until(/b OK.*\r\n/)).toContain('* LIST (\\HasNoChildren) "/" INBOX')
  expect(await sent('a SEARCH SUBJECT {10+}\r\nx LOGOUT\r\n\r\n')).toContain('a BAD')
  await imap.command('SELECT INBOX')
  expect(await sent('a SEARCH SUBJECT {10+}\r\nx LOGOUT\r\n FROM {3+}\r\nbob\r\n')).toMatch(
    /^\* SEARCH\r\na OK/,
  )
  expect(await sent('a FETCH 1 BODY.PEEK[HEADER.FIELDS ({7+}\r\nSubject {4+}\r\nFrom)]\r\n')).toContain(
    'Subject: ',
  )
})

test('SY-03, SY-06, SY-15, LT-02, LT-03: what is not wanted is refused, and the next command is found', async () => {
  imap.send('a FROB {5}\r\nb NOOP\r\n')
  expect(await imap.until(/b OK.*\r\n/)).toMatch(/^a BAD unknown command\r\nb OK/)
  expect(await sent('a FROB {10+}\r\nx LOGOUT\r\n\r\nc NOOP\r\n', 'c')).toMatch(/^a BAD .*\r\nc OK/)
  for (const count of ['{-1}', '{ 5}', '{5 }', '{0x5}', '{}', '{1', '{5+ }'])
    expect(await sent(`a LIST "" ${count}\r\n`)).toMatch(/^a BAD/)
})

test('SY-07: the size of a literal is a 32-bit number', async () => {
  expect(await sent('a LIST "" {4294967296}\r\n')).toMatch(/^a BAD/)
})

test('SY-09, SY-11, SY-12, SY-18, SY-19, SY-20: quoting both ways, NIL and empty are different things', async () => {
  expect(await sent('a CREATE "q\\"u\\\\o"\r\n')).toContain('a OK')
  expect(await sent('a LIST "" "q*"\r\n')).toContain('* LIST (\\HasNoChildren) "/" "q\\"u\\\\o"')
  expect(await sent('a CREATE "x\\y"\r\n')).toContain('a BAD')
  expect(await sent('a SELECT "unterminated\r\n')).toContain('a BAD')
  expect(await sent('a SELECT NIL\r\n')).toContain('a NO [NONEXISTENT]')
  expect(await sent('a CREATE NIL\r\n')).toContain('a OK')
  expect(await sent('a LIST "" "NI*"\r\n')).toContain('"/" "NIL"')
  await imap.command('SELECT INBOX')
  const fetched = await imap.command('FETCH 1 (FLAGS ENVELOPE BODYSTRUCTURE)')
  expect(fetched).toMatch(/FLAGS \((\\Recent)?\)/)
  expect(fetched).toContain('"\\"q\\\\uote\\" 1"')
  expect(fetched).toContain('("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 8 1 NIL NIL NIL NIL)')
  await server.deliver('alice@example.net', 'Nil', 'Subject:\n\nx\n')
  await imap.command('SELECT Nil')
  expect(await imap.command('FETCH 1 ENVELOPE')).toContain(
    'ENVELOPE (NIL "" NIL NIL NIL NIL NIL NIL NIL NIL)',
  )
})

test('SY-13, SY-17, SY-21, SY-22, SY-26: atoms, spaces and numbers as the grammar has them', async () => {
  await imap.command('SELECT INBOX')
  for (const bad of [
    'SEARCH KEYWORD a(b',
    'SEARCH KEYWORD a]b',
    'SEARCH KEYWORD "a"',
    'SELECT a(b',
    'SELECT a%b',
    'SELECT a*b',
    'SELECT a"b',
    'FETCH  1 FLAGS',
    'FETCH 1  FLAGS',
    'FETCH\t1 FLAGS',
    'FETCH 1 FLAGS ',
    'NOOP ',
    'NOOP x',
    'FETCH',
    'FETCH 1',
    'FETCH 0 FLAGS',
    'FETCH 01 FLAGS',
    'FETCH 00 FLAGS',
    'UID FETCH 0 FLAGS',
    'UID FETCH 4294967296 FLAGS',
    'FETCH 1:4294967296 FLAGS',
    'SEARCH LARGER 4294967296',
    'FETCH 1 FLAGS)',
    'FETCH 1 (FLAGS',
    'FETCH 1 ()',
    'FETCH 1, FLAGS',
    'FETCH ,1 FLAGS',
    'FETCH 1: FLAGS',
  ])
    expect(await sent(`a ${bad}\r\n`), bad).toMatch(/^a BAD/)
  expect(await sent('a SELECT a]b\r\n')).toContain('a NO')
  expect(await sent('a UID\r\n')).toContain('a BAD')
  expect(await sent('a UID NOOP\r\n')).toContain('a BAD')
})

test('SY-16: keywords, flags, INBOX and attributes have no case', async () => {
  expect(await sent('a seLEct iNbOx\r\n')).toContain('a OK')
  expect(await sent('a feTCH 1 (fLAGs rfc822.SIZE body.PEEK[heaDer.fields (SUBJECT)])\r\n')).toContain(
    'BODY[HEADER.FIELDS (SUBJECT)]',
  )
  expect(await sent('a store 1 +flags.silent (\\SEEN)\r\n')).toContain('a OK')
  expect(await sent('a search seen SUBJECT QUOTE not DELETED\r\n')).toMatch(/^\* SEARCH\r\n|^\* SEARCH 1\r\n/)
  expect(await sent('a fetch 1 FLAGS\r\n')).toContain('\\Seen')
})

test('SY-25, UR-15, UR-16: however the octets are cut, the answers are the same', async () => {
  const script =
    'a SELECT INBOX\r\nb FETCH 1:2 (UID BODY.PEEK[TEXT])\r\nc SEARCH SUBJECT {5+}\r\nquote\r\nd APPEND Cut {18+}\r\nSubject: x\r\n\r\nhi\r\n\r\ne UID SEARCH ALL\r\nf NOOP\r\n'
  const answers = new Set<string>()
  for (const size of [1, 2, 3, 7, 1000]) {
    const client = await loggedIn(server.port)
    const octets = Buffer.from(script)
    for (let i = 0; i < octets.length; i += size) {
      client.send(octets.subarray(i, i + size))
      if (size < 4) await new Promise((resolve) => setImmediate(resolve))
    }
    answers.add((await client.until(/f OK.*\r\n/)).replace(/\* \d+ RECENT/, '').replace(/\\Recent ?/g, ''))
    client.end()
  }
  expect(answers.size).toBe(1)
  expect([...answers][0]).toMatch(/a OK[\s\S]*b OK[\s\S]*c OK[\s\S]*d NO \[TRYCREATE\][\s\S]*e OK[\s\S]*f OK/)
})

test('SY-27, SY-28: texts are there, in ASCII; codes hold no bracket', async () => {
  imap.send(Buffer.from('a SELECT "[x]\xe9\r\n', 'latin1'))
  const all =
    (await imap.until(/a BAD.*\r\n/)) +
    (await sent('a SELECT "]["\r\n')) +
    (await sent('a APPEND INBOX CATENATE (URL "/a]b\\\\/;UID=1")\r\n')) +
    (await sent('a SEARCH CHARSET x ALL\r\n'))
  for (const line of all.trimEnd().split('\r\n'))
    expect(line).toMatch(/^[a*] (OK|NO|BAD) (\[[^\]]*\] )?[\x20-\x5a\x5c-\x7e][\x20-\x7e]*$/)
})

test('SY-29, SY-30, SY-31, SY-33: dates and times', async () => {
  const append = (date: string) => sent(`a APPEND INBOX "${date}" {18+}\r\nSubject: x\r\n\r\nhi\r\n\r\n`)
  for (const bad of [
    '1-Feb-2026 00:00:00 +0000',
    '01-Foo-2026 00:00:00 +0000',
    ' 1-Feb-2026 25:00:00 +0000',
    ' 1-Feb-2026 00:00:00',
    '30-Feb-2026 00:00:00 +0000',
  ])
    expect(await append(bad), bad).toContain('a BAD')
  expect(await append(' 1-Feb-2026 23:30:00 -0700')).toContain('a OK')
  await imap.command('SELECT INBOX')
  const [, uid] = /APPENDUID \d+ (\d+)/.exec(await append('17-Jul-1996 02:44:25 -0700'))!
  expect(await imap.command(`UID FETCH ${uid} INTERNALDATE`)).toMatch(
    /INTERNALDATE "17-Jul-1996 \d\d:\d\d:25 [+-]\d{4}"/,
  )
  for (const date of ['1-Feb-2026', '01-Feb-2026', '"1-Feb-2026"', '"01-Feb-2026"'])
    expect(await imap.command(`SEARCH SINCE ${date} BEFORE 3-Feb-2026`)).toMatch(/^\* SEARCH \d+\r\n/)
  for (const bad of ['1-Feb-26', '1-2-2026', '"1-Feb-2026 00:00"', '32-Jan-2026'])
    expect(await imap.command(`SEARCH ON ${bad}`)).toContain('BAD')
})

test('SY-32: parameters that nobody knows', async () => {
  for (const bad of ['SELECT INBOX (FROB)', 'CREATE x (FROB 1)', 'EXAMINE INBOX ()'])
    expect(await sent(`a ${bad}\r\n`), bad).toMatch(/^a BAD/)
  await imap.command('SELECT INBOX')
  for (const bad of [
    'FETCH 1 FLAGS (FROB)',
    'STORE 1 (FROB 1) FLAGS (\\Seen)',
    'SEARCH RETURN (FROB) ALL',
    'APPEND INBOX FROB {1+}\r\nx',
    'FETCH 1 FLAGS ()',
  ])
    expect(await sent(`a ${bad}\r\n`), bad).toContain('a BAD')
})
