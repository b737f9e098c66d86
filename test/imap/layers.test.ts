/** STARTTLS and UNAUTHENTICATE: what begins a layer or a user anew keeps nothing of the one before (lemonade.md 3.28, 3.30). */
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { generate } from 'selfsigned'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startImap, type TestImap } from '../support/imap-server.ts'
import { loggedIn, type RawImap, rawImap } from '../support/raw-imap.ts'

let server: TestImap
let mine: { key: string; cert: string }
beforeAll(async () => {
  const made = await generate([{ name: 'commonName', value: 'alice' }], {
    keySize: 2048,
    algorithm: 'sha256',
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 1, value: 'alice@example.net' }] }],
  })
  mine = { key: made.private, cert: made.cert }
  server = await startImap({
    accounts: ['alice', 'bob'].map((name) => ({ address: `${name}@example.net`, password: 'secret' })),
    auth: { external: {} },
    ca: mine.cert,
  })
})
afterAll(async () => {
  expect(server.logged).toEqual([])
  await server.close()
})

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** After STARTTLS there is no greeting. */
async function upgraded(
  imap: RawImap,
  pair: object = {},
): Promise<{ socket: TLSSocket; ask(line: string): Promise<string> }> {
  expect(await imap.command('STARTTLS')).toMatch(/^t\d+ OK/)
  imap.socket.removeAllListeners('data')
  const socket = connectTls({
    ...pair,
    socket: imap.socket,
    rejectUnauthorized: false,
    servername: 'mail.example.net',
  })
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1')
  })
  await new Promise<void>((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject))
  let number = 0
  return {
    socket,
    async ask(line) {
      number += 1
      const tag = `u${number}`
      socket.write(`${tag} ${line}\r\n`)
      const end = new RegExp(`(^|\\n)${tag} [^\\n]*\\n`)
      for (let i = 0; i < 500 && !end.test(text); i += 1) await sleep(5)
      const answer = text
      text = ''
      return answer
    },
  }
}

test('TL-01, TL-03, TL-04, TL-05: TLS begins once, before login, and with a clean slate', async () => {
  const imap = await rawImap(server.port)
  expect(await imap.command('STARTTLS now')).toContain('BAD')
  expect(await imap.command('CAPABILITY')).toContain(' STARTTLS')
  const { socket, ask } = await upgraded(imap)
  const told = await ask('CAPABILITY')
  expect(told).not.toContain('STARTTLS')
  expect(told).not.toContain('LOGINDISABLED')
  expect(await ask('STARTTLS')).toContain('BAD')
  expect(await ask('SELECT INBOX')).toContain('BAD')
  expect(await ask('LOGIN alice@example.net secret')).toContain('OK')
  socket.destroy()
  const user = await loggedIn(server.port)
  expect(await user.command('STARTTLS')).toContain('BAD')
  user.end()
})

test('TL-05, SC-03: half a command before TLS is no part of one behind it', async () => {
  const imap = await rawImap(server.port)
  imap.send('a STARTTLS\r\nb LOGIN alice@example.net {6}\r\n')
  await imap.until(/a OK.*\r\n/)
  await sleep(50)
  expect(imap.taken()).not.toContain('+ ')
  imap.end()
})

test('TL-06: what is no handshake closes the connection', async () => {
  const imap = await rawImap(server.port)
  await imap.command('STARTTLS')
  imap.send('b CAPABILITY\r\n')
  expect(await imap.closed()).not.toContain('b OK')
  const other = await loggedIn(server.port)
  expect(await other.command('NOOP')).toContain('OK')
  other.end()
})

test('UN-01, UN-02, UN-04, UN-07: the certificate of the connection serves the next login, too', async () => {
  const { socket, ask } = await upgraded(await rawImap(server.port), mine)
  expect(await ask('UNAUTHENTICATE')).toContain('BAD')
  for (let i = 0; i < 2; i += 1) {
    expect(await ask('AUTHENTICATE EXTERNAL =')).toContain('OK')
    expect(await ask('SELECT INBOX')).toContain('OK')
    const answer = await ask('UNAUTHENTICATE')
    expect(answer).toMatch(/^u\d+ OK/)
    expect(await ask('SELECT INBOX')).toContain('BAD')
  }
  expect(await ask('CAPABILITY')).toContain('AUTH=EXTERNAL')
  // In one flight.
  const flight = await ask('LOGIN bob@example.net secret\r\nx UNAUTHENTICATE\r\ny AUTHENTICATE EXTERNAL =')
  expect(flight + (await ask('NOOP'))).toMatch(/u\d+ OK [\s\S]*x OK [\s\S]*y OK [\s\S]*u\d+ OK/)
  expect(await ask('SELECT INBOX')).toContain('OK')
  socket.destroy()
})

test('UN-01: deleted messages stay', async () => {
  await server.deliver('bob@example.net', 'INBOX', 'Subject: x\n\nx\n', ['\\Deleted'])
  const imap = await loggedIn(server.port, 'bob@example.net')
  await imap.command('SELECT INBOX')
  await imap.command('UNAUTHENTICATE')
  await imap.command('LOGIN bob@example.net secret')
  expect(await imap.command('STATUS INBOX (MESSAGES)')).toContain('MESSAGES 1')
  imap.end()
})

test('UN-06: switched off, it is unknown', async () => {
  const without = await startImap({ unauthenticate: false })
  const imap = await loggedIn(without.port)
  expect(await imap.command('CAPABILITY')).not.toContain('UNAUTHENTICATE')
  expect(await imap.command('UNAUTHENTICATE')).toContain('BAD')
  expect(await imap.command('SELECT INBOX')).toContain('OK')
  imap.end()
  await without.close()
})
