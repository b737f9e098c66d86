/**
 * No answer waits for an acknowledgement of the one before: Nagle's algorithm is off on every connection, and what belongs
 * to one answer is one write. Writes are counted, not times: a client that delays its ACKs then has nothing to delay.
 */
import { Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { ImapClient } from '../support/imap-client.ts'
import { startImap, type TestImap } from '../support/imap-server.ts'
import { loggedIn, rawImap } from '../support/raw-imap.ts'

const user = 'alice@example.net'
let server: TestImap
beforeAll(async () => {
  server = await startImap()
  for (let i = 0; i < 60; i += 1) await server.deliver(user, 'INBOX', `Subject: ${i}\n\nx\n`)
})
afterEach(() => vi.restoreAllMocks())
afterAll(() => server.close())

const isServers = ({ localPort }: Socket): boolean =>
  localPort === server.port || localPort === server.tlsPort

/** Counts what the server hands over to the kernel on plain connections: each is one writev. */
function countWrites(): { taken(): number } {
  let writes = 0
  for (const name of ['_write', '_writev'] as const) {
    const real = Socket.prototype[name] as (this: Socket, ...args: unknown[]) => void
    vi.spyOn(Socket.prototype, name as '_write').mockImplementation(function (
      this: Socket,
      ...args: unknown[]
    ) {
      if (isServers(this)) writes += 1
      return real.apply(this, args)
    })
  }
  return {
    taken() {
      const taken = writes
      writes = 0
      return taken
    },
  }
}

test('Nagle is off on each connection, whatever lies on it', async () => {
  const real = Socket.prototype.setNoDelay
  const off = new Set<number | undefined>()
  vi.spyOn(Socket.prototype, 'setNoDelay').mockImplementation(function (this: Socket, on?: boolean) {
    if (isServers(this) && on !== false) off.add(this.remotePort)
    return real.call(this, on)
  })
  const plain = await rawImap(server.port)
  expect(off).toContain(plain.socket.localPort)
  plain.end()
  const before = off.size
  const secure = await ImapClient.connect(server.port)
  await secure.next()
  await secure.command('STARTTLS')
  await secure.startTls()
  await secure.command('NOOP')
  secure.end()
  const { connect } = await import('node:tls')
  const socket = connect({ port: server.tlsPort, host: '127.0.0.1', rejectUnauthorized: false })
  const implicit = await rawImap(server.tlsPort, socket)
  implicit.end()
  expect(off.size).toBe(before + 2)
})

test('one command, one write: SELECT, FETCH, STORE, a refusal', async () => {
  const imap = await loggedIn(server.port)
  const writes = countWrites()
  for (const line of [
    'SELECT INBOX',
    'FETCH 1:5 (FLAGS ENVELOPE)',
    'STORE 1:3 +FLAGS (\\Seen)',
    'FROB',
    'NOOP',
  ]) {
    await imap.command(line)
    expect(writes.taken(), line).toBe(1)
  }
  imap.end()
})

test('fifty small commands in one flight are answered in a few writes; each in a flight of its own, in one', async () => {
  const imap = await loggedIn(server.port)
  await imap.command('SELECT INBOX')
  const writes = countWrites()
  imap.send(Array.from({ length: 50 }, (_, i) => `p${i} NOOP\r\n`).join(''))
  await imap.until(/p49 OK.*\r\n/)
  expect(writes.taken()).toBeLessThanOrEqual(5)
  imap.send(Array.from({ length: 50 }, (_, i) => `q${i} UID FETCH ${i + 1} (FLAGS)\r\n`).join(''))
  await imap.until(/q49 OK.*\r\n/)
  expect(writes.taken()).toBeLessThanOrEqual(10)
  for (let i = 0; i < 20; i += 1) await imap.command('NOOP')
  expect(writes.taken()).toBe(20)
  imap.end()
})

test('IDLE and a synchronising literal: "+", news and answers each go out at once, as one write', async () => {
  const imap = await loggedIn(server.port)
  await imap.command('SELECT INBOX')
  const writes = countWrites()
  imap.send('i IDLE\r\n')
  await imap.until(/\+ .*\r\n/)
  expect(writes.taken()).toBe(1)
  await server.deliver(user, 'INBOX', 'Subject: y\n\n')
  await imap.until(/EXISTS\r\n/)
  expect(writes.taken()).toBe(1)
  imap.send('DONE\r\n')
  await imap.until(/i OK.*\r\n/)
  expect(writes.taken()).toBe(1)
  imap.send('a APPEND INBOX {14}\r\n')
  await imap.until(/\+ .*\r\n/)
  expect(writes.taken()).toBe(1)
  imap.send('Subject: z\r\n\r\n\r\n')
  await imap.until(/a OK.*\r\n/)
  expect(writes.taken()).toBe(1)
  imap.end()
})

test('compressed: one command, one write', async () => {
  const imap = await loggedIn(server.port)
  await imap.compress()
  const writes = countWrites()
  for (const line of ['SELECT INBOX', 'FETCH 1:5 (FLAGS)', 'NOOP']) {
    await imap.command(line)
    expect(writes.taken(), line).toBe(1)
  }
  imap.end()
})
