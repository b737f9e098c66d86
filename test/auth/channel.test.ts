import { createHash, X509Certificate } from 'node:crypto'
import type { AddressInfo, Socket } from 'node:net'
import { connect as connectPlain, createServer as createPlain } from 'node:net'
import { type ConnectionOptions, connect, createServer, type TLSSocket, type TlsOptions } from 'node:tls'
import { generate } from 'selfsigned'
import { beforeAll, expect, test } from 'vitest'
import { type Channel, channelOf, endPointBinding, rfc822Names } from '../../src/auth/channel.ts'
import { type SaslContext, saslMechanisms, startSasl } from '../../src/auth/sasl.ts'
import { type Bench, createBench, outcome, scramLogin } from './support.ts'

interface Pair {
  readonly key: string
  readonly cert: string
}
const certificate = async (name: string, emails: string[] = [], algorithm = 'sha256'): Promise<Pair> => {
  const made = await generate([{ name: 'commonName', value: name }], {
    keySize: 2048,
    algorithm,
    extensions: [
      {
        name: 'subjectAltName',
        altNames: [{ type: 2, value: 'localhost' }, ...emails.map((value) => ({ type: 1 as const, value }))],
      },
    ],
  })
  return { key: made.private, cert: made.cert }
}

let bench: Bench
let server: Pair
let alice: Pair
beforeAll(async () => {
  bench = await createBench()
  await bench.engine.directory.put('alice@example.net', 'pencil')
  await bench.engine.directory.put('bob@example.net', 'pencil')
  server = await certificate('localhost')
  alice = await certificate('alice@example.net', ['Alice@example.net', 'alice@other.example'])
})

/** One TLS connection; both ends live while `run` does. */
async function connected<T>(
  serverOptions: TlsOptions,
  clientOptions: ConnectionOptions,
  run: (channel: Channel, client: TLSSocket) => Promise<T>,
): Promise<T> {
  const listener = createServer({ ...server, ...serverOptions })
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const accepted = new Promise<TLSSocket>((resolve) => listener.once('secureConnection', resolve))
  const client = connect({
    host: '127.0.0.1',
    port: (listener.address() as AddressInfo).port,
    servername: 'localhost',
    ca: server.cert,
    ...clientOptions,
  })
  await new Promise<void>((resolve, reject) => client.once('secureConnect', resolve).once('error', reject))
  const socket = await accepted
  try {
    return await run(channelOf(socket, 'never', 993), client)
  } finally {
    client.destroy()
    socket.destroy()
    listener.close()
  }
}

const exporterOf = (client: TLSSocket) =>
  client.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0))

test('SA-10: tls-exporter (RFC 9266 §2): both ends have the same octets, every session its own', async () => {
  const once = () =>
    connected({}, {}, async (channel, client) => {
      expect(client.getProtocol()).toBe('TLSv1.3')
      const own = Buffer.from(channel.binding('tls-exporter')!)
      expect(own).toEqual(exporterOf(client))
      return own.toString('hex')
    })
  expect(await once()).not.toBe(await once())
})

test('SA-10: tls-server-end-point (RFC 5929 §4.1) is the hash of the certificate that the client saw', async () => {
  await connected({}, {}, async (channel, client) => {
    const seen = client.getPeerCertificate().raw
    expect(Buffer.from(channel.binding('tls-server-end-point')!)).toEqual(
      createHash('sha256').update(seen).digest(),
    )
  })
  const sha384 = new X509Certificate((await certificate('localhost', [], 'sha384')).cert).raw
  expect(endPointBinding(sha384)).toEqual(createHash('sha384').update(sha384).digest())
  const sha1 = new X509Certificate((await certificate('localhost', [], 'sha1')).cert).raw
  expect(endPointBinding(sha1)).toEqual(createHash('sha256').update(sha1).digest())
})

test('RFC 9266 §4.2: no exporter under TLS 1.2', async () => {
  await connected({ maxVersion: 'TLSv1.2' }, {}, async (channel) => {
    expect(channel.binding('tls-exporter')).toBeUndefined()
    expect(channel.binding('tls-server-end-point')).toBeDefined()
  })
})

test('SA-08, SA-10: SCRAM-SHA-256-PLUS over real TLS; relayed to another session it fails', async () => {
  await connected({}, {}, async (channel, client) => {
    expect(channel).toMatchObject({
      tls: true,
      confidential: true,
      host: 'localhost',
      port: 993,
      peer: '127.0.0.1',
    })
    const context: SaslContext = { ...bench.services, channel }
    const login = (binding: Uint8Array) =>
      scramLogin(context, 'SCRAM-SHA-256-PLUS', {
        user: 'alice@example.net',
        password: 'pencil',
        header: 'p=tls-exporter,,',
        binding,
      })
    expect((await login(exporterOf(client))).last).toMatchObject({ done: { address: 'alice@example.net' } })
  })
  await connected({}, {}, async (channel) => {
    const elsewhere = await connected({}, {}, async (_, client) => exporterOf(client))
    const context: SaslContext = { ...bench.services, channel }
    const relayed = {
      user: 'alice@example.net',
      password: 'pencil',
      header: 'p=tls-exporter,,',
      binding: elsewhere,
    }
    expect((await scramLogin(context, 'SCRAM-SHA-256-PLUS', relayed)).last).toMatchObject({
      failed: 'credentials',
    })
  })
})

test('SA-15, SA-16: EXTERNAL: a verified client certificate of this session, mapped by its rfc822Name', async () => {
  const external = new Map([['alice@other.example', 'bob@example.net']])
  const asked = { requestCert: true, rejectUnauthorized: false, ca: alice.cert }
  const context = (channel: Channel): SaslContext => ({ ...bench.services, external, channel })
  await connected(asked, alice, async (channel) => {
    expect(channel.certificate?.rfc822Names).toEqual(['Alice@example.net', 'alice@other.example'])
    expect(saslMechanisms(context(channel))).toContain('EXTERNAL')
    expect(saslMechanisms({ ...bench.services, channel })).not.toContain('EXTERNAL')
    const login = (authzid: string | Uint8Array) => outcome(context(channel), 'EXTERNAL', authzid)
    expect(await login('')).toMatchObject({
      done: { address: 'alice@example.net' },
      login: { mechanism: 'EXTERNAL', validUntil: channel.certificate?.validTo },
    })
    expect(await login('ALICE@example.net')).toMatchObject({ done: { address: 'alice@example.net' } })
    expect(await login('bob@example.net')).toMatchObject({ done: { address: 'bob@example.net' } })
    expect(await login('eve@example.net')).toMatchObject({ failed: 'authorization' })
    expect(await login('alice@example.net\0')).toMatchObject({ failed: 'credentials' })
    expect(await login(Buffer.of(0xff))).toMatchObject({ failed: 'credentials' })
  })
  // Not of our authority, or none at all.
  const mallory = await certificate('alice@example.net', ['alice@example.net'])
  for (const client of [mallory, {}])
    await connected(asked, client, async (channel) => {
      expect(channel.certificate).toBeUndefined()
      expect(startSasl('EXTERNAL', context(channel))).toBe('unknown')
    })
  const strange = await certificate('nobody', ['nobody@example.net'])
  await connected({ ...asked, ca: strange.cert }, strange, async (channel) => {
    expect(await outcome(context(channel), 'EXTERNAL', '')).toMatchObject({ failed: 'credentials' })
  })
})

test('SA-15: a name that tries to be two is none', async () => {
  const names = async (...emails: string[]) =>
    rfc822Names(new X509Certificate((await certificate('x', emails)).cert))
  expect(await names('eve@evil.example, email:alice@example.net')).toEqual([])
  expect(await names('eve@evil.example", email:"alice@example.net')).toEqual([])
  expect(await names('eve@evil.example, DNS:x', 'alice@example.net')).toEqual(['alice@example.net'])
  expect(await names()).toEqual([])
})

test('SA-04: passwords without TLS: never, on loopback, always', async () => {
  const listener = createPlain()
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const accepted = new Promise<Socket>((resolve) => listener.once('connection', resolve))
  const client = connectPlain((listener.address() as AddressInfo).port, '127.0.0.1')
  const socket = await accepted
  const confidential = (['never', 'loopback', 'always'] as const).map(
    (policy) => channelOf(socket, policy).confidential,
  )
  expect(confidential).toEqual([false, true, true])
  const channel = channelOf(socket, 'always')
  expect([channel.tls, channel.binding('tls-exporter'), channel.binding('tls-server-end-point')]).toEqual([
    false,
    undefined,
    undefined,
  ])
  client.destroy()
  socket.destroy()
  listener.close()
})
