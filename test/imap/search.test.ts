/** SEARCH (RFC 3501 §6.4.4), SAVEDATE (RFC 8514), STATUS=SIZE (RFC 8438) on the wire. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { startImap, type TestImap } from '../support/imap-server.ts'
import { loggedIn, type RawImap } from '../support/raw-imap.ts'

const day = 86_400_000
let now = Date.UTC(2024, 4, 10, 12)
let server: TestImap
let imap: RawImap
const octets = (text: string) => `{${Buffer.byteLength(text, 'latin1')}+}\r\n${text}`
const append = (date: string, sent: string, flags = '', text = 'x') =>
  imap.command(`APPEND Dated (${flags}) "${date}" ${octets(`Date: ${sent}\r\nSubject: s\r\n\r\n${text}`)}`)
const found = async (criteria: string): Promise<string> =>
  /^\* SEARCH ?([\d ]*)\r\n/m.exec(await imap.command(`SEARCH ${criteria}`))?.[1] ?? 'none'

beforeAll(async () => {
  server = await startImap({ now: () => now })
  imap = await loggedIn(server.port)
  await imap.command('CREATE Dated')
  // Date and INTERNALDATE on both sides of midnight, in zones where UTC has another day.
  await append(' 1-Feb-1994 23:30:00 -0800', 'Tue, 1 Feb 1994 23:30:00 -0800', '\\Seen')
  await append(' 2-Feb-1994 00:30:00 +0900', 'Wed, 2 Feb 1994 00:30:00 +0900', '\\Flagged kw')
  await append(' 3-Feb-1994 12:00:00 +0000', 'Mon, 31 Jan 1994 12:00:00 +0000', '', 'x'.repeat(100))
  imap.end()
})
afterAll(async () => {
  imap.end()
  await server.close()
})
beforeEach(async () => {
  imap.end()
  imap = await loggedIn(server.port)
  await imap.command('EXAMINE Dated')
})

test('SR-01, SR-02, SR-03, SR-16, SR-20: the answer is always there, in mailbox order; numbers and UIDs', async () => {
  await imap.command('CREATE Nothing')
  await imap.command('SELECT Nothing')
  expect(await imap.command('SEARCH ALL')).toMatch(/^\* SEARCH\r\nt\d+ OK/)
  expect(await imap.command('UID SEARCH 1:*')).toMatch(/^\* SEARCH\r\nt\d+ OK/)
  for (let i = 0; i < 5; i++) await server.deliver('alice@example.net', 'Gaps', `Subject: ${i}\n\n${i}\n`)
  await imap.command('SELECT Gaps')
  await imap.command('STORE 1:2 +FLAGS.SILENT (\\Deleted)')
  await imap.command('EXPUNGE')
  expect(await imap.command('UID SEARCH 1')).toMatch(/^\* SEARCH 3\r\n/)
  expect(await imap.command('UID SEARCH UID 1:3')).toMatch(/^\* SEARCH 3\r\n/)
  expect(await found('UID 4:5')).toBe('2 3')
  expect(await found('3,1,2')).toBe('1 2 3')
  expect(await found('OR UID 5 UID 3')).toBe('1 3')
  expect(await found('2:99')).toBe('2 3')
  expect(await found('50:99')).toBe('')
  expect(await found('NOT 50:99')).toBe('1 2 3')
  for (const wrong of ['', ' ', ' FROB', ' ALL FROB', ' OR ALL', ' (ALL', ' NOT', ' 0'])
    expect(await imap.command(`SEARCH${wrong}`), wrong).toMatch(/^t\d+ BAD/)
})

test('SR-09, SR-10: the dates as they are written, whatever the zone says', async () => {
  for (const prefix of ['', 'SENT']) {
    const third = prefix === '' ? '3' : ''
    const join = (...numbers: string[]) => numbers.filter((n) => n !== '').join(' ')
    expect(await found(`${prefix}ON 1-Feb-1994`), prefix).toBe('1')
    expect(await found(`${prefix}ON "02-Feb-1994"`)).toBe('2')
    expect(await found(`${prefix}SINCE 1-Feb-1994`)).toBe(join('1', '2', third))
    expect(await found(`${prefix}SINCE 2-Feb-1994`)).toBe(join('2', third))
    expect(await found(`${prefix}BEFORE 2-Feb-1994`)).toBe(join('1', prefix === '' ? '' : '3'))
    expect(await found(`${prefix}BEFORE 1-Feb-1994`)).toBe(prefix === '' ? '' : '3')
  }
  expect(await imap.command('SEARCH ON 30-Feb-1994')).toMatch(/^t\d+ BAD/)
})

test('SR-11, SR-12, SR-13: sizes, what is new and old, keywords', async () => {
  const size = Number(/RFC822.SIZE (\d+)/.exec(await imap.command('FETCH 1 RFC822.SIZE'))![1])
  expect(await found(`LARGER ${size}`)).toBe('3')
  expect(await found(`SMALLER ${size}`)).toBe('')
  expect(await found(`SMALLER ${size + 1} NOT LARGER ${size}`)).toBe('1 2')
  expect(await found('KEYWORD kw')).toBe('2')
  expect(await found('UNKEYWORD kw')).toBe('1 3')
  expect(await found('UNKEYWORD never')).toBe('1 2 3')
  expect(await found('KEYWORD never')).toBe('')
  expect(await imap.command('SEARCH KEYWORD \\Seen')).toMatch(/^t\d+ BAD/)
  await server.deliver('alice@example.net', 'Fresh', 'Subject: a\n\na\n', ['\\Seen'])
  await server.deliver('alice@example.net', 'Fresh', 'Subject: b\n\nb\n')
  await imap.command('SELECT Fresh')
  await server.deliver('alice@example.net', 'Fresh', 'Subject: c\n\nc\n')
  const other = await loggedIn(server.port)
  await other.command('SELECT Fresh')
  expect(await other.command('SEARCH OLD')).toMatch(/^\* SEARCH 1 2/)
  expect(await other.command('SEARCH NEW')).toMatch(/^\* SEARCH 3\r\n/)
  other.end()
  expect(await found('RECENT')).toBe('1 2')
  expect(await found('NEW')).toBe('2')
  expect(await found('OLD')).toBe('3')
})

test('SR-14, SR-15: charsets, and strings that are not in them', async () => {
  await server.deliver('alice@example.net', 'Words', 'Subject: =?utf-8?Q?d=C3=A9j=C3=A0?=\n\nx\n')
  await imap.command('SELECT Words')
  for (const charset of ['UTF-8', 'utf-8', 'US-ASCII', '"UTF-8"'])
    expect(await imap.command(`SEARCH CHARSET ${charset} SUBJECT d`)).toMatch(/^\* SEARCH 1\r\n/)
  expect(await imap.command('SEARCH CHARSET KOI8-R SUBJECT d')).toMatch(
    /^t\d+ NO \[BADCHARSET \(US-ASCII UTF-8\)\]/,
  )
  const word = Buffer.from('DÉJÀ').toString('latin1')
  imap.send(Buffer.from(`u SEARCH CHARSET UTF-8 SUBJECT {${word.length}+}\r\n${word}\r\n`, 'latin1'))
  expect(await imap.until(/u OK.*\r\n/)).toMatch(/^\* SEARCH 1\r\n/)
  imap.send(Buffer.from('v SEARCH CHARSET UTF-8 SUBJECT {2+}\r\n\xc3(\r\n', 'latin1'))
  expect(await imap.until(/v .*\r\n/)).toMatch(/^v (BAD|NO)/)
  imap.send(Buffer.from('w SEARCH CHARSET UTF-8 SUBJECT "\xc3\xa9"\r\n', 'latin1'))
  expect(await imap.until(/w .*\r\n/)).toMatch(/^w BAD/)
})

test('SR-19, R2-01, R2-11, R2-12, DE-10, DE-17: rev1 until ENABLE, then ESEARCH and UTF-8', async () => {
  await server.deliver('alice@example.net', 'Почта', 'Subject: =?utf-8?Q?d=C3=A9j=C3=A0?=\n\nx\n')
  const utf8 = (text: string) => Buffer.from(text).toString('latin1')
  expect(await imap.command('CAPABILITY')).toMatch(/ IMAP4rev1 .*IMAP4rev2/)
  expect(await imap.command('LIST "" "&BB8EPgRHBEIEMA-"')).toContain('"/" &BB8EPgRHBEIEMA-')
  expect(await imap.command('SELECT &BB8EPgRHBEIEMA-')).toContain('* 1 RECENT')
  expect(await imap.command('SEARCH YOUNGER 10')).toMatch(/^\* SEARCH 1\r\nt\d+ OK/)
  imap.send(Buffer.from('q SELECT "Почта"\r\n'))
  expect(await imap.until(/q .*\r\n/)).toMatch(/^q BAD/)
  expect(await imap.command('ENABLE IMAP4rev2')).toMatch(/^\* ENABLED IMAP4rev2\r\nt\d+ OK/)
  for (const criteria of ['ALL', 'RETURN () ALL', 'RETURN (ALL) ALL'])
    expect(await imap.command(`SEARCH ${criteria}`)).toMatch(/^\* ESEARCH \(TAG "t\d+"\) ALL 1\r\nt\d+ OK/)
  expect(await imap.command('SEARCH DELETED')).toMatch(/^\* ESEARCH \(TAG "t\d+"\)\r\nt\d+ OK/)
  expect(await imap.command('UID SEARCH DELETED')).toMatch(/^\* ESEARCH \(TAG "t\d+"\) UID\r\nt\d+ OK/)
  imap.send(Buffer.from('s SEARCH SUBJECT "DÉJÀ"\r\n'))
  expect(await imap.until(/s .*\r\n/)).toMatch(/^\* ESEARCH \(TAG "s"\) ALL 1\r\n/)
  for (const wrong of ['\xc3(', '\xff', 'a\0b', '\xed\xa0\x80']) {
    imap.send(Buffer.from(`x SEARCH SUBJECT "${wrong}"\r\n`, 'latin1'))
    expect(await imap.until(/x .*\r\n/), wrong).toMatch(/^x BAD/)
  }
  imap.send(Buffer.from('y SELECT "Почта"\r\n'))
  const selected = await imap.until(/y (OK|NO|BAD).*\r\n/)
  expect(selected).not.toContain('RECENT')
  expect(selected).toContain(`* LIST (\\HasNoChildren) "/" "${utf8('Почта')}"`)
})

test('R2-03, R2-05, R2-08, R2-13: names in UTF-8, STATUS of deleted messages and sizes, UIDs of what was put away', async () => {
  await server.deliver('alice@example.net', 'Ящик', 'Subject: x\n\nx\n', ['\\Deleted'])
  const name = Buffer.from('Ящик').toString('latin1')
  await imap.command('ENABLE IMAP4rev2')
  imap.send(Buffer.from('s STATUS "Ящик" (DELETED SIZE)\r\n'))
  expect(await imap.until(/s OK.*\r\n/)).toMatch(
    new RegExp(`^\\* STATUS "${name}" \\(DELETED 1 SIZE \\d+\\)\r\n`),
  )
  expect(await imap.command('LIST "" (INBOX "Da*")')).toMatch(/INBOX\r\n\* LIST \([^)]*\) "\/" "?Dated/)
  expect(await imap.command('CAPABILITY')).toContain('LIST-EXTENDED')
  await imap.command('CREATE Two')
  imap.send(Buffer.from('t SELECT "Ящик"\r\n'))
  await imap.until(/t OK.*\r\n/)
  expect(await imap.command('COPY 1 Two')).toMatch(/^t\d+ OK \[COPYUID \d+ 1 1\]/)
  expect(await imap.command(`APPEND Two ${octets('x\r\n')}`)).toMatch(/^t\d+ OK \[APPENDUID \d+ 2\]/)
  expect(await imap.command('MOVE 1 Two')).toMatch(/^\* OK \[COPYUID \d+ 1 3\] .*\r\n\* 1 EXPUNGE\r\n/)
})

test('R2-07: STARTTLS under TLS is refused', async () => {
  const { connect } = await import('node:tls')
  const { rawImap } = await import('../support/raw-imap.ts')
  const socket = connect({ port: server.tlsPort, host: '127.0.0.1', rejectUnauthorized: false })
  const secure = await rawImap(server.tlsPort, socket)
  expect(await secure.command('STARTTLS')).toMatch(/^t1 BAD/)
  expect(await secure.command('LOGIN alice@example.net secret')).toContain('t2 OK')
  expect(await secure.command('STARTTLS')).toMatch(/^t3 BAD/)
  secure.end()
})

test('SV-01 to SV-05: when a message came into this mailbox, and the size of all', async () => {
  now = Date.UTC(2024, 4, 10, 12)
  const day1 = '10-May-2024'
  await imap.command('CREATE Saved')
  await imap.command('CREATE Later')
  await imap.command(`APPEND Saved "17-Jul-1996 02:44:25 -0700" ${octets('Subject: s\r\n\r\n')}`)
  await imap.command('SELECT Saved')
  expect(await imap.command('FETCH 1 (SAVEDATE INTERNALDATE)')).toContain(
    `SAVEDATE "${day1} 12:00:00 +0000" INTERNALDATE "17-Jul-1996 02:44:25 -0700"`,
  )
  now += 3 * day
  await imap.command('STORE 1 +FLAGS (\\Seen)')
  expect(await imap.command('FETCH 1 SAVEDATE')).toContain(`SAVEDATE "${day1} 12:00:00 +0000"`)
  await imap.command('COPY 1 Later')
  await imap.command('MOVE 1 Later')
  await imap.command('SELECT Later')
  expect(
    (await imap.command('FETCH 1:2 (SAVEDATE INTERNALDATE)')).match(
      /SAVEDATE "13-May-2024 12:00:00 \+0000" INTERNALDATE "17-Jul-1996 02:44:25 -0700"/g,
    ),
  ).toHaveLength(2)
  expect(await found('SAVEDON 13-May-2024')).toBe('1 2')
  expect(await found('SAVEDON 12-May-2024')).toBe('')
  expect(await found('SAVEDBEFORE 13-May-2024')).toBe('')
  expect(await found('SAVEDBEFORE 14-May-2024')).toBe('1 2')
  expect(await found('SAVEDSINCE 13-May-2024')).toBe('1 2')
  expect(await found('SAVEDSINCE 14-May-2024')).toBe('')
  expect(await found('SAVEDATESUPPORTED')).toBe('1 2')
  expect(await found('NOT SAVEDATESUPPORTED')).toBe('')
  const sizes = [...(await imap.command('FETCH 1:* RFC822.SIZE')).matchAll(/RFC822.SIZE (\d+)/g)]
  const sum = sizes.reduce((all, [, size]) => all + Number(size), 0)
  expect(await imap.command('STATUS Later (SIZE)')).toContain(`(SIZE ${sum})`)
  expect(await imap.command('STATUS Saved (SIZE)')).toContain('(SIZE 0)')
})
