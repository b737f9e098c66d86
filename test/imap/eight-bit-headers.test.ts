/** Messages with 8-bit header fields, before those who know them and those who do not (RFC 3501 §7.4.2, RFC 6855 §7, §8). */
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { digestMessage } from '../../src/wire/mime/digest.ts'
import { replaced, shownPieces } from '../../src/wire/mime/replaced.ts'
import { startImap, type TestImap } from '../support/imap-server.ts'
import { loggedIn, type RawImap } from '../support/raw-imap.ts'

let server: TestImap
let old: RawImap
let knowing: RawImap
const inner = 'From: Jörg <joerg@example.org>\r\nSubject: Grüße\r\n\r\nüber\r\n'
const mail = Buffer.from(
  [
    'From: Zoë "Z" <zoe@example.org>, дмитрий@пример.рф',
    'To: Réseau: α@example.org, plain@example.net;',
    'Subject: déjà vu',
    'Received: from x (hôte) by y; Mon, 1 Jan 2024 00:00:00 +0000',
    'X-Folded: é',
    ' ü end',
    'Content-Type: multipart/mixed; boundary=b',
    '',
    '--b',
    'Content-Type: text/plain; charset=utf-8',
    'Content-Transfer-Encoding: 8bit',
    '',
    'naïve body',
    '--b',
    'Content-Type: text/x; name="naïve.txt"',
    'Content-Disposition: attachment; filename=ö.txt',
    '',
    'file',
    '--b',
    'Content-Type: message/rfc822',
    '',
    `${inner}--b--`,
    '',
  ].join('\r\n'),
)

beforeAll(async () => {
  server = await startImap()
  await server.deliver('alice@example.net', 'INBOX', mail)
  await server.deliver('alice@example.net', 'INBOX', Buffer.from('Subject: plain\r\n\r\nx'))
  old = await loggedIn(server.port)
  knowing = await loggedIn(server.port)
  await knowing.command('ENABLE UTF8=ACCEPT')
  for (const each of [old, knowing]) await each.command('EXAMINE INBOX')
})
afterAll(async () => {
  old.end()
  knowing.end()
  await server.close()
})

const literal = async (imap: RawImap, item: string, uid = 1): Promise<string> => {
  const answer = await imap.command(`FETCH ${uid} ${item.replace(/^BODY\[/, 'BODY.PEEK[')}`)
  const found = /\{(\d+)\}\r\n([\s\S]*)/.exec(answer)
  return found ? found[2]!.slice(0, Number(found[1])) : ''
}
const value = async (imap: RawImap, item: string): Promise<string> =>
  new RegExp(`${item} ([\\s\\S]*)\\)\r\n`).exec(await imap.command(`FETCH 1 ${item}`))![1]!

test('FE-25, EN-12, U8-07: header fields in ASCII to a client that knows no other, as they are to one that does', async () => {
  const header = await literal(old, 'BODY[HEADER]')
  expect(header).toMatch(/^[\x00-\x7f]+$/)
  for (const field of [
    'From: =?utf-8?Q?Zo=C3=AB_Z?= <zoe@example.org>,',
    'Subject: =?utf-8?Q?d=C3=A9j=C3=A0_vu?=\r\n',
    // 77 characters would be one too many for a line with an encoded word (RFC 2047 §2).
    'Received: from x (=?utf-8?Q?h=C3=B4te?=) by y; Mon, 1 Jan 2024 00:00:00\r\n +0000\r\n',
    ', plain@example.net;\r\n',
    'Content-Type: multipart/mixed; boundary=b\r\n',
  ])
    expect(header).toContain(field)
  expect(header).toMatch(/=\?utf-8\?B\?[^ ]+\?=(\r\n)? :;\r\n/)
  expect(header).not.toContain('пример')
  expect(await literal(old, 'BODY[2.MIME]')).toBe(
    "Content-Type: text/x; name*=utf-8''na%C3%AFve.txt\r\nContent-Disposition: attachment; filename*=utf-8''%C3%B6.txt\r\n\r\n",
  )
  expect(await literal(old, 'BODY[3.HEADER.FIELDS (Subject)]')).toMatch(/^Subject: =\?utf-8\?.*\?=\r\n\r\n$/)
  expect(await literal(knowing, 'BODY[HEADER]')).toBe(mail.toString('latin1').split('--b')[0])
  expect(await literal(knowing, 'BODY[]')).toBe(mail.toString('latin1'))
  expect(await literal(knowing, 'BODY[3]')).toBe(Buffer.from(inner.slice(0, -2)).toString('latin1'))
  for (const imap of [old, knowing]) {
    expect(await literal(imap, 'BODY[1]')).toBe(Buffer.from('naïve body').toString('latin1'))
  }
})

test('EN-12, U8-07, FE-25: ENVELOPE is that of the header that is shown, and UTF-8 to those who know it', async () => {
  const old8 = await value(old, 'ENVELOPE')
  expect(old8).toMatch(/^[\x00-\x7f]+$/)
  // An address that ASCII cannot say is the name of a group, as in the header (RFC 6855 §7), and no encoded word is one.
  expect(old8).toMatch(
    /^\(NIL "=\?utf-8\?Q\?d=C3=A9j=C3=A0_vu\?=" \(\("=\?utf-8\?Q\?Zo=C3=AB_Z\?=" NIL "zoe" "example.org"\)\(NIL NIL "=\?utf-8\?B\?[^"]*\?=" NIL\)\(NIL NIL NIL NIL\)\)/,
  )
  for (const [, mailbox, host] of old8.matchAll(/\("?[^()]*"? NIL "([^"]*)" "([^"]*)"\)/g))
    expect(`${mailbox}${host}`).not.toContain('=?')
  knowing.send('e FETCH 1 (ENVELOPE BODYSTRUCTURE BODY)\r\n')
  const said = Buffer.from(await knowing.until(/e OK.*\r\n/), 'latin1')
  const text = said.toString().replace(/\{(\d+)\}\r\n/g, '{$1}')
  const literalOf = (word: string) => `{${Buffer.byteLength(word)}}${word}`
  expect(text).toContain(`ENVELOPE (NIL ${literalOf('déjà vu')} ((`)
  expect(text).toContain(`(NIL NIL ${literalOf('дмитрий')} ${literalOf('пример.рф')})`)
  expect(text).toContain(`(NIL NIL ${literalOf('α')} "example.org")`)
  // The enclosed message's, in either of the two structures.
  expect(
    text.split(`(NIL ${literalOf('Grüße')} ((${literalOf('Jörg')} NIL "joerg" "example.org"))`).length,
  ).toBe(3)
  expect(text).not.toContain('=?')
})

test('EN-12: octets that are no UTF-8 are an encoded word to everybody', async () => {
  const other = await loggedIn(server.port)
  await server.deliver('alice@example.net', 'Latin', Buffer.from('Subject: caf\xe9\r\n\r\nx', 'latin1'))
  await other.command('ENABLE UTF8=ACCEPT')
  await other.command('SELECT Latin')
  expect(await other.command('FETCH 1 ENVELOPE')).toMatch(/ENVELOPE \(NIL "=\?utf-8\?[BQ]\?[^"]+\?=" /)
  other.end()
})

test('FE-25, LP-16, UA-43: URLFETCH gives a session what BODY[] gives it', async () => {
  for (const imap of [old, knowing])
    for (const section of ['', 'HEADER', '2.MIME', '3', '3.HEADER', '1']) {
      const rump = `imap://alice%40example.net@mail.example.net/INBOX/;UID=1${section && `/;SECTION=${section}`};URLAUTH=user+alice%40example.net`
      const [, url] = / "(imap:[^"]*)"\r\n/.exec(await imap.command(`GENURLAUTH "${rump}" INTERNAL`))!
      const shown = await literal(imap, `BODY[${section}]`)
      expect(await imap.command(`URLFETCH "${url}"`), section).toContain(` {${shown.length}}\r\n${shown}\r\n`)
      const extended = await imap.command(`URLFETCH ("${url}" BODYPARTSTRUCTURE BODY)`)
      expect(extended, section).toContain(` (BODY {${shown.length}}\r\n${shown})\r\n`)
      const structure = /BODYPARTSTRUCTURE ([\s\S]*) \(BODY /.exec(extended)![1]!
      if (imap === old) expect(structure, section).toMatch(/^[\x00-\x7f]+$/)
      if (section === '') expect(structure).toContain(` ${await value(imap, 'ENVELOPE')} (`)
    }
})

test('FE-25, FE-10, FE-11, BS-04, BI-03: sizes, parts and partials of what is shown agree with each other', async () => {
  const sizes: number[] = []
  for (const imap of [old, knowing]) {
    const whole = await literal(imap, 'BODY[]')
    sizes.push(whole.length)
    expect(await value(imap, 'RFC822.SIZE')).toBe(String(whole.length))
    expect(await literal(imap, 'RFC822')).toBe(whole)
    expect((await literal(imap, 'BODY[HEADER]')) + (await literal(imap, 'BODY[TEXT]'))).toBe(whole)
    const enclosed = await literal(imap, 'BODY[3]')
    for (const item of ['BODYSTRUCTURE', 'BODY'])
      expect(await value(imap, item)).toContain(`("MESSAGE" "RFC822" NIL NIL NIL "7BIT" ${enclosed.length} (`)
    expect((await literal(imap, 'BODY[3.HEADER]')) + (await literal(imap, 'BODY[3.TEXT]'))).toBe(enclosed)
    expect(await imap.command('FETCH 1 (BINARY.SIZE[] BINARY.SIZE[3])')).toContain(
      `BINARY.SIZE[] ${whole.length} BINARY.SIZE[3] ${enclosed.length}`,
    )
    expect(await literal(imap, 'BINARY.PEEK[3]')).toBe(enclosed)
    for (let at = 0; at < whole.length; at += 37)
      expect(await literal(imap, `BODY[]<${at}.50>`)).toBe(whole.slice(at, at + 50))
    expect(await imap.command(`SEARCH LARGER ${whole.length - 1} SMALLER ${whole.length + 1}`)).toMatch(
      /^\* SEARCH 1\r\n/,
    )
  }
  expect(sizes[0]).toBeGreaterThan(sizes[1]!)
  // RFC 8438 §3: not below the sum of what any session is told (SV-05).
  const total = Number(/SIZE (\d+)/.exec(await old.command('STATUS INBOX (SIZE)'))![1])
  expect(total).toBeGreaterThanOrEqual(sizes[0]!)
})

test('FE-25, U8-04, CA-21: copies and pieces: COPY keeps both forms, CATENATE takes what the session is shown', async () => {
  const own = await loggedIn(server.port)
  await own.command('CREATE Copies')
  await own.command('SELECT INBOX')
  expect(await own.command('COPY 1 Copies')).toContain('COPYUID')
  expect(await own.command('APPEND Copies CATENATE (URL "/INBOX/;UID=1")')).toContain('OK [APPENDUID')
  await own.command('SELECT Copies')
  const shown = await literal(old, 'BODY[]')
  for (const uid of [1, 2]) expect(await literal(own, 'BODY[]', uid)).toBe(shown)
  await own.command('ENABLE UTF8=ACCEPT')
  expect(await literal(own, 'BODY[]', 1)).toBe(mail.toString('latin1'))
  expect(await literal(own, 'BODY[]', 2)).toBe(shown)
  own.end()
})

const piece = fc.oneof(
  fc.constantFrom(
    '\r\n',
    '\n',
    ' ',
    'From: ',
    'Subject: ',
    'X: ',
    'To: g: ',
    'Content-Type: multipart/mixed; boundary=b\r\n\r\n',
    '--b\r\n',
    'Content-Type: message/rfc822\r\n\r\n',
    ';',
    '"',
    '<',
    '>',
    '\xe9',
    '\u00c3\u00a9',
    'Content-Disposition: x; y="\xfc',
  ),
  fc.string({ unit: 'binary', maxLength: 8 }).map((text) => Buffer.from(text).toString('latin1')),
)

test('law: any window of what is shown is that window of the whole, and header blocks are ASCII', () => {
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), fc.nat(200), fc.nat(200), (pieces, start, length) => {
      const octets = Buffer.from(pieces.join(''), 'latin1')
      const { ascii } = digestMessage(octets)
      if (!ascii) return
      const whole = replaced(octets, ascii.replacements)
      expect(whole.length).toBe(ascii.size)
      const end = Math.min(start + length, whole.length)
      const window = shownPieces(ascii.replacements, start, end).map((each) =>
        'by' in each ? Buffer.from(each.by, 'latin1') : octets.subarray(each.start, each.end),
      )
      expect(Buffer.concat(window).toString('latin1')).toBe(
        whole.toString('latin1', start, Math.max(start, end)),
      )
      const check = (part: typeof ascii.structure): void => {
        expect(part.headerStart).toBeLessThanOrEqual(part.bodyStart)
        expect(part.bodyStart).toBeLessThanOrEqual(part.bodyEnd)
        expect(whole.toString('latin1', part.headerStart, part.bodyStart)).toMatch(/^[\x00-\x7f]*$/)
        for (const each of part.parts) check(each)
      }
      check(ascii.structure)
    }),
    { numRuns: 500 },
  )
})

test('SC-36: long header fields cost no more than their octets', { timeout: 30_000 }, () => {
  const long = 'a'.repeat(300_000)
  const started = Date.now()
  for (const text of [
    `Received: \xe9 ${long}`,
    `Received: ${'\xe9 '.repeat(100_000)}`,
    `From: ${'\xe9 <a@b>, '.repeat(30_000)}`,
    `Content-Type: text/plain; name="\xe9${long}"`,
    'X: \xe9\r\n'.repeat(30_000),
    `Subject: ${'\xe9'.repeat(150_000)}`,
  ])
    expect(digestMessage(Buffer.from(`${text}\r\n\r\nx`, 'latin1')).ascii?.size).toBeGreaterThan(0)
  expect(Date.now() - started).toBeLessThan(10_000)
})
