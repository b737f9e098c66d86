/** The rules of submission itself, over real sockets and the real store (RFC 6409, RFC 5321; lemonade.md 5.1, 5.6, 5.10). */
import { beforeAll, expect, test } from 'vitest'
import type { LoggedGateway } from '../support/gateway.ts'
import { eventually, inbox, type TakenMail } from '../support/peers.ts'
import { code, plain, type SubmitClient, submissionGateway, submitClient } from '../support/submission.ts'

const alice = 'alice@example.net'
let gateway: LoggedGateway
let taken: readonly TakenMail[]

beforeAll(async () => {
  const made = await submissionGateway({
    aliases: { sales: alice, handset: '+12025550123' },
    gateway: { host: 'mail.example.net', mmsDomain: 'mms.example.net' },
    submission: { senders: { [alice]: ['shop@example.org', '*@alice.example'] } },
    limits: { recipients: 102, messageOctets: 200_000 },
  })
  gateway = made.gateway
  taken = made.taken
})

const loggedIn = (): Promise<SubmitClient> => submitClient(gateway, { user: alice })
const relayed = (subject: string): Promise<TakenMail> =>
  eventually(() => taken.find((mail) => mail.data.includes(`Subject: ${subject}\r\n`)))

/** The reply to a message sent by DATA. */
async function sent(
  client: SubmitClient,
  message: string,
  to = 'bob@example.org',
  from = alice,
): Promise<string> {
  return client.send(from, [to], message)
}

test('SU-01, SU-02, LP-29: EHLO names us first, one keyword a line; said again it drops the transaction', async () => {
  const client = await loggedIn()
  const lines = (await client.command('EHLO phone.example.org')).split('\r\n')
  expect(lines[0]).toBe('250-mail.example.net')
  expect(lines.slice(0, -1).every((line) => /^250-[^ ]/.test(line))).toBe(true)
  expect(lines.at(-1)).toMatch(/^250 \S/)
  const keywords = lines.slice(1).map((line) => line.slice(4).split(' ')[0])
  for (const keyword of ['PIPELINING', 'SIZE', '8BITMIME', 'ENHANCEDSTATUSCODES', 'DSN', 'DELIVERBY'])
    expect(keywords).toContain(keyword)
  expect(
    await client.codes(`MAIL FROM:<${alice}>`, 'EHLO again.example.org', `MAIL FROM:<${alice}>`),
  ).toEqual(['250 2.1.0', '250', '250 2.1.0'])
})

test('SU-03, SU-06, SU-07, PL-04: commands out of order', async () => {
  const client = await submitClient(gateway, { ehlo: false })
  expect(await client.codes('MAIL FROM:<a@b.example>', 'AUTH PLAIN x')).toEqual(['530 5.7.0', '503 5.5.1'])
  await client.command('EHLO phone.example.org')
  await client.command(`AUTH PLAIN ${plain(alice)}`)
  expect(
    await client.codes(
      'RCPT TO:<bob@example.org>',
      'DATA',
      `MAIL FROM:<${alice}>`,
      `MAIL FROM:<${alice}>`,
      'DATA',
      'RCPT TO:<bob@example.org>',
      'DATA x',
    ),
  ).toEqual(['503 5.5.1', '503 5.5.1', '250 2.1.0', '503 5.5.1', '554 5.5.1', '250 2.1.5', '501 5.5.4'])
})

test('SU-03: MAIL before EHLO is out of order for a user, too', async () => {
  const client = await submitClient(gateway, { tls: true, user: alice })
  // After the handshake nothing was greeted (RFC 3207 §4.2).
  const other = await submitClient(gateway)
  await other.startTls()
  expect(await other.codes(`AUTH PLAIN ${plain(alice)}`)).toEqual(['503 5.5.1'])
  expect(await client.codes('RSET')).toEqual(['250 2.0.0'])
})

test('SU-04, SU-27, AU-11: nothing is done before AUTH but what leads to it', async () => {
  const client = await submitClient(gateway, { ehlo: false })
  expect(
    await client.codes('HELO phone', `MAIL FROM:<${alice}>`, 'RCPT TO:<b@example.org>', 'DATA', 'VRFY bob'),
  ).toEqual(['250', '530 5.7.0', '530 5.7.0', '530 5.7.0', '530 5.7.0'])
  expect(await client.codes('EHLO phone', 'NOOP', 'RSET', 'EXPN x', 'AUTH NONE', 'QUIT')).toEqual([
    '250',
    '250 2.0.0',
    '250 2.0.0',
    '530 5.7.0',
    '504 5.5.4',
    '221 2.0.0',
  ])
})

test('SU-05, SU-10: a user sends as its address, its aliases, what the operator adds, and the null path', async () => {
  const client = await loggedIn()
  const tried = async (path: string): Promise<string> => {
    const [answer = ''] = await client.codes(`MAIL FROM:<${path}>`)
    await client.command('RSET')
    return answer
  }
  for (const own of [
    '',
    alice,
    'Alice@EXAMPLE.net',
    'sales@mms.example.net',
    'shop@example.org',
    'x@alice.example',
  ])
    expect([own, await tried(own)]).toEqual([own, '250 2.1.0'])
  for (const other of [
    'bob@example.net',
    'ceo@example.net',
    'handset@mms.example.net',
    'x@example.org',
    'alice@example.org',
  ])
    expect([other, await tried(other)]).toEqual([other, '550 5.7.1'])
})

test('SU-08, SU-09, SC-15: unqualified domains, and paths that are none', async () => {
  const client = await loggedIn()
  expect(
    await client.codes('MAIL FROM:<bob@sales>', 'MAIL FROM:<bob>', 'MAIL FROM:<a b@example.net>'),
  ).toEqual(['554 5.1.2', '501 5.1.7', '501 5.1.7'])
  await client.command(`MAIL FROM:<${alice}>`)
  for (const [path, answer] of [
    ['bob@sales', '554 5.1.2'],
    ['bob@', '501 5.1.3'],
    ['@example.org', '501 5.1.3'],
    ['b..b@example.org', '501 5.1.3'],
    ['b b@example.org', '501 5.1.3'],
    ['"b\\\\"@example.org', '250 2.1.5'],
    ['@relay.example:bob@example.org', '250 2.1.5'],
    ['bob@[192.0.2.1]', '250 2.1.5'],
    ['', '501 5.1.3'],
  ])
    expect([path, ...(await client.codes(`RCPT TO:<${path}>`))]).toEqual([path, answer])
  expect(await client.codes('RCPT TO:bob@example.org', 'RCPT TO:<bob@example.org')).toEqual([
    '501 5.5.4',
    '501 5.5.4',
  ])
})

test('SU-12, SU-13, SU-16, OR-08: Message-ID and Date are added, Bcc goes, Received says how; all else stays', async () => {
  const client = await submitClient(gateway, { tls: true, user: alice })
  const body = '..two dots\r\n.one\r\n  blanks \r\n'
  const header = 'Subject: bare\r\nFROM: Alice <alice@example.net>\r\nX-Odd:  kept\t as it is\r\n'
  const bcc = 'bCC: carol@example.org,\r\n dave@example.org\r\n'
  const stuffed = (text: string): string => text.replace(/^\./gm, '..')
  expect(
    await sent(client, stuffed(`${header}${bcc}To: bob@example.org\r\n\r\n${body}`).replace(/\r\n$/, '')),
  ).toMatch(/^250 2\.6\.0/)
  const { data } = await relayed('bare')
  expect(data).toMatch(
    /^Received: from phone\.example\.org .*\r\n(?:\s.*\r\n)*Message-ID: <[^<>@\s]+@mail\.example\.net>\r\nDate: \w{3}, .*\r\n/,
  )
  expect(data.replace(/\r\n\s+/g, ' ')).toMatch(/with ESMTPSA id /)
  expect(data.slice(data.indexOf('Subject:'))).toBe(`${header}To: bob@example.org\r\n\r\n${body}`)
  expect(data).not.toMatch(/carol|dave|secret/)

  const whole = `Date: Fri, 21 Nov 1997 09:55:06 -0600\r\nMessage-ID: <mine@phone>\r\nFrom: ${alice}\r\nSubject: whole\r\n\r\n`
  expect(await sent(await loggedIn(), whole)).toMatch(/^250/)
  const kept = (await relayed('whole')).data
  expect(kept.slice(kept.indexOf('Date:'))).toBe(`${whole}\r\n`)
  expect(kept.replace(/\r\n\s+/g, ' ')).toMatch(/with ESMTPA id /)
})

test('SU-12: a text without a header gets one', async () => {
  const client = await loggedIn()
  expect(await sent(client, 'just text: no, this is a sentence', 'bob@example.net')).toMatch(/^250/)
  const [mail] = await eventually(async () => {
    const found = await inbox(gateway, 'bob@example.net')
    return found.length > 0 && found
  })
  expect(mail?.toString()).toMatch(/Message-ID: <.+>\r\nDate: .+\r\n\r\njust text: no, this is a sentence/)
})

test('SU-14, SU-15, SC-13: nothing but CRLF.CRLF ends the data; bare CR and LF are refused after it', async () => {
  for (const odd of ['a\n.\nb', 'a\r\n.\nb', 'a\n.\r\nb', 'a\r.\rb', 'a\r\n\0.\r\nb', 'a\rb', 'a\nb']) {
    const client = await loggedIn()
    await client.codes(`MAIL FROM:<${alice}>`, 'RCPT TO:<bob@example.org>', 'DATA')
    const evil = `Subject: smuggled\r\n\r\n${odd}\r\nMAIL FROM:<evil@example.org>\r\n.\r\nNOOP\r\n`
    expect((await client.repliesTo(2, evil)).map(code), JSON.stringify(odd)).toEqual([
      '554 5.6.0',
      '250 2.0.0',
    ])
    client.end()
  }
  const client = await loggedIn()
  expect(await client.codes('NOOP\nNOOP', 'NOOP\rNOOP', 'NOOP')).toEqual([
    '500 5.5.2',
    '500 5.5.2',
    '250 2.0.0',
  ])
  expect(taken.filter((mail) => mail.data.includes('smuggled'))).toEqual([])
})

test('SU-17, FR-16, AU-09: long lines', async () => {
  const client = await loggedIn()
  const long = 'x'.repeat(60)
  expect(
    await client.codes(
      `MAIL FROM:<${alice}> SIZE=100 BODY=8BITMIME RET=HDRS ENVID=${long} BY=+999999999;NT AUTH=${long}@${long}.example`,
      'RSET',
      `MAIL FROM:<${alice}> ${'X'.repeat(4090)}`,
      'y'.repeat(30_000),
      'NOOP',
    ),
  ).toEqual(['250 2.1.0', '250 2.0.0', '500 5.5.2', '500 5.5.2', '250 2.0.0'])
})

test('SU-18: a hundred recipients and more, then 452 for the surplus ones, and the message goes', async () => {
  const client = await loggedIn()
  await client.command(`MAIL FROM:<${alice}>`)
  const lines = Array.from({ length: 104 }, (_, i) => `RCPT TO:<r${i}@example.org>`)
  const replies = (await client.pipelined(...lines)).map(code)
  expect(replies.filter((c) => c === '250 2.1.5')).toHaveLength(102)
  expect(replies.slice(102)).toEqual(['452 4.5.3', '452 4.5.3'])
  await client.command('DATA')
  client.write(`From: ${alice}\r\nSubject: many\r\n\r\nx\r\n.\r\n`)
  expect(await client.reply()).toMatch(/^250/)
  expect((await relayed('many')).rcptTo).toHaveLength(102)
})

test('SU-19: text lines of more than a thousand octets pass whole', async () => {
  const client = await loggedIn()
  const line = 'z'.repeat(3000)
  expect(await sent(client, `From: ${alice}\r\nSubject: long line\r\n\r\n${line}`)).toMatch(/^250/)
  expect((await relayed('long line')).data).toContain(`\r\n${line}\r\n`)
})

test('SU-11, SU-20, SU-21, SU-22, EC-01, EC-02, EC-04, DN-03: RSET, NOOP, VRFY, unknown commands and parameters', async () => {
  const client = await loggedIn()
  expect(
    await client.codes(
      'RSET',
      'NOOP',
      'NOOP with words',
      'VRFY bob@example.net',
      'EXPN staff',
      'ETRN x',
      'ATRN',
      'TURN',
      'FROB',
      'GET / HTTP/1.1',
      `MAIL FROM:<${alice}> FROB=1`,
      `MAIL FROM:<${alice}> SIZE=1 SIZE=1`,
    ),
  ).toEqual([
    '250 2.0.0',
    '250 2.0.0',
    '250 2.0.0',
    '252 2.5.0',
    '252 2.5.0',
    '502 5.5.1',
    '502 5.5.1',
    '502 5.5.1',
    '500 5.5.1',
    '500 5.5.1',
    '555 5.5.4',
    '501 5.5.4',
  ])
  const lines = (await client.command('EHLO x')) + (await client.command('HELO x'))
  expect(lines).not.toMatch(/^\d{3}[ -]\d\.\d\.\d /m)
  expect(await client.codes('FROB')).toEqual(['500 5.5.1'])
})

test('SU-23, SU-24: one reply for all recipients, and then the message is on disk', async () => {
  const client = await loggedIn()
  const answer = await client.send(
    alice,
    ['bob@example.net', 'carol@example.org'],
    `From: ${alice}\r\nSubject: two\r\n\r\nx`,
  )
  const id = /^250 2\.6\.0 Queued as (\S+)$/.exec(answer)?.[1] ?? ''
  expect((await gateway.operations.queueEntry(id)).deliveries).toHaveLength(2)
})

test('PL-01, PL-02, PL-03, PL-05, OR-05: a group in one segment gets its replies in order', async () => {
  const client = await loggedIn()
  const group = [
    `MAIL FROM:<${alice}>`,
    'RCPT TO:<bob@example.org>',
    'RCPT TO:<bob@nodot>',
    'FROB',
    'DATA',
  ].join('\r\n')
  expect((await client.repliesTo(5, `${group}\r\n`)).map(code)).toEqual([
    '250 2.1.0',
    '250 2.1.5',
    '554 5.1.2',
    '500 5.5.1',
    '354',
  ])
  const rest = `From: ${alice}\r\nSubject: group\r\n\r\nx\r\n.\r\nMAIL FROM:<>\r\nNOOP\r\nQUIT\r\n`
  expect((await client.repliesTo(4, rest)).map(code)).toEqual([
    '250 2.6.0',
    '250 2.1.0',
    '250 2.0.0',
    '221 2.0.0',
  ])
  expect((await relayed('group')).rcptTo).toEqual(['<bob@example.org>'])
})

test('PL-04: data that was let in by mistake sends nothing when it is empty of recipients', async () => {
  const client = await loggedIn()
  expect(
    (await client.pipelined(`MAIL FROM:<${alice}>`, 'RCPT TO:<bob@nodot>', 'DATA', 'RSET')).map(code),
  ).toEqual(['250 2.1.0', '554 5.1.2', '554 5.5.1', '250 2.0.0'])
})

test('SI-01, SI-02, SI-04, LP-27: SIZE is a promise that is checked, and never the end of the data', async () => {
  const client = await loggedIn()
  expect(await client.command('EHLO x')).toMatch(/\r\n250-SIZE 200000\r\n/)
  const tried = async (size: string): Promise<string> => {
    const [answer = ''] = await client.codes(`MAIL FROM:<${alice}> SIZE=${size}`)
    await client.command('RSET')
    return answer
  }
  expect(await tried('200001')).toBe('552 5.3.4')
  expect(await tried('99999999999999999999')).toBe('552 5.3.4')
  for (const bad of ['', 'x', '-1', '123456789012345678901', '1.5'])
    expect(await tried(bad)).toBe('501 5.5.4')
  expect(await tried('0')).toBe('250 2.1.0')
  const message = `From: ${alice}\r\nSubject: larger\r\n\r\n${'y'.repeat(900)}`
  expect(await client.send(alice, ['bob@example.org'], message, ' SIZE=100')).toMatch(/^250/)
  expect(await client.send(alice, ['bob@example.org'], 'y'.repeat(200_001))).toMatch(/^552 5\.3\.4/)
  expect((await relayed('larger')).data).toContain('y'.repeat(900))
})

test('TS-01, TS-02, TS-03, SC-02, SC-03: STARTTLS, and nothing that came in the clear behind it', async () => {
  const client = await submitClient(gateway)
  expect(await client.codes('STARTTLS now')).toEqual(['501 5.5.4'])
  expect(await client.command('EHLO x')).toMatch(/STARTTLS/)
  client.write(`STARTTLS\r\nEHLO evil.example\r\nAUTH PLAIN ${plain(alice)}\r\n`)
  expect(code(await client.reply())).toBe('220 2.0.0')
  await client.secure()
  // Neither EHLO nor AUTH was obeyed.
  expect(await client.codes(`AUTH PLAIN ${plain(alice)}`)).toEqual(['503 5.5.1'])
  expect(await client.command('EHLO x')).not.toMatch(/STARTTLS/)
  expect(await client.codes('STARTTLS', `MAIL FROM:<${alice}>`)).toEqual(['503 5.5.1', '530 5.7.0'])
})

test('TS-03, SC-04: what was said before TLS is forgotten', async () => {
  const client = await submitClient(gateway, { user: alice })
  await client.command(`MAIL FROM:<${alice}>`)
  await client.startTls()
  expect(await client.codes('RCPT TO:<bob@example.org>', `MAIL FROM:<${alice}>`)).toEqual([
    '530 5.7.0',
    '530 5.7.0',
  ])
  await client.command('EHLO x')
  expect(await client.command('EHLO x')).toMatch(/AUTH .*PLAIN/)
})

test('LP-32, SC-07: implicit TLS on a port of its own; labels of other protocols are turned away', async () => {
  const client = await submitClient(gateway, { tls: 'implicit', user: alice })
  expect(await client.command('EHLO x')).not.toMatch(/STARTTLS/)
  expect(await sent(client, `From: ${alice}\r\nSubject: implicit\r\n\r\nx`)).toMatch(/^250/)
  expect((await relayed('implicit')).data.replace(/\r\n\s+/g, ' ')).toMatch(/with ESMTPSA id /)
  const web = new (client.constructor as typeof SubmitClient)(gateway.addresses.submissions ?? '')
  await expect(web.secure({ ALPNProtocols: ['http/1.1'] })).rejects.toThrow()
  const mail = new (client.constructor as typeof SubmitClient)(gateway.addresses.submissions ?? '')
  await mail.secure({ ALPNProtocols: ['smtp'] })
  expect(await mail.reply()).toMatch(/^220/)
  mail.end()
})

test('TS-04, TS-05: TLS first, and enough of it', async () => {
  const { gateway: strict } = await submissionGateway({
    submission: { tlsFirst: true, minimumTls: 'TLSv1.3' },
  })
  const client = await submitClient(strict)
  expect(
    await client.codes(`AUTH PLAIN ${plain(alice)}`, 'RSET', 'VRFY x', `MAIL FROM:<${alice}>`, 'NOOP'),
  ).toEqual(['530 5.7.0', '530 5.7.0', '530 5.7.0', '530 5.7.0', '250 2.0.0'])
  await client.command('STARTTLS')
  await client.secure({ maxVersion: 'TLSv1.2' })
  expect(await client.codes('EHLO x', `AUTH PLAIN ${plain(alice)}`, 'NOOP', 'QUIT')).toEqual([
    '554 5.7.0',
    '554 5.7.0',
    '554 5.7.0',
    '221 2.0.0',
  ])
  const good = await submitClient(strict, { tls: true, user: alice })
  expect(await good.codes(`MAIL FROM:<${alice}>`)).toEqual(['250 2.1.0'])
})

test('SU-25, SC-38: who says nothing, or a letter now and then, is let go in time', async () => {
  const { gateway: quick } = await submissionGateway({
    limits: { smtpCommandSeconds: 1, smtpDataSeconds: 1 },
  })
  const silent = await submitClient(quick)
  const slow = await submitClient(quick)
  const dripping = setInterval(() => slow.write('N'), 100)
  expect(code(await silent.reply())).toBe('421 4.4.2')
  expect(code(await slow.reply())).toBe('421 4.4.2')
  clearInterval(dripping)
  const inData = await submitClient(quick, { user: alice })
  await inData.codes(`MAIL FROM:<${alice}>`, 'RCPT TO:<bob@example.org>', 'DATA')
  inData.write('Subject: never ends\r\n')
  expect(code(await inData.reply())).toBe('421 4.4.2')
  const { defaults } = await import('../../src/config.ts')
  expect(defaults.limits.smtpCommandSeconds).toBeGreaterThanOrEqual(300)
})

test('SU-26: at shutdown 421, then the end', async () => {
  const { gateway: ending } = await submissionGateway()
  const client = await submitClient(ending, { user: alice })
  const closed = ending.close()
  expect(code(await client.reply())).toBe('421 4.3.2')
  expect(await client.reply()).toBe('')
  await closed
})

test('SC-06, SEC-026: after enough nonsense the connection ends', async () => {
  const client = await submitClient(gateway)
  const replies: string[] = []
  for (let i = 0; i < 30 && replies.at(-1) !== ''; i++) replies.push(code(await client.command('x')))
  expect(replies).toContain('421 4.7.0')
})

test('SEC-060: a user may send to anybody; nobody else may', async () => {
  const client = await loggedIn()
  expect(await sent(client, `From: ${alice}\r\nSubject: out\r\n\r\nx`, 'x@far.example')).toMatch(/^250/)
  const { smtpClient } = await import('../support/peers.ts')
  const stranger = await smtpClient(gateway.addresses.smtp ?? '')
  await stranger.command(`MAIL FROM:<${alice}>`)
  expect(await stranger.command('RCPT TO:<x@far.example>')).toMatch(/^550 5\.7\.1/)
  expect(await stranger.command('AUTH PLAIN x')).toMatch(/^500 5\.5\.1/)
  expect(await stranger.command('EHLO x')).not.toMatch(/AUTH|BURL|FUTURERELEASE/)
})

test('SC-42: who was removed sends nothing more, whoever has the address now', async () => {
  const { gateway: other } = await submissionGateway()
  const client = await submitClient(other, { user: 'bob@example.net' })
  await other.operations.removeAccount('bob@example.net')
  expect(await client.codes('MAIL FROM:<bob@example.net>', 'MAIL FROM:<>')).toEqual([
    '530 5.7.0',
    '530 5.7.0',
  ])
  await other.operations.addAccount('bob@example.net', 'another')
  expect(await client.codes('MAIL FROM:<>')).toEqual(['530 5.7.0'])
})

test('OR-07: said twice is sent twice', async () => {
  const client = await loggedIn()
  const message = `From: ${alice}\r\nMessage-ID: <same@phone>\r\nSubject: twice\r\n\r\nx`
  expect(await sent(client, message)).toMatch(/^250/)
  expect(await sent(client, message)).toMatch(/^250/)
  await eventually(() => taken.filter((mail) => mail.data.includes('Subject: twice')).length === 2)
})
