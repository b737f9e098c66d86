/** An MMS posted by MM7 until it lies in a mailbox (RFC 4356 §2.1.3.2). */
import { randomBytes } from 'node:crypto'
import { ImapFlow } from 'imapflow'
import { expect, test } from 'vitest'
import { hostPort } from '../../src/config.ts'
import { decodeWords } from '../../src/wire/mime/encoded-words.ts'
import type { MimeNode } from '../../src/wire/mime/node.ts'
import { decodeBody, fieldValue, scanMessage } from '../../src/wire/mime/scan.ts'
import { element } from '../../src/wire/mm7/write.ts'
import { folder, gatewayHere } from '../support/gateway.ts'
import { deliverReq, eventually, inbox, mailSink, post } from '../support/peers.ts'

const leaves = (node: MimeNode): MimeNode[] => (node.parts.length === 0 ? [node] : node.parts.flatMap(leaves))

test('image, SMIL and UTF-8 text arrive octet for octet, elements as header fields', async () => {
  const gateway = await gatewayHere()
  const image = randomBytes(61_440)
  const text = 'Grüße! 🍋 Привет'
  const smil = '<smil><body><par dur="5s"><img src="cid:photo"/><text src="cid:words"/></par></body></smil>'
  const answer = await post(
    gateway.addresses.mm7!,
    deliverReq({
      transactionId: 'T-1',
      to: ['alice@example.net', 'bob@example.net'],
      subject: 'Grüße aus dem Süden',
      extra: [element('TimeStamp', '2024-03-05T02:15:00-08:00'), element('Priority', 'High')],
      parts: [
        { type: 'application/smil; charset=utf-8', id: 'smil', octets: Buffer.from(smil) },
        { type: 'image/jpeg', id: 'photo', octets: image },
        { type: 'text/plain; charset=utf-8', id: 'words', octets: Buffer.from(text) },
      ],
    }),
  )
  expect(answer).toMatchObject({ httpStatus: 200, status: 1000 })

  for (const address of ['alice@example.net', 'bob@example.net']) {
    const [mail] = await eventually(async () => {
      const found = await inbox(gateway, address)
      return found.length > 0 && found
    })
    const node = scanMessage(mail!)
    const field = (name: string) => decodeWords(fieldValue(mail!, node, name) ?? '')
    expect(field('From')).toBe('+12025550123@mms.example.net')
    expect(field('Subject')).toBe('Grüße aus dem Süden')
    expect(field('Importance')).toBe('High')
    expect(Date.parse(field('Date'))).toBe(Date.parse('2024-03-05T02:15:00-08:00'))
    expect(field('Return-Path')).toBe('<+12025550123@mms.example.net>')
    expect(field('Received')).toMatch(/ with MMS id /)
    expect(field('X-Mms-Message-Class')).toBe('')
    const parts = leaves(node)
    const body = (type: string) => {
      const part = parts.find((p) => `${p.type}/${p.subtype}` === type)
      return part && Buffer.from(decodeBody(mail!, part))
    }
    expect(body('image/jpeg')?.equals(image)).toBe(true)
    expect(body('application/smil')?.toString()).toBe(smil)
    expect(body('text/plain')?.toString()).toBe(text)
  }
})

test("over IMAP the picture is fetched octet for octet, by another party's client", async () => {
  const gateway = await gatewayHere()
  const image = randomBytes(40_000)
  const parts = [
    { type: 'text/plain; charset=utf-8', id: 'words', octets: Buffer.from('Grüße') },
    { type: 'image/jpeg', id: 'photo', octets: image },
  ]
  const { host, port } = hostPort(gateway.addresses.imap!)
  const client = new ImapFlow({
    host,
    port,
    secure: false,
    auth: { user: 'alice@example.net', pass: 'secret' },
    tls: { rejectUnauthorized: false },
    logger: false,
  })
  await client.connect()
  const lock = await client.getMailboxLock('INBOX')
  try {
    expect((await post(gateway.addresses.mm7!, deliverReq({ transactionId: 'I', parts }))).status).toBe(1000)
    const message = await eventually(async () => {
      await client.noop()
      return client.fetchOne('*', { envelope: true, bodyStructure: true, uid: true })
    })
    expect(message.envelope?.subject).toBe('Hello')
    const part = message.bodyStructure?.childNodes?.find((node) => node.type === 'image/jpeg')
    const { content } = await client.download(String(message.uid), part!.part!, { uid: true })
    const chunks: Buffer[] = []
    for await (const chunk of content!) chunks.push(chunk as Buffer)
    expect(Buffer.concat(chunks).equals(image)).toBe(true)
  } finally {
    lock.release()
    await client.logout()
  }
})

test('MM7-060: the same request again is answered alike and delivered once, also after a restart', async () => {
  const store = `sqlite:${folder()}`
  const gateway = await gatewayHere({ store })
  const content = deliverReq({ transactionId: 'again' })
  const answers = await Promise.all([1, 2, 3].map(() => post(gateway.addresses.mm7!, content)))
  expect(answers.map((a) => a.status)).toEqual([1000, 1000, 1000])
  await eventually(async () => (await inbox(gateway)).length > 0)
  await gateway.close()
  const restarted = await gatewayHere({ store })
  expect((await post(restarted.addresses.mm7!, content)).status).toBe(1000)
  await new Promise((resolve) => setTimeout(resolve, 200))
  expect(await inbox(restarted)).toHaveLength(1)
})

test('MM7-050, SEC-060: recipients that nobody serves are refused, those here get it, and mail goes out by the relay', async () => {
  const sink = await mailSink()
  const gateway = await gatewayHere({
    peers: {
      mmsc: { interface: 'mm7', role: 'rs', ip: '127.0.0.1', url: 'http://127.0.0.1:9/', mailOut: true },
      relay: { interface: 'smtp', host: '127.0.0.1', port: sink.port, tls: 'never' },
    },
    routes: [
      { match: 'domain:example.net', to: 'store' },
      { match: 'domain:example.org', to: 'smtp:relay' },
    ],
  })
  const partly = deliverReq({
    transactionId: 'P',
    to: ['alice@example.net', 'nobody@example.net', 'carol@example.org'],
  })
  const answer = await post(gateway.addresses.mm7!, partly)
  expect(answer).toMatchObject({ status: 1100, details: expect.stringContaining('nobody@example.net') })
  await eventually(async () => (await inbox(gateway)).length === 1 && sink.taken.length === 1)
  expect(sink.taken[0]!.rcptTo.join()).toMatch(/^<carol@example\.org>/)
  expect(sink.taken[0]!.data).toMatch(/^Subject: Hello\r$/m)
  const none = await post(
    gateway.addresses.mm7!,
    deliverReq({ transactionId: 'N', to: ['nobody@example.net'] }),
  )
  expect(none.status).toBe(2002)
})
