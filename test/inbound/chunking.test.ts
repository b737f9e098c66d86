/** BDAT, 8BITMIME and BINARYMIME (RFC 3030, RFC 6152; lemonade.md 5.3), over real sockets and the real store. */
import fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import { decodeBody, scanMessage } from '../../src/wire/mime/scan.ts'
import { SmtpFraming } from '../../src/wire/smtp/framing.ts'
import type { LoggedGateway } from '../support/gateway.ts'
import { eventually, inbox, mailSink, type TakenMail } from '../support/peers.ts'
import { code, plain, type SubmitClient, submissionGateway, submitClient } from '../support/submission.ts'

const alice = 'alice@example.net'
let gateway: LoggedGateway
let taken: readonly TakenMail[]
let sevenBit: readonly TakenMail[]

beforeAll(async () => {
  const old = await mailSink(undefined, ['DSN', 'SIZE 0'])
  const made = await submissionGateway({
    limits: { messageOctets: 100_000 },
    peers: { old: { interface: 'smtp', host: '127.0.0.1', port: old.port } },
    routes: [
      { match: 'domain:example.net', to: 'store' },
      { match: 'domain:old.example', to: 'smtp:old' },
      { match: 'domain:*', to: 'smtp:relay' },
    ],
  })
  gateway = made.gateway
  taken = made.taken
  sevenBit = old.taken
})

const loggedIn = (): Promise<SubmitClient> => submitClient(gateway, { user: alice })
const open = async (client: SubmitClient, params = '', to = 'bob@example.org'): Promise<void> => {
  expect(await client.codes(`MAIL FROM:<${alice}>${params}`, `RCPT TO:<${to}>`)).toEqual([
    '250 2.1.0',
    '250 2.1.5',
  ])
}
const chunk = (octets: string, last = false): Buffer =>
  Buffer.from(`BDAT ${octets.length}${last ? ' LAST' : ''}\r\n${octets}`, 'latin1')
const header = (subject: string): string => `From: ${alice}\r\nSubject: ${subject}\r\n`
const relayed = (subject: string, among = taken): Promise<TakenMail> =>
  eventually(() => among.find((mail) => mail.data.includes(`Subject: ${subject}\r\n`)))
const queued = async (): Promise<number> =>
  (await gateway.operations.queue({ all: true, limit: 1000 })).length

test('BD-01, BD-07: values of BODY; BINARYMIME is told with CHUNKING', async () => {
  const client = await loggedIn()
  const ehlo = await client.command('EHLO x')
  for (const keyword of ['8BITMIME', 'CHUNKING', 'BINARYMIME'])
    expect(ehlo).toMatch(new RegExp(`^250.${keyword}\\r?$`, 'm'))
  const tried = async (params: string): Promise<string> => {
    const [answer = ''] = await client.codes(`MAIL FROM:<${alice}> ${params}`)
    await client.command('RSET')
    return answer
  }
  for (const good of ['7BIT', '8BITMIME', 'BINARYMIME', 'binarymime'])
    expect(await tried(`BODY=${good}`)).toBe('250 2.1.0')
  for (const bad of ['BODY=BINARY', 'BODY=', 'BODY', 'BODY=7BIT BODY=7BIT'])
    expect(await tried(bad)).toBe('501 5.5.4')
})

test('BD-02, BD-03, BD-15, SU-16: chunks with no structure, no dots removed, no 354', async () => {
  const client = await loggedIn()
  await open(client)
  expect(await client.repliesTo(1, chunk(`${header('chunks')}\r\n..`))).toEqual([
    `250 2.0.0 ${header('chunks').length + 4} octets`,
  ])
  expect((await client.repliesTo(1, chunk('dots\r\n.\r'))).map(code)).toEqual(['250 2.0.0'])
  expect((await client.repliesTo(1, chunk('\nQUIT\r\n'))).map(code)).toEqual(['250 2.0.0'])
  expect((await client.repliesTo(1, chunk('', true))).map(code)).toEqual(['250 2.6.0'])
  const { data } = await relayed('chunks')
  expect(data.slice(data.indexOf('\r\n\r\n'))).toBe('\r\n\r\n..dots\r\n.\r\nQUIT\r\n')
})

test('BD-14: DATA goes on working, for 8-bit text too', async () => {
  const client = await loggedIn()
  const message = Buffer.from(`${header('by data')}Content-Transfer-Encoding: 8bit\r\n\r\ncaf\xe9`, 'latin1')
  expect(await client.send(alice, ['bob@example.org'], message, ' BODY=8BITMIME')).toMatch(/^250/)
  const mail = await relayed('by data')
  expect(mail.data).toContain('\r\n\r\ncaf\xe9\r\n')
  expect(mail.mailFrom).toMatch(/BODY=8BITMIME/)
})

test('BD-04, BD-05, BD-06, BD-16: refused octets are read, and never commands; the transaction is dead until RSET', async () => {
  const client = await loggedIn()
  const evil = `QUIT\r\nMAIL FROM:<${alice}>\r\n`
  // No MAIL; no RCPT.
  expect(
    (await client.repliesTo(2, Buffer.concat([chunk(evil), Buffer.from('NOOP\r\n')]))).map(code),
  ).toEqual(['503 5.5.1', '250 2.0.0'])
  await client.command(`MAIL FROM:<${alice}>`)
  expect((await client.repliesTo(1, chunk(evil, true))).map(code)).toEqual(['554 5.5.1'])
  // Too large: read to its end all the same.
  await open(client)
  const large = Buffer.concat([Buffer.from('BDAT 150000\r\n'), Buffer.alloc(150_000, 'RSET\r\n')])
  const group = Buffer.concat([large, chunk(evil), chunk(evil, true), Buffer.from('NOOP\r\n')])
  expect((await client.repliesTo(4, group)).map(code)).toEqual([
    '552 5.3.4',
    '503 5.5.1',
    '503 5.5.1',
    '250 2.0.0',
  ])
  // After LAST; DATA after BDAT; MAIL and RCPT while it is dead.
  await open(client)
  expect(
    (await client.repliesTo(2, Buffer.concat([chunk(`${header('early')}\r\n`, true), chunk(evil)]))).map(
      code,
    ),
  ).toEqual(['250 2.6.0', '503 5.5.1'])
  await open(client)
  await client.repliesTo(1, chunk('x'))
  expect(await client.codes('DATA', 'RCPT TO:<c@example.org>', 'BDAT 1 FIRST\r\ny')).toEqual([
    '503 5.5.1',
    '503 5.5.1',
    '501 5.5.4',
  ])
  expect((await client.repliesTo(1, '')).map(code)).toEqual(['500 5.5.1'])
  expect(await client.codes('DATA', `MAIL FROM:<${alice}>`, 'RSET', `MAIL FROM:<${alice}>`)).toEqual([
    '503 5.5.1',
    '503 5.5.1',
    '250 2.0.0',
    '250 2.1.0',
  ])
})

test('BD-06, OR-04: DATA cannot carry what is binary', async () => {
  const client = await loggedIn()
  await open(client, ' BODY=BINARYMIME')
  expect(await client.codes('DATA', 'RSET')).toEqual(['503 5.5.1', '250 2.0.0'])
})

test('BD-08, BD-16: a size that is none ends the connection: nothing behind it is a command', async () => {
  for (const [line, answer] of [
    ['BDAT', '501 5.5.4'],
    ['BDAT -1', '501 5.5.4'],
    ['BDAT 0x10', '501 5.5.4'],
    ['BDAT LAST', '501 5.5.4'],
    ['BDAT 1.5', '501 5.5.4'],
    ['BDAT 999999999999999999999', '501 5.5.4'],
    ['BDAT 99999999999999999999', '552 5.3.4'],
  ] as const) {
    const client = await loggedIn()
    await open(client)
    client.write(`${line}\r\nNOOP\r\n`)
    expect([line, code(await client.reply()), await client.reply()]).toEqual([line, answer, ''])
  }
})

test('BD-16: a huge size is skipped, and ends with the connection', async () => {
  const client = await loggedIn()
  await open(client)
  client.write('BDAT 99999999999\r\n')
  const block = Buffer.alloc(1_000_000, 'QUIT\r\n')
  for (let i = 0; i < 40; i++)
    if (!client.socket.write(block))
      await new Promise<void>((resolve) => client.socket.once('drain', () => resolve()))
  client.end()
  const other = await loggedIn()
  expect(await other.codes('NOOP')).toEqual(['250 2.0.0'])
})

test('BD-16: what is skipped takes no memory', () => {
  const framing = new SmtpFraming({ lineOctets: 100, messageOctets: 1000 })
  framing.expectChunk(99_999_999_999, false)
  const before = process.memoryUsage().arrayBuffers
  for (let i = 0; i < 400; i++) {
    framing.push(Buffer.alloc(1_000_000, 'QUIT\r\n'))
    expect(framing.next()).toBeUndefined()
  }
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(200_000_000)
})

test('BD-09, OR-06: RSET, EHLO or the end of the connection drops the chunks', async () => {
  const count = await queued()
  const client = await loggedIn()
  for (const drop of ['RSET', 'EHLO again']) {
    await open(client)
    await client.repliesTo(1, chunk(header('dropped')))
    await client.command(drop)
    expect((await client.repliesTo(1, chunk('', true))).map(code)).toEqual(['503 5.5.1'])
  }
  await open(client)
  await client.repliesTo(1, chunk(header('dropped')))
  client.write('BDAT 100\r\nhalf of it')
  client.end()
  expect(await queued()).toBe(count)
})

test('BD-10: the sum of the chunks is what counts', async () => {
  const client = await loggedIn()
  await open(client, ' SIZE=10')
  const part = 'x'.repeat(40_000)
  const replies = await client.repliesTo(
    4,
    Buffer.concat([chunk(part), chunk(part), chunk(part), chunk(part, true)]),
  )
  expect(replies.map(code)).toEqual(['250 2.0.0', '250 2.0.0', '552 5.3.4', '503 5.5.1'])
  await open(client)
  expect(
    (
      await client.repliesTo(
        1,
        chunk(`${header('exact')}\r\n${'y'.repeat(100_000 - header('exact').length - 2)}`, true),
      )
    ).map(code),
  ).toEqual(['250 2.6.0'])
})

test('a hundred thousand chunks of one octet are one message', async () => {
  const client = await loggedIn()
  await open(client)
  const text = `${header('crumbs')}\r\n${'z'.repeat(20_000)}\r\n`
  client.write(Buffer.concat([...[...text].map((c) => chunk(c)), chunk('', true)]))
  for (let i = 0; i < text.length; i++) expect(code(await client.reply())).toBe('250 2.0.0')
  expect(code(await client.reply())).toBe('250 2.6.0')
  expect((await relayed('crumbs')).data).toContain(`\r\n\r\n${'z'.repeat(20_000)}\r\n`)
})

test('AU-17: a pipelined AUTH that fails: 530 for each, and octets of BDAT are never commands', async () => {
  const client = await submitClient(gateway)
  const evil = `AUTH PLAIN ${plain(alice)}\r\nQUIT\r\n`
  const group = Buffer.concat([
    Buffer.from(`AUTH PLAIN ${plain(alice, 'no')}\r\nMAIL FROM:<${alice}>\r\nRCPT TO:<bob@example.org>\r\n`),
    chunk(evil),
    chunk(evil, true),
    Buffer.from('NOOP\r\n'),
  ])
  expect((await client.repliesTo(6, group)).map(code)).toEqual([
    '535 5.7.8',
    '530 5.7.0',
    '530 5.7.0',
    '530 5.7.0',
    '530 5.7.0',
    '250 2.0.0',
  ])
  expect(await client.codes(`MAIL FROM:<${alice}>`)).toEqual(['530 5.7.0'])
})

const binaryMessage = (subject: string, body: string): string =>
  `${header(subject)}MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: binary\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\ncaf\xc3\xa9\r\n--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n${body}\r\n--b--\r\n`
const everyOctet = Buffer.from(Array.from({ length: 256 }, (_, i) => i)).toString('latin1')

test('BD-11, BD-12, SC-13, SC-14, LP-43: all bits of binary content arrive, whatever the next hop takes', async () => {
  const body = `${everyOctet}\n.\n\r.\r\n.\r\nMAIL FROM:<evil@example.org>\r\n${everyOctet}`
  const client = await loggedIn()
  for (const to of ['bob@example.org', 'bob@old.example', 'bob@example.net']) {
    await open(client, ' BODY=BINARYMIME', to)
    expect(
      (await client.repliesTo(1, chunk(binaryMessage(`binary to ${to}`, body), true))).map(code),
    ).toEqual(['250 2.6.0'])
  }
  const modern = await relayed('binary to bob@example.org')
  const old = await relayed('binary to bob@old.example', sevenBit)
  const [stored] = await eventually(async () => {
    const found = await inbox(gateway, 'bob@example.net')
    return found.length > 0 && found
  })
  for (const octets of [Buffer.from(modern.data, 'latin1'), Buffer.from(old.data, 'latin1'), stored!]) {
    const root = scanMessage(octets)
    expect(Buffer.from(decodeBody(octets, root.parts[1]!)).toString('latin1')).toBe(body)
    expect(Buffer.from(decodeBody(octets, root.parts[0]!)).toString()).toBe('café')
  }
  expect(modern.mailFrom).toMatch(/BODY=8BITMIME/)
  expect(modern.data).toMatch(/Content-Transfer-Encoding: 8bit\r\n\r\ncaf\xc3\xa9/)
  expect(old.mailFrom).not.toMatch(/BODY/)
  expect(old.data).toMatch(/^[\x00-\x7f]*$/)
  expect(taken.filter((mail) => mail.mailFrom.includes('evil'))).toEqual([])
})

test('BD-11, BD-12: what must not be changed for a hop comes back as 5.6.3', async () => {
  const client = await loggedIn()
  await open(client, ' BODY=8BITMIME', 'bob@old.example')
  const signed = `${header('signed')}Content-Type: multipart/signed; boundary=s\r\n\r\n--s\r\nContent-Transfer-Encoding: 8bit\r\n\r\ncaf\xe9\r\n--s--\r\n`
  expect((await client.repliesTo(1, chunk(signed, true))).map(code)).toEqual(['250 2.6.0'])
  const report = await eventually(async () =>
    (await inbox(gateway, alice)).find((mail) => mail.includes('5.6.3')),
  )
  expect(report.toString()).toMatch(
    /Final-Recipient: rfc822; bob@old\.example\r\nAction: failed\r\nStatus: 5\.6\.3/,
  )
})

test('BD-13: content that says it is binary is taken without BODY=BINARYMIME', async () => {
  const client = await loggedIn()
  await open(client)
  expect((await client.repliesTo(1, chunk(binaryMessage('not said', 'a\0b'), true))).map(code)).toEqual([
    '250 2.6.0',
  ])
  expect((await relayed('not said')).data).toContain(Buffer.from('a\0b').toString('base64'))
})

test('SC-13: a header with a bare LF, CR or NUL is refused: no encoding would mend it', async () => {
  for (const odd of ['\n', '\r', '\0']) {
    const client = await loggedIn()
    await open(client, ' BODY=BINARYMIME')
    expect(
      (await client.repliesTo(1, chunk(`${header('odd')}X: a${odd}b\r\n\r\nx`, true))).map(code),
    ).toEqual(['554 5.6.0'])
  }
})

test('SC-38: a chunk that does not come is not waited for', async () => {
  const { gateway: quick } = await submissionGateway({ limits: { smtpDataSeconds: 1 } })
  const client = await submitClient(quick, { user: alice })
  await open(client)
  client.write('BDAT 1000\r\nx')
  expect(code(await client.reply())).toBe('421 4.4.2')
})

test('law: chunks are cut off by their size alone, however the octets come', () => {
  const piece = fc.uint8Array({ maxLength: 40 })
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 6 }),
      fc.array(fc.nat(400), { maxLength: 8 }),
      (pieces, cuts) => {
        const script = Buffer.concat(
          pieces.map((p) => Buffer.concat([Buffer.from(`BDAT ${p.length}\r\n`), p])),
        )
        const framing = new SmtpFraming({ lineOctets: 100, messageOctets: 1000 })
        const found: string[] = []
        const read = (): void => {
          for (let input = framing.next(); input; input = framing.next()) {
            if (input.kind === 'chunk') found.push(Buffer.concat(input.octets).toString('latin1'))
            else if (input.kind === 'command') framing.expectChunk(Number(input.line.slice(5)), true)
            else throw new Error(input.kind)
          }
        }
        let from = 0
        for (const to of [
          ...cuts.map((cut) => Math.min(cut, script.length)).sort((a, b) => a - b),
          script.length,
        ]) {
          framing.push(script.subarray(from, to))
          from = to
          read()
        }
        expect(found).toEqual(pieces.map((p) => Buffer.from(p).toString('latin1')))
      },
    ),
  )
})
