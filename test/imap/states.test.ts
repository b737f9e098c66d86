/** States, login and the end of a session (RFC 3501 §3, §6.1, §6.2) on the wire. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startImap, type TestImap } from '../support/imap-server.ts'
import { loggedIn, rawImap } from '../support/raw-imap.ts'

let server: TestImap
let strict: TestImap
let now = Date.parse('2026-03-01T12:00:00Z')

beforeAll(async () => {
  server = await startImap({ now: () => now })
  strict = await startImap({ allowPlaintext: 'never' })
})
afterAll(async () => {
  await server.close()
  await strict.close()
})

test('ST-04 to ST-06, SC-05, TL-03: no password in the clear, and no word that it could be', async () => {
  const imap = await rawImap(strict.port)
  const list = await imap.command('CAPABILITY')
  expect(list).toMatch(/^\* CAPABILITY .*IMAP4rev1 /)
  expect(list).toContain(' STARTTLS')
  expect(list).toContain(' LOGINDISABLED')
  expect(list).not.toContain('AUTH=PLAIN')
  expect(await imap.command('LOGIN alice@example.net secret')).toContain('NO [PRIVACYREQUIRED]')
  expect(await imap.command('AUTHENTICATE PLAIN AGFsaWNlQGV4YW1wbGUubmV0AHNlY3JldA==')).toContain(
    'NO [PRIVACYREQUIRED]',
  )
  imap.end()
  const after = await loggedIn(server.port)
  const known = await after.command('CAPABILITY')
  expect(known).not.toMatch(/ (STARTTLS|LOGINDISABLED|AUTH=)/)
  expect(known).toContain(' IDLE ')
  after.end()
})

test('ST-02, ST-09 to ST-11, ST-13, ST-20, IR-03: commands in the wrong state, mechanisms, cancelled exchanges', async () => {
  for (const early of [
    'SELECT INBOX',
    'LIST "" "*"',
    'FETCH 1 FLAGS',
    'IDLE',
    'ENABLE QRESYNC',
    'COMPRESS DEFLATE',
    'UNAUTHENTICATE',
    'NAMESPACE',
  ]) {
    const imap = await rawImap(server.port)
    expect(await imap.command(early), early).toContain('BAD')
    imap.end()
  }
  const login = await rawImap(server.port)
  expect(await login.command('AUTHENTICATE FOO')).toMatch(/t\d+ NO/)
  login.send('x AUTHENTICATE PLAIN\r\n')
  expect(await login.until(/\+.*\r\n/)).toBe('+ \r\n')
  login.send('*\r\n')
  expect(await login.until(/x .*\r\n/)).toContain('x BAD')
  login.send('y AUTHENTICATE PLAIN\r\n')
  await login.until(/\+.*\r\n/)
  login.send('not base64!\r\n')
  expect(await login.until(/y .*\r\n/)).toContain('y BAD')
  expect(await login.command('AUTHENTICATE PLAIN AGFsaWNlQGV4YW1wbGUubmV0AHNlY3JldA==')).toMatch(
    /OK \[CAPABILITY /,
  )
  expect(await login.command('LOGIN alice@example.net secret')).toContain('BAD')
  expect(await login.command('AUTHENTICATE PLAIN AA==')).toContain('BAD')
  expect(await login.command('XFROB')).toContain('BAD')
  login.end()
})

test('ST-14 to ST-16: NOOP and LOGOUT in every state; LOGOUT expunges nothing', async () => {
  const fresh = await rawImap(server.port)
  expect(await fresh.command('NOOP')).toMatch(/^t\d+ OK/)
  expect(await fresh.command('LOGOUT')).toMatch(/^\* BYE .*\r\nt\d+ OK/)
  expect(await fresh.closed()).toBe('')
  await server.deliver('alice@example.net', 'INBOX', 'Subject: x\n\nx\n', ['\\Deleted'])
  const imap = await loggedIn(server.port)
  await imap.command('SELECT INBOX')
  expect(await imap.command('LOGOUT')).toMatch(/^\* BYE .*\r\nt\d+ OK/)
  await imap.closed()
  const again = await loggedIn(server.port)
  expect(await again.command('SELECT INBOX')).toContain('* 1 EXISTS')
  again.end()
})

test('ST-17, ST-19: half an hour of silence, from the last command on; then BYE', async () => {
  const imap = await loggedIn(server.port)
  now += 29 * 60_000
  await new Promise((resolve) => setTimeout(resolve, 1200))
  expect(await imap.command('NOOP')).toContain('OK')
  now += 29 * 60_000
  await new Promise((resolve) => setTimeout(resolve, 1200))
  expect(await imap.command('NOOP')).toContain('OK')
  now += 31 * 60_000
  expect(await imap.closed()).toMatch(/^\* BYE /)
})
