/** ENABLE, UTF8=ACCEPT and what IMAP4rev2 switches, by rule (RFC 5161, RFC 6855, RFC 9051). */
import { connect as tlsConnect } from 'node:tls'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { startImap, type TestImap } from '../support/imap-server.ts'
import { loggedIn, type RawImap, rawImap } from '../support/raw-imap.ts'

let server: TestImap
let imap: RawImap
const latin1 = (text: string): string => Buffer.from(text).toString('latin1')
/** One command whose octets are not ASCII, or not even UTF-8. */
const octets = async (tag: string, text: string): Promise<string> => {
  imap.send(Buffer.from(`${tag} ${text}\r\n`, 'latin1'))
  return imap.until(new RegExp(`(^|\\n)${tag} (OK|NO|BAD)[^\\n]*\\n`))
}
const literal = (text: string, kind = ''): string => `${kind}{${text.length}+}\r\n${text}`
const mail = `Subject: ${latin1('Grüße')}\r\n\r\nhello\r\n`

beforeAll(async () => {
  server = await startImap()
  await server.deliver('alice@example.net', 'INBOX', 'Subject: one\n\none\n')
})
afterAll(() => server.close())
beforeEach(async () => {
  imap?.end()
  imap = await loggedIn(server.port)
})

test('EB-01 to EB-06, EB-08, U8-05: ENABLE switches on what it knows, and says what is new', async () => {
  expect(await imap.command('ENABLE QRESYNC FOO')).toMatch(/^\* ENABLED QRESYNC( CONDSTORE)?\r\nt\d+ OK/)
  expect(await imap.command('ENABLE QRESYNC')).toMatch(/^\* ENABLED\r\nt\d+ OK/)
  expect(await imap.command('ENABLE FOO IDLE UTF8=ONLY')).toMatch(/^\* ENABLED\r\nt\d+ OK/)
  expect(await imap.command('ENABLE')).toMatch(/^t\d+ BAD/)
  await imap.command('SELECT INBOX')
  expect(await imap.command('ENABLE utf8=Accept metadata METADATA-server imap4REV2')).toMatch(
    /^\* ENABLED UTF8=ACCEPT METADATA METADATA-SERVER IMAP4rev2\r\nt\d+ OK/,
  )
  expect(await imap.command('ENABLE IMAP4rev2 UTF8=ACCEPT CONDSTORE')).toMatch(/^\* ENABLED\r\n/)
  // Only another login begins anew.
  expect(await imap.command('UNAUTHENTICATE')).toContain('OK')
  expect(await imap.command('ENABLE QRESYNC')).toMatch(/^t\d+ BAD/)
  await imap.command('LOGIN alice@example.net secret')
  expect(await imap.command('SELECT INBOX (QRESYNC (1 1))')).toMatch(/^t\d+ BAD/)
  expect(await imap.command('ENABLE CONDSTORE IMAP4rev2')).toMatch(/^\* ENABLED CONDSTORE IMAP4rev2\r\n/)
  const other = await loggedIn(server.port)
  expect(await other.command('SELECT INBOX (QRESYNC (1 1))')).toMatch(/^t\d+ BAD/)
  other.end()
})

test('EB-07: LOGIN, ENABLE and SELECT with QRESYNC in one segment', async () => {
  const raw = await rawImap(server.port)
  raw.send('1 LOGIN alice@example.net secret\r\n2 ENABLE QRESYNC\r\n3 SELECT INBOX (QRESYNC (7 1))\r\n')
  expect(await raw.until(/\n3 OK.*\r\n/)).toMatch(
    /^1 OK .*\r\n\* ENABLED QRESYNC.*\r\n2 OK .*\r\n\* 1 EXISTS(?:.*\r\n)*3 OK \[READ-WRITE\]/,
  )
  raw.end()
})

test('U8-01, U8-02, U8-06, R2-01, R2-03, R2-12: UTF-8 in strings once it was asked for, and only then', async () => {
  const name = latin1('Entwürfe')
  expect(await octets('a', `CREATE "${name}"`)).toMatch(/^a (BAD|NO)/)
  expect(await imap.command('CREATE "Entw&APw-rfe"')).toContain('OK')
  expect(await imap.command('LIST "" Entw*')).toMatch(/"?Entw&APw-rfe"?\r\n/)
  expect(await imap.command('SELECT INBOX')).toContain('RECENT')
  expect(await imap.command('SEARCH SUBJECT one')).toContain('* SEARCH 1\r\n')
  for (const enabled of ['UTF8=ACCEPT', 'IMAP4rev2']) {
    imap.end()
    imap = await loggedIn(server.port)
    expect(await imap.command(`ENABLE ${enabled}`)).toContain(`* ENABLED ${enabled}\r\n`)
    expect(await imap.command('LIST "" Entw*')).toContain(`"${name}"\r\n`)
    expect(await octets('b', `STATUS "${name}" (MESSAGES)`)).toContain(`* STATUS "${name}" (MESSAGES 0)`)
    await imap.command('SELECT INBOX')
    expect(await octets('c', `SEARCH SUBJECT "${latin1('ü')}"`)).toMatch(/^\* E?SEARCH.*\r\nc OK/)
    expect(await octets('d', `ID ("name" "${latin1('ü')}")`)).toMatch(/d OK/)
    for (const bad of ['"\xff"', '"\xc3"', '"\xc0\xaf"', '"\xed\xa0\x80"', '"a\0b"', '"a\rb"']) {
      expect(await octets('e', `SEARCH SUBJECT ${bad}`), `${enabled} ${JSON.stringify(bad)}`).toMatch(
        /(^|\n)e BAD/,
      )
      expect(await octets('f', `STATUS ${bad} (MESSAGES)`), bad).toMatch(/(^|\n)f BAD/)
    }
    expect(await imap.command('NOOP')).toContain('OK')
  }
  await octets('g', `DELETE "${name}"`)
  await server.directory.put('jörg@example.net', 'secret')
  imap.end()
  imap = await rawImap(server.port)
  expect(await octets('h', `LOGIN "${latin1('jörg@example.net')}" secret`)).toMatch(/^h (BAD|NO)/)
  const plain = Buffer.from('\0jörg@example.net\0secret').toString('base64')
  expect(await imap.command(`AUTHENTICATE PLAIN ${plain}`)).toMatch(/t\d+ OK/)
})

test('U8-03, U8-04: headers in UTF-8 from those who said so; no CHARSET in SEARCH after it', async () => {
  const put = (text: string) => octets('a', `APPEND INBOX ${text}`)
  expect(await put(literal(mail))).toMatch(/^a NO/)
  expect(await put(`UTF8 (${literal(mail, '~')})`)).toMatch(/^a (NO|BAD)/)
  expect(await put(`CATENATE (TEXT ${literal(mail)})`)).toMatch(/^a NO/)
  // Of the body nothing is asked.
  expect(await put(literal(`Subject: x\r\n\r\n${latin1('Grüße')}`))).toMatch(/^a OK/)
  for (const enabled of ['UTF8=ACCEPT', 'IMAP4rev2']) {
    imap.end()
    imap = await loggedIn(server.port)
    await imap.command(`ENABLE ${enabled}`)
    expect(await put(`UTF8 (${literal(mail, '~')})`), enabled).toMatch(/OK \[APPENDUID/)
    expect(await put(literal(mail)), enabled).toMatch(/OK \[APPENDUID/)
    await imap.command('SELECT INBOX')
    expect(await imap.command('FETCH * (BODY.PEEK[HEADER])')).toContain(latin1('Grüße'))
  }
  imap.end()
  imap = await loggedIn(server.port)
  await imap.command('ENABLE UTF8=ACCEPT')
  await imap.command('SELECT INBOX')
  expect(await imap.command('SEARCH CHARSET UTF-8 ALL')).toMatch(/^t\d+ BAD/)
  expect(await imap.command('SORT (DATE) UTF-8 ALL')).toMatch(/t\d+ OK/)
  expect(await imap.command('THREAD REFERENCES UTF-8 ALL')).toMatch(/t\d+ OK/)
})

test('U8-01: no octet above 127 in a quoted string for those who did not ask for UTF-8', async () => {
  const from = 'From: =?utf-8?B?SsO8cmdlbg==?= <j@example.org>'
  await server.deliver(
    'alice@example.net',
    'Eight',
    Buffer.from(
      `${from}\r\nSubject: Grüße\r\nContent-Type: text/plain; name="Größe.txt"\r\nContent-Description: Übung\r\n\r\nGrüße\r\n`,
    ),
  )
  await imap.command('SELECT Eight')
  const told = await imap.command('FETCH 1 (ENVELOPE BODYSTRUCTURE BODY PREVIEW BODY.PEEK[])')
  expect(told).toContain(latin1('Grüße'))
  let rest = ''
  for (let at = 0; at < told.length; ) {
    const head = /\{(\d+)\}\r\n/g
    head.lastIndex = at
    const next = head.exec(told)
    rest += told.slice(at, next?.index)
    at = next ? head.lastIndex + Number(next[1]) : told.length
  }
  expect(rest).not.toMatch(/[\x80-\xff]/)
  // The size is that of what is sent.
  expect(await imap.command('FETCH 1 (RFC822.SIZE)')).toContain(
    `SIZE ${/BODY\[\] \{(\d+)\}/.exec(told)![1]})`,
  )
})

test('R2-05, R2-11, R2-13, UP-01, IL-08: what changes with IMAP4rev2', async () => {
  await imap.command('ENABLE IMAP4rev2')
  const selected = await imap.command('SELECT INBOX')
  expect(selected).toMatch(/\* LIST \([^)]*\) "\/" INBOX\r\n/)
  expect(selected).not.toContain('RECENT')
  expect(await imap.command('SEARCH SUBJECT one')).toMatch(/^\* ESEARCH \(TAG "t4"\) ALL 1\r\nt4 OK/)
  expect(await imap.command('UID SEARCH RETURN () SUBJECT one')).toContain(
    '* ESEARCH (TAG "t5") UID ALL 1\r\n',
  )
  expect(await imap.command('SEARCH SUBJECT nosuch')).toMatch(/^\* ESEARCH \(TAG "t6"\)\r\nt6 OK/)
  expect(await imap.command('UID SEARCH SUBJECT nosuch')).toMatch(/^\* ESEARCH \(TAG "t7"\) UID\r\nt7 OK/)
  expect(await imap.command('STATUS INBOX (DELETED SIZE)')).toMatch(/\(DELETED 0 SIZE \d+\)/)
  expect(await imap.command('APPEND INBOX {14+}\r\nSubject: new\r\n')).toMatch(/OK \[APPENDUID \d+ \d+\]/)
  await imap.command('CREATE Aside')
  expect(await imap.command('COPY 1 Aside')).toMatch(/^t\d+ OK \[COPYUID \d+ 1 1\]/)
  expect(await imap.command('UID MOVE * Aside')).toMatch(
    /^\* OK \[COPYUID \d+ \d+ 2\] .*\r\n\* \d+ EXPUNGE\r\n/,
  )
  const other = await loggedIn(server.port)
  await other.command('SELECT INBOX')
  imap.send('i IDLE\r\n')
  await imap.until(/\+ .*\r\n/)
  await other.command('STORE 1 +FLAGS (\\Answered)')
  expect(await imap.until(/FETCH.*\r\n/)).toMatch(/^\* 1 FETCH \(UID 1 FLAGS \([^)]*\)\)\r\n/)
  imap.send('DONE\r\n')
  await imap.until(/i OK.*\r\n/)
  other.end()
  await imap.command('DELETE Aside')
})

test('R2-07: STARTTLS under TLS is BAD', async () => {
  const socket = tlsConnect({ port: server.tlsPort, host: '127.0.0.1', rejectUnauthorized: false })
  const secure = await rawImap(server.tlsPort, socket)
  expect(await secure.command('STARTTLS')).toMatch(/^t\d+ BAD/)
  expect(await secure.command('CAPABILITY')).not.toContain('STARTTLS')
  secure.end()
})
