/** An IMAP connection by hand: octets out, lines in. Octet strings. */
import { connect, type Socket } from 'node:net'

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
  readonly socket: Socket
  end(): void
}

export async function rawImap(port: number): Promise<RawImap> {
  const socket = connect(port, '127.0.0.1')
  socket.setNoDelay(true)
  let text = ''
  let ended = false
  const waiting = new Set<() => void>()
  const wake = (): void => {
    for (const each of waiting) each()
  }
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1')
    wake()
  })
  socket.on('error', () => {})
  socket.on('close', () => {
    ended = true
    wake()
  })
  const until = (pattern: RegExp): Promise<string> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.delete(look)
        reject(new Error(`no ${pattern} in: ${text.slice(-2000)}`))
      }, 8000)
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
    send: (octets) => void socket.write(octets as Buffer),
    command(line) {
      number += 1
      socket.write(`t${number} ${line}\r\n`)
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
  return imap
}
