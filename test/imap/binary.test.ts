/** BINARY (RFC 3516) on the wire. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startImap, type TestImap } from '../support/imap-server.ts'
import { loggedIn, type RawImap } from '../support/raw-imap.ts'

let server: TestImap
let imap: RawImap
const picture = Buffer.from([0x89, 0, 1, 2, 0, 255, 13, 10, 0])
const mail = `From: a@example.org
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

Gr=C3=BC=C3=9Fe=
!
--b
Content-Type: image/png
Content-Transfer-Encoding: base64

${picture.toString('base64')}
--b
Content-Type: application/x-a
Content-Transfer-Encoding: x-uuencode

begin
--b--
`

beforeAll(async () => {
  server = await startImap()
  await server.deliver('alice@example.net', 'INBOX', mail)
  imap = await loggedIn(server.port)
  await imap.command('SELECT INBOX')
})
afterAll(async () => {
  imap.end()
  await server.close()
})

test('BI-01 to BI-04, BI-07, BI-15: parts decoded, sizes, partials, unknown encodings, missing parts', async () => {
  expect(await imap.command('FETCH 1 BINARY.PEEK[1]')).toContain(
    '* 1 FETCH (BINARY[1] {8}\r\nGr\xc3\xbc\xc3\x9fe!)\r\n',
  )
  expect(await imap.command('FETCH 1 (BINARY.SIZE[1] BINARY.SIZE[2])')).toContain(
    '(BINARY.SIZE[1] 8 BINARY.SIZE[2] 9)',
  )
  expect(await imap.command('FETCH 1 (FLAGS)')).not.toContain('\\Seen')
  expect(await imap.command('FETCH 1 BINARY[2]')).toContain(
    `BINARY[2] ~{9}\r\n${picture.toString('latin1')} FLAGS (\\Recent \\Seen))`,
  )
  expect(await imap.command('FETCH 1 BINARY.PEEK[2]<1.3>')).toContain('BINARY[2]<1> ~{3}\r\n\0\x01\x02)')
  expect(await imap.command('FETCH 1 (UID BINARY.PEEK[3])')).toMatch(
    /^\* 1 FETCH \(UID 1\)\r\nt\d+ NO \[UNKNOWN-CTE\]/,
  )
  expect(await imap.command('FETCH 1 BINARY.PEEK[9]')).toMatch(/BINARY\[9\] NIL\)\r\nt\d+ OK/)
  expect(await imap.command('FETCH 1 BINARY.PEEK[1.HEADER]')).toContain('BAD')
  expect(await imap.command('FETCH 1 (BINARY.PEEK[] RFC822.SIZE)')).toMatch(
    /BINARY\[\] \{(\d+)\}[\s\S]* RFC822.SIZE \1\)/,
  )
})

test('BI-10, BI-11, BI-13, LP-07, FE-26: a binary message is kept, decoded as it came, and shown text-safe', async () => {
  const message = Buffer.concat([
    Buffer.from(
      'From: a@example.org\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: binary\r\n\r\n',
    ),
    picture,
  ])
  imap.send(`x APPEND INBOX ~{${message.length}+}\r\n`)
  imap.send(message)
  imap.send('\r\n')
  const answer = await imap.until(/x OK.*\r\n/)
  expect(answer).toMatch(/^\* 2 EXISTS\r\n\* 2 RECENT\r\nx OK \[APPENDUID \d+ 2\]/)
  expect(await imap.command('FETCH 2 BINARY.PEEK[1]')).toContain(`~{9}\r\n${picture.toString('latin1')})`)
  const shown = await imap.command('FETCH 2 (BODYSTRUCTURE BODY.PEEK[1] RFC822.SIZE BODY.PEEK[])')
  expect(shown).not.toContain('\0')
  expect(shown).toContain('"BASE64" 12 ')
  expect(shown).toContain(`BODY[1] {12}\r\n${picture.toString('base64')}`)
  const size = /RFC822.SIZE (\d+)/.exec(shown)![1]
  expect(shown).toContain(`BODY[] {${size}}`)
})

test('BI-05, BI-06, BI-08, BI-09, BI-14: damaged encodings, line ends, whole messages, headers, and where literal8 may not be', async () => {
  const damaged: readonly (readonly [string, string, Buffer])[] = [
    ['base64', 'aGVs*bG8', Buffer.from('hello')],
    ['base64', 'aGVsbG8gd29ybGQ', Buffer.from('hello world')],
    ['base64', '====', Buffer.from('')],
    ['base64', 'A', Buffer.from('')],
    ['quoted-printable', 'a=ZZb=4', Buffer.from('a=ZZb=4')],
    ['quoted-printable', 'soft=', Buffer.from('soft')],
    ['quoted-printable', 'x=0', Buffer.from('x=0')],
  ]
  await imap.command('CREATE Damaged')
  for (const [encoding, text] of damaged)
    await server.deliver(
      'alice@example.net',
      'Damaged',
      Buffer.from(`Content-Type: application/x-a\r\nContent-Transfer-Encoding: ${encoding}\r\n\r\n${text}`),
    )
  const lf = Buffer.from('one\ntwo\r\nthree\n').toString('base64')
  await server.deliver(
    'alice@example.net',
    'Damaged',
    Buffer.from(
      `Subject: =?utf-8?Q?d=C3=A9?=\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n${lf}`,
    ),
  )
  const reader = await loggedIn(server.port)
  await reader.command('SELECT Damaged')
  for (const [i, [encoding, text, decoded]] of damaged.entries()) {
    const answer = await reader.command(`FETCH ${i + 1} (BINARY.SIZE[1] BINARY.PEEK[1])`)
    const value = decoded.length === 0 ? '""' : `{${decoded.length}}\r\n${decoded.toString('latin1')}`
    expect(answer, `${encoding} ${text}`).toContain(`(BINARY.SIZE[1] ${decoded.length} BINARY[1] ${value})`)
  }
  const text = 'one\r\ntwo\r\nthree\r\n'
  expect(await reader.command('FETCH 8 (BINARY.SIZE[1] BINARY.PEEK[1])')).toContain(
    `(BINARY.SIZE[1] ${text.length} BINARY[1] {${text.length}}\r\n${text})`,
  )
  // The whole message is header and body as they are: its transfer encoding and encoded words stay.
  const whole = await reader.command('FETCH 8 (BINARY.SIZE[] BINARY.PEEK[] BODY.PEEK[])')
  const body = /BODY\[\] \{(\d+)\}\r\n([\s\S]*)\)\r\nt/.exec(whole)!
  expect(whole).toContain(`BINARY.SIZE[] ${body[1]} BINARY[] {${body[1]}}\r\n${body[2]} BODY[]`)
  expect(body[2]).toContain('=?utf-8?Q?d=C3=A9?=')
  for (const wrong of [
    'BINARY[1.HEADER]',
    'BINARY[TEXT]',
    'BINARY.PEEK[HEADER]',
    'BINARY[1.MIME]',
    'BINARY[0]',
    'BINARY.SIZE[1]<0.1>',
  ])
    expect(await reader.command(`FETCH 8 ${wrong}`), wrong).toMatch(/^t\d+ BAD/)
  for (const wrong of [
    'LOGIN ~{1+}\r\nx y',
    'SEARCH SUBJECT ~{1+}\r\nx',
    'SELECT ~{5+}\r\nINBOX',
    'CREATE ~{1+}\r\nx',
  ])
    expect(await reader.command(wrong), wrong).toMatch(/^t\d+ BAD/)
  expect(await reader.command('NOOP')).toMatch(/^t\d+ OK/)
  reader.end()
})
