/** SCRAM and OAUTHBEARER as a client meets them: the whole exchange over a real IMAP server and real TLS. */
import { createHash, createHmac, generateKeyPairSync, pbkdf2Sync, randomBytes, sign } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startImap, type TestImap } from '../support/imap-server.ts'
import { type RawImap, rawImap } from '../support/raw-imap.ts'
import { tempFolder } from '../support/temp.ts'

const user = 'alice@example.net'
const issuer = 'https://id.example.net'
const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const jwks = join(tempFolder(), 'jwks.json')
let server: TestImap
beforeAll(async () => {
  writeFileSync(jwks, JSON.stringify({ keys: [{ ...keys.publicKey.export({ format: 'jwk' }), kid: 'one' }] }))
  server = await startImap({ allowPlaintext: 'never', auth: { oauth: { jwks, issuer, audience: 'mail' } } })
})
afterAll(async () => {
  expect(server.logged).toEqual([])
  await server.close()
})

async function overTls(): Promise<{ socket: TLSSocket; imap: RawImap }> {
  const socket = connect({
    port: server.tlsPort,
    host: '127.0.0.1',
    servername: 'mail.example.net',
    rejectUnauthorized: false,
  })
  return { socket, imap: await rawImap(server.tlsPort, socket) }
}

const base64 = (octets: Uint8Array | string) => Buffer.from(octets as string).toString('base64')
const hmac = (key: Uint8Array, data: string) => createHmac('sha256', key).update(data).digest()

/** RFC 5802 §3 by its formulas. Returns what ends the exchange. */
async function scram(
  imap: RawImap,
  mechanism: string,
  { header = 'n,,', binding = Buffer.alloc(0), password = 'secret', initial = true } = {},
): Promise<{ answer: string; verified: boolean }> {
  const nonce = randomBytes(18).toString('base64')
  const bare = `n=${user},r=${nonce}`
  if (initial) imap.send(`s AUTHENTICATE ${mechanism} ${base64(header + bare)}\r\n`)
  else {
    imap.send(`s AUTHENTICATE ${mechanism}\r\n`)
    expect(await imap.until(/^\+ .*\r\n/)).toBe('+ \r\n')
    imap.send(`${base64(header + bare)}\r\n`)
  }
  const first = await imap.until(/^(\+|s) .*\r\n/)
  if (!first.startsWith('+')) return { answer: first, verified: false }
  const serverFirst = Buffer.from(first.slice(2), 'base64').toString()
  const [, both, salt, iterations] = /^r=([^,]+),s=([^,]+),i=(\d+)$/.exec(serverFirst)!
  expect(both!.startsWith(nonce)).toBe(true)
  const salted = pbkdf2Sync(password, Buffer.from(salt!, 'base64'), Number(iterations), 32, 'sha256')
  const final = `c=${base64(Buffer.concat([Buffer.from(header), binding]))},r=${both}`
  const message = `${bare},${serverFirst},${final}`
  const clientKey = hmac(salted, 'Client Key')
  const signature = hmac(createHash('sha256').update(clientKey).digest(), message)
  const proof = Buffer.from(clientKey.map((octet, i) => octet ^ signature[i]!))
  imap.send(`${base64(`${final},p=${base64(proof)}`)}\r\n`)
  const second = await imap.until(/^(\+|s) .*\r\n/)
  if (!second.startsWith('+')) return { answer: second, verified: false }
  const verified =
    Buffer.from(second.slice(2), 'base64').toString() ===
    `v=${base64(hmac(hmac(salted, 'Server Key'), message))}`
  // The server's last word is a challenge, answered with nothing (SA-12).
  imap.send('\r\n')
  return { answer: await imap.until(/^s .*\r\n/), verified }
}

test('SA-05, SA-12, IR-01: SCRAM-SHA-256, with an initial response and without', async () => {
  for (const initial of [true, false]) {
    const { imap } = await overTls()
    const { answer, verified } = await scram(imap, 'SCRAM-SHA-256', { initial })
    expect(answer).toMatch(/^s OK \[CAPABILITY /)
    expect(verified).toBe(true)
    expect(await imap.command('SELECT INBOX')).toContain('OK')
    imap.end()
  }
  const { imap } = await overTls()
  expect((await scram(imap, 'SCRAM-SHA-256', { password: 'wrong' })).answer).toMatch(
    /^s NO \[AUTHENTICATIONFAILED\]/,
  )
  imap.end()
})

test('SA-08, SA-09, SA-10: SCRAM-SHA-256-PLUS is bound to this connection', async () => {
  const { imap, socket } = await overTls()
  expect(await imap.command('CAPABILITY')).toMatch(
    /AUTH=SCRAM-SHA-256-PLUS.* AUTH=SCRAM-SHA-256[ \r]|AUTH=SCRAM-SHA-256 .*AUTH=SCRAM-SHA-256-PLUS/,
  )
  const exporter = (of: TLSSocket) => of.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0))
  const header = 'p=tls-exporter,,'
  const bound = await scram(imap, 'SCRAM-SHA-256-PLUS', { header, binding: exporter(socket) })
  expect(bound.answer).toMatch(/^s OK/)
  expect(bound.verified).toBe(true)
  const other = await overTls()
  const stolen = await scram(other.imap, 'SCRAM-SHA-256-PLUS', { header, binding: exporter(socket) })
  expect(stolen.answer).toMatch(/^s NO \[AUTHENTICATIONFAILED\]/)
  // A client that could bind, and was told that we cannot: somebody stands in between.
  expect((await scram(other.imap, 'SCRAM-SHA-256', { header: 'y,,' })).answer).toMatch(/^s NO/)
  imap.end()
  other.imap.end()
})

const jwt = (body: object): string => {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const text = `${encode({ alg: 'ES256', kid: 'one', typ: 'at+jwt' })}.${encode(body)}`
  return `${text}.${sign('sha256', Buffer.from(text), { key: keys.privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}

test('SA-13, SA-14: OAUTHBEARER with a token that is good, and with one that ended', async () => {
  const claims = { iss: issuer, aud: 'mail', email: user, exp: Math.floor(Date.now() / 1000) + 600 }
  const message = (body: object) => base64(`n,a=${user},\x01auth=Bearer ${jwt(body)}\x01\x01`)
  const { imap } = await overTls()
  imap.send(`o AUTHENTICATE OAUTHBEARER ${message({ ...claims, exp: 1000 })}\r\n`)
  const challenge = await imap.until(/^\+ .*\r\n/)
  expect(JSON.parse(Buffer.from(challenge.slice(2), 'base64').toString()).status).toBe('invalid_token')
  imap.send('AQ==\r\n')
  expect(await imap.until(/^o .*\r\n/)).toMatch(/^o NO \[AUTHENTICATIONFAILED\]/)
  imap.send(`o AUTHENTICATE OAUTHBEARER ${message(claims)}\r\n`)
  expect(await imap.until(/^o .*\r\n/)).toMatch(/^o OK \[CAPABILITY /)
  expect(await imap.command('SELECT INBOX')).toContain('OK')
  imap.end()
})

test('SA-04, SC-05: none of them in the clear but SCRAM', async () => {
  const imap = await rawImap(server.port)
  const told = await imap.command('CAPABILITY')
  expect(told).toContain(' LOGINDISABLED')
  expect(told).not.toMatch(/AUTH=(PLAIN|OAUTHBEARER|HT-|SCRAM-SHA-256-PLUS|EXTERNAL)/)
  expect(await imap.command('LOGIN alice@example.net secret')).toContain('NO [PRIVACYREQUIRED]')
  imap.end()
})
