/** What an IMAP client waits for and pays for: the list of a mailbox, and what changed while it was away. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { openSqlite } from '../../src/db/sqlite/engine.ts'
import { digestMessage } from '../../src/wire/mime/digest.ts'

export const listed = 10_000

export async function fillMailbox(store: string): Promise<void> {
  const engine = await openSqlite(store)
  await engine.directory.put('alice@example.net', 'secret')
  const account = (await engine.directory.find('alice@example.net'))?.id ?? 0
  const mailbox = (await engine.store.read(account, (view) => view.mailbox('INBOX')))?.id ?? 0
  for (let n = 0; n < listed; n += 500)
    await engine.store.write(account, [
      {
        op: 'append',
        mailbox,
        messages: Array.from({ length: 500 }, (_, i) => {
          const message = Buffer.from(
            `From: Sender ${n + i} <sender${n + i}@example.org>\r\nTo: Alice <alice@example.net>\r\nSubject: Message number ${n + i}\r\nDate: Tue, 5 Mar 2024 10:00:00 +0000\r\nMessage-ID: <${n + i}@example.org>\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nHello\r\n`,
          )
          return { octets: [message], digest: digestMessage(message), internalDate: 0, flags: [] }
        }),
      },
    ])
  await engine.close()
}

class Client {
  readonly #socket: Socket
  octets = 0
  #text = ''
  #wanted = /^\* OK[^\n]*\n/
  #done: () => void = () => {}

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => {
      this.octets += chunk.length
      // Of long answers the end says whether they are whole.
      this.#text = (this.#text + chunk.toString('latin1', Math.max(0, chunk.length - 4000))).slice(-4000)
      if (this.#wanted.test(this.#text)) this.#done()
    })
  }

  static async greeted(port: number): Promise<Client> {
    const client = new Client(connect(port, '127.0.0.1'))
    await client.#until(client.#wanted)
    return client
  }

  #until(pattern: RegExp): Promise<void> {
    this.#wanted = pattern
    if (pattern.test(this.#text)) return Promise.resolve()
    return new Promise((resolve) => {
      this.#done = resolve
    })
  }

  /** Commands in one piece; what comes until the last of them is answered, at most its last 4,000 octets. */
  async commands(...texts: readonly string[]): Promise<string> {
    this.octets = 0
    this.#text = ''
    const answered = this.#until(new RegExp(`(?:^|\n)t${texts.length - 1} (?:OK|NO|BAD)[^\n]*\n$`))
    this.#socket.write(texts.map((text, i) => `t${i} ${text}\r\n`).join(''))
    await answered
    if (/(?:^|\n)t\d+ (?:NO|BAD)/.test(this.#text)) throw new Error(this.#text)
    return this.#text
  }

  close(): void {
    this.#socket.destroy()
  }
}

const login = 'LOGIN alice@example.net secret'

/** The least time of one command in fifty, and the octets of its answer. */
export async function imapList(port: number): Promise<{ ms: number; octets: number }> {
  const client = await Client.greeted(port)
  await client.commands(login, 'EXAMINE INBOX')
  const best = { ms: Number.POSITIVE_INFINITY, octets: 0 }
  // Often enough to see past the indexer, which reads the new store meanwhile.
  for (let i = 0; i < 50; i++) {
    const begin = performance.now()
    await client.commands('FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)')
    const ms = performance.now() - begin
    if (ms < best.ms) Object.assign(best, { ms, octets: client.octets })
  }
  client.close()
  return best
}

export interface Resynchronised {
  /** What the client sends after the greeting, and what it gets, without the list of capabilities that it asked for once. */
  readonly sent: number
  readonly received: number
  readonly roundTrips: number
  /** Flags, vanished and new messages that it was told of. */
  readonly changes: number
}

/** A client was away while ten things changed: five flags, three expunged, two new (RFC 7162 §3.2.5). */
export async function resynchronise(port: number): Promise<Resynchronised> {
  const before = await Client.greeted(port)
  const known = await before.commands(login, 'ENABLE QRESYNC', 'SELECT INBOX')
  const number = (text: string, pattern: RegExp): number => Number(pattern.exec(text)?.[1] ?? Number.NaN)
  const uidValidity = number(known, /UIDVALIDITY (\d+)/)
  const modSeq = number(known, /HIGHESTMODSEQ (\d+)/)
  before.close()
  const other = await Client.greeted(port)
  const mail = 'Subject: new\r\n\r\nnew\r\n'
  await other.commands(
    login,
    'SELECT INBOX',
    'UID STORE 10,200,3000,4000,9000 +FLAGS.SILENT (\\Seen)',
    'UID STORE 50,51,7000 +FLAGS.SILENT (\\Deleted)',
    'EXPUNGE',
    `APPEND INBOX {${mail.length}+}\r\n${mail}`,
    `APPEND INBOX {${mail.length}+}\r\n${mail}`,
  )
  other.close()
  const again = await Client.greeted(port)
  // Nothing of it depends on an answer, so all of it goes in one piece.
  const commands = [login, 'ENABLE QRESYNC', `SELECT INBOX (QRESYNC (${uidValidity} ${modSeq}))`]
  const told = await again.commands(...commands)
  again.close()
  const capabilities = /\[CAPABILITY [^\]]*\] ?/.exec(told)?.[0].length ?? 0
  return {
    sent: commands.reduce((sum, text) => sum + text.length + 5, 0),
    received: again.octets - capabilities,
    roundTrips: 1,
    changes:
      (told.match(/\* \d+ FETCH/g) ?? []).length + uidsIn(/VANISHED \(EARLIER\) (\S+)/.exec(told)?.[1]),
  }
}

/** How many UIDs a set holds. */
const uidsIn = (set = ''): number =>
  set === ''
    ? 0
    : set.split(',').reduce((sum, range) => {
        const [from = 0, to = from] = range.split(':').map(Number)
        return sum + to - from + 1
      }, 0)

/** The least time to read what a server writes as fast as it can, in five. */
export async function drain(port: number): Promise<number> {
  let best = Number.POSITIVE_INFINITY
  // Often enough to see past the indexer, which reads the new store meanwhile.
  for (let i = 0; i < 50; i++) {
    const begin = performance.now()
    const socket = connect(port, '127.0.0.1')
    socket.resume()
    await once(socket, 'end')
    best = Math.min(best, performance.now() - begin)
  }
  return best
}
