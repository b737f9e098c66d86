import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { createMm7Server, type Mm7Server, type Mm7ServerOptions } from '../../src/inbound/mm7/server.ts'
import { Fault } from '../../src/model/fault.ts'
import type { Settings } from '../../src/model/settings.ts'
import { createMm7Transport } from '../../src/outbound/mm7-transport.ts'
import { readMm7Response } from '../../src/wire/mm7/response.ts'
import { element, schemaNamespace, writeMm7 } from '../../src/wire/mm7/write.ts'

const defaults = JSON.parse(
  readFileSync(new URL('../../fixtures/rfc4356/defaults.json', import.meta.url), 'utf8'),
) as Settings
const settings: Settings = {
  ...defaults,
  peers: {
    mmsc: { ...defaults.peers.mmsc!, ip: '127.0.0.1' },
    vasp1: { ...defaults.peers.vasp1!, ip: '192.0.2.20' },
    digest: { interface: 'mm7', role: 'rs', auth: { scheme: 'digest', user: 'dora', password: 'secret' } },
    basic: { interface: 'mm7', role: 'vasp', auth: { scheme: 'basic', user: 'bob', password: 's:cret' } },
  },
}
const open: Mm7Server[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((s) => s.close()))
})

async function started(over: Partial<Mm7ServerOptions> = {}) {
  const seen: string[] = []
  const server = await createMm7Server({
    settings,
    allowPlaintext: 'loopback',
    limits: {
      messageOctets: 1_000_000,
      xmlOctets: 262_144,
      headerOctets: 16_384,
      maxConnections: 50,
      maxPerIp: 20,
      requestMs: 1500,
    },
    accept: async (request, context) => {
      seen.push(`${context.peer} ${request.operation}`)
      return { status: 1000, messageId: 'MMS-1' }
    },
    now: Date.now,
    log: () => {},
    ...over,
  })
  open.push(server)
  return { server, seen }
}

const namespace = schemaNamespace('REL-6-MM7-1-4')
const deliver = (version = '6.8.0', transactionId = 'tx 1@x') => {
  const body = element('DeliverReq', [
    element('MM7Version', version),
    element('Sender', [element('Number', '+12025550123')]),
    element('Subject', 'Hi'),
  ])
  return writeMm7({ transactionId, namespace, body })
}
const post = (server: Mm7Server, content = deliver(), over: object = {}) =>
  server.handle({
    method: 'POST',
    url: '/mm7',
    headers: { 'content-type': content.contentType },
    body: Buffer.concat(content.body),
    ip: '127.0.0.1',
    ...over,
  })
const statusOf = (r: { body: Uint8Array }) => readMm7Response(r.body).statusCode

test('MM7-001, MM7-011, MM7-014: one answer, the TransactionID character for character, namespace and version mirrored', async () => {
  const { server, seen } = await started()
  const response = await post(server, deliver('5.3.0'))
  expect(response.status).toBe(200)
  expect(response.headers['content-type']).toBe('text/xml; charset="utf-8"')
  expect(readMm7Response(response.body)).toMatchObject({
    transactionId: 'tx 1@x',
    statusCode: 1000,
    statusText: 'Success',
  })
  expect(Buffer.from(response.body).toString()).toMatch(
    /<DeliverRsp xmlns="[^"]*REL-6-MM7-1-4"><MM7Version>5\.3\.0</,
  )
  expect(seen).toEqual(['mmsc DeliverReq'])
})

test('MM7-020 to MM7-022, SEC-022: method, path, media type, content encoding', async () => {
  const { server } = await started()
  const status = async (over: object) => (await post(server, deliver(), over)).status
  expect(await status({ method: 'GET' })).toBe(405)
  expect(await status({ url: '/other' })).toBe(404)
  expect(await status({ headers: { 'content-type': 'text/html' } })).toBe(415)
  expect(await status({ headers: { 'content-type': 'text/xml', 'content-encoding': 'gzip' } })).toBe(415)
  expect(await status({ headers: { 'content-type': 'application/soap+xml' } })).toBe(200)
})

test('MM7-028, MM7-029: Basic, Digest, address; malformed Authorization', async () => {
  const { server, seen } = await started()
  const authorized = (authorization: string, over: object = {}) =>
    post(server, deliver(), {
      ip: '198.51.100.1',
      headers: { 'content-type': 'text/xml', authorization },
      ...over,
    })
  const none = await post(server, deliver(), { ip: '198.51.100.1' })
  expect(none.status).toBe(401)
  expect(none.headers['www-authenticate']).toMatch(
    /Digest realm="gw\.mms\.example\.net", qop="auth", algorithm=SHA-256/,
  )
  for (const bad of [
    'Basic',
    'Basic !!!',
    'Basic eHg=',
    'Digest',
    'Digest nonsense',
    'Bearer x',
    `Digest ${'a="'.repeat(3000)}`,
    'Basic Ym9iOndyb25n',
  ])
    expect((await authorized(bad)).status, bad.slice(0, 30)).toBe(401)
  const nonce = /algorithm=SHA-256, nonce="([^"]+)"/.exec(none.headers['www-authenticate']!)![1]!
  const h = (text: string) => createHash('sha256').update(text).digest('hex')
  const digest = (password: string, at = nonce) => {
    const response = h(`${h(`dora:r:${password}`)}:${at}:00000001:abc:auth:${h('POST:/mm7')}`)
    return `Digest username="dora", realm="r", nonce="${at}", uri="/mm7", algorithm=SHA-256, qop=auth, nc=00000001, cnonce="abc", response="${response}"`
  }
  expect((await authorized(digest('secret'))).status).toBe(200)
  expect((await authorized(digest('wrong'))).status).toBe(401)
  expect((await authorized(digest('secret', 'zzzz.forged'))).status).toBe(401)
  const basic = `Basic ${Buffer.from('bob:s:cret').toString('base64')}`
  expect((await authorized(basic, { ip: '127.0.0.1' })).status).toBe(500)
  // In the clear from elsewhere a password is not taken.
  expect((await authorized(basic)).status).toBe(401)
  expect(seen).toEqual(['digest DeliverReq'])
})

test('MM7-002, MM7-003, MM7-012, MM7-015, MM7-016, MM7-030: what is no request of this peer', async () => {
  const { server } = await started()
  const fault = async (content: ReturnType<typeof deliver>, ip = '127.0.0.1') => {
    const response = await post(server, content, { ip })
    expect(response.status).toBe(500)
    return [statusOf(response), /<(\w+ErrorRsp)/.exec(Buffer.from(response.body).toString())![1]]
  }
  const made = (name: string, ...children: ReturnType<typeof element>[]) =>
    writeMm7({
      transactionId: 't',
      namespace,
      body: element(name, [element('MM7Version', '6.8.0'), ...children]),
    })
  const sender = element('SenderIdentification', [element('VASPID', 'other')])
  expect(await fault(deliver('9.9.9'))).toEqual([4002, 'VASPErrorRsp'])
  expect(await fault(deliver(), '192.0.2.20')).toEqual([4001, 'RSErrorRsp'])
  expect(await fault(made('SubmitReq', sender, element('Recipients', [])), '192.0.2.20')).toEqual([
    4001,
    'RSErrorRsp',
  ])
  expect(await fault(made('FrobReq'))).toEqual([4003, 'VASPErrorRsp'])
  expect(await fault(made('DeliverReq'))).toEqual([4004, 'VASPErrorRsp'])
  expect(await fault(writeMm7({ transactionId: '', namespace, body: deliverBody() }))).toEqual([
    4004,
    'VASPErrorRsp',
  ])
})
const deliverBody = () => element('DeliverReq', [element('Sender', [element('Number', '1')])])

test('faults of acceptance in MM7 terms; nothing of a bug is told', async () => {
  let thrown: Error = new Fault('unavailable', 'no room')
  const { server } = await started({
    accept: async () => {
      throw thrown
    },
  })
  const full = await post(server)
  expect([full.status, statusOf(full), full.headers['retry-after']]).toEqual([200, 3000, '60'])
  thrown = new Error('secret path')
  const bug = await post(server)
  expect(Buffer.from(bug.body).toString()).not.toContain('secret')
  expect(statusOf(bug)).toBe(3000)
  thrown = new Fault('unsupported', 'not offered')
  expect((await post(server)).status).toBe(500)
})

test('MM7-060, MM7-061: the same request twice, also at the same time, is one message', async () => {
  const stored = new Map<string, { hash: string; response: string }>()
  let count = 0
  const { server } = await started({
    accept: async (_request, context) => {
      count++
      const answer = { status: 1000, messageId: `MMS-${count}` }
      await new Promise((resolve) => setTimeout(resolve, 30))
      stored.set(context.duplicateKey!.key, {
        hash: context.duplicateKey!.hash,
        response: JSON.stringify(answer),
      })
      return answer
    },
    duplicate: async (key, hash) => {
      const found = stored.get(key)
      return found && (found.hash === hash ? { response: found.response } : 'different')
    },
  })
  const answers = await Promise.all([post(server), post(server)])
  await post(server)
  expect(answers.map(statusOf)).toEqual([1000, 1000])
  expect(count).toBe(1)
  await post(server, deliver('6.5.0'))
  expect(count).toBe(2)
})

test('SEC-020, MM7-032: hostile bodies are answered and the endpoint goes on', async () => {
  const { server } = await started()
  const said = async (contentType: string, body: string) => {
    const response = await post(server, { contentType, body: [Buffer.from(body)] })
    return response.status === 500 ? statusOf(response) : response.status
  }
  const xml = Buffer.concat(deliver().body).toString()
  expect(await said('text/xml', '<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>')).toBe(4004)
  expect(await said('text/xml', '<a>'.repeat(10_000))).toBe(4004)
  expect(await said('text/xml', '<a><b></a>')).toBe(4004)
  expect(await said('text/xml', '')).toBe(4004)
  expect(await said('multipart/related; type="text/xml"', xml)).toBe(4004)
  expect(await said('multipart/related; boundary=none', xml)).toBe(4004)
  expect(await said('multipart/related; boundary=b', `--b\r\n\r\n${xml}`)).toBe(200)
  expect(await said('text/xml', `<x>${' '.repeat(2_100_000)}</x>`)).toBe(413)
  expect(await said('text/xml', xml)).toBe(200)
})

test('MM7-032, SEC-026: 64 MiB are refused before they are read; a slow client is let go', async () => {
  const { server } = await started()
  const { port } = await server.listen('127.0.0.1', 0)
  const exchange = (send: (write: (text: string) => void) => void): Promise<string> =>
    new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1')
      let text = ''
      socket.on('data', (chunk) => (text += chunk))
      socket.on('close', () => resolve(text))
      socket.on('error', () => {})
      send((t) => socket.write(t))
    })
  const big = await exchange((write) =>
    write(
      `POST /mm7 HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: ${64 * 1024 * 1024}\r\n\r\n<x>`,
    ),
  )
  expect(big).toMatch(/^HTTP\/1\.1 413/)
  const slow = await exchange((write) =>
    write('POST /mm7 HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: 1000\r\n\r\n<x>'),
  )
  expect(slow).toMatch(/^(HTTP\/1\.1 408|$)/)
  const header = await exchange((write) => write('POST /mm7 HTTP/1.1\r\nHo'))
  expect(header).toMatch(/^(HTTP\/1\.1 408|$)/)
})

test('MM7-031, MM7-034: our own client, with a Digest challenge answered once', async () => {
  const { server, seen } = await started({
    settings: { ...settings, peers: { digest: settings.peers.digest! } },
  })
  const { port } = await server.listen('127.0.0.1', 0)
  const transport = createMm7Transport()
  const url = `http://127.0.0.1:${port}/mm7`
  const signal = new AbortController().signal
  const right = await transport.post(
    { interface: 'mm7', url, login: { user: 'dora', password: 'secret' } },
    deliver(),
    signal,
  )
  expect([right.httpStatus, readMm7Response(right.body).statusCode]).toEqual([200, 1000])
  const wrong = await transport.post(
    { interface: 'mm7', url, login: { user: 'dora', password: 'no' } },
    deliver(),
    signal,
  )
  expect(wrong.httpStatus).toBe(401)
  await expect(
    transport.post({ interface: 'mm7', url: 'http://127.0.0.1:1/mm7' }, deliver(), signal),
  ).rejects.toThrow()
  await transport.close()
  expect(seen).toEqual(['digest DeliverReq'])
})
