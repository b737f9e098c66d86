import { connect, type Socket } from 'node:net'
import { createTransport } from 'nodemailer'
import { generate } from 'selfsigned'
import { afterEach, expect, test } from 'vitest'
import { createSmtpServer, type SmtpServer, type SmtpServerOptions } from '../../src/inbound/smtp/server.ts'
import { Fault } from '../../src/model/fault.ts'
import { refusal } from '../../src/model/refusal.ts'
import type { SmtpEnvelope } from '../../src/model/smtp-envelope.ts'

const servers: SmtpServer[] = []
afterEach(async () => {
  await Promise.all(servers.splice(0).map((s) => s.close()))
})

async function started(
  over: Omit<Partial<SmtpServerOptions>, 'limits'> & { limits?: Partial<SmtpServerOptions['limits']> } = {},
) {
  const accepted: { envelope: SmtpEnvelope; text: string }[] = []
  const server = createSmtpServer({
    host: 'gw.example.net',
    smtputf8: false,
    checkRecipient: async (address) =>
      address.endsWith('@example.net')
        ? { ok: true }
        : refusal('not-authorised', 'relaying is not allowed', address),
    accept: async (envelope, octets) => {
      accepted.push({ envelope, text: Buffer.concat(octets).toString('latin1') })
      return { queueId: 'Q-1' }
    },
    peerOf: () => null,
    now: () => 1_700_000_000_000,
    log: () => {},
    ...over,
    limits: {
      messageOctets: 1_000_000,
      maxRecipients: 5,
      maxConnections: 20,
      maxPerIp: 10,
      commandMs: 5000,
      dataMs: 5000,
      maxErrors: 20,
      receivedFields: 100,
      ...over.limits,
    },
  })
  servers.push(server)
  const { port } = await server.listen('127.0.0.1', 0)
  return { accepted, port }
}

class Client {
  readonly socket: Socket
  #text = ''
  #closed = false
  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1')
    this.socket.on('data', (chunk) => (this.#text += chunk))
    this.socket.on('close', () => (this.#closed = true))
    this.socket.on('error', () => {})
  }
  /** The next whole reply: its lines joined by a blank. */
  async reply(): Promise<string> {
    for (let i = 0; i < 400; i++) {
      const match = /^((?:\d{3}-.*\r\n)*\d{3} .*\r\n)/.exec(this.#text)
      if (match) {
        this.#text = this.#text.slice(match[0].length)
        return match[0].trim().replaceAll('\r\n', ' ')
      }
      if (this.#closed) return 'closed'
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    return `timeout: ${this.#text}`
  }
  async say(text: string): Promise<string> {
    this.socket.write(text, 'latin1')
    return this.reply()
  }
}

async function greeted(port: number): Promise<Client> {
  const client = new Client(port)
  expect(await client.reply()).toMatch(/^220 gw\.example\.net/)
  expect(await client.say('EHLO client.example.org\r\n')).toMatch(
    /PIPELINING.*SIZE 1000000.*8BITMIME.*ENHANCEDSTATUSCODES.*DSN.*DELIVERBY/,
  )
  return client
}

test('QUE-001: a transaction with parameters; 250 only after it was accepted', async () => {
  const { accepted, port } = await started()
  const client = await greeted(port)
  expect(await client.say('MAIL FROM:<a@example.org> ENVID=x BY=60;R\r\n')).toMatch(/^250 2\.1\.0/)
  expect(await client.say('RCPT TO:<b@example.com>\r\n')).toMatch(/^550 5\.7\.1/)
  expect(await client.say('RCPT TO:<b@example.net> NOTIFY=NEVER\r\n')).toMatch(/^250 2\.1\.5/)
  expect(await client.say('DATA\r\n')).toMatch(/^354/)
  expect(await client.say('Subject: x\r\n\r\n..dot\r\n.\r\n')).toMatch(/^250 2\.6\.0 Queued as Q-1/)
  expect(accepted[0]).toMatchObject({
    text: 'Subject: x\r\n\r\n.dot\r\n',
    envelope: {
      session: { ehlo: 'client.example.org', ip: '127.0.0.1', esmtp: true, tls: false, peer: null },
      mailFrom: { path: 'a@example.org', params: { ENVID: 'x', BY: '60;R' } },
      rcptTo: [{ path: 'b@example.net', params: { NOTIFY: 'NEVER' } }],
      receivedAt: 1_700_000_000,
    },
  })
  expect(await client.say('QUIT\r\n')).toMatch(/^221/)
  expect(await client.reply()).toBe('closed')
})

test('pipelining: replies in order, commands after DATA are content', async () => {
  const { accepted, port } = await started()
  const client = await greeted(port)
  client.socket.write(
    'MAIL FROM:<>\r\nRCPT TO:<b@example.net>\r\nDATA\r\nRSET\r\n.\r\nMAIL FROM:<x@example.org>\r\nQUIT\r\n',
  )
  const replies = []
  for (let i = 0; i < 6; i++) replies.push((await client.reply()).slice(0, 3))
  expect(replies).toEqual(['250', '250', '354', '250', '250', '221'])
  expect(accepted[0]).toMatchObject({ text: 'RSET\r\n', envelope: { mailFrom: { path: null } } })
})

test('order of commands, unknown and refused ones; the session goes on', async () => {
  const { port } = await started()
  const client = new Client(port)
  await client.reply()
  const said = async (text: string) => (await client.say(`${text}\r\n`)).slice(0, 9)
  expect(await said('MAIL FROM:<a@example.org>')).toBe('503 5.5.1')
  expect(await said('EHLO')).toBe('501 5.5.4')
  expect(await said('HELO x')).toBe('250 gw.ex')
  expect(await said('RCPT TO:<b@example.net>')).toBe('503 5.5.1')
  expect(await said('DATA')).toBe('503 5.5.1')
  expect(await said('MAIL FROM:<a@example.org>')).toBe('250 2.1.0')
  expect(await said('MAIL FROM:<a@example.org>')).toBe('503 5.5.1')
  expect(await said('DATA')).toBe('554 5.5.1')
  expect(await said('FROB')).toBe('500 5.5.1')
  expect(await said('ETRN x')).toBe('502 5.5.1')
  expect(await said('VRFY x')).toBe('252 2.5.0')
  expect(await said('')).toBe('500 5.5.1')
  expect(await said('MAIL FROM:<a@example.org>\nRCPT TO:<x@example.net>')).toBe('500 5.5.2')
  expect(await said('x'.repeat(1_000_000))).toBe('500 5.5.2')
  expect(await said('NOOP')).toBe('250 2.0.0')
})

test('SEC-012, CNT: bare line ends, too large, too many Received, refusals and faults of accept', async () => {
  const answers: (() => Promise<never>)[] = []
  const { port } = await started({
    accept: async () => {
      const next = answers.shift()
      return next ? await next() : refusal('privacy', 'private')
    },
  })
  const client = await greeted(port)
  const sent = async (text: string) => {
    await client.say('MAIL FROM:<a@example.org>\r\n')
    await client.say('RCPT TO:<b@example.net>\r\n')
    await client.say('DATA\r\n')
    return (await client.say(`${text}\r\n.\r\n`)).slice(0, 9)
  }
  expect(await sent('a\nb')).toBe('550 5.6.0')
  expect(await sent('a\rb')).toBe('550 5.6.0')
  expect(await sent('x'.repeat(1_000_001))).toBe('552 5.3.4')
  expect(await sent(`${'Received: x\r\n'.repeat(101)}\r\nbody`)).toBe('554 5.4.6')
  expect(await sent('x')).toBe('550 5.6.0')
  answers.push(async () => {
    throw new Fault('unavailable', 'no room')
  })
  expect(await sent('x')).toBe('452 4.3.1')
  answers.push(async () => {
    throw new Error('secret')
  })
  expect(await sent('x')).toBe('451 4.3.0')
  expect(await client.say('MAIL FROM:<a@example.org> SIZE=1000001\r\n')).toMatch(/^552 5\.3\.4/)
})

test('SEC-026: slow clients, too many connections, too many recipients and errors', async () => {
  const { port } = await started({ limits: { commandMs: 200, maxPerIp: 2, maxErrors: 3 } })
  const slow = await greeted(port)
  const other = await greeted(port)
  const third = new Client(port)
  expect(await third.reply()).toMatch(/^421 4\.7\.0/)
  for (let i = 0; i < 3; i++) expect(await other.say('FROB\r\n')).toMatch(/^500/)
  expect(await other.say('FROB\r\n')).toMatch(/^500/)
  expect(await other.reply()).toMatch(/^421/)
  slow.socket.write('MAIL FR')
  expect(await slow.reply()).toMatch(/^421 4\.4\.2/)
  const many = await greeted(port)
  await many.say('MAIL FROM:<>\r\n')
  for (let i = 0; i < 5; i++) expect(await many.say(`RCPT TO:<a${i}@example.net>\r\n`)).toMatch(/^250/)
  expect(await many.say('RCPT TO:<x@example.net>\r\n')).toMatch(/^452 4\.5\.3/)
})

test('RFC 3207 §4.2: nodemailer over STARTTLS; what was sent in the clear after it is not obeyed', async () => {
  const pair = await generate([{ name: 'commonName', value: 'gw.example.net' }], { keySize: 2048 })
  const { accepted, port } = await started({ tls: { key: pair.private, cert: pair.cert } })
  const sender = createTransport({
    host: '127.0.0.1',
    port,
    requireTLS: true,
    tls: { rejectUnauthorized: false },
  })
  await sender.sendMail({
    from: 'a@example.org',
    to: 'b@example.net',
    subject: 'Grüße',
    text: 'über TLS',
    attachments: [{ filename: 'x.bin', content: Buffer.alloc(100_000, 7) }],
  })
  expect(accepted[0]!.envelope.session).toMatchObject({ tls: true })
  expect(accepted[0]!.text.length).toBeGreaterThan(130_000)
  const client = await greeted(port)
  client.socket.write('STARTTLS\r\nMAIL FROM:<evil@example.org>\r\n')
  expect(await client.reply()).toMatch(/^220/)
  await new Promise((resolve) => setTimeout(resolve, 100))
  client.socket.destroy()
  expect(accepted).toHaveLength(1)
})
