/**
 * What a client waits for, with the server in a process of its own: `node test/bench/imap-commands.ts [messages]`. Messages
 * of 2 KiB; the best of several runs for what only reads, a mean for what writes. Under a minute.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSqlite } from '../../src/db/sqlite/engine.ts'
import { digestMessage } from '../../src/wire/mime/digest.ts'

const count = Number(process.argv[2] ?? 10_000)
const folder = mkdtempSync(join(tmpdir(), 'lemonade-bench-'))

async function fill(): Promise<void> {
  const engine = await openSqlite(folder)
  await engine.directory.put('alice@example.net', 'secret')
  const account = (await engine.directory.find('alice@example.net'))?.id ?? 0
  const mailbox = (await engine.store.read(account, (view) => view.mailbox('INBOX')))?.id ?? 0
  for (let from = 0; from < count; from += 500) {
    const messages = Array.from({ length: Math.min(500, count - from) }, (_, k) => {
      const i = from + k
      const octets = Buffer.from(
        `From: "Person ${i % 97}" <p${i % 97}@example.com>\r\nTo: alice@example.net\r\nMessage-ID: <${i}@x>\r\nSubject: number ${i} of many\r\nDate: ${new Date(1.6e12 + i * 1e6).toUTCString()}\r\n\r\n${'lorem ipsum dolor sit amet '.repeat(68)}\r\n`,
      )
      return { octets: [octets], digest: digestMessage(octets), internalDate: 1.6e12 + i, flags: [] }
    })
    await engine.store.write(account, [{ op: 'append', mailbox, messages }])
  }
  await engine.close()
}

class Client {
  readonly socket: Socket
  octets = 0
  #tag = 0

  constructor(socket: Socket) {
    this.socket = socket
  }

  static async login(port: number): Promise<Client> {
    const socket = connect(port, '127.0.0.1')
    socket.setNoDelay(true)
    await once(socket, 'data')
    const client = new Client(socket)
    await client.command('LOGIN alice@example.net secret')
    return client
  }

  async command(text: string | Buffer): Promise<void> {
    const tag = `x${++this.#tag}`
    this.socket.write(`${tag} `)
    this.socket.write(text)
    this.socket.write('\r\n')
    let tail = ''
    for (;;) {
      const [chunk] = (await once(this.socket, 'data')) as [Buffer]
      this.octets += chunk.length
      tail = (tail + chunk.subarray(-3000).toString('latin1')).slice(-3000)
      const found = tail.lastIndexOf(`${tag} `)
      if (found < 0 || !tail.endsWith('\r\n')) continue
      if (!tail.startsWith('OK', found + tag.length + 1)) throw new Error(tail.slice(-300))
      return
    }
  }
}

const report = (what: string, value: string): void => console.log(`| ${what} | ${value} |`)

async function best(client: Client, text: string, runs = 7): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let i = 0; i < runs; i++) {
    const start = performance.now()
    await client.command(text)
    least = Math.min(least, performance.now() - start)
  }
  return least
}

/** Per second, over `ms`, by so many connections that each wait for their answer. */
async function rate(clients: readonly Client[], ms: number, next: () => string | Buffer): Promise<number> {
  const end = performance.now() + ms
  const start = performance.now()
  let done = 0
  await Promise.all(
    clients.map(async (client) => {
      while (performance.now() < end) {
        await client.command(next())
        done += 1
      }
    }),
  )
  return (done * 1000) / (performance.now() - start)
}

await fill()
const child = spawn(
  process.execPath,
  [new URL('../imap/serve-until-killed.ts', import.meta.url).pathname, folder],
  { stdio: ['ignore', 'pipe', 'inherit'] },
)
try {
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const port = Number(String(line))
  const client = await Client.login(port)
  console.log(`${count} messages of 2 KiB, Node ${process.version}\n\n| command | measured |\n|---|---|`)
  const ms = (value: number): string => `${value.toFixed(2)} ms`
  report('SELECT', ms(await best(client, 'SELECT INBOX')))
  report('STATUS', ms(await best(client, 'STATUS INBOX (MESSAGES UNSEEN UIDNEXT HIGHESTMODSEQ SIZE)')))
  const list = await best(client, 'FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)', 5)
  report('list fetch', `${Math.round((count * 1000) / list)} messages/s`)
  report('SEARCH SUBJECT', ms(await best(client, 'SEARCH SUBJECT "number 99"')))
  report('SEARCH TEXT', ms(await best(client, 'SEARCH TEXT "dolor sit"', 3)))
  report('SORT DATE', ms(await best(client, 'SORT (DATE) UTF-8 ALL')))
  let n = 0
  // Each changes something: a whole round sets the flag, the next one clears it.
  const one = (): string => `STORE ${1 + (n % count)} ${(n++ / count) & 1 ? '-' : '+'}FLAGS (\\Answered)`
  report('STORE of one message, 1 connection', `${Math.round(await rate([client], 2000, one))}/s`)
  const bulk = await best(client, 'STORE 1:* +FLAGS.SILENT (\\Flagged)', 1)
  report('STORE of all', `${Math.round((count * 1000) / bulk)} messages/s`)
  const octets = Buffer.concat([
    Buffer.from('Subject: x\r\n\r\n'),
    Buffer.alloc(61_426, `${'lemon'.repeat(15)}\r\n`),
  ])
  const append = (): Buffer => Buffer.concat([Buffer.from(`APPEND Big {${octets.length}+}\r\n`), octets])
  await client.command('CREATE Big')
  report('APPEND 60 KiB, durable, 1 connection', `${Math.round(await rate([client], 2000, append))}/s`)
  const many = await Promise.all(Array.from({ length: 8 }, () => Client.login(port)))
  report('APPEND 60 KiB, durable, 8 connections', `${Math.round(await rate(many, 3000, append))}/s`)
  for (const each of [client, ...many]) each.socket.destroy()
} finally {
  child.kill('SIGKILL')
  await once(child, 'exit')
  rmSync(folder, { recursive: true, force: true })
}
