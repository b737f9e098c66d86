/** COMPRESS=DEFLATE on real connections (RFC 4978; CO-01 to CO-12). */
import { randomBytes } from 'node:crypto'
import { connect as connectTls } from 'node:tls'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startImap, type TestImap } from '../support/imap-server.ts'
import { loggedIn, rawImap } from '../support/raw-imap.ts'

let server: TestImap
beforeAll(async () => {
  server = await startImap({
    accounts: [
      { address: 'alice@example.net', password: 'secret' },
      { address: 'bob@example.net', password: 'secret' },
    ],
  })
  for (let i = 0; i < 200; i += 1)
    await server.deliver(
      'alice@example.net',
      'INBOX',
      `From: bob@example.org\nSubject: news ${i}\n\nText ${i}\n`,
    )
})
afterAll(() => server.close())

const compressed = async () => {
  const imap = await loggedIn(server.port)
  expect(await imap.compress()).toMatch(/^zip OK DEFLATE active\r\n$/)
  return imap
}
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

test('CO-01: OK in the clear, raw deflate behind it; the list of a mailbox in a quarter of its octets', async () => {
  const plain = await loggedIn(server.port)
  const imap = await compressed()
  expect(await imap.command('CAPABILITY')).not.toContain('COMPRESS=DEFLATE')
  expect(await plain.command('CAPABILITY')).toContain('COMPRESS=DEFLATE')
  const lists: string[] = []
  const octets: number[] = []
  for (const each of [plain, imap]) {
    await each.command('EXAMINE INBOX')
    const before = each.received
    lists.push((await each.command('FETCH 1:* (UID FLAGS ENVELOPE)')).replace(/t\d+ OK.*/, ''))
    octets.push(each.received - before)
    each.end()
  }
  expect(lists[1]).toBe(lists[0])
  expect(octets[1]! / octets[0]!).toBeLessThan(0.25)
})

test('CO-02, CO-08: other mechanisms, twice, before login, STARTTLS behind it: all BAD, and the session goes on', async () => {
  const early = await rawImap(server.port)
  expect(await early.command('CAPABILITY')).not.toContain('COMPRESS')
  expect(await early.command('COMPRESS DEFLATE')).toContain('BAD')
  early.end()
  const imap = await loggedIn(server.port)
  for (const wrong of ['COMPRESS FROB', 'COMPRESS', 'COMPRESS DEFLATE x', 'COMPRESS "DEFLATE"'])
    expect(await imap.command(wrong)).toContain('BAD')
  await imap.compress()
  expect(await imap.command('COMPRESS DEFLATE')).toContain('BAD')
  expect(await imap.command('STARTTLS')).toContain('BAD')
  expect(await imap.command('NOOP')).toContain('OK')
  imap.end()
})

test('CO-03: inside TLS', async () => {
  const tls = connectTls({ port: server.tlsPort, host: '127.0.0.1', rejectUnauthorized: false })
  const imap = await rawImap(server.tlsPort, tls)
  await imap.command('LOGIN alice@example.net secret')
  await imap.compress()
  expect(await imap.command('STATUS INBOX (MESSAGES)')).toContain('MESSAGES 200')
  imap.end()
})

test('CO-04, CO-11: IDLE tells at once; literals of any kind go up and down unchanged', async () => {
  const imap = await compressed()
  await imap.command('CREATE Big')
  const body = randomBytes(150_000).toString('base64').replace(/.{76}/g, '$&\r\n')
  const message = `From: a@example.org\r\nSubject: big\r\n\r\n${body}\r\n`
  imap.send(`a APPEND Big {${message.length}}\r\n`)
  await imap.until(/\+ .*\r\n/)
  imap.send(`${message}\r\n`)
  expect(await imap.until(/a OK.*\r\n/)).toContain('APPENDUID')
  expect(await imap.command(`APPEND Big {${message.length}+}\r\n${message}`)).toContain('APPENDUID')
  await imap.command('SELECT Big')
  expect(await imap.command('FETCH 2 BODY.PEEK[]')).toContain(`{${message.length}}\r\n${message})`)
  imap.send('i IDLE\r\n')
  await imap.until(/\+ .*\r\n/)
  for (let i = 3; i <= 5; i += 1) {
    const told = imap.until(new RegExp(`\\* ${i} EXISTS\\r\\n`))
    await server.deliver('alice@example.net', 'Big', 'Subject: x\n\nx\n')
    await told
    // The layer goes to rest in between.
    if (i === 4) await sleep(2300)
  }
  imap.send('DONE\r\n')
  expect(await imap.until(/i OK.*\r\n/)).toContain('OK')
  expect(await imap.command('FETCH 1 BODY.PEEK[]')).toContain(message)
  imap.end()
})

test('CO-05, CO-06: what is no deflate stream closes this connection and touches no other', async () => {
  const other = await compressed()
  for (const junk of ['zip COMPRESS DEFLATE\r\nb NOOP\r\nc NOOP\r\n', '\x07\xff\xff\xff']) {
    const imap = await loggedIn(server.port)
    if (!junk.startsWith('zip')) await imap.compress()
    imap.socket.write(Buffer.from(junk, 'latin1'))
    expect(await imap.closed()).not.toMatch(/[bc] OK/)
  }
  // Cut off in the middle of a block.
  const half = await compressed()
  half.socket.end(deflateRawSync(Buffer.from('a NOOP\r\n'.repeat(100))).subarray(0, 10))
  await half.closed()
  expect(await other.command('NOOP')).toContain('OK')
  other.end()
})

test('CO-07, SC-34: limits count inflated octets; a bomb of 256 MiB costs no memory', async () => {
  const imap = await compressed()
  imap.send(`a SEARCH SUBJECT "${'x'.repeat(1_000_000)}"\r\nb NOOP\r\n`)
  expect(await imap.until(/b OK.*\r\n/)).toMatch(/^a BAD/)
  expect(await imap.command('APPEND INBOX {4000000000}')).toContain('NO [TOOBIG]')
  const bomb = deflateRawSync(Buffer.alloc(64 << 20, 'x'), { level: 9, finishFlush: constants.Z_SYNC_FLUSH })
  const before = liveOctets()
  const raw = await loggedIn(server.port)
  raw.socket.write('zip COMPRESS DEFLATE\r\n')
  await raw.until(/zip OK.*\r\n/)
  for (let i = 0; i < 4; i += 1) raw.socket.write(bomb)
  await sleep(500)
  // Garbage of other work may be among it: the least of some looks.
  let held = liveOctets() - before
  for (let i = 0; i < 20 && held >= 16 << 20; i += 1) {
    await sleep(100)
    held = Math.min(held, liveOctets() - before)
  }
  expect(held).toBeLessThan(16 << 20)
  raw.end()
  expect(await imap.command('NOOP')).toContain('OK')
  imap.end()
})

test('CO-10, UN-03, UN-04: UNAUTHENTICATE ends it both ways; the next user may begin it again', async () => {
  const imap = await loggedIn(server.port)
  for (const [user, stream] of [
    ['bob', constants.Z_SYNC_FLUSH],
    ['alice', constants.Z_FINISH],
    ['bob', constants.Z_SYNC_FLUSH],
  ] as const) {
    imap.send('a COMPRESS DEFLATE\r\n')
    await imap.until(/a OK.*\r\n/)
    const chunks: Buffer[] = []
    const take = (chunk: Buffer): void => {
      chunks.push(chunk)
    }
    imap.socket.prependListener('data', take)
    const last = deflateRawSync(Buffer.from('b UNAUTHENTICATE\r\n'), { finishFlush: stream })
    // Clear octets may follow at once where the stream was ended.
    const login = Buffer.from(`c LOGIN ${user}@example.net secret\r\n`)
    imap.socket.write(stream === constants.Z_FINISH ? Buffer.concat([last, login]) : last)
    for (let i = 0; i < 100 && chunks.length === 0; i += 1) await sleep(5)
    const answer = Buffer.from('b OK UNAUTHENTICATE completed\r\n')
    const wire = deflateRawSync(answer, { finishFlush: constants.Z_SYNC_FLUSH })
    expect(
      inflateRawSync(Buffer.concat(chunks).subarray(0, wire.length), {
        finishFlush: constants.Z_SYNC_FLUSH,
      }).toString(),
    ).toBe(answer.toString())
    imap.socket.off('data', take)
    if (stream !== constants.Z_FINISH) imap.socket.write(login)
    expect(await imap.until(/c OK.*\r\n/)).toContain('COMPRESS=DEFLATE')
    expect(await imap.command('STATUS INBOX (MESSAGES)')).toContain(
      user === 'alice' ? 'MESSAGES 200' : 'MESSAGES 0',
    )
  }
  imap.end()
})

/** What is alive, zlib's own memory included. */
function liveOctets(): number {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as () => void
  for (let i = 0; i < 3; i += 1) gc()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

test('CO-04: an idle compressed connection holds little more than a plain one', async () => {
  const open = async (compress: boolean) => {
    const all = []
    const before = liveOctets()
    for (let i = 0; i < 30; i += 1) {
      const imap = await loggedIn(server.port)
      all.push(imap)
      const commands = 'b EXAMINE INBOX\r\nc FETCH 1:10 (UID FLAGS ENVELOPE)\r\n'
      // Without the test's own (de)compressors, which live in this process, too.
      imap.send(compress ? 'a COMPRESS DEFLATE\r\n' : 'a NOOP\r\n')
      await imap.until(/a OK.*\r\n/)
      imap.send(
        compress ? deflateRawSync(Buffer.from(commands), { finishFlush: constants.Z_SYNC_FLUSH }) : commands,
      )
      if (compress) await sleep(2)
      else await imap.until(/c OK.*\r\n/)
    }
    await sleep(2500)
    for (const imap of all) imap.taken()
    const each = (liveOctets() - before) / 30
    for (const imap of all) imap.end()
    await sleep(200)
    return each
  }
  await open(true)
  const plain = await open(false)
  // What else lives in the process for a moment only ever adds: the least of a few is what a connection holds.
  let more = Number.POSITIVE_INFINITY
  for (let i = 0; i < 3 && more >= 8192; i += 1) more = Math.min(more, (await open(true)) - plain)
  console.log(
    `live octets of an idle connection: plain ${Math.round(plain)}, compressed ${Math.round(more)} more`,
  )
  expect(more).toBeLessThan(8192)
})

test('CO-12: a token shares no dictionary with what else goes out', async () => {
  const imap = await compressed()
  const url = 'imap://alice%40example.net@mail.example.net/INBOX/;UID=1;URLAUTH=user+alice%40example.net'
  const sizes: number[] = []
  const token = /:internal:([0-9a-f]+)/.exec(await imap.command(`GENURLAUTH "${url}" INTERNAL`))![1]!
  // The same length of the answer whether the token was seen just before or not.
  for (const word of [token, token.replace(/./g, 'z'), token]) {
    await imap.command(`STATUS "${word}" (MESSAGES)`)
    await imap.command(`LIST "" "${word}"`)
    const before = imap.received
    imap.send(`g GENURLAUTH "${url}" INTERNAL\r\n`)
    await imap.until(/g OK.*\r\n/)
    sizes.push(imap.received - before)
  }
  expect(new Set(sizes).size).toBe(1)
  imap.end()
})
