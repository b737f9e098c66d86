/** BURL: forward without download (RFC 4468, RFC 4467; lemonade.md 5.4, 8.4), with the real store and real sockets. */
import { type AddressInfo, createServer } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { LoggedGateway } from '../support/gateway.ts'
import { eventually, inbox, smtpClient, type TakenMail } from '../support/peers.ts'
import { loggedIn as imapAs, type RawImap } from '../support/raw-imap.ts'
import { code, type SubmitClient, submissionGateway, submitClient } from '../support/submission.ts'

const alice = 'alice@example.net'
let gateway: LoggedGateway
let taken: readonly TakenMail[]
let imap: RawImap
let validity = ''
let now = Date.now()
const imaps: RawImap[] = []

const as = async (user: string, at = gateway): Promise<RawImap> => {
  const session = await imapAs(Number(at.addresses.imap?.split(':')[1]), user)
  imaps.push(session)
  return session
}

/** Puts a message into a mailbox of alice; its UID. */
async function appended(octets: string, mailbox = 'Outbox', session = imap): Promise<number> {
  const bytes = Buffer.from(octets, 'latin1')
  session.send(
    Buffer.concat([Buffer.from(`put APPEND ${mailbox} ~{${bytes.length}+}\r\n`), bytes, Buffer.from('\r\n')]),
  )
  const answer = await session.until(/(^|\n)put (OK|NO|BAD)[^\n]*\n/)
  const match = /APPENDUID (\d+) (\d+)/.exec(answer)
  if (!match) throw new Error(answer)
  if (mailbox === 'Outbox') validity = match[1] ?? ''
  return Number(match[2])
}

const rump = (
  uid: number,
  tail = '',
  access = 'submit+alice%40example.net',
  owner = 'alice%40example.net',
): string =>
  `imap://${owner}@mail.example.net/Outbox;UIDVALIDITY=${validity}/;UID=${uid}${tail};URLAUTH=${access}`

async function authorized(url: string, session = imap): Promise<string> {
  const answer = await session.command(`GENURLAUTH "${url}" INTERNAL`)
  const match = /GENURLAUTH "([^"]+)"/.exec(answer)
  if (!match?.[1]) throw new Error(answer)
  return match[1]
}

const message = (subject: string, body = 'x'): string =>
  `From: ${alice}\r\nTo: bob@example.org\r\nSubject: ${subject}\r\nDate: Fri, 21 Nov 1997 09:55:06 -0600\r\nMessage-ID: <${subject}@phone>\r\n\r\n${body}\r\n`
const loggedIn = (): Promise<SubmitClient> => submitClient(gateway, { user: alice })
const open = async (client: SubmitClient, params = '', to = 'bob@example.org'): Promise<void> => {
  expect(await client.codes(`MAIL FROM:<${alice}>${params}`, `RCPT TO:<${to}>`)).toEqual([
    '250 2.1.0',
    '250 2.1.5',
  ])
}
const relayed = (subject: string): Promise<TakenMail> =>
  eventually(() => taken.find((mail) => mail.data.includes(`Subject: ${subject}\r\n`)))
const tried = async (client: SubmitClient, url: string, params = ''): Promise<string> => {
  await open(client, params)
  const [answer = ''] = await client.codes(`BURL ${url} LAST`)
  await client.command('RSET')
  return answer
}
const queued = async (): Promise<number> =>
  (await gateway.operations.queue({ all: true, limit: 10_000 })).length

beforeAll(async () => {
  const made = await submissionGateway(
    {
      limits: { messageOctets: 300_000, burlUsesPerHour: 20, submissionConnectionsPerUser: 100 },
      accounts: ['alice', 'bob', 'small', 'store-user'].map((name) => ({
        address: `${name}@example.net`,
        password: 'secret',
        ...(name === 'small' ? { quota: { octets: 100 } } : {}),
      })),
      urlauth: { open: 'always', applications: { submit: ['store-user@example.net'] } },
    },
    undefined,
    { now: () => now },
  )
  gateway = made.gateway
  taken = made.taken
  imap = await as(alice)
  await imap.command('CREATE Outbox')
})
afterAll(() => {
  for (const session of imaps) session.end()
})

test('BU-01, BU-25, LP-25, LP-31, LP-45, OR-01: BURL before AUTH, BURL imap after it, with 8BITMIME and CHUNKING', async () => {
  const client = await submitClient(gateway, { tls: true })
  expect(await client.command('EHLO x')).toMatch(/^250[ -]BURL\r?$/m)
  const user = await submitClient(gateway, { tls: true, user: alice })
  const ehlo = await user.command('EHLO x')
  expect(ehlo).toMatch(/^250[ -]BURL imap\r?$/m)
  for (const keyword of [
    '8BITMIME',
    'BINARYMIME',
    'CHUNKING',
    'DSN',
    'ENHANCEDSTATUSCODES',
    'PIPELINING',
    'SIZE 300000',
  ])
    expect(ehlo).toMatch(new RegExp(`^250[ -]${keyword}\\r?$`, 'm'))
})

test('BU-02: not on port 25', async () => {
  const client = await smtpClient(gateway.addresses.smtp ?? '')
  expect(await client.command('EHLO x')).not.toMatch(/BURL/)
  expect(code(await client.command('BURL imap://x/ LAST'))).toBe('500 5.5.1')
})

test('BU-03, BU-06, BU-26, OR-06: the whole message, its octets untouched; 250 when it is on disk', async () => {
  const uid = await appended(message('whole', 'z'.repeat(100_000)))
  const url = await authorized(rump(uid))
  const client = await loggedIn()
  await open(client)
  expect(code(await client.command(`BURL ${url} LAST`))).toBe('250 2.6.0')
  const { data } = await relayed('whole')
  expect(data.slice(data.indexOf('From:'))).toBe(message('whole', 'z'.repeat(100_000)))
  // A second time, it is fetched and then dropped.
  const count = await queued()
  await open(client)
  expect(code(await client.command(`BURL ${url}`))).toBe('250 2.5.0')
  expect(await client.codes('RSET', 'BDAT 0 LAST\r\n')).toEqual(['250 2.0.0', '503 5.5.1'])
  expect(await queued()).toBe(count)
})

test('BU-04, BU-05: without recipients, without MAIL, without AUTH; the store is not asked', async () => {
  const uid = await appended(message('unasked'))
  const url = await authorized(rump(uid))
  const client = await loggedIn()
  expect(await client.codes(`BURL ${url} LAST`, `MAIL FROM:<${alice}>`, `BURL ${url} LAST`)).toEqual([
    '503 5.5.1',
    '250 2.1.0',
    '554 5.5.0',
  ])
  const stranger = await submitClient(gateway)
  expect(await stranger.codes(`BURL ${url} LAST`)).toEqual(['530 5.7.0'])
})

test('BU-06, LP-42, LP-44, DE-15, SC-20, SC-22: wrong, expired, revoked and empty URLs; the transaction is dead', async () => {
  const uid = await appended(message('refused'))
  const url = await authorized(rump(uid))
  const client = await loggedIn()
  expect(await tried(client, url.replace('/;UID=', ';X=1/;UID='))).toMatch(/^50|^55/)
  for (let i = 20; i < url.length; i += 12) {
    const other = url[i] === '1' ? '2' : '1'
    const answer = await tried(await loggedIn(), `${url.slice(0, i)}${other}${url.slice(i + 1)}`)
    expect([i, answer]).toEqual([i, expect.stringMatching(/^5/)])
  }
  expect(await tried(client, await authorized(rump(999_999)))).toBe('554 5.6.6')
  expect(await tried(client, await authorized(rump(uid, '/;SECTION=9')))).toBe('554 5.6.6')
  expect(await tried(client, rump(uid))).toBe('554 5.7.0')
  const expiring = await authorized(
    rump(uid, `;EXPIRE=${new Date(now + 60_000).toISOString().replace(/\.\d+/, '')}`),
  )
  expect(await tried(client, expiring)).toBe('250 2.6.0')
  now += 61_000
  expect(await tried(client, expiring)).toBe('554 5.7.0')
  const count = await queued()
  await open(client)
  const group = `BURL ${expiring}\r\nBDAT 6\r\nQUIT\r\n\r\nBURL ${url}\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n`
  expect((await client.repliesTo(6, group)).map(code)).toEqual([
    '554 5.7.0',
    '503 5.5.1',
    '500 5.5.1',
    '503 5.5.1',
    '503 5.5.1',
    '250 2.0.0',
  ])
  expect(await queued()).toBe(count)
  await imap.command('RESETKEY Outbox')
  expect(await tried(client, url)).toBe('554 5.7.0')
  expect(await queued()).toBe(count)
})

test('BU-07, SA-18, SC-23: submit+ names the user that submits, in any spelling that is the same', async () => {
  const uid = await appended(message('mine'))
  const client = await loggedIn()
  expect(await tried(client, await authorized(rump(uid, '', 'submit+bob%40example.net')))).toBe('554 5.7.0')
  expect(await tried(client, await authorized(rump(uid, '', 'submit+ALICE%40Example.net')))).toBe('250 2.6.0')
  const bob = await submitClient(gateway, { user: 'bob@example.net' })
  await bob.codes('MAIL FROM:<bob@example.net>', 'RCPT TO:<x@example.org>')
  expect(await bob.codes(`BURL ${await authorized(rump(uid))} LAST`)).toEqual(['554 5.7.0'])
  // Whom the owner lets submit it may.
  await bob.codes('MAIL FROM:<bob@example.net>', 'RCPT TO:<x@example.org>')
  const given = await authorized(rump(uid, '', 'submit+bob%40example.net'))
  expect(await bob.codes(`BURL ${given} LAST`)).toEqual(['250 2.6.0'])
})

test('BU-08, LP-37: user+submit, authuser and anonymous; user+ somebody else and other applications not', async () => {
  const uid = await appended(message('open'))
  const client = await loggedIn()
  for (const access of ['user+submit', 'authuser', 'anonymous'])
    expect([access, await tried(client, await authorized(rump(uid, '', access)))]).toEqual([
      access,
      '250 2.6.0',
    ])
  for (const access of ['user+alice%40example.net', 'user+bob%40example.net', 'stream'])
    expect([access, await tried(client, await authorized(rump(uid, '', access)))]).toEqual([
      access,
      '554 5.7.0',
    ])
})

test('BU-09, BU-10, BU-21, BU-29, DE-05, LP-46, SC-27, SC-28: other servers and plain URLs need a trust that is not there', async () => {
  const uid = await appended(message('elsewhere'))
  const client = await loggedIn()
  const good = await authorized(rump(uid))
  for (const url of [
    good.replace('mail.example.net', 'imap.example.org'),
    good.replace('mail.example.net', 'mail.example.net:25'),
    good.replace('mail.example.net', '[::1]'),
    good.replace('mail.example.net', '127.0.0.1'),
    good.replace('mail.example.net', 'mail.example.net.example.org'),
    `imap://alice%40example.net@mail.example.net/Outbox;UIDVALIDITY=${validity}/;UID=${uid}`,
  ])
    expect([url, await tried(client, url)]).toEqual([url, '554 5.7.14'])
})

test('BU-09, BU-29: with plainUrls the host is announced, and a user reaches its own mailboxes', async () => {
  const { gateway: open2, taken: out } = await submissionGateway({ submission: { plainUrls: true } })
  const session = await as(alice, open2)
  const octets = message('plain url')
  const answer = await session.command(`APPEND INBOX {${octets.length}+}\r\n${octets}`)
  const [, uidValidity, uid] = /APPENDUID (\d+) (\d+)/.exec(answer) ?? []
  const client = await submitClient(open2, { user: alice })
  expect(await client.command('EHLO x')).toMatch(/^250[ -]BURL imap imap:\/\/mail\.example\.net\r?$/m)
  const path = `mail.example.net/INBOX;UIDVALIDITY=${uidValidity}/;UID=${uid}`
  expect(await tried(client, `imap://bob%40example.net@${path}`)).toBe('554 5.7.0')
  expect(await tried(client, `imap://imap.example.org/INBOX/;UID=${uid}`)).toBe('554 5.7.14')
  expect(await tried(client, `imap://mail.example.net/None/;UID=${uid}`)).toBe('554 5.6.6')
  expect(await tried(client, `imap://${path}`)).toBe('250 2.6.0')
  await eventually(() => out.find((mail) => mail.data.includes('Subject: plain url')))
  const bob = await submitClient(open2, { user: 'bob@example.net' })
  await bob.codes('MAIL FROM:<bob@example.net>', 'RCPT TO:<x@example.org>')
  expect(await bob.codes(`BURL imap://${path} LAST`)).toEqual(['554 5.6.6'])
})

test('BU-12, LP-26, SI-05: the size is that of what was put together', async () => {
  const uid = await appended(message('large', 'y'.repeat(200_000)))
  const url = await authorized(rump(uid))
  const client = await loggedIn()
  await open(client, ' SIZE=10')
  expect(await client.codes(`BURL ${url}`, `BURL ${url}`, `BURL ${url} LAST`)).toEqual([
    '250 2.5.0',
    '552 5.3.4',
    '503 5.5.1',
  ])
  expect(await tried(client, url)).toBe('250 2.6.0')
})

test('BU-13, S8-06: 8-bit header fields are put into ASCII, and that is told; with SMTPUTF8 they stay', async () => {
  const header = `From: J\xc3\xb6rg <${alice}>\r\nSubject: caf\xc3\xa9 by burl\r\nDate: Fri, 21 Nov 1997 09:55:06 -0600\r\nMessage-ID: <utf8@phone>\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n`
  const knowing = await as(alice)
  await knowing.command('ENABLE UTF8=ACCEPT')
  const uid = await appended(header, 'Outbox', knowing)
  const url = await authorized(rump(uid))
  const client = await loggedIn()
  await open(client)
  expect(code(await client.command(`BURL ${url} LAST`))).toBe('250 2.6.4')
  const { data, mailFrom } = await eventually(() => taken.find((mail) => mail.data.includes('<utf8@phone>')))
  expect(data.slice(0, data.indexOf('\r\n\r\n'))).toMatch(/^[\x00-\x7f]*$/)
  expect(data).toMatch(/Subject: =\?utf-8\?/i)
  expect(data).toMatch(/\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n$/)
  expect(mailFrom).toMatch(/BODY=8BITMIME/)
  // The same octets by BDAT and DATA.
  await open(client)
  expect(
    (await client.repliesTo(1, Buffer.from(`BDAT ${header.length} LAST\r\n${header}`, 'latin1'))).map(code),
  ).toEqual(['250 2.6.4'])
  expect(await client.send(alice, ['bob@example.org'], Buffer.from(header, 'latin1'))).toMatch(/^250 2\.6\.4/)
  const address = header.replace(`<${alice}>`, '<j\xc3\xb6rg@example.net>')
  expect(await client.send(alice, ['bob@example.org'], Buffer.from(address, 'latin1'))).toMatch(
    /^554 5\.6\.9/,
  )
  const signed = `From: ${alice}\r\nContent-Type: multipart/signed; boundary=s\r\n\r\n--s\r\nContent-Description: \xc3\xa9\r\n\r\nx\r\n--s--\r\n`
  expect(await client.send(alice, ['bob@example.org'], Buffer.from(signed, 'latin1'))).toMatch(/^554 5\.6\.3/)
})

test('BU-14: a local recipient who is full is told at once', async () => {
  const uid = await appended(message('full'))
  const url = await authorized(rump(uid))
  const client = await loggedIn()
  await open(client, '', 'small@example.net')
  expect(await client.codes(`BURL ${url} LAST`)).toEqual(['552 5.2.2'])
  await client.codes(`MAIL FROM:<${alice}>`, 'RCPT TO:<small@example.net>', 'RCPT TO:<bob@example.org>')
  expect(await client.codes(`BURL ${url} LAST`)).toEqual(['250 2.6.0'])
})

test('BU-15, BU-16, BU-17, LP-43: BDAT and BURL in any mix, all in one segment, one LAST', async () => {
  const uid = await appended(
    `X-Odd: yes\r\nContent-Type: multipart/mixed; boundary=q\r\n\r\n--q\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\nAAECAwQF\r\n--q--\r\n`,
  )
  const header = await authorized(rump(uid, '/;SECTION=1.MIME'))
  const body = await authorized(rump(uid, '/;SECTION=1'))
  const client = await loggedIn()
  const first = `From: ${alice}\r\nDate: Fri, 21 Nov 1997 09:55:06 -0600\r\nMessage-ID: <mix@phone>\r\nSubject: mix\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n`
  const last = '\r\n--m--\r\n'
  const group = [
    `MAIL FROM:<${alice}> BODY=BINARYMIME\r\nRCPT TO:<bob@example.org>\r\n`,
    `BDAT ${first.length}\r\n${first}`,
    `BURL ${header}\r\nBURL ${body}\r\n`,
    `BDAT ${last.length} LAST\r\n${last}`,
    `BDAT 0 LAST\r\nBURL ${body} LAST\r\n`,
  ].join('')
  expect((await client.repliesTo(8, group)).map(code)).toEqual([
    '250 2.1.0',
    '250 2.1.5',
    '250 2.0.0',
    '250 2.5.0',
    '250 2.5.0',
    '250 2.6.0',
    '503 5.5.1',
    '503 5.5.1',
  ])
  const { data } = await relayed('mix')
  const part = 'Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\nAAECAwQF'
  expect(data.slice(data.indexOf('From:'))).toBe(`${first}${part}${last}`)
  await open(client)
  expect(await client.codes(`BURL ${body}`, 'DATA', 'RSET')).toEqual(['250 2.5.0', '503 5.5.1', '250 2.0.0'])
})

test('BU-17: MAIL, RCPT and BURL LAST in one segment, and the next transaction behind', async () => {
  const url = await authorized(rump(await appended(message('one segment'))))
  const client = await loggedIn()
  const replies = await client.pipelined(
    `MAIL FROM:<${alice}>`,
    'RCPT TO:<bob@example.org>',
    `BURL ${url} LAST`,
    `MAIL FROM:<${alice}>`,
  )
  expect(replies.map(code)).toEqual(['250 2.1.0', '250 2.1.5', '250 2.6.0', '250 2.1.0'])
})

test('BU-18: what is no absolute IMAP URL', async () => {
  const client = await loggedIn()
  for (const bad of [
    '',
    'imap://mail.example.net/Outbox/;UID=1 FIRST',
    '/Outbox/;UID=1',
    ';UID=1',
    '//mail.example.net/Outbox/;UID=1',
    'http://mail.example.net/Outbox/;UID=1',
    'imaps://mail.example.net/Outbox/;UID=1',
    'imap:/Outbox/;UID=1',
    'imap://mail.example.net/Outbox/;UID=0',
    'imap://mail.example.net/Out%00box/;UID=1',
    'imap://mail.example.net/Out%zzbox/;UID=1',
    `imap://mail.example.net/${'x'.repeat(4090)}`,
  ]) {
    await open(client)
    expect([bad, code(await client.command(`BURL ${bad}`))]).toEqual([
      bad,
      expect.stringMatching(/^50[01] 5\.5\.[24]$/),
    ])
    await client.command('RSET')
  }
})

test('BU-19, BU-23, SC-29, SC-32: who used which URL for what is on record, without the token', async () => {
  const url = await authorized(rump(await appended(message('on record'))))
  const client = await loggedIn()
  await open(client)
  const answer = await client.command(`BURL ${url} LAST`)
  const [, queueId] = /Queued as (\S+)/.exec(answer) ?? []
  const logged = JSON.stringify(gateway.logged)
  const token = url.slice(url.lastIndexOf(':') + 1)
  expect(logged).not.toContain(token)
  expect(logged).not.toMatch(/URLAUTH/i)
  const record = gateway.logged.find(
    (l) => l.message === 'content by BURL' && JSON.stringify(l.fields).includes(queueId ?? '?'),
  )
  expect(record?.fields).toMatchObject({ user: alice, urls: [expect.stringMatching(/^[0-9a-f]{16}$/)] })
  expect((await relayed('on record')).data).not.toContain(token)
})

test('BU-20, OR-09, OR-10: the role of the submission server, over the network and inside', async () => {
  const uid = await appended(message('role'))
  const url = await authorized(rump(uid))
  const remote = await as('store-user@example.net')
  expect(await remote.command(`URLFETCH "${url}"`)).toMatch(/URLFETCH "[^"]+" \{/)
  expect(await (await as('bob@example.net')).command(`URLFETCH "${url}"`)).toMatch(/URLFETCH "[^"]+" NIL/)
  for (const allowed of ['CAPABILITY', 'NOOP', 'ID NIL', 'ENABLE CONDSTORE'])
    expect([allowed, await remote.command(allowed)]).toEqual([allowed, expect.stringMatching(/OK/)])
  for (const refused of [
    'SELECT INBOX',
    'LIST "" *',
    'STATUS INBOX (MESSAGES)',
    'CREATE x',
    'GETMETADATA "" /shared/comment',
    'APPEND INBOX {2+}\r\nhi',
    'GENURLAUTH "x" INTERNAL',
  ])
    expect([refused, await remote.command(refused)]).toEqual([
      refused,
      expect.stringMatching(/NO \[NOPERM\]/),
    ])
})

test('BU-22, SC-37: a store that is slow or fails is 451, and harms nobody else', async () => {
  const { createBurlSource } = await import('../../src/inbound/smtp/burl-source.ts')
  const { Fault } = await import('../../src/model/fault.ts')
  const base = {
    applications: new Set(['submit']),
    allowAnonymous: false,
    allowAuthuser: false,
    isOurs: () => true,
    canonicalUser: (user: string) => user.toLowerCase(),
    failed: async () => {},
    succeeded: () => {},
  }
  const url = await authorized(rump(await appended(message('slow'))))
  const asked = (accessKey: () => Promise<Uint8Array | undefined>) =>
    createBurlSource({
      store: { ...base, sources: { accessKey, makeAccessKey: accessKey, section: async () => undefined } },
      identity: 'submit',
      patienceMs: 30,
      usesPerHour: 10,
      now: () => now,
    }).fetch(url, alice, 1000, false)
  expect(await asked(() => new Promise(() => {}))).toMatchObject({ code: 451, enhanced: '4.4.1' })
  expect(await asked(() => Promise.reject(new Fault('unavailable', 'gone')))).toMatchObject({
    code: 451,
    enhanced: '4.4.1',
  })
  await expect(asked(() => Promise.reject(new Error('bug')))).rejects.toThrow('bug')
})

test('BU-11: when the account is not there any more its URLs give nothing', async () => {
  const uid = await appended(message('account'))
  const client = await loggedIn()
  const url = await authorized(rump(uid, '', 'submit+alice%40example.net'))
  expect(await tried(client, url.replace('//alice%40', '//gone%40'))).toBe('554 5.7.0')
})

test('BU-23: one URL is not used without end', async () => {
  const url = await authorized(rump(await appended(message('often'))))
  const client = await loggedIn()
  const answers: string[] = []
  for (let i = 0; i < 21; i++) answers.push(await tried(client, url))
  expect(answers.filter((answer) => answer === '250 2.6.0')).toHaveLength(20)
  expect(answers.at(-1)).toBe('451 4.7.0')
  now += 3_600_000
  expect(await tried(client, url)).toBe('250 2.6.0')
})

test('BU-24: what is checked is the message put together', async () => {
  const uid = await appended(`${'Received: x\r\n'.repeat(101)}Subject: loop\r\n\r\nx\r\n`)
  expect(await tried(await loggedIn(), await authorized(rump(uid)))).toBe('554 5.4.6')
})

test('BU-27, LP-15: PARTIAL gives that range', async () => {
  const text = message('range')
  const uid = await appended(text)
  const cut = text.indexOf('Subject')
  const [start, rest] = [
    await authorized(rump(uid, `/;PARTIAL=0.${cut}`)),
    await authorized(rump(uid, `/;PARTIAL=${cut}`)),
  ]
  const client = await loggedIn()
  await open(client)
  expect(await client.codes(`BURL ${start}`, 'BDAT 14\r\nX-Between: y', `BURL ${rest} LAST`)).toEqual([
    '250 2.5.0',
    '250 2.0.0',
    '250 2.6.0',
  ])
  const { data } = await relayed('range')
  expect(data.slice(data.indexOf('From:'))).toBe(`${text.slice(0, cut)}X-Between: y\r\n${text.slice(cut)}`)
})

test('BU-28: to oneself, from a mailbox that is selected', async () => {
  const uid = await appended(message('to myself'), 'INBOX')
  await imap.command('SELECT INBOX')
  const url = await authorized(
    `imap://alice%40example.net@mail.example.net/INBOX/;UID=${uid};URLAUTH=submit+alice%40example.net`,
  )
  const client = await loggedIn()
  await open(client, '', alice)
  expect(await client.codes(`BURL ${url} LAST`)).toEqual(['250 2.6.0'])
  await eventually(
    async () => (await inbox(gateway)).filter((mail) => mail.includes('Subject: to myself')).length === 2,
  )
})

test('LP-30, BU-10, SC-27: nobody else is asked: no connection leaves, whatever a URL names', async () => {
  let asked = 0
  const server = createServer((socket) => {
    asked += 1
    socket.destroy()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const good = await authorized(rump(await appended(message('sentinel'))))
  const client = await loggedIn()
  for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `mail.example.net:${port}`])
    expect([host, await tried(client, good.replace('mail.example.net', host))]).toEqual([host, '554 5.7.14'])
  expect(asked).toBe(0)
  server.close()
})
