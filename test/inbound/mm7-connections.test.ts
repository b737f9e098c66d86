/** Connections to the MM7 endpoint as real sockets see them: kept, asked first, overrun, many at once. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { createMm7Server, type Mm7Server, type Mm7ServerOptions } from '../../src/inbound/mm7/server.ts'
import type { Settings } from '../../src/model/settings.ts'
import { element, schemaNamespace, writeMm7 } from '../../src/wire/mm7/write.ts'

const defaults = JSON.parse(
  readFileSync(new URL('../../fixtures/rfc4356/defaults.json', import.meta.url), 'utf8'),
) as Settings
const settings: Settings = {
  ...defaults,
  peers: {
    basic: { interface: 'mm7', role: 'rs', auth: { scheme: 'basic', user: 'bob', password: 's:cret' } },
  },
}
const authorization = `Basic ${Buffer.from('bob:s:cret').toString('base64')}`
const messageOctets = 1_000_000

const servers: Mm7Server[] = []
const sockets: Socket[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await Promise.all(servers.splice(0).map((server) => server.close(100)))
})

async function listening(accept: Mm7ServerOptions['accept']): Promise<number> {
  const server = await createMm7Server({
    settings,
    allowPlaintext: 'loopback',
    limits: {
      messageOctets,
      xmlOctets: 262_144,
      headerOctets: 16_384,
      maxConnections: 100,
      maxPerIp: 100,
      requestMs: 60_000,
    },
    accept,
    now: Date.now,
    log: () => {},
  })
  servers.push(server)
  return (await server.listen('127.0.0.1', 0)).port
}

const deliver = (id: string) =>
  writeMm7({
    transactionId: id,
    namespace: schemaNamespace('REL-6-MM7-1-4'),
    body: element('DeliverReq', [
      element('MM7Version', '6.8.0'),
      element('Sender', [element('Number', '+12025550123')]),
    ]),
  })

function request(id: string, fields: Readonly<Record<string, string>> = {}): { head: string; body: string } {
  const content = deliver(id)
  const body = Buffer.concat(content.body).toString('utf8')
  const all = {
    Host: 'x',
    Authorization: authorization,
    'Content-Type': content.contentType,
    'Content-Length': String(Buffer.byteLength(body)),
    ...fields,
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return { head: `POST /mm7 HTTP/1.1\r\n${lines.join('')}\r\n`, body }
}
const whole = (id: string): string => {
  const { head, body } = request(id)
  return head + body
}

/** What a client reads: all of it, and until what is looked for is there or the connection ends. */
class Client {
  readonly socket: Socket
  text = ''
  ended = false

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1')
    sockets.push(this.socket)
    this.socket.on('data', (chunk) => {
      this.text += chunk.toString('latin1')
    })
    this.socket.on('error', () => {})
    this.socket.on('close', () => {
      this.ended = true
    })
  }

  async until(holds: (text: string) => boolean): Promise<string> {
    while (!holds(this.text) && !this.ended)
      await Promise.race([once(this.socket, 'data'), once(this.socket, 'close')])
    return this.text
  }
}
const statuses = (text: string): string[] => [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((m) => m[1] ?? '')
const ids = (text: string): string[] =>
  [...text.matchAll(/TransactionID[^>]*>([^<]+)</g)].map((m) => m[1] ?? '')

test('RFC 9112 §9.3: one connection carries one request after the other, and those sent ahead are answered in order', async () => {
  const port = await listening(async (message) => {
    // The first takes longest.
    if (message.transactionId === 'a') await new Promise((resolve) => setTimeout(resolve, 50))
    return { status: 1000 }
  })
  const client = new Client(port)
  client.socket.write(whole('one'))
  await client.until((text) => ids(text).length === 1)
  client.socket.write(whole('two'))
  await client.until((text) => ids(text).length === 2)
  client.socket.write(whole('a') + whole('b') + whole('c'))
  await client.until((text) => ids(text).length === 5)
  expect(ids(client.text)).toEqual(['one', 'two', 'a', 'b', 'c'])
  expect(statuses(client.text)).toEqual(['200', '200', '200', '200', '200'])
  expect(client.ended).toBe(false)
})

test('RFC 9110 §10.1.1: "100 Continue" only for a request that will be taken; others are refused before their body', async () => {
  const port = await listening(async () => ({ status: 1000 }))
  const expecting = (fields: Readonly<Record<string, string>>) =>
    request('e', { Expect: '100-continue', ...fields })
  const taken = new Client(port)
  const { head, body } = expecting({})
  taken.socket.write(head)
  await taken.until((text) => text.includes('\r\n\r\n'))
  expect(taken.text).toBe('HTTP/1.1 100 Continue\r\n\r\n')
  taken.socket.write(body)
  await taken.until((text) => ids(text).length === 1)
  expect(statuses(taken.text)).toEqual(['100', '200'])
  // The connection is kept.
  taken.socket.write(whole('after'))
  await taken.until((text) => ids(text).length === 2)
  expect(ids(taken.text)).toEqual(['e', 'after'])

  const refusals: readonly (readonly [Readonly<Record<string, string>>, string])[] = [
    [{ Authorization: 'Basic eDp5' }, '401'],
    [{ 'Content-Type': 'text/plain' }, '415'],
    [{ 'Content-Length': String(messageOctets * 3) }, '413'],
  ]
  for (const [fields, status] of refusals) {
    const refused = new Client(port)
    refused.socket.write(expecting(fields).head)
    await refused.until(() => false)
    expect(statuses(refused.text)).toEqual([status])
    expect(refused.text).toMatch(/^connection: close\r$/im)
  }
})

test('RFC 9112 §9.3.2: of requests sent far ahead eight are worked on, the next is answered 503 and ends the connection', async () => {
  const open: (() => void)[] = []
  const port = await listening(async () => {
    await new Promise<void>((resolve) => open.push(resolve))
    return { status: 1000 }
  })
  const client = new Client(port)
  client.socket.write(Array.from({ length: 12 }, (_, i) => whole(`p${i}`)).join(''))
  while (open.length < 8) await new Promise((resolve) => setTimeout(resolve, 5))
  // Another connection is served meanwhile; when it is, all that came before it was looked at.
  const other = new Client(port)
  other.socket.write(whole('other'))
  while (open.length < 9) await new Promise((resolve) => setTimeout(resolve, 5))
  open[8]?.()
  await other.until((text) => ids(text).length === 1)
  expect(open).toHaveLength(9)
  for (const resume of open) resume()
  await client.until(() => false)
  expect(ids(client.text)).toEqual(['p0', 'p1', 'p2', 'p3', 'p4', 'p5', 'p6', 'p7'])
  expect(statuses(client.text)).toEqual([...Array<string>(8).fill('200'), '503'])
  expect(open).toHaveLength(9)
})

test('a client that goes on sending far ahead of its answers is cut off', async () => {
  let taken = 0
  const port = await listening(() => {
    taken++
    return new Promise(() => {})
  })
  const client = new Client(port)
  const flood = Array.from({ length: 50 }, (_, i) => whole(`f${i}`)).join('')
  const closed = once(client.socket, 'close')
  for (let i = 0; i < 20 && !client.ended; i++) {
    client.socket.write(flood)
    await new Promise((resolve) => setImmediate(resolve))
  }
  await closed
  expect(taken).toBe(8)
})

test('64 connections at a disk that does one thing at a time: all are served alike, and each has one message under way', async () => {
  let start: () => void = () => {}
  let disk = new Promise<void>((resolve) => {
    start = resolve
  })
  let underWay = 0
  let most = 0
  const served = new Map<string, number>()
  let spread = 0
  const connections = 64
  const rounds = 5
  const port = await listening(async (message) => {
    most = Math.max(most, ++underWay)
    // From when all are there.
    if (underWay === connections) start()
    disk = disk.then(() => new Promise((resolve) => setTimeout(resolve, 1)))
    await disk
    underWay--
    const who = (message.transactionId ?? '').split(' ')[0] ?? ''
    served.set(who, (served.get(who) ?? 0) + 1)
    const counts = [...served.values()]
    const least = served.size === connections ? Math.min(...counts) : 0
    spread = Math.max(spread, Math.max(...counts) - least)
    return { status: 1000 }
  })
  await Promise.all(
    Array.from({ length: connections }, async (_, n) => {
      const client = new Client(port)
      for (let i = 0; i < rounds; i++) {
        client.socket.write(whole(`c${n} ${i}`))
        await client.until((text) => ids(text).length === i + 1)
      }
      expect(statuses(client.text)).toEqual(Array(rounds).fill('200'))
    }),
  )
  expect(most).toBeLessThanOrEqual(connections)
  expect(spread).toBeLessThanOrEqual(2)
})
