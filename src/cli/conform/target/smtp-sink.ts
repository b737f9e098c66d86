/** A next hop that speaks SMTP: takes one transaction after another and answers as the case says. */
import { createServer, type Socket } from 'node:net'
import { hostPort } from '../../../config.ts'
import type { OutgoingEnvelope } from '../../../outbound/transports.ts'

export interface SmtpSinkBehaviour {
  /** EHLO keywords. */
  keywords(): readonly string[]
  /** The case's reply to a command of the transaction under way; undefined: the usual one. */
  reply(command: string): string | undefined
  /** Octets are absent where the attempt ended before DATA. */
  took(envelope: OutgoingEnvelope, octets: Buffer | undefined): void
}

export interface Sink {
  /** host:port */
  readonly address: string
  /** Another case has begun: a connection that was shown other keywords than it has, and that rests, is ended. */
  changed?(): void
  close(): void
}

/** More of one message is nothing that a case lets out. */
const maxOctets = 64 * 1_048_576

export async function smtpSink(listen: string, behaviour: SmtpSinkBehaviour): Promise<Sink> {
  const sockets = new Map<Socket, () => void>()
  const server = createServer((socket) => {
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => {})
    sockets.set(socket, converse(socket, behaviour))
  })
  const { host, port } = hostPort(listen)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
  const bound = server.address()
  return {
    address: `${host}:${typeof bound === 'object' && bound ? bound.port : port}`,
    changed() {
      for (const endIfStale of sockets.values()) endIfStale()
    },
    close() {
      server.close()
      for (const socket of sockets.keys()) socket.destroy()
    },
  }
}

type Path = OutgoingEnvelope['rcptTo'][number]

/** Answers what comes; the function ends the connection if it rests and knows other keywords than those of now. */
function converse(socket: Socket, behaviour: SmtpSinkBehaviour): () => void {
  let buffer = Buffer.alloc(0)
  let mailFrom: OutgoingEnvelope['mailFrom'] | undefined
  let rcptTo: Path[] = []
  let taken = 0
  let inData = false
  let shown: string | undefined
  const say = (line: string): void => void socket.write(`${line}\r\n`)
  say('220 conform ESMTP')

  /** An attempt of which nobody was accepted is an item too. */
  const reset = (): void => {
    if (mailFrom && rcptTo.length > 0 && taken === 0) behaviour.took({ mailFrom, rcptTo }, undefined)
    mailFrom = undefined
    rcptTo = []
    taken = 0
  }
  const mail = (line: string): void => {
    reset()
    const { path, params } = pathOf(line)
    const reply = behaviour.reply('MAIL') ?? '250 2.1.0 OK'
    mailFrom = { path: path === '' ? null : path, params }
    say(reply)
  }
  const rcpt = (line: string): void => {
    const recipient = pathOf(line)
    const reply = behaviour.reply(`RCPT <${recipient.path}>`) ?? '250 2.1.5 OK'
    rcptTo.push(recipient)
    if (reply.startsWith('25')) taken++
    say(reply)
  }
  const command = (line: string): void => {
    const verb = /^[A-Za-z]*/.exec(line)?.[0].toUpperCase() ?? ''
    if (verb === 'EHLO') {
      const lines = ['conform', ...behaviour.keywords()]
      shown = lines.join('\n')
      lines.forEach((text, i) => {
        say(`250${i < lines.length - 1 ? '-' : ' '}${text}`)
      })
    } else if (verb === 'HELO' || verb === 'NOOP') say('250 OK')
    else if (verb === 'MAIL') mail(line)
    else if (verb === 'RCPT') rcpt(line)
    else if (verb === 'DATA') {
      const reply = behaviour.reply('DATA') ?? (taken > 0 ? '354 go ahead' : '554 5.5.1 no valid recipients')
      inData = reply.startsWith('354')
      say(reply)
    } else if (verb === 'RSET') {
      reset()
      say('250 OK')
    } else if (verb === 'QUIT') {
      say('221 2.0.0 bye')
      socket.end()
    } else say('500 5.5.1 unknown command')
  }
  const data = (octets: Buffer): void => {
    const envelope = { mailFrom: mailFrom ?? { path: null, params: {} }, rcptTo }
    const reply = behaviour.reply('.') ?? '250 2.0.0 OK'
    inData = false
    behaviour.took(envelope, Buffer.from(octets.toString('latin1').replace(/^\./gm, ''), 'latin1'))
    mailFrom = undefined
    rcptTo = []
    taken = 0
    say(reply)
  }
  socket.on('data', (chunk: Buffer) => {
    buffer = Buffer.concat([buffer, chunk])
    if (buffer.length > maxOctets) socket.destroy()
    for (;;) {
      if (inData) {
        const end = buffer.indexOf('\r\n.\r\n')
        if (end < 0) return
        const octets = buffer.subarray(0, end + 2)
        buffer = buffer.subarray(end + 5)
        data(octets)
      } else {
        const end = buffer.indexOf('\r\n')
        if (end < 0) return
        const line = buffer.toString('utf8', 0, end)
        buffer = buffer.subarray(end + 2)
        command(line)
      }
    }
  })
  socket.on('close', reset)
  return () => {
    const stale = shown !== undefined && shown !== ['conform', ...behaviour.keywords()].join('\n')
    if (!stale || inData || mailFrom) return
    say('421 4.3.2 the case is over')
    socket.end()
  }
}

/** `RCPT TO:<path> KEY=VALUE ...` */
function pathOf(line: string): { readonly path: string; readonly params: Readonly<Record<string, string>> } {
  const found = /^[^:]*:\s*<((?:"(?:[^"\\]|\\.)*"|[^>"])*)>(.*)$/.exec(line)
  const params = (found?.[2] ?? '').split(' ').filter((text) => text !== '')
  return {
    path: found?.[1] ?? '',
    params: Object.fromEntries(
      params.map((text) => {
        const at = text.indexOf('=')
        return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
      }),
    ),
  }
}
