/** Speaks a few SMTP commands one after the other and returns the reply to each. For the demonstration. */
import { connect } from 'node:net'

/** @throws when the server is silent for ten seconds */
export async function smtpDialogue(
  to: { readonly host: string; readonly port: number },
  commands: readonly string[],
): Promise<string[]> {
  const socket = connect(to.port, to.host)
  socket.setTimeout(10_000, () => socket.destroy(new Error('the SMTP server does not answer')))
  const replies: string[] = []
  let text = ''
  for await (const chunk of socket) {
    text += (chunk as Buffer).toString('latin1')
    const reply = /^(?:\d{3}-.*\r\n)*\d{3} .*\r\n/.exec(text)?.[0]
    if (reply === undefined) continue
    text = text.slice(reply.length)
    replies.push(reply.trim())
    const command = commands[replies.length - 1]
    if (command === undefined) break
    socket.write(`${command}\r\n`)
  }
  socket.destroy()
  return replies.slice(1)
}
