/** Single rules of the profile and of security, each on its own. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { startImap, type TestImap } from '../support/imap-server.ts'
import { loggedIn, type RawImap, rawImap } from '../support/raw-imap.ts'

let server: TestImap
const open: RawImap[] = []
const client = async (...commands: string[]): Promise<RawImap> => {
  const imap = await loggedIn(server.port)
  open.push(imap)
  for (const each of commands) expect(await imap.command(each), each).toMatch(/ OK .*\r\n$/)
  return imap
}

beforeAll(async () => {
  server = await startImap({
    urlauth: {
      mechanismsInClear: false,
      mediaServers: [
        { uri: 'sip:ivr@ms.example.net:5060', stream: true },
        { uri: 'sip:annc@ms.example.net' },
      ],
    },
  })
})
afterEach(() => {
  for (const each of open.splice(0)) each.end()
})
afterAll(async () => {
  expect(server.logged).toEqual([])
  await server.close()
})

test('SC-11, LT-02, LT-03: what a refused command sent as a literal is never a command', async () => {
  const evil = 'x CREATE Evil\r\ny LOGOUT\r\n'
  const literal = `{${evil.length}+}\r\n${evil}`
  const early = await rawImap(server.port)
  open.push(early)
  early.send(
    `a APPEND INBOX ${literal}\r\nb LOGIN {${9000}+}\r\n${'x LOGOUT\r\n'.repeat(900)} y\r\nc NOSUCH ${literal}\r\nd NOOP\r\n`,
  )
  const before = await early.until(/d OK.*\r\n/)
  expect(before).toMatch(/^a (?:NO|BAD).*\r\nb (?:NO|BAD).*\r\nc BAD.*\r\nd OK.*\r\n$/)
  const imap = await client()
  for (const command of [
    `SELECT ${literal}`,
    `FETCH 1 ${literal}`,
    `NOSUCH ${literal} ${literal}`,
    `CREATE \u0001 ${literal}`,
    `APPEND Nowhere ${literal}`,
    `APPEND INBOX (bad${literal}`,
    `SEARCH ${literal}`,
    `LOGIN ${literal} ${literal}`,
    `STATUS INBOX (${literal})`,
    `APPEND INBOX {99999999999+}${''}`,
  ].slice(0, -1)) {
    imap.send(`a ${command}\r\nz NOOP\r\n`)
    const said = await imap.until(/z OK.*\r\n/)
    expect(said, command).toMatch(/^a (?:NO|BAD) .*\r\nz OK NOOP completed\r\n$/)
  }
  // A literal that is waited for, and refused: what the client sends next is its next command (SY-03).
  imap.send('a APPEND Nowhere {30}\r\n')
  expect(await imap.until(/a NO.*\r\n/)).not.toContain('+')
  expect(await imap.command('LIST "" "*"')).not.toContain('Evil')
})

test('SC-31: URLMECH is told under TLS alone, where the operator wants it so', async () => {
  await server.deliver('alice@example.net', 'INBOX', 'Subject: x\n\nx\n')
  const clear = await client()
  expect(
    await clear.command(
      'GENURLAUTH "imap://alice%40example.net@mail.example.net/INBOX/;UID=1;URLAUTH=user+alice%40example.net" INTERNAL',
    ),
  ).toContain('* GENURLAUTH')
  expect(await clear.command('SELECT INBOX')).not.toContain('URLMECH')
  const secure = await rawImap(
    server.tlsPort,
    connectTls({ port: server.tlsPort, rejectUnauthorized: false }),
  )
  open.push(secure)
  await secure.command('LOGIN alice@example.net secret')
  expect(await secure.command('SELECT INBOX')).toContain('* OK [URLMECH INTERNAL]')
  expect(await clear.command('RESETKEY INBOX')).not.toContain('URLMECH')
})

test("MD-18, SM-07, SM-08: media servers are the operator's to name, and everybody's to read", async () => {
  const imap = await client()
  const value = '<sip:ivr@ms.example.net:5060>:stream;<sip:annc@ms.example.net>'
  expect(await imap.command('GETMETADATA "" (/shared/mediaServers)')).toMatch(
    new RegExp(`^\\* METADATA "" \\(/shared/mediaservers "${value}"\\)\\r\\nt\\d+ OK`, 'i'),
  )
  expect(await imap.command('SETMETADATA "" (/shared/mediaServers "<sip:evil@example.org>")')).toMatch(
    /^t\d+ NO/,
  )
  expect(await imap.command('SETMETADATA "" (/shared/MEDIASERVERS NIL)')).toMatch(/^t\d+ NO/)
  expect(await imap.command('GETMETADATA "" (DEPTH 1) (/shared)')).toContain(value)
  // Of a mailbox it is an entry like any other.
  expect(await imap.command('GETMETADATA INBOX (/shared/mediaServers)')).toContain('NIL')
  const without = await startImap()
  try {
    const other = await loggedIn(without.port)
    expect(await other.command('GETMETADATA "" (/shared/mediaServers)')).toMatch(
      /\/shared\/mediaservers NIL\)/i,
    )
    other.end()
  } finally {
    await without.close()
  }
})

test('DE-13: URLFETCH: absent parameters are NIL, and one space is one', async () => {
  await server.deliver(
    'alice@example.net',
    'Pictures',
    'Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: image/png\nContent-Transfer-Encoding: base64\n\niVBORw0KGgoA\n--b--\n',
  )
  const imap = await client()
  const [, url] = / "(imap:[^"]*)"\r\n/.exec(
    await imap.command(
      'GENURLAUTH "imap://alice%40example.net@mail.example.net/Pictures/;UID=1/;SECTION=1;URLAUTH=user+alice%40example.net" INTERNAL',
    ),
  )!
  const said = await imap.command(`URLFETCH ("${url}" BODYPARTSTRUCTURE BINARY)`)
  expect(said).toBe(
    `* URLFETCH "${url}" (BODYPARTSTRUCTURE ("IMAGE" "PNG" NIL NIL NIL "BINARY" 9 NIL NIL NIL NIL)) (BINARY ~{9}\r\n\x89PNG\r\n\x1a\n\0)\r\n${said.slice(said.lastIndexOf('\r\n', said.length - 3) + 2)}`,
  )
  expect(await imap.command(`URLFETCH "${url}"`)).toMatch(/^\* URLFETCH "[^" ]+" \{\d+\}\r\n/)
  expect(await imap.command(`URLFETCH ("${url}")`)).toMatch(/^\* URLFETCH "[^" ]+" \{\d+\}\r\n|^t\d+ BAD/)
})

test('LP-21: nobody here sends what clients mark: both keywords stay as they were set, over a crash too', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'lemonade-outbox-'))
  try {
    for (const round of [1, 2]) {
      const once = await startImap({ folder })
      const imap = await loggedIn(once.port)
      if (round === 1) {
        await imap.command('CREATE Outbox')
        await imap.command('APPEND Outbox ($SubmitPending $Submitted \\Draft) {14+}\r\nSubject: out\r\n')
      }
      await once.deliver('alice@example.net', 'INBOX', 'Subject: x\n\nx\n')
      await imap.command('SELECT Outbox')
      expect(await imap.command('SEARCH KEYWORD $SubmitPending KEYWORD $Submitted')).toMatch(
        /^\* SEARCH 1\r\n/,
      )
      imap.end()
      await once.close()
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('LP-36: Format and DelSp go through CATENATE untouched, and so do the trailing blanks they are about', async () => {
  const text = 'A flowed  \r\nparagraph \r\nends here.\r\n-- \r\nme\r\n'
  await server.deliver(
    'alice@example.net',
    'Flowed',
    Buffer.from(
      `Subject: f\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=us-ascii; Format=Flowed; DelSp=Yes\r\n\r\n${text}\r\n--b--\r\n`,
    ),
  )
  const imap = await client('CREATE Forwards')
  const literal = (octets: string): string => `{${octets.length}+}\r\n${octets}`
  const appended = await imap.command(
    `APPEND Forwards CATENATE (TEXT ${literal('Subject: Fwd\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n')} URL "/Flowed/;UID=1/;SECTION=1.MIME" URL "/Flowed/;UID=1/;SECTION=1" TEXT ${literal('\r\n--c--\r\n')})`,
  )
  expect(appended).toContain('APPENDUID')
  await imap.command('SELECT Forwards')
  expect(await imap.command('FETCH 1 BODYSTRUCTURE')).toMatch(/"FORMAT" "Flowed" "DELSP" "Yes"/)
  expect(await imap.command('FETCH 1 BODY.PEEK[1]')).toContain(`{${text.length}}\r\n${text})`)
})
