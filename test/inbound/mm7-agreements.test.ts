/** What is agreed upon with a single MM7 peer: extended operations, LinkedID, ServiceCode, rate, connections. */
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { request } from 'undici'
import { expect, test } from 'vitest'
import { createMm7Transport } from '../../src/outbound/mm7-transport.ts'
import type { HttpContent, XmlElement } from '../../src/wire/mm7/message.ts'
import { readMm7 } from '../../src/wire/mm7/read.ts'
import { element, writeMm7 } from '../../src/wire/mm7/write.ts'
import { childText } from '../../src/wire/mm7/xml.ts'
import { atEnd } from '../support/at-end.ts'
import { gatewayHere } from '../support/gateway.ts'
import { deliverReq, eventually, fakeMmsc, mailSink, namespace, smtpClient } from '../support/peers.ts'

const start = Date.parse('2024-03-05T10:15:30Z')

/** A gateway with one VASP on this machine, and a clock that the test turns. */
async function withVasp(agreed: Record<string, unknown> = {}) {
  const clock = { now: start }
  const vasp = await fakeMmsc()
  const sink = await mailSink()
  const gateway = await gatewayHere(
    {
      peers: {
        vasp: {
          interface: 'mm7',
          role: 'vasp',
          ip: '127.0.0.1',
          host: 'vasp.example.com',
          url: vasp.url,
          vaspIds: ['acme'],
          senders: ['7777'],
          mailOut: true,
          ...agreed,
        },
        relay: { interface: 'smtp', host: '127.0.0.1', port: sink.port },
      },
      routes: [
        { match: 'shortcode:7777', to: 'mm7-deliver:vasp' },
        { match: 'domain:mms.example.net', to: 'by-number' },
        { match: 'domain:*', to: 'smtp:relay' },
      ],
    },
    { now: () => clock.now },
  )
  return { gateway, vasp, sink, clock, url: gateway.addresses.mm7! }
}

let transactions = 0
function req(operation: string, children: readonly XmlElement[], text?: string): HttpContent {
  return writeMm7({
    transactionId: `A-${++transactions}`,
    namespace,
    body: element(operation, [
      element('MM7Version', '6.8.0'),
      ...children,
      ...(text === undefined ? [] : [element('Content', [], { href: 'cid:c' })]),
    ]),
    ...(text === undefined
      ? {}
      : {
          rootId: '<root>',
          boundary: 'outer',
          content: {
            fields: [
              { name: 'Content-Type', value: 'text/plain; charset=us-ascii' },
              { name: 'Content-ID', value: '<c>' },
            ],
            body: [Buffer.from(text)],
          },
        }),
  })
}

const identification = element('SenderIdentification', [
  element('VASPID', 'acme'),
  element('SenderAddress', [element('ShortCode', '7777')]),
])
const submit = (more: readonly XmlElement[], to = 'bob@example.org'): HttpContent =>
  req(
    'SubmitReq',
    [
      identification,
      element('Recipients', [element('To', [element('RFC2822Address', to)])]),
      ...more,
      element('Subject', 'Agreed'),
    ],
    'first',
  )

async function said(url: string, content: HttpContent) {
  const response = await request(url, {
    method: 'POST',
    headers: { 'content-type': content.contentType },
    body: Buffer.concat(content.body),
  })
  const octets = Buffer.from(await response.body.arrayBuffer())
  const { operation, body } = readMm7(String(response.headers['content-type']), octets)
  const text = octets.toString()
  return {
    operation,
    body,
    names: body.children.map((c) => c.name),
    status: Number(/<StatusCode>(\d+)</.exec(text)?.[1]),
    id: childText(body, 'MessageID') ?? '',
    retryAfter: response.headers['retry-after'],
  }
}

test('2.1: extended operations are 4003 unless they are enabled for the peer', async () => {
  const { url } = await withVasp()
  for (const [operation, id] of [
    ['extendedCancelReq', 'CancelID'],
    ['extendedReplaceReq', 'ReplaceID'],
  ] as const)
    expect((await said(url, req(operation, [identification, element(id, '1')]))).status).toBe(4003)
})

test('2.1, 1.8, MM7-064: extendedCancelReq ends what waits; its answer has the form of the schema', async () => {
  const { url, gateway, sink, clock } = await withVasp({ extendedOperations: true })
  const cancel = (id: string) =>
    said(url, req('extendedCancelReq', [identification, element('CancelID', id)]))
  const { id } = await said(url, submit([element('EarliestDeliveryTime', 'PT1H')]))
  const done = await cancel(id)
  expect([done.operation, done.names, done.status]).toEqual([
    'extendedCancelRsp',
    ['MM7Version', 'Status'],
    1000,
  ])
  expect(done.body.children[1]!.children.map((c) => c.name)).toEqual(['StatusCode'])
  expect((await gateway.engine.spool.stats()).entries).toBe(0)
  expect((await cancel('nope')).status).toBe(2005)
  expect((await said(url, req('extendedCancelReq', [identification]))).status).toBe(4004)
  expect((await said(url, req('extendedCancelReq', [element('CancelID', id)]))).status).toBe(4001)
  // What was sent cannot be called back.
  const sent = await said(url, submit([]))
  await eventually(() => sink.taken.length === 1)
  await eventually(async () => (await gateway.engine.spool.stats()).entries === 0)
  expect((await cancel(sent.id)).status).toBe(3001)
  clock.now += 1
})

test('2.1, 1.8, MM7-065: extendedReplaceReq changes content, hold, expiry and reports; the MessageID stays', async () => {
  const { url, gateway, sink, clock } = await withVasp({ extendedOperations: true })
  const replace = (id: string, more: readonly XmlElement[], text?: string) =>
    said(url, req('extendedReplaceReq', [element('VASPID', 'acme'), element('ReplaceID', id), ...more], text))
  const { id } = await said(url, submit([element('EarliestDeliveryTime', 'PT1H')]))
  clock.now += 600_000
  const done = await replace(
    id,
    [
      element('EarliestDeliveryTime', 'PT2H'),
      element('ExpiryDate', 'PT3H'),
      element('ReadReply', 'true'),
      element('DeliveryReport', 'true'),
    ],
    'second',
  )
  expect([done.operation, done.names, done.status, done.id]).toEqual([
    'extendedReplaceRsp',
    ['MM7Version', 'MessageID', 'Status'],
    1000,
    id,
  ])
  const [queued] = await gateway.engine.spool.list({})
  // Both times count from the request that gave them.
  expect(queued!.deliveries[0]).toMatchObject({ expiresAt: start + 600_000 + 3 * 3_600_000 })
  expect(await gateway.engine.spool.nextDue()).toBe(start + 600_000 + 2 * 3_600_000)
  // A hold that ends after the message does is refused, and nothing has changed.
  expect((await replace(id, [element('EarliestDeliveryTime', 'PT4H')])).status).toBe(2007)
  expect((await replace('nope', [])).status).toBe(2005)
  expect((await said(url, req('extendedReplaceReq', [element('VASPID', 'acme')]))).status).toBe(4004)
  expect((await replace(id, [element('EarliestDeliveryTime', 'PT0S')])).status).toBe(1000)
  const mail = await eventually(() => sink.taken[0])
  expect(mail.data).toContain('\r\nsecond')
  expect(mail.rcptTo[0]).toMatch(/NOTIFY=SUCCESS,FAILURE/)
  expect(mail.data).toMatch(/^Disposition-Notification-To: 7777@mms\.example\.net\r$/m)
  await eventually(async () => (await gateway.engine.spool.stats()).entries === 0)
  expect((await replace(id, [])).status).toBe(3001)
  // A plain ReplaceReq has no expiry (mapping.md 1.8), and none is taken from it.
  const other = await said(url, submit([element('EarliestDeliveryTime', 'PT1H')]))
  const plain = req('ReplaceReq', [
    identification,
    element('MessageID', other.id),
    element('ExpiryDate', 'PT2H'),
  ])
  expect((await said(url, plain)).status).toBe(1000)
  expect((await gateway.engine.spool.list({}))[0]!.deliveries[0]!.expiresAt).toBeGreaterThan(
    clock.now + 86_400_000,
  )
})

test('MM7-066, MM7-077: a LinkedID must name what the VASP was delivered, where it is held to that', async () => {
  const { url, vasp, gateway } = await withVasp({ strictLinkedId: true })
  const linkedTo = async (id: string) => (await said(url, submit([element('LinkedID', id)]))).status
  expect(await linkedTo('nowhere')).toBe(2006)
  const smtp = await smtpClient(gateway.addresses.smtp!)
  await smtp.send('carol@outside.example', ['7777@mms.example.net'], 'From: carol@outside.example\r\n\r\nhi')
  const delivered = await eventually(() => vasp.received[0])
  const id = childText(delivered.message.body, 'LinkedID')!
  await eventually(async () => (await gateway.engine.spool.stats()).entries === 0)
  expect(await linkedTo(id)).toBe(1000)
  expect(await linkedTo(`${id}x`)).toBe(2006)
  expect((await said(url, submit([]))).status).toBe(1000)
})

test('MM7-070: DeliverRsp returns the ServiceCode that is configured, after its Status', async () => {
  for (const serviceCode of ['gold-42', undefined]) {
    const { url } = await withVasp({ role: 'rs', ...(serviceCode ? { serviceCode } : {}) })
    const good = await said(url, deliverReq({ transactionId: 'D-1' }))
    expect([good.status, good.names]).toEqual([
      1000,
      ['MM7Version', 'Status', ...(serviceCode ? ['ServiceCode'] : [])],
    ])
    expect(childText(good.body, 'ServiceCode')).toBe(serviceCode)
    // A refusal is not billed.
    const bad = await said(url, deliverReq({ transactionId: 'D-2', to: ['nobody@localhost'] }))
    expect([bad.status, bad.names]).toEqual([2002, ['MM7Version', 'Status']])
  }
})

test('MM7-072: above the rate that was agreed upon 4006 with Retry-After; the same request is taken later', async () => {
  const { url, clock, gateway } = await withVasp({ messagesPerMinute: 3 })
  const requests = Array.from({ length: 5 }, () => submit([element('EarliestDeliveryTime', 'PT1H')]))
  const statuses: number[] = []
  for (const one of requests.slice(0, 4)) statuses.push((await said(url, one)).status)
  expect(statuses).toEqual([1000, 1000, 1000, 4006])
  expect(await said(url, requests[3]!)).toMatchObject({ operation: 'SubmitRsp', retryAfter: '20' })
  // A repeated request that was taken is answered as before, and counts nothing (MM7-060).
  expect((await said(url, requests[0]!)).status).toBe(1000)
  // Other operations are no messages.
  expect((await said(url, req('CancelReq', [identification, element('MessageID', 'x')]))).status).toBe(2005)
  clock.now += 20_000
  expect((await said(url, requests[3]!)).status).toBe(1000)
  expect((await said(url, requests[4]!)).status).toBe(4006)
  // A clock that is set back locks nobody out for longer than the rate says.
  clock.now -= 86_400_000
  expect((await said(url, requests[4]!)).retryAfter).toBe('20')
  clock.now += 20_000
  expect((await said(url, requests[4]!)).status).toBe(1000)
  expect((await gateway.engine.spool.list({})).length).toBe(5)
})

test('MM7-075: not more requests at a time than the peer takes; each answer belongs to its own exchange', async () => {
  const open: { body: string; response: ServerResponse }[] = []
  let most = 0
  const server = createServer(async (incoming, response) => {
    let body = ''
    for await (const chunk of incoming) body += chunk
    open.push({ body, response })
    most = Math.max(most, open.length)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  atEnd(() => {
    server.closeAllConnections()
    server.close()
  })
  const transport = createMm7Transport()
  atEnd(() => transport.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mm7`
  const slow = { interface: 'mm7', url, maxConnections: 2 } as const
  const signal = new AbortController().signal
  const content = (n: number): HttpContent => ({ contentType: 'text/xml', body: [Buffer.from(`n${n}`)] })
  const answers = Array.from({ length: 6 }, (_, n) => transport.post(slow, content(n), signal))
  for (let answered = 0; answered < 6; answered += 2) {
    await eventually(() => open.length === 2)
    // The later one is answered first.
    for (const { body, response } of open.splice(0).reverse()) response.end(`to ${body}`)
  }
  expect((await Promise.all(answers)).map((a) => Buffer.from(a.body).toString())).toEqual(
    Array.from({ length: 6 }, (_, n) => `to n${n}`),
  )
  expect(most).toBe(2)
  // Another peer at the same host has its own limit.
  const held = Array.from({ length: 2 }, (_, n) => transport.post(slow, content(n), signal))
  const other = transport.post({ interface: 'mm7', url, maxConnections: 1 }, content(9), signal)
  await eventually(() => open.length === 3)
  for (const { body, response } of open.splice(0)) response.end(`to ${body}`)
  await Promise.all([...held, other])
})
