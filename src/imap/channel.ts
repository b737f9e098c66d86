/** The octet stream of one client: a socket that may turn to TLS under way, and to DEFLATE above it (RFC 4978 §3). */
import type { Socket } from 'node:net'
import { type SecureContext, TLSSocket } from 'node:tls'
import { DeflateLayer } from './deflate.ts'
import type { Sink } from './out.ts'

/** For a client to close its side, when all was said. */
const closeMs = 2000
/** Without a piece of the last answers taken. */
const stalledMs = 30_000

export class Channel implements Sink {
  #socket: Socket
  readonly #onData: (octets: Buffer) => void
  readonly #onEnd: () => void
  readonly #onClose: () => void
  /** The session takes nothing for now; the layer between has enough. */
  #throttled = false
  #held = false
  #deflate: DeflateLayer | undefined
  /** UNAUTHENTICATE ended it: what passes through is in the clear (CO-10). */
  #deflateEnded = false
  /** Something passed through the layer since tick() was called last. */
  #active = false

  /** `onEnd`: the client sends nothing more, and may still read. `onClose`: it is gone. */
  constructor(socket: Socket, onData: (octets: Buffer) => void, onEnd: () => void, onClose: () => void) {
    this.#socket = socket
    this.#onData = onData
    this.#onEnd = onEnd
    this.#onClose = onClose
    this.#listen()
  }

  #listen(): void {
    this.#socket.on('data', (octets: Buffer) => {
      this.#active = true
      if (this.#deflate) this.#deflate.feed(octets)
      else this.#onData(octets)
    })
    this.#socket.once('close', () => {
      this.#deflate?.destroy()
      this.#onClose()
    })
    // 'close' follows, and that is all that matters.
    this.#socket.on('error', () => {})
    // What it sent before is carried out and answered (RFC 3501 §5.5): that may be in the layer between still.
    this.#socket.once('end', () => {
      if (this.#deflate) this.#deflate.inputEnded(this.#onEnd)
      else this.#onEnd()
    })
  }

  get encrypted(): boolean {
    return this.#socket instanceof TLSSocket
  }

  get socket(): Socket {
    return this.#socket
  }

  get waiting(): number {
    if (this.#socket.destroyed) return 0
    return this.#socket.writableLength + (this.#deflate?.waiting ?? 0)
  }

  get compressed(): boolean {
    return this.#deflate !== undefined && !this.#deflateEnded
  }

  get gone(): boolean {
    return this.#socket.destroyed
  }

  write(octets: Buffer | string, apart = false): void {
    if (this.#socket.destroyed || this.#socket.writableEnded) return
    const layer = this.#deflate
    // An ended layer is still asked while it has something that goes first.
    if (layer && !(this.#deflateEnded && layer.waiting === 0)) {
      this.#active = true
      layer.write(octets, apart)
    } else if (typeof octets === 'string') this.#socket.write(octets, 'latin1')
    else this.#socket.write(octets)
  }

  async drained(): Promise<void> {
    await this.#deflate?.settled()
    const socket = this.#socket
    if (socket.destroyed) throw new Error('the client is gone')
    if (!socket.writableNeedDrain) return
    await new Promise<void>((resolve, reject) => {
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
    if (on === this.#throttled) return
    this.#throttled = on
    this.#deflate?.throttle(on)
    this.#pauseOrResume()
  }

  #pauseOrResume(): void {
    if (this.#throttled || this.#held) this.#socket.pause()
    else this.#socket.resume()
  }

  /** COMPRESS: from here on both directions are deflated. `early`: what came behind the command in the clear (CO-05). */
  compress(early: Buffer): void {
    // An earlier layer that was ended may still have answers to write.
    let below = this.#deflate
    this.#deflateEnded = false
    this.#deflate = new DeflateLayer({
      send: (octets) => {
        if (below && below.waiting === 0) below = undefined
        if (below) below.write(octets)
        else if (!this.#socket.destroyed && !this.#socket.writableEnded) this.#socket.write(octets)
      },
      receive: (octets) => this.#onData(octets),
      // What the client says cannot be understood any more, and other sessions are not concerned (CO-06).
      broken: () => this.#socket.destroy(),
      hold: (on) => {
        this.#held = on
        this.#pauseOrResume()
      },
    })
    if (this.#throttled) this.#deflate.throttle(true)
    if (early.length > 0) this.#deflate.feed(early)
  }

  /** UNAUTHENTICATE (RFC 8437 §4.1): behind what was written so far, both directions are in the clear. */
  endCompression(): void {
    if (!this.compressed) return
    this.#deflateEnded = true
    this.#deflate?.finish()
  }

  /** Called about once a second: a layer through which nothing passes gives its memory up. */
  tick(): void {
    if (!this.#active) this.#deflate?.rest()
    this.#active = false
  }

  /** STARTTLS: what comes from here on is the handshake. */
  upgrade(secureContext: SecureContext, requestCert: boolean): void {
    const plain = this.#socket
    this.#deflate = undefined
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
    const finish = (): void => {
      socket.end()
      this.#cutWhenStalled(socket.writableLength)
    }
    if (this.#deflate) void this.#deflate.settled().then(finish)
    else finish()
  }

  /** As long as a slow client takes the answers to what it asked, it gets them; then it has a moment to close. */
  #cutWhenStalled(left: number): void {
    const socket = this.#socket
    const cut = (): void => {
      const timer = setTimeout(() => socket.destroy(), closeMs).unref()
      // What waits must not keep alive what is gone.
      socket.once('close', () => clearTimeout(timer))
    }
    if (socket.destroyed) return
    if (socket.writableFinished) {
      cut()
      return
    }
    const stalled = setTimeout(() => {
      socket.off('finish', finished)
      if (socket.writableLength < left) this.#cutWhenStalled(socket.writableLength)
      else socket.destroy()
    }, stalledMs).unref()
    const finished = (): void => {
      clearTimeout(stalled)
      cut()
    }
    socket.once('finish', finished)
    socket.once('close', () => clearTimeout(stalled))
  }

  destroy(): void {
    this.#deflate?.destroy()
    this.#socket.destroy()
  }
}
