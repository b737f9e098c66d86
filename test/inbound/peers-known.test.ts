/** Which MM7 peer speaks: networks, client certificates, Digest counts (SEC-061, MM7-029). */
import { createHash, X509Certificate } from 'node:crypto'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { checkServerIdentity, connect as connectTls, type PeerCertificate } from 'node:tls'
import { Agent, request } from 'undici'
import { expect, test } from 'vitest'
import { checkConfig } from '../../src/config.ts'
import { Authenticator } from '../../src/inbound/mm7/authenticate.ts'
import { Nonces } from '../../src/inbound/mm7/nonces.ts'
import { tlsPair } from '../../src/tls.ts'
import { configFile, folder, gatewayHere, run, testConfig } from '../support/gateway.ts'
import { deliverReq } from '../support/peers.ts'

const routes = [{ match: 'domain:example.net', to: 'store' }]

async function posted(url: string, headers: Record<string, string> = {}, dispatcher?: Agent) {
  const content = deliverReq({ transactionId: `t-${Math.random()}`, subject: 'x' })
  const answer = await request(url, {
    method: 'POST',
    headers: { 'content-type': content.contentType, soapaction: '""', ...headers },
    body: Buffer.concat(content.body),
    ...(dispatcher ? { dispatcher } : {}),
  })
  const text = await answer.body.text()
  const challenge = [answer.headers['www-authenticate'] ?? []].flat().join('\n')
  return { status: answer.statusCode, text, challenge }
}

test('SEC-061: a peer with networks comes from them, with its password too; others are refused', () => {
  const auth = { scheme: 'basic', user: 'u', password: 'secret' }
  const authorization = `Basic ${Buffer.from('u:secret').toString('base64')}`
  const identify = (peer: object, given: { ip?: string; authorization?: string } = {}) => {
    const settings = checkConfig(
      testConfig({ peers: { p: { interface: 'mm7', role: 'rs', ...peer } }, routes }),
      'test',
    )
    const request = { authorization: undefined, method: 'POST', url: '/mm7', ip: '127.0.0.1', tls: true }
    const found = new Authenticator(settings, 'never', Date.now).identify({ ...request, ...given })
    return 'peer' in found ? found.peer : found.status
  }
  expect(identify({ allow: ['192.0.2.0/24', '127.0.0.0/8'] })).toBe('p')
  expect(identify({ allow: ['192.0.2.0/24', '127.0.0.0/8'] }, { ip: '192.0.2.9' })).toBe('p')
  expect(identify({ allow: ['2001:db8::/32'] }, { ip: '2001:db8::9' })).toBe('p')
  expect(identify({ allow: ['192.0.2.0/24'] })).toBe(403)
  // `allow` stands in for `ip`, and is asked of who logs in, too.
  expect(identify({ ip: '127.0.0.1', allow: ['192.0.2.0/24'] })).toBe(403)
  expect(identify({ allow: ['192.0.2.0/24'], auth }, { authorization })).toBe(403)
  expect(identify({ allow: ['127.0.0.1'], auth }, { authorization })).toBe('p')
  expect(identify({ allow: ['127.0.0.1'], auth })).toBe(401)
  // Nothing is known of it: default deny.
  expect(identify({})).toBe(403)
})

test('SEC-061, SEC-063: a peer with a certificate shows it, over TLS 1.2 at the least; no other one will do', async () => {
  const own = await tlsPair(undefined, folder(), 'peer.example')
  const foreign = await tlsPair(undefined, folder(), 'peer.example')
  const certificate = new X509Certificate(own.cert).fingerprint256
  const gateway = await gatewayHere({
    listen: { ...(testConfig().listen as object), mm7s: '127.0.0.1:0' },
    peers: { p: { interface: 'mm7', role: 'rs', certificate } },
    routes,
  })
  const url = gateway.addresses.mm7s!
  const status = async (pair: object) => {
    const dispatcher = new Agent({ connect: { rejectUnauthorized: false, ...pair } })
    const answer = await posted(url, {}, dispatcher)
    await dispatcher.close()
    return answer.status
  }
  expect(await status({ cert: own.cert, key: own.key })).toBe(200)
  expect(await status({ cert: foreign.cert, key: foreign.key })).toBe(403)
  expect(await status({})).toBe(403)
  // In the clear it can show nothing.
  expect((await posted(gateway.addresses.mm7!)).status).toBe(403)
  const { hostname, port } = new URL(url)
  const old = connectTls({
    host: hostname,
    port: Number(port),
    rejectUnauthorized: false,
    maxVersion: 'TLSv1.1',
    minVersion: 'TLSv1',
  })
  expect(
    await new Promise((resolve) =>
      old.once('error', () => resolve('refused')).once('secureConnect', resolve),
    ),
  ).toBe('refused')
  old.destroy()
})

test('MM7-029: a Digest login that was overheard is no login; the peer is told to take another nonce', async () => {
  const gateway = await gatewayHere({
    peers: {
      p: { interface: 'mm7', role: 'rs', auth: { scheme: 'digest', user: 'dora', password: 'secret' } },
    },
    routes,
  })
  const url = gateway.addresses.mm7!
  const { challenge } = await posted(url)
  const nonce = /algorithm=SHA-256, nonce="([^"]+)"/.exec(challenge)![1]!
  const h = (text: string) => createHash('sha256').update(text).digest('hex')
  const login = (nc: string, password = 'secret', at = nonce) => {
    const response = h(`${h(`dora:r:${password}`)}:${at}:${nc}:abc:auth:${h('POST:/mm7')}`)
    return {
      authorization: `Digest username="dora", realm="r", nonce="${at}", uri="/mm7", algorithm=SHA-256, qop=auth, nc=${nc}, cnonce="abc", response="${response}"`,
    }
  }
  expect((await posted(url, login('00000001'))).status).toBe(200)
  const replayed = await posted(url, login('00000001'))
  expect(replayed.status).toBe(401)
  expect(replayed.challenge).toContain('stale=true')
  // Requests overtake each other.
  expect((await posted(url, login('00000003'))).status).toBe(200)
  expect((await posted(url, login('00000002'))).status).toBe(200)
  expect((await posted(url, login('00000002'))).status).toBe(401)
  for (const nc of ['00000000', '4', 'zzzzzzzz']) expect((await posted(url, login(nc))).status).toBe(401)
  const wrong = await posted(url, login('00000009', 'wrong'))
  expect([wrong.status, wrong.challenge.includes('stale')]).toEqual([401, false])
  // Who does not know the password uses no count up.
  expect((await posted(url, login('00000009'))).status).toBe(200)
  const fresh = /algorithm=SHA-256, nonce="([^"]+)"/.exec(replayed.challenge)![1]!
  expect((await posted(url, login('00000001', 'secret', fresh))).status).toBe(200)
})

test('MM7-029: what is remembered of nonces is bounded, and none that was forgotten is taken again', () => {
  let now = 1_000_000
  const nonces = new Nonces(() => now)
  const first = nonces.issue()
  expect(nonces.use(first, 1)).toBe(true)
  now += 1
  const others = Array.from({ length: 10_001 }, () => nonces.issue())
  expect(new Set(others).size).toBe(10_001)
  for (const nonce of others) expect(nonces.use(nonce, 1)).toBe(true)
  expect(nonces.use(first, 2)).toBe(false)
  expect(nonces.use(first, 1)).toBe(false)
  const late = others.at(-1)!
  for (let count = 2; count < 5000; count++) expect(nonces.use(late, count)).toBe(true)
  expect(nonces.use(late, 4990)).toBe(false)
  expect(nonces.use(late, 3)).toBe(false)
  expect(nonces.isOurs(late)).toBe(true)
  expect(nonces.isOurs(`${late}x`)).toBe(false)
  now += 300_001
  expect(nonces.use(late, 5001)).toBe(false)
})

test('the certificate that is made here names the host, and the machine itself', async () => {
  const { cert } = await tlsPair(undefined, folder(), 'gw.example.net')
  const { subjectAltName } = new X509Certificate(cert)
  const peer = {
    subject: { CN: 'gw.example.net' },
    subjectaltname: subjectAltName,
  } as unknown as PeerCertificate
  for (const name of ['gw.example.net', 'localhost', '127.0.0.1', '::1'])
    expect(checkServerIdentity(name, peer)).toBeUndefined()
  expect(checkServerIdentity('other.example.net', peer)).toBeInstanceOf(Error)
})

test('tls files that are missing, or no pair, are named before anything is started', async () => {
  const at = folder()
  const one = await tlsPair(undefined, at, 'a.example')
  const other = await tlsPair(undefined, folder(), 'b.example')
  const files = { cert: join(at, 'cert.pem'), key: join(at, 'key.pem') }
  writeFileSync(files.cert, one.cert)
  const check = async () =>
    (await run(['config', 'check', '--config', configFile(testConfig({ tls: files }))])).err
  expect(await check()).toMatch(/^tls\.key: ENOENT.*expected a PEM file\n$/)
  writeFileSync(files.key, other.key)
  expect(await check()).toMatch(/^tls: .*expected a certificate and its key \(PEM\)\n$/)
  writeFileSync(files.key, one.key)
  expect(await check()).toBe('')
})

test('SEC-062: a store that the command line makes is nobody else’s to read, and holds no password', async () => {
  const at = join(folder(), 'data')
  const file = configFile(testConfig({ store: `sqlite:${at}`, accounts: [] }))
  expect(
    (await run(['account', 'add', 'carol@example.net', '--config', file], 'correct horse battery\n')).code,
  ).toBe(0)
  const database = join(at, 'lemonade.sqlite')
  expect(statSync(database).mode & 0o077).toBe(0)
  expect(readFileSync(database).includes('correct horse battery')).toBe(false)
})
