/** A small, strict IMAP client: sends octets as they stand, reads responses as values, turns to TLS and deflate. */
import { connect as connectSocket, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { constants, createDeflateRaw, createInflateRaw, type DeflateRaw, type InflateRaw } from 'node:zlib'
import { type Response, type ResponsePart, readResponse } from './imap-values.ts'

export interface CommandResult {
  readonly untagged: readonly Response[]
  readonly tagged: Response
}

export class ImapClient {
  #socket: Socket
  #buffer: Buffer = Buffer.alloc(0)
  #parts: ResponsePart[] = []
  readonly #responses: Response[] = []
  #waiting: (() => void) | undefined
  #closed = false
  #error: Error | undefined
  #deflate: DeflateRaw | undefined
  #inflate: InflateRaw | undefined
  #number = 0
  /** Quoted strings of the server may hold UTF-8. */
  utf8 = false

  constructor(socket: Socket) {
    this.#socket = socket
    this.#listen()
  }

  /** The greeting is the first response. */
  static async connect(port: number, host = '127.0.0.1'): Promise<ImapClient> {
    const socket = connectSocket(port, host)
    socket.setNoDelay(true)
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    return new ImapClient(socket)
  }

  #listen(): void {
    this.#socket.on('data', (octets) => {
      if (this.#inflate) this.#inflate.write(octets)
      else this.#push(octets)
    })
    this.#socket.on('error', () => {})
    this.#socket.on('close', () => {
      this.#closed = true
      this.#waiting?.()
    })
  }

  #push(octets: Buffer): void {
    this.#buffer = this.#buffer.length === 0 ? octets : Buffer.concat([this.#buffer, octets])
    try {
      while (this.#take());
    } catch (error) {
      this.#error = error as Error
    }
    this.#waiting?.()
  }

  /** Reads one line with its literals, when all of it is there. */
  #take(): boolean {
    const end = this.#buffer.indexOf('\r\n')
    if (end < 0) return false
    const line = this.#buffer.toString('latin1', 0, end)
    const literal = /(~?)\{(\d+)\}$/.exec(line)
    const after = end + 2 + Number(literal?.[2] ?? 0)
    if (this.#buffer.length < after) return false
    if (literal) {
      this.#parts.push(line.slice(0, literal.index), {
        octets: this.#buffer.toString('latin1', end + 2, after),
        form: literal[1] ? 'literal8' : 'literal',
      })
    } else {
      this.#parts.push(line)
      const parts = this.#parts
      this.#parts = []
      this.#responses.push(readResponse(parts, { utf8: this.utf8 }))
    }
    this.#buffer = this.#buffer.subarray(after)
    return true
  }

  /** The next response. undefined: the server has closed. @throws on a response that breaks the grammar, and when none comes */
  async next(timeoutMs = 5000): Promise<Response | undefined> {
    for (;;) {
      const response = this.#responses.shift()
      if (response) return response
      if (this.#error) throw this.#error
      if (this.#closed) {
        if (this.#buffer.length > 0) throw new Error(`half a response: ${this.#buffer.toString('latin1')}`)
        return undefined
      }
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(
          () =>
            reject(
              new Error(`no response; unread: ${JSON.stringify(this.#buffer.toString('latin1', 0, 500))}`),
            ),
          timeoutMs,
        )
        this.#waiting = () => {
          clearTimeout(timer)
          this.#waiting = undefined
          resolve()
        }
      })
    }
  }

  /** Puts a response back, to be the next one. */
  unread(response: Response): void {
    this.#responses.unshift(response)
  }

  /** Responses that came and were not asked for. */
  pending(): Response[] {
    return this.#responses.splice(0)
  }

  send(octets: string | Buffer): void {
    const buffer = typeof octets === 'string' ? Buffer.from(octets, 'latin1') : octets
    if (!this.#deflate) {
      this.#socket.write(buffer)
      return
    }
    this.#deflate.write(buffer)
    this.#deflate.flush(constants.Z_SYNC_FLUSH)
  }

  /** Sends one command under a new tag and reads up to its tagged answer. */
  async command(text: string): Promise<CommandResult> {
    this.#number += 1
    const tag = `c${this.#number}`
    this.send(`${tag} ${text}\r\n`)
    return this.answer(tag)
  }

  async answer(tag: string): Promise<CommandResult> {
    const untagged: Response[] = []
    for (;;) {
      const response = await this.next()
      if (!response) throw new Error(`closed before ${tag} was answered`)
      if (response.tag === tag) return { untagged, tagged: response }
      untagged.push(response)
    }
  }

  /** After the OK of STARTTLS. The certificate is not checked. */
  async startTls(): Promise<void> {
    const plain = this.#socket
    plain.removeAllListeners('data')
    plain.removeAllListeners('close')
    this.#socket = connectTls({ socket: plain, rejectUnauthorized: false })
    await new Promise<void>((resolve, reject) => {
      this.#socket.once('secureConnect', resolve)
      this.#socket.once('error', reject)
    })
    this.#listen()
  }

  /** After the OK of COMPRESS DEFLATE. */
  compress(): void {
    this.#deflate = createDeflateRaw()
    this.#inflate = createInflateRaw()
    this.#deflate.on('data', (octets: Buffer) => this.#socket.write(octets))
    this.#inflate.on('data', (octets: Buffer) => this.#push(octets))
    this.#inflate.on('error', (error) => {
      this.#error = error
      this.#waiting?.()
    })
    const early = this.#buffer
    this.#buffer = Buffer.alloc(0)
    if (early.length > 0) this.#inflate.write(early)
  }

  end(): void {
    this.#socket.destroy()
  }
}
