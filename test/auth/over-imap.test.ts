/** The mechanisms as a client meets them: IMAP over real TLS. */
import { createHmac } from 'node:crypto'
import { connect as connectPlain, type Socket } from 'node:net'
import { connect, type TLSSocket } from 'node:tls'
import { generate } from 'selfsigned'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createSaslServices } from '../../src/auth/services.ts'
import { type Engine, openSqlite } from '../../src/db/sqlite/engine.ts'
import { createImapServer, type ImapServer } from '../../src/imap/server.ts'
import { testLimits } from '../support/imap-server.ts'
import { tempFolder } from '../support/temp.ts'

const user = 'alice@example.net'
let engine: Engine
let server: ImapServer
let port: number
let clearPort: number
let mine: { key: string; cert: string }
const sockets: Socket[] = []

beforeAll(async () => {
  const pair = async (altNames: { type: 1 | 2; value: string }[]) => {
    const extensions = [{ name: 'subjectAltName' as const, altNames }]
    const made = await generate([{ name: 'commonName', value: 'x' }], {
      keySize: 2048,
      algorithm: 'sha256',
      extensions,
    })
    return { key: made.private, cert: made.cert }
  }
  mine = await pair([{ type: 1, value: user }])
  const folder = tempFolder()
  engine = await openSqlite(folder)
  await engine.directory.put(user, 'pencil')
  server = createImapServer({
    host: 'mail.example.net',
    store: engine.store,
    directory: engine.directory,
    folder,
    sasl: createSaslServices(engine, {
      external: {},
      oauth: { jwks: '/dev/null', issuer: 'https://id.example.net', audience: 'mail', scope: 'mail' },
    }),
    tls: { ...(await pair([{ type: 2, value: 'mail.example.net' }])), ca: mine.cert },
    allowPlaintext: 'never',
    limits: testLimits,
    now: Date.now,
    log: () => {},
  })
  clearPort = (await server.listen('127.0.0.1', 0)).port
  port = (await server.listen('127.0.0.1', 0, { implicitTls: true })).port
})
afterAll(async () => {
  for (const socket of sockets) socket.destroy()
  await server.close()
  await engine.close()
})

/** Resolves with what comes, up to the match. */
function reader(socket: Socket) {
  let text = ''
  let look = () => {}
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1')
    look()
  })
  return (pattern: RegExp): Promise<string> =>
    new Promise((resolve) => {
      look = () => {
        const match = pattern.exec(text)
        if (!match) return
        resolve(text.slice(0, match.index + match[0].length))
        text = text.slice(match.index + match[0].length)
      }
      look()
    })
}

async function client(options: { key?: string; cert?: string; starttls?: boolean } = {}) {
  const { starttls, ...pair } = options
  const common = { ...pair, servername: 'mail.example.net', rejectUnauthorized: false }
  let socket: TLSSocket
  if (starttls) {
    const plain = connectPlain(clearPort, '127.0.0.1')
    sockets.push(plain)
    const until = reader(plain)
    await until(/\* OK.*\r\n/)
    plain.write('s STARTTLS\r\n')
    await until(/s OK.*\r\n/)
    plain.removeAllListeners('data')
    socket = connect({ ...common, socket: plain })
  } else socket = connect({ ...common, port, host: '127.0.0.1' })
  sockets.push(socket)
  await new Promise<void>((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject))
  const until = reader(socket)
  if (!starttls) await until(/\* OK.*\r\n/)
  return { socket, until, send: (text: string) => socket.write(text) }
}

const base64 = (octets: Uint8Array | string) => Buffer.from(octets as string).toString('base64')

test('IR-01, SA-14: OAUTHBEARER refused: the error as a challenge, AQ==, then NO', async () => {
  const { send, until } = await client()
  send(`a AUTHENTICATE OAUTHBEARER ${base64(`n,a=${user},\x01auth=\x01\x01`)}\r\n`)
  const challenge = /^\+ (.*)\r\n/.exec(await until(/^\+ .*\r\n/))?.[1] ?? ''
  // An empty token asks what scope is needed (RFC 7628 §4.3).
  expect(JSON.parse(Buffer.from(challenge, 'base64').toString())).toEqual({
    status: 'invalid_token',
    scope: 'mail',
  })
  send('AQ==\r\n')
  expect(await until(/^a .*\r\n/)).toMatch(/^a NO \[AUTHENTICATIONFAILED\]/)
})

test('IR-02, SA-15, SA-16: EXTERNAL on the TLS port and after STARTTLS, for who has a certificate', async () => {
  for (const starttls of [false, true]) {
    const { send, until } = await client({ ...mine, starttls })
    send('a CAPABILITY\r\n')
    expect(await until(/a OK.*\r\n/)).toContain(' AUTH=EXTERNAL')
    send('b AUTHENTICATE EXTERNAL =\r\n')
    expect(await until(/b .*\r\n/)).toMatch(/^b OK \[CAPABILITY /)
    const without = await client({ starttls })
    without.send('a CAPABILITY\r\n')
    expect(await without.until(/a OK.*\r\n/)).not.toContain('AUTH=EXTERNAL')
    without.send('b AUTHENTICATE EXTERNAL =\r\n')
    expect(await without.until(/b .*\r\n/)).toMatch(/^b NO/)
  }
})

test('RC-15, RC-17: a session token, bound to the connection: login, ENABLE and SELECT in one flight', async () => {
  const account = (await engine.directory.find(user))!.id
  const { token } = await engine.tokens.issue({
    account,
    client: 'phone',
    mechanism: 'HT-SHA-256-EXPR',
    fullLoginAt: Date.now(),
  })
  const { socket, send, until } = await client()
  const binding = socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0))
  const proof = (who: string) => createHmac('sha256', token).update(who).update(binding).digest()
  const message = Buffer.concat([Buffer.from(`${user}\0`), proof('Initiator')])
  send(`a AUTHENTICATE HT-SHA-256-EXPR ${base64(message)}\r\n\r\nb ENABLE CONDSTORE\r\nc SELECT INBOX\r\n`)
  const answer = await until(/c (OK|NO|BAD).*\r\n/)
  expect(answer.split('\r\n')[0]).toBe(`+ ${base64(proof('Responder'))}`)
  expect(answer).toMatch(/\r\na OK \[CAPABILITY .*\r\n(.*\r\n)*b OK.*\r\n(.*\r\n)*c OK/)
  // Replayed on another connection it is worth nothing.
  const other = await client()
  other.send(`a AUTHENTICATE HT-SHA-256-EXPR ${base64(message)}\r\n`)
  expect(await other.until(/^a .*\r\n/)).toMatch(/^a NO \[AUTHENTICATIONFAILED\]/)
})
