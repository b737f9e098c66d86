/** MM7 over HTTP towards peers: connections kept, no redirects, every wait and size limited (MM7-031, MM7-034, MM7-075). */
import { createHash, randomBytes } from 'node:crypto'
import { Pool } from 'undici'
import type { Peer } from '../model/settings.ts'
import type { HttpContent } from '../wire/mm7/message.ts'
import type { Mm7Answer, Mm7Transport } from './transports.ts'

/** `wholeMs`: from the first octet of a request to the last of its answer, however slowly they drip. */
const limits = {
  connectMs: 10_000,
  answerMs: 30_000,
  wholeMs: 300_000,
  answerOctets: 1_048_576,
  connections: 8,
}

export function createMm7Transport({ wholeMs = limits.wholeMs } = {}): Mm7Transport {
  // One a peer, even where two share a host: each has its own limit.
  const pools = new Map<Peer, Pool>()
  const poolOf = (origin: string, peer: Peer): Pool => {
    let pool = pools.get(peer)
    if (!pool) {
      pool = new Pool(origin, {
        connections: peer.maxConnections ?? limits.connections,
        pipelining: 1,
        connect: { timeout: limits.connectMs },
        headersTimeout: limits.answerMs,
        bodyTimeout: limits.answerMs,
        keepAliveTimeout: 60_000,
      })
      pools.set(peer, pool)
    }
    return pool
  }

  async function once(
    peer: Peer,
    content: HttpContent,
    signal: AbortSignal,
    authorization: string | undefined,
  ) {
    if (peer.url === undefined) throw new Error('the peer has no url in the configuration')
    const url = new URL(peer.url)
    const body = Buffer.concat(content.body)
    const response = await poolOf(url.origin, peer).request({
      method: 'POST',
      path: url.pathname + url.search,
      headers: {
        'content-type': content.contentType,
        'content-length': String(body.length),
        soapaction: '""',
        ...(authorization === undefined ? {} : { authorization }),
      },
      body,
      signal: AbortSignal.any([signal, AbortSignal.timeout(wholeMs)]),
    })
    const chunks: Buffer[] = []
    let size = 0
    for await (const chunk of response.body) {
      size += (chunk as Buffer).length
      if (size > limits.answerOctets)
        throw new Error(`the answer is longer than ${limits.answerOctets} octets`)
      chunks.push(chunk as Buffer)
    }
    const header = (name: string): string => {
      const value = response.headers[name]
      return Array.isArray(value) ? value.join(', ') : (value ?? '')
    }
    return { status: response.statusCode, header, body: Buffer.concat(chunks) }
  }

  return {
    async post(peer, content, signal): Promise<Mm7Answer> {
      const { login } = peer
      const shown =
        login?.scheme === 'bearer'
          ? `Bearer ${login.password}`
          : login && `Basic ${Buffer.from(`${login.user}:${login.password}`).toString('base64')}`
      let answer = await once(peer, content, signal, shown)
      const challenge = answer.header('www-authenticate')
      // Answered once: a peer that refuses the answer would refuse it again (MM7-034).
      if (answer.status === 401 && login && /^digest\s|,\s*digest\s/i.test(challenge))
        answer = await once(peer, content, signal, digestAnswer(challenge, login, new URL(peer.url ?? '')))
      const retryAfterSeconds = secondsOf(answer.header('retry-after'))
      return {
        httpStatus: answer.status,
        contentType: answer.header('content-type'),
        body: answer.body,
        ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
      }
    },
    async close() {
      await Promise.all([...pools.values()].map((pool) => pool.destroy()))
    },
  }
}

/** Seconds, or an HTTP-date (QUE-015). */
function secondsOf(value: string): number | undefined {
  if (/^\d{1,9}$/.test(value)) return Number(value)
  const at = Date.parse(value)
  return Number.isNaN(at) ? undefined : Math.max(0, Math.ceil((at - Date.now()) / 1000))
}

/** RFC 7616 §3.4 with qop=auth; SHA-256 where it is offered. */
function digestAnswer(challenge: string, login: { user: string; password: string }, url: URL): string {
  const offers = challenge.split(/(?=\bdigest\s)/i).filter((c) => /^digest\s/i.test(c))
  const offer = offers.find((c) => /algorithm="?SHA-256"?(?!-)/i.test(c)) ?? offers[0] ?? ''
  const value = (name: string): string =>
    new RegExp(`\\b${name}\\s*=\\s*(?:"([^"]*)"|([^\\s,]+))`, 'i')
      .exec(offer)
      ?.slice(1)
      .find((v) => v !== undefined) ?? ''
  const algorithm = /^sha-256$/i.test(value('algorithm')) ? 'SHA-256' : 'MD5'
  const hash = (text: string): string =>
    createHash(algorithm === 'MD5' ? 'md5' : 'sha256')
      .update(text)
      .digest('hex')
  const [realm, nonce, opaque] = [value('realm'), value('nonce'), value('opaque')]
  const uri = url.pathname + url.search
  const cnonce = randomBytes(12).toString('hex')
  const ha1 = hash(`${login.user}:${realm}:${login.password}`)
  const response = hash(`${ha1}:${nonce}:00000001:${cnonce}:auth:${hash(`POST:${uri}`)}`)
  return `Digest username="${login.user}", realm="${realm}", nonce="${nonce}", uri="${uri}", algorithm=${algorithm}, qop=auth, nc=00000001, cnonce="${cnonce}", response="${response}"${opaque ? `, opaque="${opaque}"` : ''}`
}
