/** Input that no honest client sends, in every state: the answer is BAD, NO or BYE, and the server goes on. */
import { connect } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startImap, type TestImap } from '../support/imap-server.ts'
import { loggedIn, rawImap } from '../support/raw-imap.ts'

let server: TestImap
beforeAll(async () => {
  server = await startImap({ limits: { maxPerIp: 20, preAuthMs: 3000 } })
  await server.deliver('alice@example.net', 'INBOX', 'Subject: x\n\nbody\n')
})
afterAll(async () => {
  const imap = await loggedIn(server.port)
  expect(await imap.command('SELECT INBOX')).toContain('* 1 EXISTS')
  imap.end()
  expect(server.logged).toEqual([])
  await server.close()
})

test('SY-07, SC-33: a literal of 2^63 is refused, before and after login, without waiting for it', async () => {
  const imap = await rawImap(server.port)
  expect(await imap.command('LOGIN {9223372036854775808}')).toMatch(/BAD/)
  expect(await imap.command('LOGIN {400000000}')).toMatch(/NO \[TOOBIG\]/)
  imap.send('x LOGIN {9223372036854775808+}\r\n')
  expect(await imap.closed()).toMatch(/x BAD[\s\S]*\* BYE/)
  const user = await loggedIn(server.port)
  expect(await user.command('APPEND INBOX {99999999999}')).toMatch(/BAD|NO/)
  expect(await user.command('APPEND INBOX {4000000000}')).toMatch(/NO \[TOOBIG\]/)
  expect(await user.command('NOOP')).toContain('OK')
  user.end()
})

test('SC-35: 10,000 nested parentheses, ORs, NOTs and a set of 10,000 ranges', async () => {
  const imap = await loggedIn(server.port)
  await imap.command('SELECT INBOX')
  expect(await imap.command(`SEARCH ${'('.repeat(10_000)}ALL${')'.repeat(10_000)}`)).toContain('BAD')
  expect(await imap.command(`SEARCH ${'NOT '.repeat(10_000)}ALL`)).toContain('BAD')
  expect(await imap.command(`SEARCH ${'OR ALL '.repeat(9_000)}ALL`)).toContain('BAD')
  expect(await imap.command(`FETCH ${'('.repeat(10_000)} (FLAGS)`)).toContain('BAD')
  const set = Array.from({ length: 10_000 }, (_, i) => i + 1).join(',')
  expect(await imap.command(`UID FETCH ${set} (UID)`)).toContain('* 1 FETCH (UID 1)')
  expect(await imap.command(`LIST "" "${'%*'.repeat(400)}x"`)).toContain('OK')
  imap.end()
})

test('SY-23: a line of 1 MB gets BAD and is skipped; SY-14: no tag, and nonsense ends the session', async () => {
  const imap = await loggedIn(server.port)
  imap.send(`a SEARCH SUBJECT "${'x'.repeat(1_000_000)}"\r\nb NOOP\r\n`)
  expect(await imap.until(/b OK.*\r\n/)).toMatch(/^a BAD.*\r\nb OK/)
  imap.send('\r\n+1 NOOP\r\n')
  await imap.until(/\* BAD.*\r\n\* BAD.*\r\n/)
  imap.end()
  const http = await rawImap(server.port)
  http.send('GET / HTTP/1.1\r\nHost: a\r\nAccept: b\r\nX: y\r\nZ: z\r\n\r\n')
  expect(await http.closed()).toContain('* BYE too many bad commands')
})

test('SY-24, SY-08, SY-10, SY-12: bare LF, NUL and 8-bit where they cannot be', async () => {
  const imap = await loggedIn(server.port)
  imap.send('a NOOP\nb NOOP\r\n')
  expect(await imap.until(/a BAD.*\r\n/)).toMatch(/^a BAD/)
  imap.send('c SELECT {3+}\r\na\0b\r\n')
  expect(await imap.until(/c BAD.*\r\n/)).toMatch(/^c BAD/)
  expect(await imap.command('SELECT "abc')).toContain('BAD')
  expect(await imap.command('SELECT "a\\bc"')).toContain('BAD')
  imap.send(Buffer.from('d SELECT "\xe9"\r\n', 'latin1'))
  expect(await imap.until(/d BAD.*\r\n/)).toMatch(/^d BAD/)
  imap.end()
})

test('SC-38, ST-18: who does not log in is let go; ST-03: too many connections get BYE', async () => {
  const slow = connect(server.port, '127.0.0.1')
  let text = ''
  slow.on('data', (chunk) => {
    text += chunk
  })
  const drip = setInterval(() => slow.write('a'), 200)
  await new Promise((resolve) => slow.once('close', resolve))
  clearInterval(drip)
  expect(text).toContain('* BYE login took too long')
  const many = await Promise.all(Array.from({ length: 20 }, () => rawImap(server.port)))
  const refused = connect(server.port, '127.0.0.1')
  const greeting = await new Promise((resolve) => refused.once('data', (chunk) => resolve(String(chunk))))
  expect(greeting).toMatch(/^\* BYE too many connections/)
  for (const each of many) each.end()
  await new Promise((resolve) => setTimeout(resolve, 50))
})

test('SC-01, TL-01 to TL-03: what is sent in the clear behind STARTTLS is not obeyed', async () => {
  const imap = await rawImap(server.port)
  imap.send('a STARTTLS\r\nb LOGIN alice@example.net secret\r\n')
  await imap.until(/^a OK.*\r\n/)
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect(imap.taken()).not.toContain('b OK')
  imap.end()
})
