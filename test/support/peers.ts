/** The peers of a gateway under test: an MMSC that answers as told, a mail server that takes everything, and clients. */
import { createServer, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { request } from 'undici'
import type { Gateway } from '../../src/compose.ts'
import type { HttpContent, Mm7Message } from '../../src/wire/mm7/message.ts'
import { readMm7 } from '../../src/wire/mm7/read.ts'
import { readMm7Response } from '../../src/wire/mm7/response.ts'
import { element, schemaNamespace, writeMm7 } from '../../src/wire/mm7/write.ts'
import { atEnd } from './at-end.ts'

export const namespace = schemaNamespace('REL-6-MM7-1-4')

export interface Submitted {
  readonly message: Mm7Message
  readonly body: Buffer
  readonly contentType: string
}

export interface FakeMmsc {
  readonly url: string
  readonly port: number
  readonly received: Submitted[]
  /** MM7 status of the next answers; a number above 999, or an HTTP status. */
  status: number
  /** Details of the next answers. */
  details?: string
  close(): Promise<void>
}

/** On a port of its own, or a given one (to come back where it was). */
export async function fakeMmsc(port = 0): Promise<FakeMmsc> {
  const received: Submitted[] = []
  const server = createServer(async (req: IncomingMessage, res) => {
    const chunks: Buffer[] = []
    for await (const chunk of req) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks)
    const contentType = req.headers['content-type'] ?? ''
    const message = readMm7(contentType, body)
    received.push({ message, body, contentType })
    if (mmsc.status < 1000) {
      res.statusCode = mmsc.status
      res.end('<html>no</html>')
      return
    }
    const id = `MMSC-${received.length}`
    const answer = writeMm7({
      transactionId: message.transactionId ?? '',
      namespace: message.namespace,
      body: element('SubmitRsp', [
        element('MM7Version', '6.8.0'),
        element('Status', [
          element('StatusCode', String(mmsc.status)),
          element('StatusText', 'as told'),
          ...(mmsc.details === undefined ? [] : [element('Details', mmsc.details)]),
        ]),
        ...(mmsc.status === 1000 ? [element('MessageID', id)] : []),
      ]),
    })
    res.setHeader('Content-Type', answer.contentType)
    res.end(Buffer.concat(answer.body))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  const { port: got } = server.address() as AddressInfo
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  atEnd(close)
  const mmsc: FakeMmsc = { url: `http://127.0.0.1:${got}/mm7`, port: got, received, status: 1000, close }
  return mmsc
}

export interface Deliver {
  readonly transactionId: string
  readonly from?: string
  readonly to?: readonly string[]
  readonly subject?: string
  /** Content of the message: a media type and octets each. */
  readonly parts?: readonly { readonly type: string; readonly id: string; readonly octets: Uint8Array }[]
  readonly extra?: readonly ReturnType<typeof element>[]
}

/** A DeliverReq as an MMSC posts it. Binary parts go as they are, with `binary` as their encoding. */
export function deliverReq(deliver: Deliver): HttpContent {
  const boundary = 'mm-parts'
  const parts = deliver.parts ?? []
  const body: Uint8Array[] = []
  for (const part of parts)
    body.push(
      Buffer.from(
        `--${boundary}\r\nContent-Type: ${part.type}\r\nContent-ID: <${part.id}>\r\nContent-Location: ${part.id}\r\nContent-Transfer-Encoding: binary\r\n\r\n`,
      ),
      part.octets,
      Buffer.from('\r\n'),
    )
  body.push(Buffer.from(`--${boundary}--\r\n`))
  const smil = parts.find((p) => p.type.startsWith('application/smil'))
  const type = smil
    ? `multipart/related; boundary="${boundary}"; type="application/smil"; start="<${smil.id}>"`
    : `multipart/mixed; boundary="${boundary}"`
  return writeMm7({
    transactionId: deliver.transactionId,
    namespace,
    rootId: '<root@mmsc.example.com>',
    boundary: 'mm7-outer',
    body: element('DeliverReq', [
      element('MM7Version', '6.8.0'),
      element('Sender', [element('Number', deliver.from ?? '+12025550123')]),
      element('Recipients', [
        element(
          'To',
          (deliver.to ?? ['alice@example.net']).map((to) => element('RFC2822Address', to)),
        ),
      ]),
      ...(deliver.extra ?? []),
      element('Subject', deliver.subject ?? 'Hello'),
      ...(parts.length > 0 ? [element('Content', [], { href: 'cid:content@mmsc.example.com' })] : []),
    ]),
    ...(parts.length > 0
      ? {
          content: {
            fields: [
              { name: 'Content-Type', value: type },
              { name: 'Content-ID', value: '<content@mmsc.example.com>' },
            ],
            body,
          },
        }
      : {}),
  })
}

export async function post(
  url: string,
  content: HttpContent,
): Promise<{ httpStatus: number; status: number; details?: string | undefined }> {
  const response = await request(url, {
    method: 'POST',
    headers: { 'content-type': content.contentType, soapaction: '""' },
    body: Buffer.concat(content.body),
  })
  const answer = readMm7Response(Buffer.from(await response.body.arrayBuffer()))
  return { httpStatus: response.statusCode, status: answer.statusCode, details: answer.details }
}

/** Speaks SMTP a command at a time. */
export class SmtpClient {
  socket: Socket
  #text = ''
  #wake: () => void = () => {}
  #ended = false

  constructor(address: string, localAddress?: string) {
    const colon = address.lastIndexOf(':')
    this.socket = connect({
      port: Number(address.slice(colon + 1)),
      host: address.slice(0, colon),
      ...(localAddress === undefined ? {} : { localAddress }),
    })
    this.#listen()
  }

  #listen(): void {
    this.socket.on('data', (chunk: Buffer) => {
      this.#text += chunk.toString('latin1')
      this.#wake()
    })
    this.socket.on('close', () => {
      this.#ended = true
      this.#wake()
    })
    this.socket.on('error', () => {})
  }

  /** What follows is under TLS. */
  async secure(options: ConnectionOptions = {}): Promise<void> {
    this.socket.removeAllListeners('data')
    const secured = connectTls({ socket: this.socket, rejectUnauthorized: false, ...options })
    this.socket = secured
    this.#listen()
    await new Promise<void>((resolve, reject) => {
      secured.once('secureConnect', resolve)
      secured.once('error', reject)
    })
  }

  /** The next reply, all its lines; '' when the connection has ended. */
  async reply(): Promise<string> {
    for (;;) {
      const match = /^(?:\d{3}-[^\n]*\n)*\d{3} [^\n]*\n/.exec(this.#text)
      if (match) {
        this.#text = this.#text.slice(match[0].length)
        return match[0].trim()
      }
      if (this.#ended) return ''
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  write(octets: string | Uint8Array): void {
    this.socket.write(octets)
  }

  async command(line: string): Promise<string> {
    this.write(`${line}\r\n`)
    return this.reply()
  }

  /** A whole transaction; the reply to the message, or to what was refused before. */
  async send(
    from: string,
    to: readonly string[],
    message: string | Uint8Array,
    params = '',
  ): Promise<string> {
    const mail = await this.command(`MAIL FROM:<${from}>${params}`)
    if (!mail.startsWith('250')) return mail
    for (const address of to) {
      const rcpt = await this.command(address.startsWith('<') ? `RCPT TO:${address}` : `RCPT TO:<${address}>`)
      if (!rcpt.startsWith('250')) {
        await this.command('RSET')
        return rcpt
      }
    }
    const data = await this.command('DATA')
    if (!data.startsWith('354')) return data
    this.write(message)
    this.write('\r\n.\r\n')
    return this.reply()
  }

  end(): void {
    this.socket.destroy()
  }
}

/** `localAddress`: where it seems to come from, such as 127.0.0.2, which names a peer. */
export async function smtpClient(address: string, localAddress?: string): Promise<SmtpClient> {
  const client = new SmtpClient(address, localAddress)
  atEnd(() => client.end())
  await client.reply()
  await client.command('EHLO client.example.org')
  return client
}

export interface TakenMail {
  readonly mailFrom: string
  readonly rcptTo: readonly string[]
  readonly data: string
}

/**
 * A mail server that takes everything. `before`: what it does between a message and its reply to it. `offers`: its EHLO
 * keywords.
 */
export async function mailSink(
  before?: (mail: TakenMail) => Promise<void>,
  offers: readonly string[] = ['8BITMIME', 'DSN', 'SIZE 0'],
): Promise<{ port: number; taken: TakenMail[] }> {
  const taken: TakenMail[] = []
  const server = createTcpServer((socket) => {
    let text = ''
    let mailFrom = ''
    let rcptTo: string[] = []
    let inData = false
    socket.on('error', () => {})
    socket.write('220 sink.example.org ESMTP\r\n')
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
      for (;;) {
        const end = inData ? text.indexOf('\r\n.\r\n') : text.indexOf('\r\n')
        if (end < 0) return
        const line = text.slice(0, end)
        text = text.slice(end + (inData ? 5 : 2))
        if (inData) {
          const mail = { mailFrom, rcptTo, data: `${line}\r\n`.replace(/^\.\./gm, '.') }
          taken.push(mail)
          inData = false
          rcptTo = []
          void (before?.(mail) ?? Promise.resolve()).then(() => socket.write('250 2.0.0 taken\r\n'))
        } else if (/^EHLO/i.test(line))
          socket.write(
            ['sink.example.org', ...offers]
              .map((line, i) => `250${i < offers.length ? '-' : ' '}${line}\r\n`)
              .join(''),
          )
        else if (/^MAIL FROM:/i.test(line)) {
          mailFrom = line.slice(10)
          socket.write('250 2.1.0 OK\r\n')
        } else if (/^RCPT TO:/i.test(line)) {
          rcptTo.push(line.slice(8))
          socket.write('250 2.1.5 OK\r\n')
        } else if (/^DATA/i.test(line)) {
          inData = true
          socket.write('354 go on\r\n')
        } else if (/^QUIT/i.test(line)) socket.end('221 2.0.0 bye\r\n')
        else socket.write('250 2.0.0 OK\r\n')
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  atEnd(() => void server.close())
  return { port: (server.address() as AddressInfo).port, taken }
}

/** All messages of an account's INBOX, in UID order. */
export async function inbox(
  { engine }: Pick<Gateway, 'engine'>,
  address = 'alice@example.net',
): Promise<Buffer[]> {
  const account = await engine.directory.find(address)
  if (!account) return []
  const blobs = await engine.store.read(account.id, async (view) => {
    const box = await view.mailbox('INBOX')
    const found: number[] = []
    if (box) for await (const batch of view.messages(box.id, {})) found.push(...batch.map((m) => m.blob))
    return found
  })
  return Promise.all(blobs.map(async (blob) => Buffer.from(await engine.store.readBlob(blob))))
}

/** Waits until `fn` gives something. @throws after `ms` milliseconds */
export async function eventually<T>(
  fn: () => Promise<T | undefined | false> | T | undefined | false,
  ms = 30_000,
): Promise<T> {
  const until = Date.now() + ms
  for (;;) {
    const value = await fn()
    if (value !== undefined && value !== false) return value
    if (Date.now() > until) throw new Error('it did not come to pass')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
