/** What the profile asks of the store as a whole (RFC 5550 §3.2), and how contradictions of the RFCs are read. */
import { connect as connectTcp } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { startImap, type TestImap } from '../support/imap-server.ts'
import { loggedIn, type RawImap, rawImap } from '../support/raw-imap.ts'

let server: TestImap
const open: RawImap[] = []
const client = async (...commands: string[]): Promise<RawImap> => {
  const imap = await loggedIn(server.port)
  open.push(imap)
  for (const each of commands) await imap.command(each)
  return imap
}
const names = (text: string): string[] => /CAPABILITY ([^\]\r]+)/.exec(text)![1]!.split(' ')

beforeAll(async () => {
  server = await startImap()
  for (let i = 1; i <= 4; i++)
    await server.deliver('alice@example.net', 'INBOX', `From: bob@example.org\nSubject: m${i}\n\nm${i}\n`)
})
afterEach(() => {
  for (const each of open.splice(0)) each.end()
})
afterAll(() => server.close())

// Of RFC 5550 §3.2; URLAUTH and CONVERT have tests of their own.
const required = [
  ...[
    'BINARY',
    'CATENATE',
    'COMPRESS=DEFLATE',
    'CONDSTORE',
    'CONTEXT=SEARCH',
    'CONTEXT=SORT',
    'ENABLE',
    'ESEARCH',
  ],
  ...['ESORT', 'IDLE', 'LITERAL+', 'NAMESPACE', 'NOTIFY', 'QRESYNC', 'SASL-IR', 'SORT', 'UIDPLUS'],
  'URL-PARTIAL',
]

test('LP-01, LP-02, LP-05, LP-06, LP-09, LP-23, DE-18: capabilities where the profile wants them', async () => {
  const greeting = await new Promise<string>((resolve) => {
    const socket = connectTls({ port: server.tlsPort, host: '127.0.0.1', rejectUnauthorized: false })
    socket.once('data', (octets) => {
      resolve(octets.toString('latin1'))
      socket.destroy()
    })
  })
  expect(greeting).toMatch(/^\* OK \[CAPABILITY IMAP4rev1 [^\]]+\] /)
  expect(names(greeting)).not.toContain('STARTTLS')
  const imap = await rawImap(server.port)
  const clear = names(await imap.command('CAPABILITY'))
  expect(clear).toContain('STARTTLS')
  const login = await imap.command('LOGIN alice@example.net secret')
  expect(login).toMatch(/t2 OK \[CAPABILITY /)
  for (const list of [names(login), names(await imap.command('CAPABILITY'))]) {
    for (const name of required) expect(list).toContain(name)
    expect(list.filter((name) => name.startsWith('I18NLEVEL='))).toHaveLength(1)
    expect(list).not.toContain('LITERAL-')
  }
  const plain = Buffer.from('\0alice@example.net\0secret').toString('base64')
  const other = await rawImap(server.port)
  expect(await other.command(`AUTHENTICATE PLAIN ${plain}`)).toMatch(/t1 OK \[CAPABILITY /)
  const before = names(await other.command('CAPABILITY'))
  await other.command('ENABLE CONDSTORE QRESYNC UTF8=ACCEPT IMAP4rev2')
  expect(names(await other.command('CAPABILITY'))).toEqual(before)
  expect(await other.compress()).toMatch(/zip OK/)
  expect(await other.command('NOOP')).toMatch(/OK NOOP/)
  imap.end()
  other.end()
})

test('LP-10: TLS does not compress, even for a client that asks for it', async () => {
  const block = (lengthOctets: number, body: Buffer): Buffer => {
    const length = Buffer.alloc(lengthOctets)
    length.writeUIntBE(body.length, 0, lengthOctets)
    return Buffer.concat([length, body])
  }
  const extension = (type: number, hex: string): Buffer =>
    Buffer.concat([Buffer.from([0, type]), block(2, Buffer.from(hex, 'hex'))])
  // A ClientHello of TLS 1.2 (RFC 5246 §7.4.1.2) that offers DEFLATE (RFC 3749) before no compression.
  const hello = Buffer.concat([
    Buffer.from('0303', 'hex'),
    Buffer.alloc(32, 7),
    block(1, Buffer.alloc(0)),
    block(2, Buffer.from('c02fc02bc030c02c', 'hex')),
    block(1, Buffer.from([1, 0])),
    block(
      2,
      Buffer.concat([
        extension(10, '0006001d00170018'),
        extension(11, '0100'),
        extension(13, '000a04010403050106010804'),
      ]),
    ),
  ])
  const handshake = Buffer.concat([Buffer.from([1]), block(3, hello)])
  const socket = connectTcp(server.tlsPort, '127.0.0.1')
  socket.write(Buffer.concat([Buffer.from('160301', 'hex'), block(2, handshake)]))
  const answer = await new Promise<Buffer>((resolve) => socket.once('data', resolve))
  socket.destroy()
  // Record header 5, handshake header 4, version 2, random 32, then session id, cipher suite, compression method.
  expect(answer[0]).toBe(22)
  expect(answer[5]).toBe(2)
  expect(answer[44 + answer[43]! + 2]).toBe(0)
})

test('LP-12, LP-13, LP-14: one connection with NOTIFY and every kind of view', async () => {
  const imap = await client('CREATE Other')
  expect(await imap.command('NAMESPACE')).toMatch(
    /^\* NAMESPACE \(\("" "\/"\)\) (NIL|\(.*\)) (NIL|\(.*\))\r\n/,
  )
  expect(
    await imap.command(
      'NOTIFY SET (SELECTED (MessageNew MessageExpunge FlagChange)) (PERSONAL (MessageNew MessageExpunge))',
    ),
  ).toMatch(/OK/)
  expect(await imap.command('SELECT INBOX')).toContain('* 4 EXISTS')
  expect(await imap.command('SEARCH RETURN (COUNT UPDATE) UNSEEN')).toMatch(
    /^\* ESEARCH \(TAG "t\d+"\) COUNT 4\r\n/,
  )
  expect(await imap.command('SORT RETURN (PARTIAL 1:2 UPDATE) (REVERSE ARRIVAL) UTF-8 ALL')).toMatch(
    /^\* ESEARCH \(TAG "t\d+"\) PARTIAL \(1:2 4:?3?/m,
  )
  expect(await imap.command('SORT (SUBJECT) UTF-8 ALL')).toContain('* SORT 1 2 3 4')
  await server.deliver('alice@example.net', 'Other', 'Subject: elsewhere\n\nx\n')
  expect(await imap.until(/STATUS .*\r\n/)).toMatch(/\* STATUS Other \([^)]*MESSAGES 1/)
  const uid = await server.deliver('alice@example.net', 'INBOX', 'Subject: here\n\nx\n')
  expect(await imap.until(/ADDTO[^\n]*\n/)).toContain('* 5 EXISTS')
  const other = await client('SELECT INBOX')
  await other.command(`UID STORE ${uid} +FLAGS.SILENT (\\Deleted)`)
  await other.command('EXPUNGE')
  expect(await imap.until(/\* 5 EXPUNGE\r\n|VANISHED .*\r\n/)).toMatch(/EXPUNGE|VANISHED/)
})

test('DE-03, DE-09, DE-11, DE-19: where the RFCs contradict themselves', async () => {
  const imap = await client('SELECT INBOX', 'SEARCH RETURN (SAVE) 2:3')
  expect(await imap.command('SEARCH CHARSET KOI8-R SUBJECT x')).toContain('NO [BADCHARSET')
  expect(await imap.command('SEARCH FROB')).toContain('BAD')
  expect(await imap.command('SEARCH $')).toMatch(/^\* SEARCH 2 3\r\n/)
  expect(await imap.command('SEARCH RETURN (SAVE) CHARSET KOI8-R SUBJECT x')).toContain('NO [BADCHARSET')
  expect(await imap.command('SEARCH $')).toMatch(/^\* SEARCH\r\n/)
  expect(await imap.command('UID ESEARCH IN (personal) ALL')).toMatch(/^t\d+ BAD/)
  expect(await imap.command('ID NIL')).toMatch(/^\* ID \([^\r]*\)\r\nt\d+ OK/)
  expect(await imap.command('FETCH 1:4 (UID) (CHANGEDSINCE 0)')).toMatch(
    /\* 1 FETCH [\s\S]*\* 4 FETCH [\s\S]*OK/,
  )
})

test('DE-15: flags of APPEND stand alone, without the word', async () => {
  const imap = await client('CREATE Sent')
  expect(await imap.command('APPEND Sent FLAGS (\\Seen) {1+}\r\nx')).toMatch(/^t\d+ BAD/)
  expect(await imap.command('APPEND Sent (\\Seen) CATENATE (TEXT {1+}\r\nx)')).toMatch(/^t\d+ OK \[APPENDUID/)
})

test('R2-10: a message of 4 GB or more cannot be put here', async () => {
  const imap = await client()
  imap.send('a APPEND INBOX {4294967295}\r\n')
  expect(await imap.until(/(\+|a) .*\r\n/)).toMatch(/a NO \[TOOBIG\]/)
  for (const size of ['4294967296', '99999999999999999999']) {
    imap.send(`b APPEND INBOX {${size}}\r\n`)
    expect(await imap.until(/(\+|b) .*\r\n/)).toMatch(/b (BAD|NO)/)
  }
  expect(await imap.command('STATUS INBOX (MESSAGES)')).toContain('MESSAGES 4')
})
