/** AUTH on the submission port (RFC 4954, RFC 4616, RFC 5802, RFC 7628; lemonade.md 5.2, 8.1). */
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { generate } from 'selfsigned'
import { beforeAll, expect, test } from 'vitest'
import type { LoggedGateway } from '../support/gateway.ts'
import { code, plain, SubmitClient, submissionGateway, submitClient } from '../support/submission.ts'

const alice = 'alice@example.net'
const base64 = (text: string): string => Buffer.from(text, 'latin1').toString('base64')
let gateway: LoggedGateway
let client: { key: string; cert: string }

beforeAll(async () => {
  const made = await generate([{ name: 'commonName', value: 'alice' }], {
    keySize: 2048,
    algorithm: 'sha256',
    extensions: [{ name: 'subjectAltName' as const, altNames: [{ type: 1, value: alice }] }],
  })
  client = { key: made.private, cert: made.cert }
  const ca = join(mkdtempSync(join(tmpdir(), 'lemonade-ca-')), 'ca.pem')
  writeFileSync(ca, client.cert)
  const started = await submissionGateway({
    auth: {
      allowPlaintext: 'never',
      external: { ca },
      oauth: { jwks: '/dev/null', issuer: 'https://id.example.net', audience: 'mail' },
    },
    submission: {},
  })
  gateway = started.gateway
})

test('AU-01, SA-04, SC-05: passwords under TLS only, and the list says so', async () => {
  const one = await submitClient(gateway)
  const clear = await one.command('EHLO x')
  expect(clear).toMatch(/AUTH SCRAM-SHA-256\b/)
  expect(clear).not.toMatch(/PLAIN|OAUTHBEARER|-PLUS|EXTERNAL/)
  expect(await one.codes(`AUTH PLAIN ${plain(alice)}`)).toEqual(['504 5.5.4'])
  await one.startTls()
  const secure = await one.command('EHLO x')
  expect(secure).toMatch(/AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-256 .*OAUTHBEARER PLAIN/)
  expect(await one.codes(`AUTH PLAIN ${plain(alice)}`)).toEqual(['235 2.7.0'])
  expect(await one.command('EHLO x')).not.toMatch(/AUTH/)
})

test('AU-02, AU-12, SA-01, SA-02: PLAIN with and without an initial response', async () => {
  const one = await submitClient(gateway, { tls: true })
  one.write('AUTH PLAIN\r\n')
  expect(await one.reply()).toBe('334')
  expect(await one.codes(plain(alice))).toEqual(['235 2.7.0'])
  const other = await submitClient(gateway, { tls: true })
  expect(
    await other.codes(
      `AUTH PLAIN ${plain(alice, 'guessed')}`,
      `AUTH PLAIN ${plain('nobody@example.net')}`,
      `AUTH PLAIN ${plain(alice, 'secret', 'bob@example.net')}`,
      `AUTH PLAIN ${base64(`${alice}\0secret`)}`,
      `AUTH PLAIN ${plain(alice, '')}`,
      `AUTH plain ${plain(alice, 'secret', alice)}`,
    ),
  ).toEqual(['535 5.7.8', '535 5.7.8', '535 5.7.8', '535 5.7.8', '535 5.7.8', '235 2.7.0'])
})

test('AU-03, SA-15, SA-16: EXTERNAL with the certificate of this connection', async () => {
  const one = new SubmitClient(gateway.addresses.submissions ?? '')
  await one.secure(client)
  await one.reply()
  expect(await one.command('EHLO x')).toMatch(/EXTERNAL/)
  expect(await one.codes('AUTH EXTERNAL =')).toEqual(['235 2.7.0'])
  one.end()
  const upgraded = await submitClient(gateway)
  await upgraded.command('STARTTLS')
  await upgraded.secure(client)
  await upgraded.command('EHLO x')
  expect(await upgraded.codes('AUTH EXTERNAL =')).toEqual(['235 2.7.0'])
  const without = await submitClient(gateway, { tls: true })
  expect(await without.command('EHLO x')).not.toMatch(/EXTERNAL/)
  expect(await without.codes('AUTH EXTERNAL =')).toEqual(['504 5.5.4'])
})

test('AU-04, AU-05, AU-06, AU-07: unknown mechanisms, cancelling, base64 that is none, server-first mechanisms', async () => {
  const one = await submitClient(gateway, { tls: true })
  expect(
    await one.codes(
      'AUTH',
      'AUTH FROB',
      // The only server-first mechanism that clients try; with an initial response or without, it is not here.
      'AUTH LOGIN',
      `AUTH LOGIN ${base64(alice)}`,
      'AUTH PLAIN =AAA',
      'AUTH PLAIN AAA=BBB=',
      'AUTH PLAIN AA A=',
      'AUTH PLAIN ????',
      'AUTH PLAIN',
      '*',
      'AUTH PLAIN',
      'not base64',
      'AUTH PLAIN',
      'AAA=AAA=',
      'NOOP',
    ),
  ).toEqual([
    '501 5.5.4',
    '504 5.5.4',
    '504 5.5.4',
    '504 5.5.4',
    '501 5.5.2',
    '501 5.5.2',
    '501 5.5.4',
    '501 5.5.2',
    '334',
    '501 5.7.0',
    '334',
    '501 5.5.2',
    '334',
    '501 5.5.2',
    '250 2.0.0',
  ])
  expect(await one.codes(`AUTH PLAIN ${plain(alice)}`)).toEqual(['235 2.7.0'])
})

test('AU-08: a directory that cannot be asked is 454', async () => {
  const one = await submitClient(gateway, { tls: true })
  // No key is known, and none can be had: nobody can say whether the token is good.
  const token = [{ alg: 'RS256', typ: 'JWT', kid: 'x' }, { iss: 'https://id.example.net' }, 'sig']
    .map((part) => Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url'))
    .join('.')
  const first = `n,a=${alice},\x01auth=Bearer ${token}\x01\x01`
  const [answer] = await one.codes(`AUTH OAUTHBEARER ${base64(first)}`)
  expect(answer).toBe('454 4.7.0')
})

test('AU-09, SC-33: a response of 12288 octets is read, one that is longer than the buffer is 500 5.5.6', async () => {
  const one = await submitClient(gateway, { tls: true })
  expect(
    await one.codes(
      'AUTH PLAIN',
      base64('x'.repeat(12_288 * 0.75)),
      'AUTH PLAIN',
      base64('x'.repeat(40_000)),
      `AUTH PLAIN ${base64('x'.repeat(17_000))}`,
      'NOOP',
    ),
  ).toEqual(['334', '535 5.7.8', '334', '500 5.5.6', '500 5.5.6', '250 2.0.0'])
})

test('AU-10: not after success, and not inside a transaction', async () => {
  const one = await submitClient(gateway, { tls: true, user: alice })
  expect(await one.codes(`AUTH PLAIN ${plain(alice)}`, `MAIL FROM:<${alice}>`, 'AUTH SCRAM-SHA-256')).toEqual(
    ['503 5.5.1', '250 2.1.0', '503 5.5.1'],
  )
})

test('AU-13: no mechanism brings a security layer', async () => {
  const one = await submitClient(gateway, { tls: true })
  expect(await one.command('EHLO x')).not.toMatch(/GSSAPI|DIGEST-MD5|SRP/)
})

test('AU-14: AUTH= on MAIL is read, before AUTH too, and not believed', async () => {
  const one = await submitClient(gateway, { tls: true, user: alice })
  expect(
    await one.codes(
      `MAIL FROM:<${alice}> AUTH=<>`,
      'RSET',
      `MAIL FROM:<${alice}> AUTH=e+3Dmc2@example.com`,
      'RSET',
      `MAIL FROM:<${alice}> AUTH=e+3dmc2@example.com`,
      `MAIL FROM:<${alice}> AUTH=`,
      `MAIL FROM:<${alice}> AUTH=a=b`,
    ),
  ).toEqual(['250 2.1.0', '250 2.0.0', '250 2.1.0', '250 2.0.0', '501 5.5.4', '501 5.5.4', '501 5.5.4'])
  const before = await submitClient(gateway, { tls: true })
  expect(await before.codes('MAIL FROM:<a@b.example> AUTH=<>')).toEqual(['530 5.7.0'])
})

test('AU-15, SA-17: three failures leave the connection open; each costs more time', async () => {
  const one = await submitClient(gateway, { tls: true })
  for (let i = 0; i < 4; i++)
    expect(await one.codes(`AUTH PLAIN ${plain('carol@example.net')}`)).toEqual(['535 5.7.8'])
  expect(await one.codes('NOOP')).toEqual(['250 2.0.0'])
})

test('AU-16: AUTH with all it needs may stand in a group; what follows it is done', async () => {
  const one = await submitClient(gateway, { tls: true })
  const replies = await one.pipelined(
    `AUTH PLAIN ${plain(alice)}`,
    `MAIL FROM:<${alice}>`,
    'RCPT TO:<bob@example.net>',
    'RSET',
  )
  expect(replies.map(code)).toEqual(['235 2.7.0', '250 2.1.0', '250 2.1.5', '250 2.0.0'])
})

test('SA-05, SA-12, SA-18: SCRAM-SHA-256 and -PLUS, the last message as a challenge', async () => {
  for (const plus of [false, true]) {
    const one = await submitClient(gateway, { tls: true })
    const binding = plus
      ? (one.socket as TLSSocket).exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0))
      : Buffer.alloc(0)
    const header = plus ? 'p=tls-exporter,,' : 'n,,'
    const bare = `n=${alice},r=nonce`
    const first = await one.command(`AUTH SCRAM-SHA-256${plus ? '-PLUS' : ''} ${base64(header + bare)}`)
    const server = Buffer.from(first.slice(4), 'base64').toString()
    const [, nonce = '', salt = '', rounds = ''] = /^r=([^,]+),s=([^,]+),i=(\d+)$/.exec(server) ?? []
    const channel = Buffer.concat([Buffer.from(header), binding]).toString('base64')
    const final = `c=${channel},r=${nonce}`
    const hmac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()
    const salted = pbkdf2Sync('secret', Buffer.from(salt, 'base64'), Number(rounds), 32, 'sha256')
    const key = hmac(salted, 'Client Key')
    const message = `${bare},${server},${final}`
    const signature = hmac(createHash('sha256').update(key).digest(), message)
    const proof = Buffer.from(key.map((octet, i) => octet ^ (signature[i] ?? 0))).toString('base64')
    const last = await one.command(base64(`${final},p=${proof}`))
    const verifier = hmac(hmac(salted, 'Server Key'), message).toString('base64')
    expect(Buffer.from(last.slice(4), 'base64').toString()).toBe(`v=${verifier}`)
    one.write('\r\n')
    expect(code(await one.reply())).toBe('235 2.7.0')
    expect(await one.codes(`MAIL FROM:<${alice}>`)).toEqual(['250 2.1.0'])
  }
})

test('SC-32: what was tried is logged without the password', async () => {
  const logged = JSON.stringify(gateway.logged)
  expect(logged).toMatch(/an SMTP login failed/)
  expect(logged).not.toMatch(/guessed|c2VjcmV0/)
})

test('an account has so many connections and no more; one that ends makes room', async () => {
  const { gateway: small } = await submissionGateway({ limits: { submissionConnectionsPerUser: 2 } })
  const first = await submitClient(small, { user: alice })
  await submitClient(small, { user: alice })
  const third = await submitClient(small)
  expect(await third.codes(`AUTH PLAIN ${plain(alice)}`)).toEqual(['454 4.7.0'])
  first.end()
  for (let i = 0; ; i++) {
    const [answer] = await third.codes(`AUTH PLAIN ${plain(alice)}`)
    if (answer === '235 2.7.0') break
    if (i > 15) throw new Error(answer)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
})
