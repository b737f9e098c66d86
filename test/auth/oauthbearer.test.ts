import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createOAuthVerifier, type OAuthSettings } from '../../src/auth/oauth-token.ts'
import { type SaslStep, startSasl } from '../../src/auth/sasl.ts'
import { parseClientResponse } from '../../src/auth/sasl-oauthbearer.ts'
import { tempFolder } from '../support/temp.ts'
import { type Bench, createBench, exchange, textOf } from './support.ts'

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const weak = generateKeyPairSync('rsa', { modulusLength: 1024 })
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const ec384 = generateKeyPairSync('ec', { namedCurve: 'P-384' })
const ed = generateKeyPairSync('ed25519')
const jwk = (key: KeyObject, kid: string, more: object = {}) => ({
  ...key.export({ format: 'jwk' }),
  kid,
  ...more,
})
const keySet = {
  keys: [
    jwk(rsa.publicKey, 'rsa', { use: 'sig' }),
    jwk(ec.publicKey, 'ec'),
    jwk(ed.publicKey, 'ed'),
    jwk(weak.publicKey, 'weak'),
    jwk(ec384.publicKey, 'ec384'),
    jwk(rsa.publicKey, 'enc', { use: 'enc' }),
    { kty: 'oct', k: 'c2VjcmV0', kid: 'oct' },
    { kty: 'strange' },
  ],
}
const file = join(tempFolder(), 'jwks.json')
writeFileSync(file, JSON.stringify(keySet))

const issuer = 'https://id.example.net'
const settings: OAuthSettings = {
  jwks: file,
  issuer,
  audience: 'mail',
  scope: 'mail.read',
  openidConfiguration: `${issuer}/.well-known/openid-configuration`,
}
let bench: Bench
let seconds: number
beforeAll(async () => {
  bench = await createBench()
  await bench.engine.directory.put('alice@example.net', 'pencil')
  seconds = bench.clock.now / 1000
})

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
const claims = () => ({
  iss: issuer,
  aud: ['other', 'mail'],
  exp: seconds + 3600,
  nbf: seconds,
  scope: 'openid mail.read',
  email: 'Alice@example.net',
})
const jwt = (
  header: object,
  body: object,
  key: KeyObject = rsa.privateKey,
  hash: string | null = 'sha256',
) => {
  const text = `${encode(header)}.${encode(body)}`
  return `${text}.${sign(hash, Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}
const rs256 = { alg: 'RS256', kid: 'rsa', typ: 'at+jwt' }
const good = (body: object = {}) => jwt(rs256, { ...claims(), ...body })

const response = (token: string, pairs = 'host=mail.example.net\x01port=143\x01') =>
  `n,a=alice@example.net,\x01${pairs}auth=Bearer ${token}\x01\x01`
const send = (message: string, channel = {}, oauth = createOAuthVerifier(settings, () => bench.clock.now)) =>
  exchange(bench.context(channel, { oauth }), 'OAUTHBEARER', message, '\x01')
const loggedIn = async (...args: Parameters<typeof send>) => 'done' in (await send(...args))[0]!

test('SA-13: RS256, ES256 and EdDSA tokens of the issuer', async () => {
  const [step] = await send(response(good()))
  expect(step).toMatchObject({
    done: { address: 'alice@example.net' },
    login: { mechanism: 'OAUTHBEARER', validUntil: (seconds + 3600) * 1000 },
  })
  expect(await loggedIn(response(jwt({ alg: 'ES256', kid: 'ec' }, claims(), ec.privateKey)))).toBe(true)
  expect(await loggedIn(response(jwt({ alg: 'EdDSA', kid: 'ed' }, claims(), ed.privateKey, null)))).toBe(true)
  expect(await loggedIn(response(jwt({ alg: 'ES256' }, claims(), ec.privateKey)))).toBe(true)
})

test('SA-14: failure: JSON as a challenge, %x01, then failed (RFC 7628 §3.2.2, §4.3)', async () => {
  for (const message of [
    response(good({ aud: 'x' })),
    'n,a=alice@example.net,\x01auth=\x01\x01',
    'rubbish',
  ]) {
    const steps = await send(message)
    expect(JSON.parse(textOf(steps[0]!))).toEqual({
      status: 'invalid_token',
      scope: 'mail.read',
      'openid-configuration': `${issuer}/.well-known/openid-configuration`,
    })
    expect(steps[1]).toMatchObject({ failed: 'credentials' })
  }
})

test('SA-17: a refused token counts, also when the client cancels instead of answering', async () => {
  const failures: string[] = []
  const throttle = { ...bench.services.throttle, failed: (peer: string) => void failures.push(peer) }
  const oauth = createOAuthVerifier(settings, () => bench.clock.now)
  const context = bench.context({}, { oauth, throttle })
  await exchange(context, 'OAUTHBEARER', response(good({ aud: 'x' })))
  expect(failures).toHaveLength(1)
  await exchange(context, 'OAUTHBEARER', response(good({ aud: 'x' })), '\x01')
  expect(failures).toHaveLength(2)
})

test('SA-13: the messages of RFC 7628 §4.1, §4.3 and §4.4', () => {
  const message = (base64: string) => parseClientResponse(Buffer.from(base64, 'base64').toString())
  const token = 'vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=='
  expect(
    message(
      'bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9QmVhcmVyI' +
        'HZGOWRmdDRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB',
    ),
  ).toEqual({ authzid: 'user@example.com', token, host: 'server.example.com', port: '143' })
  expect(
    message('bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9AQE='),
  ).toMatchObject({ token: '' })
  // §4.4 prints `user=` in the gs2 header, which its grammar does not know; the exchange there fails as well.
  expect(
    message(
      'bix1c2VyPXNvbWV1c2VyQGV4YW1wbGUuY29tLAFhdXRoPUJlYXJlciB2RjlkZnQ0cW1UYzJOdmIzUmxja0JoZEhSaGRtbHpkR0V1WTI5dENnPT0BAQ==',
    ),
  ).toBeUndefined()
})

test('SA-13: scheme without case, unknown keys ignored; what the grammar forbids is refused', () => {
  expect(parseClientResponse('y,,\x01foo=bar\x01auth=BeArEr  abc\x01\x01')).toMatchObject({ token: 'abc' })
  for (const message of [
    '',
    'n,,',
    'n,,\x01',
    'n,,\x01\x01',
    'n,,\x01auth=Bearer abc',
    'n,,\x01auth=Bearer abc\x01',
    'n,,\x01auth=Bearer abc\x01\x01\x01',
    'n,,auth=Bearer abc\x01\x01',
    'x,,\x01auth=Bearer abc\x01\x01',
    'p=tls-exporter,,\x01auth=Bearer abc\x01\x01',
    'n,,\x01auth=Basic abc\x01\x01',
    'n,,\x01auth=Bearer a b\x01\x01',
    'n,,\x01auth=Bearer abc\x01auth=Bearer abc\x01\x01',
    'n,,\x011=2\x01auth=Bearer abc\x01\x01',
    'n,,\x01foo\x01auth=Bearer abc\x01\x01',
    'n,,\x01foo=\x00\x01auth=Bearer abc\x01\x01',
    'n,a=a=b,\x01auth=Bearer abc\x01\x01',
  ])
    expect(parseClientResponse(message), JSON.stringify(message)).toBeUndefined()
})

test('SA-13: host and port are compared where they are known', async () => {
  const token = good()
  expect(await loggedIn(response(token), { host: 'MAIL.example.net', port: 143 })).toBe(true)
  expect(await loggedIn(response(token), { host: 'smtp.example.net' })).toBe(false)
  expect(await loggedIn(response(token), { port: 993 })).toBe(false)
  expect(await loggedIn(response(token, ''), { host: 'smtp.example.net', port: 993 })).toBe(true)
})

test('iss, aud, exp, nbf, scope, address (RFC 7519 §4.1)', async () => {
  expect(await loggedIn(response(good({ aud: 'mail' })))).toBe(true)
  expect(await loggedIn(response(good({ exp: seconds - 59, nbf: seconds + 60 })))).toBe(true)
  for (const body of [
    { iss: 'https://evil.example.net' },
    { iss: undefined },
    { aud: 'other' },
    { aud: ['other'] },
    { aud: { mail: 'mail' } },
    { exp: seconds - 60 },
    { exp: undefined },
    { exp: '9999999999' },
    { nbf: seconds + 61 },
    { nbf: 'now' },
    { scope: 'openid mail.readwrite' },
    { scope: undefined },
    { email: 'nobody@example.net' },
    { email: undefined },
    { email: ['alice@example.net'] },
    { email: 'bell\u0007@example.net' },
    { email_verified: false },
    { email_verified: 'false' },
    { email_verified: null, email: '' },
  ])
    expect(await loggedIn(response(good(body))), JSON.stringify(body)).toBe(false)
})

test('an authorization id that is not the token holder is refused', async () => {
  await bench.engine.directory.put('bob@example.net', 'pencil')
  const message = response(good()).replace('a=alice', 'a=bob')
  expect((await send(message))[0]).toMatchObject({ failed: 'authorization' })
})

test('signatures: no other algorithm, no weak or foreign key, no critical header, nothing cut or changed', async () => {
  const [head = '', body = '', signature = ''] = good().split('.')
  const hmacKey = rsa.publicKey.export({ format: 'pem', type: 'spki' })
  const hs = `${encode({ alg: 'HS256', kid: 'rsa' })}.${body}`
  for (const token of [
    `${encode({ alg: 'none' })}.${body}.`,
    `${encode({ alg: 'none' })}.${body}.${signature}`,
    `${hs}.${createHmac('sha256', hmacKey).update(hs).digest('base64url')}`,
    jwt({ alg: 'RS256', kid: 'weak' }, claims(), weak.privateKey),
    jwt({ alg: 'ES256', kid: 'ec384' }, claims(), ec384.privateKey),
    jwt({ alg: 'RS256', kid: 'ec' }, claims(), ec.privateKey),
    jwt({ alg: 'ES256', kid: 'rsa' }, claims()),
    jwt({ alg: 'RS256', kid: 'enc' }, claims()),
    jwt({ alg: 'RS256', kid: 'unknown' }, claims()),
    jwt({ alg: 'constructor', kid: 'rsa' }, claims()),
    jwt({ ...rs256, crit: ['exp'] }, claims()),
    jwt(rs256, claims(), generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey),
    `${head}.${encode({ ...claims(), email: 'bob@example.net' })}.${signature}`,
    `${head}.${body}.${signature.slice(0, -4)}`,
    `${head}.${body}`,
    `${head}.${body}.${signature}.`,
    `${head}..${signature}`,
    `W10.${body}.${signature}`,
    'a.b.c',
  ])
    expect(await loggedIn(response(token)), token.slice(0, 60)).toBe(false)
})

test('a key set from a URL: kept, read again for a new key, good while the issuer is away', async () => {
  let served: { status: number; body: string } = { status: 200, body: JSON.stringify({ keys: [] }) }
  let requests = 0
  const server = createServer((_, answer) => {
    requests++
    answer.writeHead(served.status).end(served.body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  afterAll(() => server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`
  const oauth = createOAuthVerifier({ ...settings, jwks: url }, () => bench.clock.now)
  const attempt = async () => (await send(response(good({ exp: seconds + 90_000 })), {}, oauth))[0]
  expect(await attempt()).toHaveProperty('challenge')
  served = { status: 200, body: JSON.stringify(keySet) }
  // A flood of unknown key ids is no flood of requests.
  for (let i = 0; i < 5; i++) await attempt()
  expect(requests).toBe(1)
  bench.clock.now += 30_000
  expect(await attempt()).toHaveProperty('done')
  expect(await attempt()).toHaveProperty('done')
  expect(requests).toBe(2)
  for (const broken of [
    { status: 503, body: JSON.stringify({ keys: [] }) },
    { status: 200, body: 'not JSON' },
    { status: 200, body: '{"keys":7}' },
    { status: 200, body: ' '.repeat(300_000) },
  ]) {
    served = broken
    bench.clock.now += 600_000
    expect(await attempt()).toHaveProperty('done')
  }
  expect(requests).toBe(6)
})

test('ST-08, AU-08: no key set to be had: unavailable, not a wrong token', async () => {
  const oauth = createOAuthVerifier({ ...settings, jwks: `${file}.missing` }, () => bench.clock.now)
  const steps: SaslStep[] = await send(response(good()), {}, oauth)
  expect(steps[0]).toMatchObject({ failed: 'unavailable' })
})

test('SA-04: not without TLS', () => {
  const oauth = createOAuthVerifier(settings, () => bench.clock.now)
  expect(startSasl('OAUTHBEARER', bench.context({ confidential: false }, { oauth }))).toBe(
    'encryption-needed',
  )
})
