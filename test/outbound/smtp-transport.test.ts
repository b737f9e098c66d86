import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { afterAll, expect, test } from 'vitest'
import { createSmtpServer } from '../../src/inbound/smtp/server.ts'
import { refusal } from '../../src/model/refusal.ts'
import type { Settings } from '../../src/model/settings.ts'
import type { SmtpEnvelope } from '../../src/model/smtp-envelope.ts'
import { resolveMx } from '../../src/outbound/mx.ts'
import { createSmtpRelayAdapter } from '../../src/outbound/smtp-relay.ts'
import { createSmtpTransport } from '../../src/outbound/smtp-transport.ts'
import type { SmtpTransport } from '../../src/outbound/transports.ts'
import type { DeliveryJob } from '../../src/queue/adapter.ts'

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

/** A server that says what `script` says to each connection. */
async function scripted(script: (socket: Socket) => void): Promise<number> {
  const one = createTcpServer((socket) => {
    socket.on('error', () => {})
    script(socket)
  })
  await new Promise<void>((resolve) => one.listen(0, '127.0.0.1', resolve))
  afterAll(() => void one.close())
  return (one.address() as AddressInfo).port
}
const says = (socket: Socket, reply: (verb: string) => string): void => {
  socket.on('data', (chunk: Buffer) => {
    for (const line of chunk.toString('latin1').split('\r\n').slice(0, -1)) {
      const answer = reply(line.slice(0, 4).toUpperCase())
      if (answer !== '') socket.write(`${answer}\r\n`)
    }
  })
}

test('QUE-012: a greeting may come late, each reply too, in their own time; a host that never answers is left', async () => {
  const greets: (() => void)[] = []
  const late = await scripted((socket) => {
    greets.push(() => socket.write('220 late ESMTP\r\n'))
    says(socket, (verb) => (verb === 'EHLO' ? '250-late\r\n250 SIZE 0' : '250 ok'))
  })
  // Patient with the greeting, not with what is not there.
  const patient = createSmtpTransport({ host: 'gw.example.net', connectMs: 100, greetingMs: 60_000 })
  afterAll(() => patient.close())
  const conversation = patient.open({ host: '127.0.0.1', port: late }, new AbortController().signal)
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(greets).toHaveLength(1)
  greets[0]!()
  expect((await conversation).extensions.has('SIZE')).toBe(true)
  ;(await conversation).quit()
  const hasty = createSmtpTransport({ host: 'gw.example.net', connectMs: 100, greetingMs: 100 })
  afterAll(() => hasty.close())
  await expect(hasty.open({ host: '127.0.0.1', port: late }, new AbortController().signal)).rejects.toThrow()
  // 192.0.2.0/24 is nobody's: either no way leads there, or nobody answers.
  await expect(hasty.open({ host: '192.0.2.1', port: 25 }, new AbortController().signal)).rejects.toThrow()
})

test('QUE-012: STARTTLS where it is offered, and not where it is not', async () => {
  const { generate } = await import('selfsigned')
  const pair = await generate([{ name: 'commonName', value: 'localhost' }], { keySize: 2048 })
  const sessions: boolean[] = []
  for (const tls of [{ key: pair.private, cert: pair.cert }, undefined]) {
    const one = createSmtpServer({
      host: 'relay.example.org',
      ...(tls ? { tls } : {}),
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
      checkRecipient: async () => ({ ok: true }),
      accept: async ({ session }) => {
        sessions.push(session.tls)
        return { queueId: 'Q' }
      },
      peerOf: () => null,
      now: Date.now,
      log: () => {},
    })
    const at = await one.listen('127.0.0.1', 0)
    const sent = await transport.open({ host: '127.0.0.1', port: at.port }, new AbortController().signal)
    await sent.send({ mailFrom: rcpt('a@example.net'), rcptTo: [rcpt('b@example.org')] }, body('x\r\n'))
    sent.quit()
    await one.close()
  }
  expect(sessions).toEqual([true, false])
})

test('QUE-013: host after host in the order of MX before it is deferred; whoever answers decides', async () => {
  const hosts: Record<string, number> = {
    gone: 1,
    busy: await scripted((socket) => socket.end('421 4.3.2 come later\r\n')),
    closed: await scripted((socket) => socket.end('554 5.3.2 no service here\r\n')),
    mute: await scripted((socket) => socket.destroy()),
    good: port,
    full: await scripted((socket) => {
      socket.write('220 full ESMTP\r\n')
      says(socket, (verb) => (verb === 'EHLO' ? '250 full' : verb === 'RCPT' ? '550 5.1.1 nobody' : '250 ok'))
    }),
  }
  const tried: string[] = []
  const places: SmtpTransport = {
    open: (hop, signal) => {
      tried.push(hop.host)
      return transport.open({ ...hop, host: '127.0.0.1', port: hosts[hop.host], tls: 'never' }, signal)
    },
    close: async () => {},
  }
  let answer: readonly string[] = []
  const settings = JSON.parse(
    readFileSync(new URL('../../fixtures/rfc4356/defaults.json', import.meta.url), 'utf8'),
  ) as Settings
  const adapter = createSmtpRelayAdapter(settings, places, async () => ({ kind: 'hosts', hosts: answer }))
  const deliver = async (...names: string[]) => {
    answer = names
    tried.length = 0
    const origin = {
      carrier: 'mail' as const,
      envelope: {
        session: { peer: null, ehlo: 'x', ip: '', port: 25, auth: null, tls: false, esmtp: true },
        mailFrom: { path: 'a@example.net', params: {} },
        rcptTo: [{ path: 'b@example.org', params: {} }],
        receivedAt: 0,
      },
    }
    const job = {
      delivery: {
        target: 'mx',
        number: 0,
        entry: { queueId: 'Q', receivedAt: 0, origin, size: 1, sender: 'a@example.net' },
        recipients: [{ index: 0, address: 'b@example.org', state: 'pending' }],
      },
      serve: [0],
      octets: async () => Buffer.from('Subject: x\r\n\r\nhi\r\n'),
      message: async () => refusal('malformed', 'not asked'),
      ids: {},
      now: 0,
    } as unknown as DeliveryJob
    const [outcome] = (await adapter.deliver(job, new AbortController().signal)).outcomes
    return { state: outcome!.state, code: outcome!.status.code, tried: [...tried] }
  }
  expect(await deliver('gone', 'busy', 'closed', 'mute', 'good', 'full')).toEqual({
    state: 'relayed',
    code: '2.0.0',
    tried: ['gone', 'busy', 'closed', 'mute', 'good'],
  })
  expect(await deliver('full', 'good')).toEqual({ state: 'failed', code: '5.1.1', tried: ['full'] })
  expect(await deliver('gone', 'busy', 'mute')).toEqual({
    state: 'deferred',
    code: '4.4.1',
    tried: ['gone', 'busy', 'mute'],
  })
})
