/** CATENATE (RFC 4469) and URL-PARTIAL (RFC 5550 §5.7.1) on the wire. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startImap, type TestImap } from '../support/imap-server.ts'
import { loggedIn, type RawImap } from '../support/raw-imap.ts'

let server: TestImap
let imap: RawImap
let validity = ''
const body = 'first part\r\n'
const attachment = Buffer.alloc(6000, 'lemon ').toString('base64').replace(/.{76}/g, '$&\r\n')
const mail = `From: a@example.org\r\nTo: b@example.org\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n${body}\r\n--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n${attachment}\r\n--b--\r\n`

beforeAll(async () => {
  server = await startImap()
  await server.deliver('alice@example.net', 'INBOX', Buffer.from(mail))
  await server.deliver('alice@example.net', 'Почта/a b', Buffer.from(mail))
  imap = await loggedIn(server.port)
  validity = /UIDVALIDITY (\d+)/.exec(await imap.command('SELECT INBOX'))![1]!
  await imap.command('CREATE Drafts')
})
afterAll(async () => {
  imap.end()
  await server.close()
})

const stored = async (answer: string): Promise<string> => {
  const uid = /APPENDUID \d+ (\d+)\]/.exec(answer)![1]
  const other = await loggedIn(server.port)
  await other.command('EXAMINE Drafts')
  const text = await other.command(`UID FETCH ${uid} BODY.PEEK[]`)
  other.end()
  return /BODY\[\] (?:""|\{\d+\}\r\n([\s\S]*))\)\r\nt\d+ OK/.exec(text)![1] ?? ''
}
const append = (pieces: string) => imap.command(`APPEND Drafts (\\Draft) CATENATE (${pieces})`)
const text = (octets: string) => `TEXT {${Buffer.byteLength(octets)}+}\r\n${octets}`
const url = (rest: string) => `URL "/INBOX;UIDVALIDITY=${validity}/;UID=1${rest}"`

test('CA-01, CA-02, CA-04, LP-39, LP-41: pieces are joined in order, octet for octet', async () => {
  const answer = await append(
    `${text('Subject: x\r\n\r\nhello ')} ${url('/;SECTION=1')} ${url('/;Section=2.MIME')} ${url('/;SECTION=2')} ${text('end')}`,
  )
  expect(await stored(answer)).toBe(
    `Subject: x\r\n\r\nhello ${body}Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n${attachment}end`,
  )
  expect(await stored(await append(`${url('')}`))).toBe(mail)
  expect(await stored(await append(`${url('/;SECTION=HEADER.FIELDS%20(TO)')}`))).toBe(
    'To: b@example.org\r\n\r\n',
  )
  expect(await imap.command('FETCH 1 (FLAGS)')).not.toContain('\\Seen')
})

test('CA-14, CA-15, CA-16, LP-15, LP-16: encoded names, UIDVALIDITY, PARTIAL', async () => {
  const cyrillic = '/%D0%9F%D0%BE%D1%87%D1%82%D0%B0%2Fa%20b/;UID=1'
  expect(await stored(await append(`URL "${cyrillic}/;SECTION=TEXT/;PARTIAL=0.3"`))).toBe('--b')
  expect(
    await stored(await append(`${text('a')} ${url('/;PARTIAL=999999')} ${url('/;SECTION=1/;PARTIAL=6')}`)),
  ).toBe(`apart\r\n`)
  expect(await append('URL "/INBOX/;UID=1/;SECTION=1"')).toContain('OK [APPENDUID')
})

test('CA-05, CA-06, CA-08, CA-12, DE-04: what leads to nothing is named, and nothing is stored', async () => {
  const before = await imap.command('STATUS Drafts (MESSAGES)')
  for (const bad of [
    '/INBOX;UIDVALIDITY=1/;UID=1',
    '/INBOX/;UID=99',
    '/INBOX/;UID=1/;SECTION=9',
    '/Nowhere/;UID=1',
    `imap://alice@mail.example.net/INBOX/;UID=1`,
    '//alice@mail.example.net/INBOX/;UID=1',
    ';UID=1',
    'INBOX/;UID=1',
    '/INBOX',
    'http://example.org/',
    '/INBOX/;UID=1/;SECTION=1]x',
  ])
    expect(await append(`${text('a')} URL "${bad}" ${text('dropped')}`)).toMatch(
      /^t\d+ NO \[BADURL "[^\]"]*"\] /,
    )
  expect(await imap.command('APPEND Drafts CATENATE ()')).toContain('BAD')
  expect(await imap.command('APPEND Drafts CATENATE (TEXT "quoted")')).toContain('BAD')
  expect(await imap.command('APPEND Nowhere CATENATE (TEXT {1+}\r\na)')).toContain('NO [TRYCREATE]')
  expect((await imap.command('STATUS Drafts (MESSAGES)')).split('\r\n')[0]).toBe(before.split('\r\n')[0])
})

test('CA-11, MA-01, MA-03, MA-06: several messages in one command, all or none', async () => {
  const both = await imap.command(
    `APPEND Drafts (\\Seen) CATENATE (${text('Subject: one\r\n\r\n')}) (\\Flagged) {16+}\r\nSubject: two\r\n\r\n`,
  )
  expect(both).toMatch(/OK \[APPENDUID \d+ (\d+):\d+\]/)
  expect(await imap.command('APPEND Drafts {3+}\r\na\r\n {0+}\r\n')).toContain('NO [CANNOT]')
  const failed = await imap.command(`APPEND Drafts {16+}\r\nSubject: two\r\n\r\n CATENATE (URL "/x/;UID=1")`)
  expect(failed).toContain('NO [BADURL')
})

test('CA-03, CA-10, CA-19, CA-20: source flags, a missing target, a mailbox that feeds itself, UTF8', async () => {
  const own = await loggedIn(server.port)
  await own.command('SELECT INBOX')
  await own.command('STORE 1 FLAGS (\\Flagged)')
  expect(await own.command(`APPEND Nowhere CATENATE (${url('')})`)).toMatch(/NO \[TRYCREATE\]/)
  expect(await own.command(`APPEND INBOX CATENATE (${url('/;SECTION=HEADER')} ${text('again')})`)).toMatch(
    /^\* 2 EXISTS\r\n[\s\S]*OK \[APPENDUID \d+ 2\]/,
  )
  expect(await own.command('FETCH 2 BODY.PEEK[TEXT]')).toContain('{5}\r\nagain')
  expect(await own.command('FETCH 1 FLAGS')).toMatch(/FLAGS \((\\Recent )?\\Flagged\)/)
  const eight = Buffer.from('Subject: déjà\r\n\r\nx').toString('latin1')
  const utf8 = `CATENATE (UTF8 (~{${eight.length}+}\r\n${eight}) ${url('/;SECTION=1')})`
  own.send(Buffer.from(`u APPEND Drafts ${utf8}\r\n`, 'latin1'))
  expect(await own.until(/u (OK|NO|BAD).*\r\n/)).toMatch(/u BAD/)
  await own.command('ENABLE UTF8=ACCEPT')
  own.send(Buffer.from(`v APPEND Drafts ${utf8}\r\n`, 'latin1'))
  expect(await own.until(/v (OK|NO|BAD).*\r\n/)).toMatch(/v OK \[APPENDUID/)
  own.end()
})

test("CA-09, CA-18, CA-21: one large part many times over, what is not the user's, parts in text-safe form", async () => {
  const small = await startImap({
    limits: { messageOctets: 100_000 },
    accounts: [
      { address: 'alice@example.net', password: 'secret' },
      { address: 'bob@example.net', password: 'secret' },
    ],
  })
  try {
    await small.deliver('bob@example.net', 'INBOX', mail)
    await small.deliver('bob@example.net', 'Private', mail)
    await small.deliver('alice@example.net', 'INBOX', Buffer.from(mail))
    const alice = await loggedIn(small.port)
    await alice.command('CREATE Drafts')
    const one = 'URL "/INBOX/;UID=1/;SECTION=2"'
    expect(await alice.command(`APPEND Drafts CATENATE (${Array(900).fill(one).join(' ')})`)).toMatch(
      /^t\d+ NO \[TOOBIG\]/,
    )
    expect(await alice.command('STATUS Drafts (MESSAGES)')).toContain('MESSAGES 0')
    // What another user has, and what nobody has, get one and the same answer.
    const answers: string[] = []
    for (const name of [
      '/Private/;UID=1',
      '/Nothing/;UID=1',
      '/../bob@example.net/INBOX/;UID=1',
      '/INBOX/;UID=77',
    ])
      answers.push(
        (await alice.command(`APPEND Drafts CATENATE (URL "${name}")`))
          .replace(/t\d+/, 't')
          .replace(name, 'URL'),
      )
    expect(new Set(answers).size, answers.join('')).toBe(1)
    expect(answers[0]).toMatch(/^t NO \[BADURL "?URL"?\]/)
    const binary = 'Content-Type: image/x\r\nContent-Transfer-Encoding: binary\r\n\r\na\0b'
    const made = `Content-Type: multipart/mixed; boundary=q\r\n\r\n--q\r\n${binary}\r\n--q--\r\n`
    expect(await alice.command(`APPEND INBOX ~{${made.length}+}\r\n${made}`)).toContain('OK [APPENDUID')
    const source = (section: string) => `URL "/INBOX/;UID=2/;SECTION=${section}"`
    expect(await alice.command(`APPEND Drafts CATENATE (${source('1.MIME')} ${source('1')})`)).toContain(
      'OK [',
    )
    await alice.command('SELECT Drafts')
    const copied = await alice.command('FETCH 1 (BODY.PEEK[] BINARY.PEEK[1])')
    expect(copied).toContain('Content-Transfer-Encoding: base64\r\n\r\nYQBi')
    expect(copied).toContain('BINARY[1] ~{3}\r\na\0b')
    alice.end()
  } finally {
    await small.close()
  }
})
