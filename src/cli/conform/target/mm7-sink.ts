/** The MM7 peers of a case, one path each (`/PEER/mm7`): take requests and answer as the case says. */
import { createServer } from 'node:http'
import { hostPort } from '../../../config.ts'
import type { Sink } from './smtp-sink.ts'

export interface Mm7Taken {
  /** The key of the peer, from the path. */
  readonly peer: string
  readonly contentType: string
  readonly soapAction: string
  readonly body: Buffer
}

export interface Mm7Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

const maxOctets = 64 * 1_048_576

/** `took` keeps the request and says what is answered; undefined: no such peer. */
export async function mm7Sink(
  listen: string,
  took: (request: Mm7Taken) => Mm7Reply | undefined,
): Promise<Sink> {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    let octets = 0
    for await (const chunk of request) {
      octets += (chunk as Buffer).length
      if (octets > maxOctets) return void request.destroy()
      chunks.push(chunk as Buffer)
    }
    const peer = /^\/([A-Za-z0-9._-]+)\/mm7$/.exec(request.url ?? '')?.[1]
    const reply =
      peer === undefined || request.method !== 'POST'
        ? undefined
        : took({
            peer,
            contentType: request.headers['content-type'] ?? '',
            soapAction: String(request.headers.soapaction ?? ''),
            body: Buffer.concat(chunks),
          })
    if (!reply) return void response.writeHead(404).end()
    response.writeHead(reply.status, reply.headers).end(reply.body)
  })
  const { host, port } = hostPort(listen)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
  const bound = server.address()
  return {
    address: `${host}:${typeof bound === 'object' && bound ? bound.port : port}`,
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}
