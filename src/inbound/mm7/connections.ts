/** What one HTTP connection, and one address, may do (RFC 9110 §10.1.1, RFC 9112 §9.3.2). */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** Requests of one connection under way: each holds a body until it is on disk, and none need be sent ahead. */
const maxUnderWay = 8
/** Who goes on sending, refused and all, is not listened to any more. */
const maxUnread = 64

/** Requests that were sent ahead of the answers to earlier ones. */
export class Pipelines {
  readonly #underWay = new WeakMap<Socket, number>()

  /** False: too many are under way; the answer must end the connection. */
  begin(request: IncomingMessage, response: ServerResponse): boolean {
    const { socket } = request
    const count = (this.#underWay.get(socket) ?? 0) + 1
    this.#underWay.set(socket, count)
    response.once('close', () => this.#underWay.set(socket, (this.#underWay.get(socket) ?? 1) - 1))
    if (count > maxUnread) socket.destroy()
    return count <= maxUnderWay
  }
}

/** Who waits for "100 Continue" is asked for the body only once the request is known to be taken: see expectsContinue. */
export function answerExpectations(server: Server): void {
  server.on('checkContinue', (request, response) => server.emit('request', request, response))
}

export const expectsContinue = ({ headers, httpVersion }: IncomingMessage): boolean =>
  httpVersion === '1.1' && /(?:^|,)\s*100-continue\s*(?:,|$)/i.test(headers.expect ?? '')

export function limitPerIp(
  server: { on(event: 'connection', listener: (socket: Socket) => void): unknown },
  maxPerIp: number,
): void {
  const count = new Map<string, number>()
  server.on('connection', (socket) => {
    const ip = socket.remoteAddress ?? ''
    const now = (count.get(ip) ?? 0) + 1
    if (now > maxPerIp) {
      socket.destroy()
      return
    }
    count.set(ip, now)
    socket.once('close', () => {
      const left = (count.get(ip) ?? 1) - 1
      if (left > 0) count.set(ip, left)
      else count.delete(ip)
    })
  })
}
