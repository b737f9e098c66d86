/** What no honest peer sends: each is answered in the protocol's own terms, and the same process goes on serving. */
import { connect } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readMm7Response } from '../../src/wire/mm7/response.ts'
import { configFile, type Served, serve, testConfig } from '../support/gateway.ts'
import { deliverReq, namespace, post, smtpClient } from '../support/peers.ts'

let served: Served
const perIp = 12
beforeAll(async () => {
  served = await serve(
    configFile(
      testConfig({
        limits: {
          messageOctets: 1_000_000,
          connectionsPerIp: perIp,
          mm7RequestSeconds: 2,
          smtpCommandSeconds: 2,
          smtpDataSeconds: 2,
          imapPreAuthSeconds: 2,
        },
      }),
    ),
  )
})

/** It is still the same process, and it still takes what honest peers send. */
let honest = 0
const stillServes = async (): Promise<void> => {
  expect(served.child.exitCode).toBeNull()
  const answer = await post(served.ready.mm7!, deliverReq({ transactionId: `honest-${honest++}` }))
  expect(answer.status).toBe(1000)
  const smtp = await smtpClient(served.ready.smtp!)
  expect(await smtp.send('x@example.org', ['alice@example.net'], 'Subject: ok\r\n\r\nok')).toMatch(/^250 2/)
  smtp.end()
}
afterAll(async () => {
  await stillServes()
  expect(served.err()).not.toMatch(/"level":50/)
  expect(await served.end()).toBe(0)
})

const portOf = (address: string): number => Number(/:(\d+)(?:\/|$)/.exec(address)![1])

/** Sends octets over a bare socket and returns all that comes back until the end, or until `until` fits. */
async function raw(
  address: string,
  pieces: readonly (string | Uint8Array)[],
  until?: RegExp,
  ms = 8000,
): Promise<{ text: string; ended: boolean; written: number }> {
  const socket = connect(portOf(address), '127.0.0.1')
  let text = ''
  let ended = false
  socket.on('error', () => {})
  const done = new Promise<void>((resolve) => {
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
      if (until?.test(text)) resolve()
    })
    socket.on('close', () => {
      ended = true
      resolve()
    })
    setTimeout(resolve, ms)
  })
  for (const piece of pieces) {
    if (socket.destroyed) break
    if (piece.length === 0 || socket.write(piece)) continue
    await new Promise<void>((resolve) => {
      socket.once('drain', () => resolve())
      socket.once('close', () => resolve())
    })
  }
  await done
  const written = socket.bytesWritten
  socket.destroy()
  return { text, ended, written }
}

const http = (body: string | Uint8Array, contentType: string, more = ''): (string | Uint8Array)[] => [
  `POST /mm7 HTTP/1.1\r\nHost: gw\r\nContent-Type: ${contentType}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n${more}\r\n`,
  body,
]
const bodyOf = (text: string): Buffer => Buffer.from(text.slice(text.indexOf('\r\n\r\n') + 4), 'latin1')
const envelope = (body: string, id = '1'): string =>
  `<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Header><TransactionID xmlns="${namespace}" e:mustUnderstand="1">${id}</TransactionID></e:Header><e:Body>${body}</e:Body></e:Envelope>`
const xml = 'text/xml; charset="utf-8"'

const deep = envelope(
  `<DeliverReq xmlns="${namespace}">${'<a>'.repeat(10_000)}${'</a>'.repeat(10_000)}</DeliverReq>`,
)
const bomb = `<!DOCTYPE x [<!ENTITY a "${'A'.repeat(1000)}"><!ENTITY b "&a;&a;&a;&a;">]>${envelope('<DeliverReq>&b;</DeliverReq>')}`

test.each<[string, string, string, RegExp, number | undefined]>([
  ['multipart without boundary', 'x', 'multipart/related; type="text/xml"', /^HTTP\/1\.1 (200|500)/, 4004],
  [
    'boundary never closed, nothing inside',
    '--b\r\nContent-Type: text/xml\r\n\r\n<e:Env',
    'multipart/related; boundary=b; type="text/xml"',
    /^HTTP\/1\.1 500/,
    undefined,
  ],
  ['SEC-020: XML with a DTD', bomb, xml, /^HTTP\/1\.1 500/, 4004],
  ['SEC-020: 10,000 levels', deep, xml, /^HTTP\/1\.1 500/, 4004],
  ['not well-formed', '<e:Envelope><e:Body></e:Envelope>', xml, /^HTTP\/1\.1 500/, undefined],
  ['no XML at all', '\0\x01\x02', xml, /^HTTP\/1\.1 500/, undefined],
  ['empty', '', xml, /^HTTP\/1\.1 500/, undefined],
  ['MM7-043: unknown operation', envelope(`<OptinReq xmlns="${namespace}"/>`), xml, /^HTTP\/1\.1 500/, 4003],
  [
    'no recipient',
    envelope(
      `<DeliverReq xmlns="${namespace}"><MM7Version>6.8.0</MM7Version><Sender><Number>+12025550123</Number></Sender></DeliverReq>`,
      'none',
    ),
    xml,
    /^HTTP\/1\.1 200/,
    2002,
  ],
])('MM7: %s', async (_, body, contentType, statusLine, status) => {
  const begun = performance.now()
  const { text } = await raw(served.ready.mm7!, http(body, contentType))
  expect(performance.now() - begun).toBeLessThan(2000)
  expect(text).toMatch(statusLine)
  const answer = readMm7Response(bodyOf(text))
  if (status !== undefined) expect(answer.statusCode).toBe(status)
  expect(text).not.toMatch(/node_modules|\.ts:\d/)
})

test('MM7-032: 64 MiB is refused by its announced length, before it is read', async () => {
  const head =
    'POST /mm7 HTTP/1.1\r\nHost: gw\r\nContent-Type: text/xml\r\nContent-Length: 67108864\r\nConnection: close\r\n\r\n'
  const piece = Buffer.alloc(65_536, 120)
  const { text, written } = await raw(
    served.ready.mm7!,
    [head, ...Array<Buffer>(1024).fill(piece)],
    /\r\n\r\n/,
  )
  expect(text === '' || /^HTTP\/1\.1 413/.test(text)).toBe(true)
  expect(written).toBeLessThan(32 * 1_048_576)
  // The same without an announced length.
  const chunk = Buffer.concat([Buffer.from('10000\r\n'), piece, Buffer.from('\r\n')])
  const chunked = await raw(
    served.ready.mm7!,
    [
      'POST /mm7 HTTP/1.1\r\nHost: gw\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n',
      ...Array<Buffer>(1024).fill(chunk),
    ],
    /\r\n\r\n/,
  )
  expect(chunked.text === '' || /^HTTP\/1\.1 413/.test(chunked.text)).toBe(true)
  expect(chunked.written).toBeLessThan(32 * 1_048_576)
})

test('MM7: malformed Authorization, unknown path, wrong method, broken HTTP', async () => {
  for (const value of [
    'Basic',
    'Basic ????',
    'Digest',
    'Digest username="\\',
    'Bearer x',
    `Basic ${'A'.repeat(9000)}`,
  ]) {
    const { text } = await raw(served.ready.mm7!, http(envelope('<x/>'), xml, `Authorization: ${value}\r\n`))
    expect(text).toMatch(/^HTTP\/1\.1 401/)
    expect(text).toMatch(/www-authenticate:/i)
  }
  expect((await raw(served.ready.mm7!, ['GET /../etc/passwd HTTP/1.0\r\n\r\n'])).text).toMatch(
    /^HTTP\/1\.1 404/,
  )
  expect((await raw(served.ready.mm7!, ['GET /mm7 HTTP/1.0\r\n\r\n'])).text).toMatch(/^HTTP\/1\.1 405/)
  expect((await raw(served.ready.mm7!, ['\x16\x03\x01\x02\x00\x01\r\n\r\n'])).text).toMatch(/^HTTP\/1\.1 400/)
  const long = `POST /mm7 HTTP/1.1\r\nHost: gw\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`
  expect((await raw(served.ready.mm7!, [long])).text).toMatch(/^HTTP\/1\.1 431/)
})

test('SEC-012: bare LF, bare CR and the forms of smuggling never end a message, and are refused', async () => {
  for (const form of ['\n.\r\n', '\n.\n', '\r.\r\n', '\r\n.\n', '\r\n.\r', '\r.\r', '\n\n.\r\n']) {
    const smuggled = `Subject: a\r\n\r\nhello${form}MAIL FROM:<evil@example.org>\r\nRCPT TO:<bob@example.net>\r\nDATA\r\nSubject: b\r\n\r\nevil`
    const smtp = await smtpClient(served.ready.smtp!)
    expect(await smtp.send('x@example.org', ['alice@example.net'], smuggled)).toMatch(/^5\d\d 5\.6\.0/)
    // Nothing of it was taken for a command: the next answer is to this one.
    expect(await smtp.command('NOOP')).toMatch(/^250 2\.0\.0/)
    smtp.end()
  }
  const { text } = await raw(
    served.ready.smtp!,
    ['EHLO x\nMAIL FROM:<a@example.org>\n', 'NOOP\r\nQUIT\r\n'],
    /221 /,
  )
  expect(text).toMatch(/\n500 5\.5\.2 [^\n]*\r\n/)
})

test('SMTP: lines of 1 MB, NUL, 8-bit, endless parameters; then too many errors end the connection', async () => {
  const smtp = await smtpClient(served.ready.smtp!)
  expect(await smtp.command(`MAIL FROM:<${'a'.repeat(1_000_000)}@example.org>`)).toMatch(/^500 5\.5\.2/)
  expect(await smtp.command('NOOP')).toMatch(/^250/)
  for (const line of [
    'MAIL FROM:<a\0b@example.org>',
    'MAIL FROM:<\xe4@example.org>',
    `MAIL FROM:<a@example.org> ${'X=1 '.repeat(800)}`,
    'MAIL FROM:<a@example.org> SIZE=99999999999999999999',
    'RCPT TO:<alice@example.net>',
    '\x01\x02\x03',
  ])
    expect(await smtp.command(line)).toMatch(/^5\d\d 5\./)
  let last = ''
  for (let i = 0; i < 40 && last !== `${''.padEnd(0)}end`; i++) {
    last = await smtp.command('BOGUS')
    if (last === '' || last.startsWith('421')) break
  }
  expect(last === '' || last.startsWith('421')).toBe(true)
  // Inside a message a long line is no fault of the protocol's, a message too long is.
  const other = await smtpClient(served.ready.smtp!)
  const tooLong = `Subject: x\r\n\r\n${'y'.repeat(1_200_000)}`
  expect(await other.send('x@example.org', ['alice@example.net'], tooLong)).toMatch(/^552 5\.3\.4/)
  expect(await other.command('NOOP')).toMatch(/^250/)
})

test('IMAP: literals of 2^63, 10,000 parentheses, 1 MB lines, NUL, bare LF: BAD or BYE, in every state', async () => {
  const login = 'a LOGIN alice@example.net secret\r\n'
  const parentheses = `${'('.repeat(10_000)}UID${')'.repeat(10_000)}`
  const attacks = [
    'x LOGIN {9223372036854775808}\r\n',
    'x LOGIN {9223372036854775808+}\r\n',
    'x LOGIN {99999999999999999999999999}\r\n',
    `x SEARCH ${'NOT '.repeat(10_000)}ALL\r\n`,
    `x SEARCH ${'('.repeat(10_000)}ALL${')'.repeat(10_000)}\r\n`,
    `x FETCH 1 ${parentheses}\r\n`,
    `x FETCH ${'1,'.repeat(30_000)}1 UID\r\n`,
    `x ${'y'.repeat(1_000_000)}\r\n`,
    'x NO\0OP\r\n',
    'x NOOP\n\ny CAPABILITY\r\r\n',
    '\r\n\r\n\r\n',
    '* OK I am the server\r\n',
    `x APPEND INBOX {18446744073709551615}\r\n`,
    'x FETCH 1:99999999999999 BODY[1.2.3.99999999999999999]<0.99999999999>\r\n',
    `x LIST "" "${'%'.repeat(5000)}x"\r\n`,
  ]
  for (const before of ['', login, `${login}b SELECT INBOX\r\n`])
    for (const attack of attacks) {
      const begun = performance.now()
      const { text } = await raw(
        served.ready.imap!,
        [before, attack, 'z LOGOUT\r\n'],
        /^(\* BYE|z (OK|BAD))[^\n]*\n/m,
        4000,
      )
      expect(performance.now() - begun, attack.slice(0, 40)).toBeLessThan(4000)
      expect(text, attack.slice(0, 40)).toMatch(/^(x|y|\*|z) (BAD|BYE|NO|OK)[^\n]*\n/m)
      expect(text).not.toMatch(/SERVERBUG|node_modules|\.ts:\d/)
    }
}, 60_000)

test('SEC-026: who says nothing, or a letter now and then, is sent away by each listener', async () => {
  const drip = async (address: string, first: string): Promise<boolean> => {
    const socket = connect(portOf(address), '127.0.0.1')
    socket.on('error', () => {})
    socket.resume()
    socket.write(first)
    const timer = setInterval(() => socket.write('x'), 700)
    const ended = await Promise.race([
      new Promise<true>((resolve) => socket.once('close', () => resolve(true))),
      new Promise<false>((resolve) => setTimeout(() => resolve(false), 7000)),
    ])
    clearInterval(timer)
    socket.destroy()
    return ended
  }
  const head = 'POST /mm7 HTTP/1.1\r\nHost: gw\r\nContent-Type: text/xml\r\nContent-Length: 100000\r\n'
  const silent = (address: string): Promise<boolean> => raw(address, [], undefined, 8000).then((r) => r.ended)
  expect(
    await Promise.all([
      drip(served.ready.mm7!, head),
      drip(served.ready.mm7!, `${head}\r\n`),
      drip(served.ready.smtp!, 'EHL'),
      drip(
        served.ready.smtp!,
        'EHLO x\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<alice@example.net>\r\nDATA\r\nS',
      ),
      silent(served.ready.smtp!),
      drip(served.ready.imap!, 'a LOG'),
      silent(served.ready.imap!),
    ]),
  ).toEqual([true, true, true, true, true, true, true])
}, 30_000)

test('connections beyond the limit of one address are turned away, and room is made again', async () => {
  for (const [address, refusal] of [
    [served.ready.smtp!, /^421 4\.7\.0/],
    [served.ready.imap!, /^\* BYE /],
    [served.ready.mm7!, /^$/],
  ] as const) {
    const sockets = Array.from({ length: perIp }, () => connect(portOf(address), '127.0.0.1'))
    await Promise.all(sockets.map((s) => new Promise((resolve) => s.once('connect', resolve))))
    await new Promise((resolve) => setTimeout(resolve, 200))
    const { text, ended } = await raw(address, [], undefined, 1500)
    expect(text).toMatch(refusal)
    expect(ended).toBe(true)
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  await stillServes()
})
