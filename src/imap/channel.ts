/** The octet stream of one client: a socket that may turn to TLS under way. */
import type { Socket } from 'node:net'
import { type SecureContext, TLSSocket } from 'node:tls'
import type { Sink } from './out.ts'

export class Channel implements Sink {
  #socket: Socket
  readonly #onData: (octets: Buffer) => void
  readonly #onClose: () => void
  #paused = false

  constructor(socket: Socket, onData: (octets: Buffer) => void, onClose: () => void) {
    this.#socket = socket
    this.#onData = onData
    this.#onClose = onClose
    this.#listen()
  }

  #listen(): void {
    this.#socket.on('data', this.#onData)
    this.#socket.once('close', this.#onClose)
    // 'close' follows, and that is all that matters.
    this.#socket.on('error', () => {})
    // The client sends nothing more; a command that is under way gets its answer.
    this.#socket.once('end', this.#onClose)
  }

  get encrypted(): boolean {
    return this.#socket instanceof TLSSocket
  }

  get socket(): Socket {
    return this.#socket
  }

  get waiting(): number {
    return this.#socket.writableLength
  }

  get gone(): boolean {
    return this.#socket.destroyed
  }

  write(octets: Buffer | string): void {
    if (this.#socket.destroyed || this.#socket.writableEnded) return
    if (typeof octets === 'string') this.#socket.write(octets, 'latin1')
    else this.#socket.write(octets)
  }

  drained(): Promise<void> {
    const socket = this.#socket
    if (socket.destroyed) return Promise.reject(new Error('the client is gone'))
    if (!socket.writableNeedDrain) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const done = (): void => {
        socket.off('drain', done)
        socket.off('close', closed)
        resolve()
      }
      const closed = (): void => {
        socket.off('drain', done)
        reject(new Error('the client is gone'))
      }
      socket.once('drain', done)
      socket.once('close', closed)
    })
  }

  /** Stops reading while the client sends faster than its commands run. */
  throttle(on: boolean): void {
    if (on === this.#paused) return
    this.#paused = on
    if (on) this.#socket.pause()
    else this.#socket.resume()
  }

  /** STARTTLS: what comes from here on is the handshake. */
  upgrade(secureContext: SecureContext, requestCert: boolean): void {
    const plain = this.#socket
    plain.removeAllListeners('data')
    plain.removeAllListeners('end')
    plain.removeAllListeners('close')
    this.#socket = new TLSSocket(plain, {
      isServer: true,
      secureContext,
      requestCert,
      rejectUnauthorized: false,
    })
    // A handshake that never ends is no session.
    plain.once('close', () => this.#socket.destroy())
    this.#listen()
  }

  /** Sends what waits, then ends; a client that does not take it is cut off. */
  end(): void {
    const socket = this.#socket
    socket.end()
    setTimeout(() => socket.destroy(), 2000).unref()
  }

  destroy(): void {
    this.#socket.destroy()
  }
}
