import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { afterAll, expect, test } from 'vitest'
import { createSmtpServer } from '../../src/inbound/smtp/server.ts'
import { refusal } from '../../src/model/refusal.ts'
import type { SmtpEnvelope } from '../../src/model/smtp-envelope.ts'
import { resolveMx } from '../../src/outbound/mx.ts'
import { createSmtpTransport } from '../../src/outbound/smtp-transport.ts'

const accepted: { envelope: SmtpEnvelope; text: string }[] = []
const server = createSmtpServer({
  host: 'relay.example.org',
  smtputf8: false,
  limits: {
    messageOctets: 1_000_000,
    maxRecipients: 10,
    maxConnections: 10,
    maxPerIp: 10,
    commandMs: 5000,
    dataMs: 5000,
    maxErrors: 20,
    receivedFields: 100,
  },
  checkRecipient: async (address) =>
    address.startsWith('bad') ? refusal('unknown-recipient', 'no such user') : { ok: true },
  accept: async (envelope, octets) => {
    const text = Buffer.concat(octets).toString('latin1')
    if (text.includes('REFUSE')) return refusal('content-refused', 'not this')
    accepted.push({ envelope, text })
    return { queueId: 'Q' }
  },
  peerOf: () => null,
  now: Date.now,
  log: () => {},
})
const { port } = await server.listen('127.0.0.1', 0)
const transport = createSmtpTransport({ host: 'gw.example.net' })
afterAll(async () => {
  await transport.close()
  await server.close()
})

const open = () => transport.open({ host: '127.0.0.1', port }, new AbortController().signal)
const body = (text: string) => [Buffer.from('Subject: x\r\n\r\n'), Buffer.from(text)]
const rcpt = (path: string, params: Record<string, string> = {}) => ({ path, params })

test('MAP-087, MAP-080: parameters of MAIL and of each RCPT reach the peer; dots are stuffed', async () => {
  const conversation = await open()
  expect(conversation.extensions.get('SIZE')).toBe('1000000')
  expect(conversation.extensions.has('DELIVERBY')).toBe(true)
  const sent = await conversation.send(
    {
      mailFrom: { path: '+12025550123@mms.example.net', params: { BY: '60;R', RET: 'HDRS', ENVID: 'Q-1' } },
      rcptTo: [
        rcpt('a@example.org', { NOTIFY: 'SUCCESS,FAILURE', ORCPT: 'rfc822;a@example.org' }),
        rcpt('b@example.org'),
      ],
    },
    body('.dot\r\nümlaut\r\n'),
  )
  expect(sent.final).toMatchObject({ code: 250, enhanced: '2.6.0' })
  expect(sent.recipients.map((r) => r.accepted)).toEqual([true, true])
  expect(accepted.at(-1)).toMatchObject({
    text: Buffer.from('Subject: x\r\n\r\n.dot\r\nümlaut\r\n').toString('latin1'),
    envelope: {
      mailFrom: { path: '+12025550123@mms.example.net', params: { BY: '60;R', RET: 'HDRS', ENVID: 'Q-1' } },
      rcptTo: [
        { path: 'a@example.org', params: { NOTIFY: 'SUCCESS,FAILURE', ORCPT: 'rfc822;a@example.org' } },
        { path: 'b@example.org', params: {} },
      ],
    },
  })
  conversation.quit()
})

test('QUE-011: each recipient has its own reply; the message its own', async () => {
  const one = await open()
  const some = await one.send(
    { mailFrom: rcpt('x@example.net'), rcptTo: [rcpt('bad@example.org'), rcpt('b@example.org')] },
    body('x\r\n'),
  )
  expect(some.recipients).toMatchObject([
    { accepted: false, code: 550, enhanced: '5.1.1' },
    { accepted: true },
  ])
  expect(some.final?.code).toBe(250)
  one.quit()
  const two = await open()
  const none = await two.send(
    { mailFrom: { path: null, params: {} }, rcptTo: [rcpt('bad@example.org')] },
    body('x\r\n'),
  )
  expect(none).toMatchObject({ recipients: [{ accepted: false, code: 550 }] })
  expect(none.final).toBeUndefined()
  two.quit()
  const three = await open()
  const refused = await three.send(
    { mailFrom: rcpt('x@example.net'), rcptTo: [rcpt('b@example.org')] },
    body('REFUSE\r\n'),
  )
  expect(refused.final).toMatchObject({ code: 554, enhanced: '5.6.1' })
  three.quit()
})

test('no connection rejects', async () => {
  await expect(transport.open({ host: '127.0.0.1', port: 1 }, new AbortController().signal)).rejects.toThrow()
})

test('ADR-042: MX order, null MX, no MX, no domain', async () => {
  const fails = (code: string) => async () => {
    throw Object.assign(new Error(code), { code })
  }
  const records = async () => [
    { priority: 20, exchange: 'b.example' },
    { priority: 10, exchange: 'a.example' },
  ]
  expect(await resolveMx('x.example', records)).toEqual({ kind: 'hosts', hosts: ['a.example', 'b.example'] })
  expect(await resolveMx('x.example', async () => [{ priority: 0, exchange: '' }])).toMatchObject({
    kind: 'never',
    status: '5.1.10',
  })
  expect(await resolveMx('x.example', fails('ENODATA'))).toEqual({ kind: 'hosts', hosts: ['x.example'] })
  expect(await resolveMx('x.example', fails('ENOTFOUND'))).toMatchObject({ kind: 'never' })
  expect(await resolveMx('x.example', fails('ETIMEOUT'))).toMatchObject({ kind: 'later', status: '4.4.3' })
  expect(await resolveMx('[192.0.2.1]', records)).toEqual({ kind: 'hosts', hosts: ['192.0.2.1'] })
})

test('QUIRKS 44: TLS from the first octet, and a certificate that must be good', async () => {
  const received: string[] = []
  const { generate } = await import('selfsigned')
  const pair = await generate([{ name: 'commonName', value: 'localhost' }], { keySize: 2048 })
  const plain = createTcpServer((socket) => {
    socket.once('data', (chunk: Buffer) => {
      received.push(chunk.subarray(0, 1).toString('hex'))
      socket.destroy()
    })
  })
  const tls = createTlsServer({ key: pair.private, cert: pair.cert }, (socket) =>
    socket.write('220 x ESMTP\r\n'),
  )
  tls.on('tlsClientError', () => {})
  const ports = await Promise.all(
    [plain, tls].map(async (s) => {
      await new Promise<void>((resolve) => s.listen(0, '127.0.0.1', resolve))
      afterAll(() => void s.close())
      return (s.address() as AddressInfo).port
    }),
  )
  const attempt = (p: number | undefined) =>
    transport.open({ host: '127.0.0.1', port: p, tls: 'implicit' }, new AbortController().signal)
  await expect(attempt(ports[0])).rejects.toThrow()
  // A TLS record of type handshake comes first, before any greeting.
  expect(received).toEqual(['16'])
  await expect(attempt(ports[1])).rejects.toThrow(/self.signed/)
})
