/** The MM7 endpoint: SOAP over HTTP at /mm7 (mapping.md 2.3). */
import { hash as digest } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { TLSSocket } from 'node:tls'
import { crc32 } from 'node:zlib'
import { type FastifyReply, type FastifyRequest, fastify } from 'fastify'
import { asFault } from '../../model/fault.ts'
import type { Settings } from '../../model/settings.ts'
import type { EpochMs } from '../../model/units.ts'
import type { HttpContent, Mm7Message } from '../../wire/mm7/message.ts'
import { isMm7Type, readMm7 } from '../../wire/mm7/read.ts'
import { Mm7Refusal } from '../../wire/mm7/refusal.ts'
import { writeFault } from '../../wire/mm7/write.ts'
import { child, childText } from '../../wire/mm7/xml.ts'
import { isKnownOperation, type Mm7Answer, mirrorOf, statusOfFault, versions, writeAnswer } from './answer.ts'
import { Authenticator } from './authenticate.ts'
import { answerExpectations, expectsContinue, limitPerIp, Pipelines } from './connections.ts'
import { Throughput } from './throughput.ts'

export interface Mm7RequestContext {
  readonly peer: string
  readonly ip: string
  readonly octets: Uint8Array
  readonly contentType: string
  readonly receivedAt: EpochMs
  readonly duplicateKey?: { readonly key: string; readonly hash: string } | undefined
}

export interface Mm7ServerOptions {
  readonly settings: Settings
  readonly allowPlaintext: 'never' | 'loopback' | 'always'
  readonly tls?: { readonly key: string; readonly cert: string } | undefined
  readonly limits: {
    readonly messageOctets: number
    readonly xmlOctets: number
    readonly headerOctets: number
    readonly maxConnections: number
    readonly maxPerIp: number
    /** From the first octet of a request to its last. */
    readonly requestMs: number
  }
  /** Resolves when the message is durable (MM7-004). @throws Fault */
  readonly accept: (request: Mm7Message, context: Mm7RequestContext) => Promise<Mm7Answer>
  readonly duplicate?: (
    key: string,
    hash: string,
    now: EpochMs,
  ) => Promise<{ readonly response: string } | 'different' | undefined>
  readonly now: () => EpochMs
  /** The client that a connection from this address stands for; without it the address itself. */
  readonly clientIp?: (ip: string) => string
  readonly log: (
    level: 'info' | 'warn' | 'error',
    message: string,
    fields?: Readonly<Record<string, unknown>>,
  ) => void
}

export interface RawRequest {
  readonly method: 'POST' | 'GET' | 'PUT' | 'DELETE'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  readonly ip: string
}

export interface RawResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}

export interface Mm7Server {
  listen(host: string, port: number): Promise<{ host: string; port: number }>
  /** The same code without a socket. */
  handle(request: RawRequest): Promise<RawResponse>
  /** No new requests; those under way may end within `drainMs`. */
  close(drainMs?: number): Promise<void>
}

/** Certificates are asked for where a peer has one; by whom they were issued says nothing, the fingerprint does. */
const clientCertificates = (settings: Settings): { requestCert?: boolean; rejectUnauthorized?: boolean } =>
  Object.values(settings.peers).some((peer) => peer.certificate !== undefined)
    ? { requestCert: true, rejectUnauthorized: false }
    : {}

const fingerprintOf = ({ socket }: FastifyRequest): string | undefined =>
  socket instanceof TLSSocket ? socket.getPeerCertificate().fingerprint256 : undefined

/** The SOAP part and MIME beside the message itself (MM7-032). */
const packagingOctets = 1_048_576

export async function createMm7Server(options: Mm7ServerOptions): Promise<Mm7Server> {
  const { limits, settings } = options
  const authenticator = new Authenticator(settings, options.allowPlaintext, options.now)
  const addressOf = ({ ip }: FastifyRequest): string => {
    const seen = ip.replace(/^::ffff:/, '')
    return options.clientIp?.(seen) ?? seen
  }
  const throughput = new Throughput()
  const peerOf = new WeakMap<FastifyRequest, string>()
  const inFlight = new Map<string, Promise<Mm7Answer>>()
  const pipelines = new Pipelines()
  const bodyLimit = limits.messageOctets + packagingOctets
  const app = fastify({
    bodyLimit,
    requestTimeout: limits.requestMs,
    connectionTimeout: 0,
    keepAliveTimeout: 75_000,
    forceCloseConnections: 'idle',
    return503OnClosing: true,
    http: {
      maxHeaderSize: limits.headerOctets,
      headersTimeout: Math.min(limits.requestMs, 30_000),
      connectionsCheckingInterval: 500,
    },
    ...(options.tls
      ? { https: { ...options.tls, ...clientCertificates(settings), minVersion: 'TLSv1.2' as const } }
      : {}),
  })
  app.server.maxConnections = limits.maxConnections
  limitPerIp(app.server, limits.maxPerIp)
  answerExpectations(app.server)

  // What can be refused by the header is refused before the body is read.
  app.addHook('onRequest', async (request, reply) => {
    const waits = expectsContinue(request.raw)
    // Whether a refused body still comes, nobody can know.
    if (waits) reply.header('Connection', 'close')
    if (!pipelines.begin(request.raw, reply.raw))
      return reply.code(503).header('Retry-After', '1').header('Connection', 'close').send()
    // Below it stands a login, of a peer that can show no other (QUIRKS 23).
    if (!/^\/mm7(?:\/[^/?]+)?(?:\?|$)/.test(request.url)) return reply.code(404).send()
    if (request.method !== 'POST') return reply.code(405).header('Allow', 'POST').send()
    const found = authenticator.identify({
      authorization: request.headers.authorization,
      method: request.method,
      url: request.url,
      ip: addressOf(request),
      tls: options.tls !== undefined,
      fingerprint: fingerprintOf(request),
    })
    if ('status' in found) {
      options.log('warn', 'MM7 request refused', { ip: addressOf(request), status: found.status })
      // The connection ends: the body that follows is nobody's.
      reply.header('Connection', 'close')
      if (found.status === 403) return reply.code(403).send()
      return reply
        .code(401)
        .header('WWW-Authenticate', [...found.challenges])
        .send()
    }
    peerOf.set(request, found.peer)
    const encoding = request.headers['content-encoding']
    if (encoding !== undefined && encoding !== 'identity')
      return reply.code(415).header('Connection', 'close').send()
    if (!isMm7Type(request.headers['content-type'] ?? ''))
      return reply.code(415).header('Connection', 'close').send()
    if (waits) {
      if (Number(request.headers['content-length'] ?? 0) > bodyLimit) return reply.code(413).send()
      reply.removeHeader('Connection')
      reply.raw.writeContinue()
    }
    return undefined
  })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  app.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) => {
    const status = error.statusCode ?? 500
    if (status >= 500) options.log('error', 'MM7 request failed', { error: String(error) })
    return reply.code(status).send()
  })
  app.all('/mm7', (request, reply) => answer(request, reply))
  app.all('/mm7/:login', (request, reply) => answer(request, reply))

  async function answer(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const name = peerOf.get(request) ?? ''
    const peer = settings.peers[name]
    const octets = request.body instanceof Uint8Array ? request.body : new Uint8Array(0)
    const contentType = request.headers['content-type'] ?? ''
    let message: Mm7Message
    try {
      message = readMm7(contentType, octets, limits.xmlOctets)
    } catch (error) {
      if (!(error instanceof Mm7Refusal)) throw error
      if (error.soapCode) {
        const mirror = mirrorOf(error.seen, undefined, peer)
        return send(
          reply,
          500,
          writeFault({
            code: error.soapCode,
            string: error.message,
            transactionId: '',
            namespace: mirror.namespace,
          }),
        )
      }
      const written = writeAnswer(
        { status: error.status, details: error.message },
        mirrorOf(error.seen, undefined, peer),
        peer,
      )
      return send(reply, written.httpStatus, written.content)
    }
    const version = childText(message.body, 'MM7Version')
    const result = await resultOf(message, version, {
      peer: name,
      ip: addressOf(request),
      octets,
      contentType,
    })
    if (result.retryAfterSeconds !== undefined) reply.header('Retry-After', String(result.retryAfterSeconds))
    const written = writeAnswer(result, mirrorOf(message, version, peer), peer)
    return send(reply, written.httpStatus, written.content)
  }

  async function resultOf(
    message: Mm7Message,
    version: string | undefined,
    from: Omit<Mm7RequestContext, 'receivedAt' | 'duplicateKey'>,
  ): Promise<Mm7Answer> {
    const refused = checked(message, version, from.peer)
    if (refused) return refused
    const vaspId = vaspIdOf(message)
    const key = JSON.stringify([from.peer, vaspId ?? '', message.transactionId])
    const hash = fingerprint(message, from.octets)
    const once = `${key}${hash}`
    try {
      // The same request while its first copy is still being written (MM7-060).
      const running = inFlight.get(once)
      if (running) return await running
      const now = options.now()
      const before = await options.duplicate?.(key, hash, now)
      if (before === 'different')
        options.log('warn', 'TransactionID used again with another body', { peer: from.peer })
      else if (before) return JSON.parse(before.response) as Mm7Answer
      const isMessage = /^(Submit|Deliver)Req$/.test(message.operation)
      const wait = isMessage ? throughput.waitFor(from.peer, settings.peers[from.peer], now) : undefined
      if (wait !== undefined)
        return {
          status: 4006,
          details: 'more messages than were agreed upon',
          retryAfterSeconds: Math.ceil(wait / 1000),
        }
      const work = options.accept(message, { ...from, receivedAt: now, duplicateKey: { key, hash } })
      inFlight.set(once, work)
      return await work
    } catch (error) {
      const fault = asFault(error)
      if (fault.kind === 'bug') options.log('error', 'MM7 operation failed', { error: String(fault.cause) })
      const status = statusOfFault[fault.kind]
      return {
        status,
        details: fault.kind === 'bug' ? 'internal error' : fault.message,
        ...(status === 3000 ? { retryAfterSeconds: 60 } : {}),
      }
    } finally {
      inFlight.delete(once)
    }
  }

  /** What is wrong with the request before its operation is looked at. */
  function checked(message: Mm7Message, version: string | undefined, name: string): Mm7Answer | undefined {
    const peer = settings.peers[name]
    if (message.transactionId === undefined) return { status: 4004, details: 'TransactionID is missing' }
    if (!isKnownOperation(message.operation))
      return { status: 4003, details: `${message.operation.slice(0, 60)} is not known` }
    if (version !== undefined && !versions.has(version))
      return { status: 4002, details: `version ${version.slice(0, 20)} is not supported` }
    const fromRs = /^(DeliverReq|DeliveryReportReq|ReadReplyReq)$/.test(message.operation)
    if (peer?.role !== undefined && (peer.role === 'rs') !== fromRs)
      return { status: 4001, details: `${message.operation} is not for a peer of this role` }
    if (message.operation.startsWith('extended') && !peer?.extendedOperations)
      return { status: 4003, details: `${message.operation} is not enabled` }
    const vaspId = vaspIdOf(message)
    if (!fromRs && peer?.vaspIds && (vaspId === undefined || !peer.vaspIds.includes(vaspId)))
      return { status: 4001, details: 'the VASPID does not belong to this peer' }
    const missing = missingElement(message)
    return missing === undefined ? undefined : { status: 4004, details: `${missing} is missing` }
  }

  const send = (reply: FastifyReply, status: number, content: HttpContent): FastifyReply =>
    reply.code(status).header('Content-Type', content.contentType).send(Buffer.concat(content.body))

  await app.ready()
  return {
    async listen(host, port) {
      await app.listen({ host, port })
      return { host, port: (app.server.address() as AddressInfo).port }
    },
    async handle({ method, url, headers, body, ip }) {
      const response = await app.inject({
        method,
        url,
        headers: { ...headers },
        payload: Buffer.from(body),
        remoteAddress: ip,
      })
      const flat = Object.entries(response.headers).map(([k, v]) => [
        k,
        Array.isArray(v) ? v.join(', ') : String(v),
      ])
      return { status: response.statusCode, headers: Object.fromEntries(flat), body: response.rawPayload }
    },
    async close(drainMs = 10_000) {
      const late = setTimeout(() => app.server.closeAllConnections(), drainMs)
      await app.close()
      clearTimeout(late)
    },
  }
}

/**
 * Tells a repeated request from another one under the same TransactionID (MM7-060, MM7-061). Whoever takes an id twice
 * writes another SOAP part, which is digested; of the content, a hundred times as long, the length and a CRC-32 are enough.
 */
function fingerprint({ content }: Mm7Message, octets: Uint8Array): string {
  const around = content
    ? Buffer.concat([octets.subarray(0, content.node.bodyStart), octets.subarray(content.node.bodyEnd)])
    : octets
  return `${digest('sha256', around, 'hex')}-${octets.length}-${crc32(octets).toString(16)}`
}

/** MAP-188: mandatory elements of the schema. */
function missingElement(message: Mm7Message): string | undefined {
  const required: Readonly<Record<string, readonly string[]>> = {
    SubmitReq: ['SenderIdentification', 'Recipients'],
    DeliverReq: ['Sender'],
    CancelReq: ['SenderIdentification', 'MessageID'],
    ReplaceReq: ['SenderIdentification', 'MessageID'],
    extendedCancelReq: ['SenderIdentification', 'CancelID'],
    extendedReplaceReq: ['ReplaceID'],
    DeliveryReportReq: ['MessageID', 'MMStatus'],
    ReadReplyReq: ['MessageID', 'MMStatus'],
  }
  return (required[message.operation] ?? []).find((name) => !child(message.body, name))
}

const vaspIdOf = (message: Mm7Message): string | undefined =>
  childText(child(message.body, 'SenderIdentification'), 'VASPID') ?? childText(message.body, 'VASPID')
