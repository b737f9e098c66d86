/** One HTTP request as a file holds it, over a connection of its own, its octets cut as the run wants it (GEN-012). */
import { connect as connectPlain, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { type HttpOctets, httpField, parseHttp } from './http-octets.ts'
import type { Cut, Place } from './smtp-dialogue.ts'

export interface HttpPlace extends Place {
  readonly tls?: boolean
}

const waitMs = 20_000

/**
 * The response to a request whose Content-Length is set here.
 * @throws Error when the connection fails or ends before the response does
 */
export async function exchangeHttp(at: HttpPlace, request: Buffer, cut: Cut): Promise<HttpOctets> {
  const socket: Socket = at.tls ? connectTls({ ...at, servername: at.host }) : connectPlain(at)
  socket.setNoDelay(true)
  socket.setTimeout(waitMs, () => socket.destroy(new Error('no response in time')))
  try {
    const response = whole(socket)
    // Awaited below: a refusal may come while the body is still being sent.
    response.catch(() => {})
    for (const piece of cut(withLength(request))) {
      if (!socket.writable) break
      socket.write(piece)
      await new Promise((resolve) => setImmediate(resolve))
    }
    return await response
  } finally {
    socket.destroy()
  }
}

function withLength(request: Buffer): Buffer {
  const { start, fields, body } = parseHttp(request)
  const kept = fields.filter((f) => !/^(content-length|transfer-encoding|connection|expect)$/i.test(f.name))
  const lines = kept.map((f) => `${f.name}: ${f.value}\r\n`).join('')
  const head = `${start}\r\n${lines}Content-Length: ${body.length}\r\nConnection: close\r\n\r\n`
  return Buffer.concat([Buffer.from(head, 'latin1'), body])
}

/** A response ends with its length, its last chunk, or the connection (RFC 9112 §6.3). */
function whole(socket: Socket): Promise<HttpOctets> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    const tried = (atEnd: boolean): HttpOctets | undefined => {
      const octets = Buffer.concat(chunks)
      if (!octets.includes('\r\n\r\n')) return undefined
      const response = parseHttp(octets)
      const length = httpField(response, 'Content-Length')
      if (length !== undefined)
        return response.body.length < Number(length)
          ? undefined
          : { ...response, body: response.body.subarray(0, Number(length)) }
      if (/chunked/i.test(httpField(response, 'Transfer-Encoding') ?? '')) {
        const body = dechunked(response.body)
        return body && { ...response, body }
      }
      return atEnd ? response : undefined
    }
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      const response = tried(false)
      if (response) resolve(response)
    })
    socket.on('error', reject)
    socket.on('close', () => {
      const response = tried(true)
      if (response) resolve(response)
      else reject(new Error('the connection was closed before the response ended'))
    })
  })
}

/** The content of all chunks (RFC 9112 §7.1); undefined before the last has come. */
function dechunked(body: Buffer): Buffer | undefined {
  const pieces: Buffer[] = []
  for (let at = 0; ; ) {
    const end = body.indexOf('\r\n', at)
    if (end < 0) return undefined
    const size = Number.parseInt(body.toString('latin1', at, end), 16)
    if (!(size >= 0)) throw new Error('a chunk without a size')
    if (size === 0) return Buffer.concat(pieces)
    if (body.length < end + 2 + size + 2) return undefined
    pieces.push(body.subarray(end + 2, end + 2 + size))
    at = end + 2 + size + 2
  }
}
