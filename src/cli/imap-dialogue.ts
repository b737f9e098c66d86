/** Speaks a few IMAP commands one after the other and returns all that the server said. For the demonstration. */
import { connect } from 'node:net'

/** One character an octet. @throws when the server is silent for ten seconds */
export async function imapDialogue(
  to: { readonly host: string; readonly port: number },
  commands: readonly string[],
): Promise<string> {
  const socket = connect(to.port, to.host)
  socket.setTimeout(10_000, () => socket.destroy(new Error('the IMAP server does not answer')))
  let text = ''
  let next = 0
  const send = (): void => {
    const command = commands[next]
    next += 1
    socket.write(`a${next} ${command ?? 'LOGOUT'}\r\n`)
  }
  for await (const chunk of socket) {
    text += (chunk as Buffer).toString('latin1')
    if (next === 0 ? text.includes('\r\n') : new RegExp(`^a${next} (OK|NO|BAD)[^\\n]*\\n`, 'm').test(text))
      send()
    if (next > commands.length + 1) break
  }
  socket.destroy()
  return text
}

/** The first literal that the server sent. */
export function firstLiteral(text: string): Uint8Array | undefined {
  const match = /\{(\d+)\}\r\n/.exec(text)
  if (!match) return undefined
  const start = match.index + match[0].length
  return Buffer.from(text.slice(start, start + Number(match[1])), 'latin1')
}
