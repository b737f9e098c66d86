/** An IMAP connection by hand: octets out, lines in. Octet strings. */
import { connect, type Socket } from 'node:net'
import { constants, createDeflateRaw, createInflateRaw } from 'node:zlib'

export interface RawImap {
  /** Sends as it stands. */
  send(octets: string | Buffer): void
  /** Sends one command and resolves with all that came up to its tagged answer. */
  command(text: string): Promise<string>
  /** Resolves with what came, once it matches. */
  until(pattern: RegExp): Promise<string>
  /** All that comes until the server closes. */
  closed(): Promise<string>
  /** Takes what came so far. */
  taken(): string
  /** Called whenever something came, and when the connection has ended. */
  listen(run: (ended: boolean) => void): void
  /** COMPRESS DEFLATE, and everything through it from there on. */
  compress(): Promise<string>
  /** Octets received on the wire, compressed or not. */
  readonly received: number
  readonly socket: Socket
  end(): void
}

/** Every connection that logs in compresses: for suites that are run over COMPRESS once more (CO-11). */
let always = false
export const compressAlways = (on: boolean): void => {
  always = on
}

export async function rawImap(port: number, socket: Socket = connect(port, '127.0.0.1')): Promise<RawImap> {
  socket.setNoDelay(true)
  let received = 0
  let write = (octets: string | Buffer): void => void socket.write(octets as Buffer)
  let text = ''
  let ended = false
  const waiting = new Set<() => void>()
  const wake = (): void => {
    for (const each of waiting) each()
  }
  const take = (chunk: Buffer): void => {
    text += chunk.toString('latin1')
    wake()
  }
  let read = take
  socket.on('data', (chunk) => {
    received += chunk.length
    read(chunk)
  })
  socket.on('error', () => {})
  // What came last must be unpacked before the end counts.
  let unpacked = (then: () => void): void => then()
  socket.on('close', () =>
    unpacked(() => {
      ended = true
      wake()
    }),
  )
  const until = (pattern: RegExp): Promise<string> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.delete(look)
        reject(new Error(`no ${pattern} in: ${text.slice(-2000)}`))
      }, 18_000)
      const look = (): void => {
        const match = pattern.exec(text)
        if (!match && !ended) return
        clearTimeout(timer)
        waiting.delete(look)
        if (!match) {
          reject(new Error(`closed before ${pattern}: ${text.slice(-2000)}`))
          return
        }
        const end = match.index + match[0].length
        resolve(text.slice(0, end))
        text = text.slice(end)
      }
      waiting.add(look)
      look()
    })
  let number = 0
  await until(/^\* .*\r\n/)
  return {
    socket,
    get received() {
      return received
    },
    async compress() {
      socket.write('zip COMPRESS DEFLATE\r\n')
      const answer = await until(/(^|\n)zip (OK|NO|BAD)[^\n]*\n/)
      const deflate = createDeflateRaw()
      deflate.on('data', (chunk: Buffer) => socket.write(chunk))
      write = (octets) => {
        deflate.write(octets)
        deflate.flush(constants.Z_SYNC_FLUSH)
      }
      const inflate = createInflateRaw()
      inflate.on('data', take)
      inflate.on('error', (error) => socket.destroy(error))
      read = (chunk) => void inflate.write(chunk)
      unpacked = (then) => (inflate.destroyed ? then() : inflate.write('', () => setImmediate(then)))
      return answer
    },
    send: (octets) => write(octets),
    command(line) {
      number += 1
      write(`t${number} ${line}\r\n`)
      return until(new RegExp(`(^|\\n)t${number} (OK|NO|BAD)[^\\n]*\\n`))
    },
    until,
    closed: () =>
      new Promise((resolve) => {
        const look = (): void => {
          if (!ended) return
          waiting.delete(look)
          resolve(text)
        }
        waiting.add(look)
        look()
      }),
    listen(run) {
      waiting.add(() => run(ended))
    },
    taken() {
      const taken = text
      text = ''
      return taken
    },
    end: () => socket.destroy(),
  }
}

export async function loggedIn(
  port: number,
  user = 'alice@example.net',
  password = 'secret',
): Promise<RawImap> {
  const imap = await rawImap(port)
  await imap.command(`LOGIN ${user} ${password}`)
  if (always) await imap.compress()
  return imap
}
