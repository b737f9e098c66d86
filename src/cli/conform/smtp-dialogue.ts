/** Speaks one SMTP transaction of a case to the gateway, its octets cut as the run wants it (GEN-012). */
import { connect, type Socket } from 'node:net'
import type { EnvelopeJson } from './envelopes.ts'

export interface ReplyLine {
  readonly code: number
  readonly enhanced: string
  readonly text: string
}

export type Stage = 'mail' | 'rcpt' | 'data' | 'end-of-data'

/** Pieces of what is sent at once; joined they are the octets given. */
export type Cut = (octets: Buffer) => readonly Buffer[]

/** Where a client connects to, and the address that it connects from. */
export interface Place {
  readonly host: string
  readonly port: number
  readonly localAddress?: string
}

const waitMs = 20_000

export class SmtpClient {
  readonly #socket: Socket
  readonly #cut: Cut
  #text = ''
  #waiting: ((reply: ReplyLine) => void) | undefined
  #failed: ((error: Error) => void) | undefined

  private constructor(socket: Socket, cut: Cut) {
    this.#socket = socket
    this.#cut = cut
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => {
      this.#text += chunk.toString('latin1')
      this.#take()
    })
    socket.on('error', (error) => this.#failed?.(error))
    socket.on('close', () => this.#failed?.(new Error('the connection was closed')))
    socket.setTimeout(waitMs, () => socket.destroy(new Error('no reply in time')))
  }

  static async open(at: Place, cut: Cut): Promise<SmtpClient> {
    const client = new SmtpClient(connect(at), cut)
    await client.#reply()
    return client
  }

  #take(): void {
    // The last line of a reply has a blank after the code (RFC 5321 §4.2.1).
    const whole = /^(?:\d{3}-[^\r\n]*\r\n)*(\d{3})(?: (\d\.\d{1,3}\.\d{1,3}))?(?: ([^\r\n]*))?\r\n/.exec(
      this.#text,
    )
    if (!whole || !this.#waiting) return
    this.#text = this.#text.slice(whole[0].length)
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting({ code: Number(whole[1]), enhanced: whole[2] ?? '', text: whole[3] ?? '' })
  }

  #reply(): Promise<ReplyLine> {
    return new Promise((resolve, reject) => {
      this.#waiting = resolve
      this.#failed = reject
      this.#take()
    })
  }

  async #send(octets: Buffer): Promise<ReplyLine> {
    const reply = this.#reply()
    for (const piece of this.#cut(octets)) {
      this.#socket.write(piece)
      // One segment each, as far as that can be had.
      await new Promise((resolve) => setImmediate(resolve))
    }
    return reply
  }

  command(line: string): Promise<ReplyLine> {
    return this.#send(Buffer.from(`${line}\r\n`, 'utf8'))
  }

  /** The message with its dots doubled, and the end of data (RFC 5321 §4.5.2). */
  content(octets: Buffer): Promise<ReplyLine> {
    const text = octets.toString('latin1').replace(/^\./gm, '..')
    return this.#send(Buffer.from(`${text}${text.endsWith('\r\n') ? '' : '\r\n'}.\r\n`, 'latin1'))
  }

  close(): void {
    this.#failed = undefined
    this.#socket.destroy()
  }
}

/** The whole transaction; ends at the first reply that is not positive, or with the one to the end of data. */
export async function sendTransaction(
  client: SmtpClient,
  input: EnvelopeJson,
  message: Buffer,
): Promise<{ readonly stage: Stage; readonly reply: ReplyLine }> {
  const line = (verb: string, at: EnvelopeJson['mailFrom']): string =>
    [`${verb}:${at.path}`, ...at.params].join(' ')
  await client.command(`EHLO ${input.session?.ehlo ?? 'client.example.org'}`)
  const mail = await client.command(line('MAIL FROM', input.mailFrom))
  if (mail.code !== 250) return { stage: 'mail', reply: mail }
  for (const recipient of input.rcptTo) {
    const reply = await client.command(line('RCPT TO', recipient))
    if (Math.floor(reply.code / 100) !== 2) return { stage: 'rcpt', reply }
  }
  const data = await client.command('DATA')
  if (data.code !== 354) return { stage: 'data', reply: data }
  return { stage: 'end-of-data', reply: await client.content(message) }
}
