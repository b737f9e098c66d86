/** A client that sends its commands and closes its side of the connection (RFC 3501 §5.5): it is answered, then the server ends. */
import { connect as connectTls } from 'node:tls'
import { constants, deflateRawSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startImap, type TestImap } from '../support/imap-server.ts'
import { loggedIn, type RawImap, rawImap } from '../support/raw-imap.ts'

let server: TestImap
beforeAll(async () => {
  server = await startImap({ limits: { maxPerUser: 60 } })
  for (let i = 1; i <= 30; i++)
    await server.deliver('alice@example.net', 'INBOX', `Subject: m${i}\n\n${'x'.repeat(100_000)}\n`)
})
afterAll(async () => {
  expect(server.logged).toEqual([])
  await server.close()
})

const login = 'a LOGIN alice@example.net secret\r\n'
/** Last of all the tagged answer, and behind it nothing. */
const answeredToTheEnd = /\r\nd OK NOOP completed\r\n$/

test('UR-16: pipelined commands and a FIN behind them: each is answered', async () => {
  const imap = await rawImap(server.port)
  imap.socket.end(`${login}b SELECT INBOX\r\nc STORE 1 +FLAGS (\\Flagged)\r\nd NOOP\r\n`)
  const said = await imap.closed()
  expect(said).toMatch(/a OK[\s\S]*b OK[\s\S]*\* 1 FETCH \(FLAGS[\s\S]*c OK/)
  expect(said).toMatch(answeredToTheEnd)
})

test('UR-16: over TLS too', async () => {
  const imap = await rawImap(
    server.tlsPort,
    connectTls({ port: server.tlsPort, host: '127.0.0.1', rejectUnauthorized: false }),
  )
  imap.socket.end(`${login}b SELECT INBOX\r\nd NOOP\r\n`)
  expect(await imap.closed()).toMatch(answeredToTheEnd)
})

test('UR-16, CO-03: under COMPRESS what the inflater still holds is carried out', async () => {
  const imap = await loggedIn(server.port)
  await imap.compress()
  const commands = `b SELECT INBOX\r\n${'c NOOP\r\n'.repeat(20_000)}d NOOP\r\n`
  imap.socket.end(deflateRawSync(commands, { finishFlush: constants.Z_SYNC_FLUSH }))
  const said = await imap.closed()
  expect(said.match(/c OK/g)?.length).toBe(20_000)
  expect(said).toMatch(answeredToTheEnd)
})

test('UR-16: an APPEND is stored and answered, half of one is not', async () => {
  const message = 'Subject: last\r\n\r\nwords\r\n'
  const whole = await loggedIn(server.port)
  whole.socket.end(`b APPEND Kept {${message.length}+}\r\n${message}\r\nc CREATE Kept\r\n`)
  expect(await whole.closed()).toMatch(/^b NO \[TRYCREATE\].*\r\nc OK .*\r\n$/)
  const again = await loggedIn(server.port)
  again.socket.end(`b APPEND Kept {${message.length}+}\r\n${message}\r\n`)
  expect(await again.closed()).toMatch(/b OK \[APPENDUID \d+ 1\].*\r\n$/)
  for (const [cut, said] of [
    [`b APPEND Kept {${message.length}}\r\n`, /^\+ go ahead\r\n$/],
    [`b APPEND Kept {${message.length}+}\r\nSubject`, /^$/],
    [`b APPEND Kept {${message.length}+}\r\n${message}`, /^$/],
    ['b NOOP', /^$/],
  ] as const) {
    const half = await loggedIn(server.port)
    half.socket.end(cut)
    expect(await half.closed(), cut).toMatch(said)
  }
  const imap = await loggedIn(server.port)
  expect(await imap.command('STATUS Kept (MESSAGES)')).toContain('(MESSAGES 1)')
  imap.end()
})

test('UR-16: IDLE and AUTHENTICATE that can never be completed end with the connection', async () => {
  const idle = await loggedIn(server.port)
  await idle.command('SELECT INBOX')
  idle.send('b IDLE\r\n')
  await idle.until(/\+ idling\r\n/)
  idle.socket.end()
  expect(await idle.closed()).toMatch(/^b BAD .*\r\n$/)
  const done = await loggedIn(server.port)
  done.socket.end('b IDLE\r\nDONE\r\n')
  expect(await done.closed()).toMatch(/^\+ idling\r\nb OK .*\r\n$/)
  const authenticate = await rawImap(
    server.tlsPort,
    connectTls({ port: server.tlsPort, rejectUnauthorized: false }),
  )
  authenticate.socket.end('b AUTHENTICATE PLAIN\r\n')
  expect(await authenticate.closed()).toMatch(/^\+ \r\nb BAD .*\r\n$/)
  const silent = await rawImap(server.port)
  silent.socket.end()
  expect(await silent.closed()).toBe('')
})

test('a slow client gets the whole of what it asked before it closed its side', async () => {
  const imap = await loggedIn(server.port)
  await imap.command('SELECT INBOX')
  imap.socket.pause()
  imap.socket.end('b FETCH 1:* BODY.PEEK[]\r\nc LOGOUT\r\n')
  // Much longer than a client has that takes nothing any more, were it counted from the end of the session.
  await new Promise((resolve) => setTimeout(resolve, 2500))
  imap.socket.resume()
  const said = await imap.closed()
  expect(said.length).toBeGreaterThan(3_000_000)
  expect(said).toMatch(/b OK .*\r\n\* BYE .*\r\nc OK .*\r\n$/)
})

test('SC-39: a client that is gone, and one that closes its side again and again, leave nothing behind', async () => {
  const many: RawImap[] = []
  for (let i = 0; i < 50; i++) many.push(await loggedIn(server.port))
  for (const [i, imap] of many.entries()) {
    imap.send('b SELECT INBOX\r\nc FETCH 1:* BODY.PEEK[]\r\nc FETCH 1:* BODY.PEEK[]\r\n')
    if (i % 2) imap.socket.end()
    imap.end()
  }
  // As many again fit under the limit of the user, once the server has seen that they are gone.
  const again: RawImap[] = []
  const end = Date.now() + 7000
  while (again.length < 50 && Date.now() < end) {
    const imap = await rawImap(server.port)
    if ((await imap.command('LOGIN alice@example.net secret').catch(() => '')).includes(' OK '))
      again.push(imap)
    else imap.end()
  }
  expect(again.length).toBe(50)
  for (const imap of again) imap.end()
})
