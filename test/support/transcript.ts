/** Plays scenarios of fixtures/imap against a server: the format is in fixtures/imap/README.md. */

import { ImapClient } from './imap-client.ts'
import type { TestImap } from './imap-server.ts'
import type { Response } from './imap-values.ts'
import type { Step, Transcript } from './transcript-file.ts'
import { type Captures, mismatch, readPattern, substituted } from './transcript-match.ts'

export interface Stage {
  readonly server: Pick<TestImap, 'host' | 'port' | 'directory' | 'deliver'>
  /** Called for each account that was made. */
  readonly made?: (address: string) => Promise<void>
  /** Limits of an account's octets and messages. */
  readonly quota?: (address: string, octets: number, messages: number) => Promise<void>
  /** Sets the server's clock, ms since 1970. */
  setClock(now: number): void
  /** Tells accounts of one transcript from those of another. */
  readonly run: number
}

/** The clock at the start of every transcript. */
export const startOfPlay = Date.UTC(2026, 2, 1, 12)

/** What a server advertises after login: asked once. */
const advertised = new WeakMap<Stage['server'], ReadonlySet<string>>()

interface Connection {
  readonly client: ImapClient
  /** Of the latest command. */
  tag: string
}

/** Resolves with undefined when it went as written, or with why it was left out. @throws with the line that failed */
export async function play(transcript: Transcript, stage: Stage): Promise<string | undefined> {
  const player = new Player(transcript, stage)
  try {
    const missing = await player.missing()
    if (missing.length > 0) return `not advertised: ${missing.join(' ')}`
    await player.play()
    return undefined
  } finally {
    player.end()
  }
}

class Player {
  readonly #transcript: Transcript
  readonly #stage: Stage
  readonly #connections = new Map<string, Connection>()
  readonly #users = new Map<string, string>()
  readonly #captures: Captures = new Map()
  #now = startOfPlay
  #tags = 0
  readonly #log: string[] = []

  constructor(transcript: Transcript, stage: Stage) {
    this.#transcript = transcript
    this.#stage = stage
    stage.setClock(this.#now)
  }

  async missing(): Promise<string[]> {
    await this.#account('alice', 'secret')
    if (this.#transcript.needs.length === 0) return []
    const { server } = this.#stage
    const names = advertised.get(server) ?? (await this.#capabilities())
    advertised.set(server, names)
    return this.#transcript.needs.filter((name) => !names.has(name.toUpperCase()))
  }

  async #capabilities(): Promise<ReadonlySet<string>> {
    const client = await ImapClient.connect(this.#stage.server.port)
    try {
      await client.next()
      await client.command(`LOGIN ${this.#captures.get('alice')} secret`)
      const { untagged } = await client.command('CAPABILITY')
      return new Set(untagged.flatMap((r) => r.values.map((v) => ('text' in v ? v.text.toUpperCase() : ''))))
    } finally {
      client.end()
    }
  }

  async play(): Promise<void> {
    for (const step of this.#transcript.steps) {
      try {
        await this.#step(step)
      } catch (error) {
        const seen = this.#log.slice(-40).join('\n')
        throw new Error(`line ${step.line}: ${(error as Error).message}\n${seen}`)
      }
    }
    for (const [name, { client }] of this.#connections) {
      const left = client.pending()
      if (left.length > 0)
        throw new Error(`unexpected on connection ${name}: ${left.map((r) => r.raw).join(' / ')}`)
    }
  }

  end(): void {
    for (const { client } of this.#connections.values()) client.end()
  }

  /** `$alice` is her address, `$alice_url` the same for URLs. */
  async #account(name: string, password: string): Promise<void> {
    const address = `${name}.${this.#stage.run}@example.net`
    await this.#stage.server.directory.put(address, password)
    await this.#stage.made?.(address)
    this.#captures.set(name, address)
    this.#captures.set(`${name}_url`, encodeURIComponent(address))
  }

  async #connection(name: string): Promise<Connection> {
    const open = this.#connections.get(name)
    if (open) return open
    const client = await ImapClient.connect(this.#stage.server.port)
    const connection: Connection = { client, tag: '*' }
    this.#connections.set(name, connection)
    if (this.#transcript.raw) return connection
    await client.next()
    const user = this.#users.get(name) ?? 'alice'
    const { tagged } = await client.command(`LOGIN ${this.#captures.get(user)} secret`)
    if (tagged.status !== 'OK') throw new Error(`login of ${user}: ${tagged.raw}`)
    return connection
  }

  async #step(step: Step): Promise<void> {
    switch (step.verb) {
      case 'C':
      case 'R':
      case '&':
        return this.#send(step, await this.#connection(step.connection))
      case 'S':
        return this.#expect(step, await this.#connection(step.connection))
      case 'U':
        return this.#expectGroup(step)
      case 'account':
        return this.#account(step.text, 'secret')
      case 'as': {
        const [connection = '', user = ''] = step.text.split(' ')
        this.#users.set(connection, user)
        return
      }
      case 'clock':
        this.#now = step.text.startsWith('+') ? this.#now + Number(step.text) * 1000 : Date.parse(step.text)
        this.#stage.setClock(this.#now)
        return
      case 'quota': {
        const [octets = 0, messages = 0] = step.text.split(' ').map(Number)
        return this.#stage.quota?.(this.#captures.get('alice') ?? '', octets, messages)
      }
      case 'messages':
        return this.#messages(step.text)
      case 'deliver':
        return this.#deliver(step)
      default:
        return this.#connectionStep(step)
    }
  }

  async #connectionStep(step: Step): Promise<void> {
    const { client } = await this.#connection(step.text || '1')
    if (step.verb === 'starttls') await client.startTls()
    else if (step.verb === 'compress') client.compress()
    else if (step.verb === 'utf8') client.utf8 = true
    else if (step.verb === 'close') {
      client.end()
      this.#connections.delete(step.text || '1')
    } else {
      await new Promise((resolve) => setTimeout(resolve, 100))
      const came = client.pending()
      if (came.length > 0) throw new Error(`not silent: ${came.map((r) => r.raw).join(' / ')}`)
    }
  }

  /** messages MAILBOX COUNT [(flags)]: plain ones, numbered, a minute apart. */
  async #messages(text: string): Promise<void> {
    const [, mailbox = '', count = '', flags = ''] = /^(\S+) (\d+)(?: \((.*)\))?$/.exec(text) ?? []
    for (let i = 1; i <= Number(count); i += 1) {
      const date = new Date(startOfPlay + i * 60_000).toUTCString().replace('GMT', '+0000')
      const octets = `From: Sender ${i} <sender${i}@example.org>\r\nTo: Alice <alice@example.net>\r\nSubject: message ${i}\r\nDate: ${date}\r\nMessage-ID: <m${i}@example.org>\r\n\r\nBody of message ${i}.\r\n`
      await this.#put(mailbox, octets, flags)
    }
  }

  /** deliver MAILBOX [(flags)] with the message as data. */
  async #deliver(step: Step): Promise<void> {
    const [, name = '', flags = ''] = /^(\S+)(?: \((.*)\))?$/.exec(step.text) ?? []
    await this.#put(name, step.data.join(''), flags)
  }

  async #put(mailbox: string, octets: string, flags: string): Promise<void> {
    const [user, name] = mailbox.includes(':') ? mailbox.split(':', 2) : ['alice', mailbox]
    const address = this.#captures.get(user ?? '') ?? ''
    await this.#stage.server.deliver(
      address,
      name ?? '',
      Buffer.from(octets, 'latin1'),
      flags.split(' ').filter((flag) => flag !== ''),
    )
  }

  #send(step: Step, connection: Connection): void {
    const text = this.#filled(step.text)
    const data = step.data.map((each) => substituted(each, this.#captures)).join('')
    const marker = /(~?)\{(\+?)\}$/.exec(text)
    if (step.verb === 'C') {
      this.#tags += 1
      connection.tag = step.tag ?? `t${this.#tags}`
    }
    const start = step.verb === 'C' ? `${connection.tag} ` : ''
    const line = marker ? `${text.slice(0, marker.index)}${marker[1]}{${data.length}${marker[2]}}` : text
    this.#say(connection, `${start}${line}\r\n`)
    if (!marker) return
    if (marker[2] !== '+') this.#held.set(connection, data)
    else this.#sayLiteral(connection, data, step)
  }

  /** Data of a synchronising literal, until "+" has come. */
  readonly #held = new Map<Connection, string>()

  /** The octets of a literal; the line ends behind it, when the transcript does not go on with "&". */
  #sayLiteral(connection: Connection, data: string, step: Step): void {
    const next = this.#stepAfter(step)
    this.#say(connection, next?.verb === '&' && next.connection === step.connection ? data : `${data}\r\n`)
  }

  #say(connection: Connection, octets: string): void {
    this.#log.push(`C: ${octets.trimEnd().slice(0, 2000)}`)
    connection.client.send(octets)
  }

  /** Known captures that stand as words of their own, and `${name}`. */
  #filled(text: string): string {
    return substituted(text, this.#captures).replace(
      /(?<![\w$])\$([a-z_][A-Za-z0-9_]*)/g,
      (whole, name: string) => this.#captures.get(name) ?? whole,
    )
  }

  #stepAfter(step: Step): Step | undefined {
    return this.#transcript.steps[this.#transcript.steps.indexOf(step) + 1]
  }

  async #next(connection: Connection): Promise<Response | undefined> {
    const response = await connection.client.next()
    this.#log.push(`S: ${response?.raw.slice(0, 2000) ?? '(closed)'}`)
    return response
  }

  async #expect(step: Step, connection: Connection): Promise<void> {
    if (step.text === '(closed)') {
      const response = await this.#next(connection)
      if (response) throw new Error(`not closed: ${response.raw}`)
      return
    }
    if (step.text === '...') return this.#skip(step, connection)
    const response = await this.#next(connection)
    if (!response) throw new Error('the server has closed')
    this.#check(step, connection, response)
    const data = this.#held.get(connection)
    if (response.tag === '+' && data !== undefined) {
      this.#held.delete(connection)
      this.#sayLiteral(connection, data, step)
    }
    // Refused: the literal is not sent.
    if (response.tag === connection.tag) this.#held.delete(connection)
  }

  #check(step: Step, connection: Connection, response: Response): void {
    const pattern = this.#pattern(step, connection)
    const why = mismatch(pattern, response, this.#captures)
    if (why !== undefined) throw new Error(`${why}\n  expected: ${step.text}\n  received: ${response.raw}`)
  }

  #pattern(step: Step, connection: Connection): Response {
    const captures = new Map(this.#captures)
    captures.set('tag', connection.tag)
    return readPattern(
      substituted(step.text.replace(/"\$tag"/g, `"${connection.tag}"`), captures),
      step.tag ?? connection.tag,
      captures,
    )
  }

  /** `S: ...`: any untagged responses, up to what the next line expects. */
  async #skip(step: Step, connection: Connection): Promise<void> {
    const next = this.#stepAfter(step)
    if (next?.verb !== 'S' || next.connection !== step.connection) throw new Error('nothing follows "..."')
    for (;;) {
      const response = await this.#next(connection)
      if (!response) throw new Error('the server has closed')
      if (mismatch(this.#pattern(next, connection), response, new Map(this.#captures)) === undefined) {
        this.#log.pop()
        connection.client.unread(response)
        return
      }
      if (response.tag !== '*') throw new Error(`never came: ${next.text}\n  received: ${response.raw}`)
    }
  }

  /** Neighbouring `U:` lines: these untagged responses, in any order; with `U: ...` others among them. */
  async #expectGroup(step: Step): Promise<void> {
    const { steps } = this.#transcript
    const at = steps.indexOf(step)
    if (steps[at - 1]?.verb === 'U' && steps[at - 1]?.connection === step.connection) return
    const connection = await this.#connection(step.connection)
    const group: Step[] = []
    for (let i = at; steps[i]?.verb === 'U' && steps[i]?.connection === step.connection; i += 1)
      group.push(steps[i] as Step)
    const open = group.some((each) => each.text === '...')
    const wanted = group.filter((each) => each.text !== '...')
    while (wanted.length > 0) {
      const response = await this.#next(connection)
      if (!response) throw new Error('the server has closed')
      const found = wanted.findIndex(
        (each) => mismatch(this.#pattern(each, connection), response, this.#captures) === undefined,
      )
      if (found >= 0) wanted.splice(found, 1)
      else if (!open || response.tag !== '*')
        throw new Error(
          `not expected: ${response.raw}\n  still missing: ${wanted.map((each) => each.text).join('\n  ')}`,
        )
    }
    if (!open) return
    // What else was told belongs to the group as well, up to the next line.
    const next = steps[at + group.length]
    if (next?.verb === 'S' && next.connection === step.connection)
      await this.#skip(steps[at + group.length - 1] as Step, connection)
  }
}
