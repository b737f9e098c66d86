/**
 * After any interleaving of sessions each client's view equals the store's. Clients of several kinds act at random on one
 * mailbox, all at once, some with pipelines; each keeps a model from what it is told and from nothing else. At every sync
 * point (NOOP) the model is compared with the store.
 */
import { expect, test } from 'vitest'
import { startImap, type TestImap } from '../support/imap-server.ts'
import { loggedIn, type RawImap } from '../support/raw-imap.ts'

/** Seeds that once found a fault stay here. LAW_SEEDS=n looks for more of them. */
const seeds = [1, 2]
const fresh = Array.from(
  { length: Number(process.env.LAW_SEEDS ?? 1) },
  (_, i) => (Date.now() + i * 7919) % 1_000_000_007,
)
const stepsPerSeed = 60
const rounds = 6

/** A small random source with a seed (mulberry32). */
function random(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4_294_967_296) * below)
  }
}

const flagNames = ['\\Seen', '\\Flagged', '\\Answered', '$Work']

/** A message as the client knows it: uid 0 and flags undefined are not known. */
interface Known {
  uid: number
  flags: ReadonlySet<string> | undefined
}

interface LiveResult {
  readonly tag: string
  readonly uid: boolean
  readonly sorted: boolean
  readonly keys: string
  /** UIDs, or what the MSNs stand for. */
  list: (number | Known)[]
}

interface Sent {
  readonly tag: string
  readonly name: string
  /** Told by MSN: nothing may be expunged before its answer. */
  readonly msn: boolean
  readonly silent?: {
    readonly mode: string
    readonly flag: string
    readonly numbers: readonly number[]
    readonly uid: boolean
  }
  readonly told: Set<Known>
}

class Client {
  readonly imap: RawImap
  readonly kind: string
  readonly next: (below: number) => number
  view: Known[] = []
  results: LiveResult[] = []
  sent: Sent[] = []
  idling = false
  #tag = 0
  #rest = ''
  #waiting: { readonly until: () => boolean; readonly resolve: () => void } | undefined
  readonly #qresync: boolean
  readonly #unaskedExpunges: boolean
  readonly problems: string[] = []
  readonly log: string[] = []

  constructor(imap: RawImap, kind: string, next: (below: number) => number) {
    this.imap = imap
    this.kind = kind
    this.next = next
    this.#qresync = kind.includes('qresync')
    this.#unaskedExpunges = kind.includes('notify-now')
    imap.socket.on('data', () => this.#read())
  }

  #read(): void {
    this.#rest += this.imap.taken()
    for (let end = this.#rest.indexOf('\r\n'); end >= 0; end = this.#rest.indexOf('\r\n')) {
      const line = this.#rest.slice(0, end)
      this.#rest = this.#rest.slice(end + 2)
      this.log.push(`S: ${line}`)
      try {
        this.#line(line)
      } catch (error) {
        this.problems.push(`${line}: ${(error as Error).message}`)
      }
    }
    if (this.#waiting?.until()) {
      this.#waiting.resolve()
      this.#waiting = undefined
    }
  }

  #wait(until: () => boolean): Promise<void> {
    if (until()) return Promise.resolve()
    return new Promise((resolve) => {
      this.#waiting = { until, resolve }
    })
  }

  /** Whether the command under way, or its absence, lets the server tell an expunge (UR-01, UR-03). */
  #mayExpunge(): boolean {
    const [current] = this.sent
    return this.#unaskedExpunges || this.idling || (current !== undefined && !current.msn)
  }

  #line(line: string): void {
    const [current] = this.sent
    if (line.startsWith('+ ')) {
      this.idling = true
      return
    }
    if (current && line.startsWith(`${current.tag} `)) {
      this.sent.shift()
      if (current.name === 'IDLE') this.idling = false
      if (line.startsWith(`${current.tag} OK`)) this.#applySilent(current)
      else if (!/BAD expected|BAD there are|NO \[EXPUNGEISSUED\]|NO \[TRYCREATE\]/.test(line))
        throw new Error(`${current.name}`)
      return
    }
    let match = /^\* (\d+) EXISTS$/.exec(line)
    if (match) {
      const size = Number(match[1])
      if (size < this.view.length) throw new Error(`shrank from ${this.view.length}`)
      while (this.view.length < size) this.view.push({ uid: 0, flags: undefined })
      return
    }
    match = /^\* (\d+) EXPUNGE$/.exec(line)
    if (match) {
      if (this.#qresync) throw new Error('EXPUNGE after ENABLE QRESYNC')
      this.#expunge(Number(match[1]))
      return
    }
    match = /^\* VANISHED ([\d:,]+)$/.exec(line)
    if (match) {
      if (!this.#qresync) throw new Error('VANISHED without QRESYNC')
      for (const uid of numbers(match[1]!)) this.#expunge(this.#placeOf(uid) + 1)
      return
    }
    match = /^\* (\d+) FETCH \((.*)\)$/.exec(line)
    if (match) {
      this.#fetched(Number(match[1]), match[2]!)
      return
    }
    match = /^\* ESEARCH \(TAG "(.*)"\)( UID)?(.*)$/.exec(line)
    if (match) this.#esearch(match[1]!, match[3]!)
  }

  /** Of a UID that was not told yet it is only known between which others it stands. */
  #placeOf(uid: number): number {
    const exact = this.view.findIndex((m) => m.uid === uid)
    if (exact >= 0) return exact
    const from = this.view.findLastIndex((m) => m.uid > 0 && m.uid < uid) + 1
    const above = this.view.findIndex((m) => m.uid > uid)
    const places = this.view.flatMap((m, i) =>
      i >= from && (above < 0 || i < above) && m.uid === 0 ? [i] : [],
    )
    for (const i of places) this.view[i]!.flags = undefined
    const isListed = (i: number) => this.results.some((r) => !r.uid && r.list.includes(this.view[i]!))
    return places.find((i) => !isListed(i)) ?? places[0] ?? -1
  }

  #expunge(msn: number): void {
    if (!this.#mayExpunge()) throw new Error(`not during ${this.sent[0]?.name}`)
    const [gone] = this.view.splice(msn - 1, 1)
    if (!gone) throw new Error('nothing there')
    for (const result of this.results)
      if (!result.uid && result.list.includes(gone)) throw new Error(`still in ${result.tag} (CX-13)`)
  }

  #fetched(msn: number, data: string): void {
    const message = this.view[msn - 1]
    if (!message) throw new Error(`there are ${this.view.length}`)
    const uid = /UID (\d+)/.exec(data)?.[1]
    if (uid) {
      if (message.uid !== 0 && message.uid !== Number(uid)) throw new Error(`is ${message.uid}`)
      message.uid = Number(uid)
    }
    const flags = /FLAGS \(([^)]*)\)/.exec(data)?.[1]
    if (flags === undefined) return
    message.flags = new Set(flags.split(' ').filter((f) => f !== '' && f !== '\\Recent'))
    this.sent[0]?.told.add(message)
  }

  #applySilent({ silent, told }: Sent): void {
    if (!silent) return
    for (const message of this.view) {
      const number = silent.uid ? message.uid : this.view.indexOf(message) + 1
      if (silent.uid && message.uid === 0) message.flags = undefined
      if (!silent.numbers.includes(number)) continue
      // Told meanwhile, before or after: from here it cannot be seen which.
      if (told.has(message) || !message.flags) message.flags = undefined
      else {
        const flags = new Set(message.flags)
        if (silent.mode === '+') flags.add(silent.flag)
        else flags.delete(silent.flag)
        message.flags = flags
      }
    }
  }

  #esearch(tag: string, data: string): void {
    const result = this.results.find((each) => each.tag === tag)
    if (!result) return
    const item = (n: number): number | Known => {
      if (result.uid) return n
      const message = this.view[n - 1]
      if (!message) throw new Error(`no MSN ${n}`)
      return message
    }
    for (const [, what, list] of data.matchAll(/ (ALL|ADDTO|REMOVEFROM) (\([^)]*\)|[\d:,]+)/g)) {
      if (what === 'ALL') {
        result.list = numbers(list!).map(item)
        continue
      }
      const pairs = list!.slice(1, -1).split(' ')
      for (let i = 0; i < pairs.length; i += 2) {
        const position = Number(pairs[i])
        const items = numbers(pairs[i + 1]!).map(item)
        if (result.sorted !== position > 0) throw new Error('position')
        if (what === 'ADDTO') {
          if (items.some((each) => result.list.includes(each))) throw new Error('twice')
          result.list.splice(position > 0 ? position - 1 : 0, 0, ...items)
        } else if (position > 0) {
          const removed = result.list.splice(position - 1, items.length)
          if (removed.some((each, j) => each !== items[j])) throw new Error('other messages stand there')
        } else
          for (const each of items) {
            const at = result.list.indexOf(each)
            if (at < 0) throw new Error('not in it')
            result.list.splice(at, 1)
          }
      }
    }
  }

  /** Puts one command into the text to be sent. */
  line(text: string, extra: Partial<Sent> = {}): string {
    const tag = `c${++this.#tag}`
    const [first = '', second = ''] = text.split(' ')
    const name = first === 'UID' ? `UID ${second}` : first
    const msn = /^(FETCH|STORE|SEARCH|SORT)$/.test(name)
    this.sent.push({ tag, name, msn, told: new Set(), ...extra })
    this.log.push(`C: ${tag} ${text}`)
    return `${tag} ${text}\r\n`
  }

  /** Sends, and waits until everything is answered. */
  async commands(...texts: (string | [string, Partial<Sent>])[]): Promise<void> {
    this.imap.send(texts.map((t) => (typeof t === 'string' ? this.line(t) : this.line(...t))).join(''))
    await this.#wait(() => this.sent.length === 0)
  }

  async watch(uid: boolean, sorted: boolean, keys: string): Promise<void> {
    const tag = `c${this.#tag + 1}`
    this.results.push({ tag, uid, sorted, keys, list: [] })
    const what = sorted ? 'SORT RETURN (UPDATE ALL) (REVERSE SUBJECT) UTF-8' : 'SEARCH RETURN (UPDATE ALL)'
    await this.commands(`${uid ? 'UID ' : ''}${what} ${keys}`)
  }

  /** One random act. */
  async act(): Promise<void> {
    if (this.next(12) === 0) {
      this.imap.send(this.line('IDLE'))
      await this.#wait(() => this.idling)
      await new Promise((resolve) => setTimeout(resolve, this.next(8)))
      this.log.push('C: DONE')
      this.imap.send('DONE\r\n')
      await this.#wait(() => this.sent.length === 0)
      return
    }
    const many = this.next(5) === 0 ? 1 + this.next(4) : 1
    await this.commands(...Array.from({ length: many }, () => this.#command()))
  }

  #command(): string | [string, Partial<Sent>] {
    const known = this.view.filter((m) => m.uid > 0)
    const uid = this.#unaskedExpunges || this.next(2) === 0
    const count = uid ? known.length : this.view.length
    const one = count === 0 ? 1 : uid ? known[this.next(count)]!.uid : 1 + this.next(count)
    const prefix = uid ? 'UID ' : ''
    switch (this.next(14)) {
      case 0:
        return `APPEND Law {24+}\r\nSubject: ${String.fromCharCode(97 + this.next(26)).repeat(11)}\r\n\r\n`
      case 1:
        return `${prefix}COPY ${one} Law`
      case 2:
        return [
          `${prefix}STORE ${one} +FLAGS.SILENT (\\Deleted)`,
          { silent: { mode: '+', flag: '\\Deleted', numbers: [one], uid } },
        ]
      case 3:
        return this.next(3) === 0 ? 'EXPUNGE' : uid ? `UID EXPUNGE ${one}` : 'NOOP'
      case 4:
        return `${prefix}MOVE ${one} Away`
      case 5:
        return `${prefix}FETCH 1:* (UID FLAGS)`
      case 6:
        return `${prefix}SEARCH ${uid ? '' : '1:* '}SEEN`
      case 7:
        return 'NOOP'
      default: {
        const flag = flagNames[this.next(flagNames.length)]!
        const mode = this.next(2) === 0 ? '+' : '-'
        const to = one + this.next(3)
        const last = uid ? to : Math.min(to, Math.max(count, 1))
        const set = last > one ? `${one}:${last}` : `${one}`
        if (this.next(2) === 0) return `${prefix}STORE ${set} ${mode}FLAGS (${flag})`
        const silent = { mode, flag, numbers: numbers(set), uid }
        return [`${prefix}STORE ${set} ${mode}FLAGS.SILENT (${flag})`, { silent }]
      }
    }
  }
}

function numbers(set: string): number[] {
  return set.split(',').flatMap((range) => {
    const [from = 0, to = from] = range.split(':').map(Number)
    return Array.from({ length: to - from + 1 }, (_, i) => from + i)
  })
}

interface Truth {
  readonly uid: number
  readonly flags: ReadonlySet<string>
  readonly subject: string
}

async function truth(server: TestImap): Promise<Truth[]> {
  const account = (await server.directory.find('alice@example.net'))!.id
  const messages: Truth[] = []
  await server.store.read(account, async (view) => {
    const mailbox = await view.mailbox('Law')
    for await (const batch of view.messages(mailbox!.id, { digest: true }))
      for (const { uid, flags, digest } of batch)
        messages.push({ uid, flags: new Set(flags), subject: digest.baseSubject })
  })
  return messages
}

function expected(result: LiveResult, messages: readonly Truth[]): number[] {
  const matching = messages.filter(({ flags }) =>
    result.keys === 'ALL' ? true : result.keys === 'UNSEEN' ? !flags.has('\\Seen') : flags.has('\\Flagged'),
  )
  if (result.sorted)
    matching.sort((a, b) => (a.subject === b.subject ? a.uid - b.uid : a.subject < b.subject ? 1 : -1))
  return matching.map((m) => m.uid)
}

function compare(client: Client, messages: readonly Truth[]): void {
  const where = (): string => `${client.kind}\n${client.log.slice(-60).join('\n')}`
  expect(client.problems, where()).toEqual([])
  expect(client.view.length, where()).toBe(messages.length)
  client.view.forEach((message, i) => {
    const { uid, flags } = messages[i]!
    if (message.uid !== 0) expect(message.uid, where()).toBe(uid)
    if (message.flags) expect([...message.flags].sort(), `${uid} ${where()}`).toEqual([...flags].sort())
  })
  for (const result of client.results) {
    const list = result.list.map((each) =>
      typeof each === 'number' ? each : messages[client.view.indexOf(each)]?.uid,
    )
    const wanted = expected(result, messages)
    expect(result.sorted ? list : list.toSorted((a, b) => a! - b!), `${result.tag} ${where()}`).toEqual(
      wanted,
    )
  }
}

const kinds: readonly {
  kind: string
  setup: readonly string[]
  results?: readonly [boolean, boolean, string][]
}[] = [
  { kind: 'plain', setup: [] },
  { kind: 'qresync', setup: ['ENABLE QRESYNC'] },
  { kind: 'notify-now', setup: ['NOTIFY SET (selected (MessageNew (UID FLAGS) MessageExpunge FlagChange))'] },
  {
    kind: 'notify-delayed qresync',
    setup: ['ENABLE QRESYNC', 'NOTIFY SET (selected-delayed (MessageNew MessageExpunge FlagChange))'],
  },
  {
    kind: 'uid search context',
    setup: [],
    results: [
      [true, false, 'FLAGGED'],
      [true, false, 'ALL'],
    ],
  },
  {
    kind: 'msn contexts',
    setup: [],
    results: [
      [false, true, 'UNSEEN'],
      [false, false, 'FLAGGED'],
    ],
  },
  {
    kind: 'notify-now qresync, contexts',
    setup: [
      'ENABLE QRESYNC',
      'NOTIFY SET (selected (MessageNew MessageExpunge FlagChange)) (personal (MessageNew MessageExpunge FlagChange MailboxName))',
    ],
    results: [
      [true, true, 'FLAGGED'],
      [false, true, 'ALL'],
    ],
  },
  { kind: 'plain', setup: [] },
]

async function run(seed: number): Promise<number> {
  const server = await startImap()
  try {
    await server.store.write((await server.directory.find('alice@example.net'))!.id, [
      { op: 'create', name: 'Law' },
      { op: 'create', name: 'Away' },
    ])
    for (let i = 0; i < 12; i++)
      await server.deliver('alice@example.net', 'Law', `Subject: ${'zyx'[i % 3]}\n\n`)
    const next = random(seed)
    const clients: Client[] = []
    for (const { kind, setup, results } of kinds) {
      const client = new Client(await loggedIn(server.port), kind, random(next(1 << 30)))
      clients.push(client)
      await client.commands(...setup, 'SELECT Law', 'FETCH 1:* (UID FLAGS)')
      for (const each of results ?? []) await client.watch(...each)
    }
    let steps = 0
    for (let round = 0; round < rounds; round++) {
      await Promise.all(
        clients.map(async (client) => {
          for (let step = 0; step < stepsPerSeed / rounds; step++) {
            await client.act()
            steps += 1
          }
        }),
      )
      await Promise.all(clients.map((client) => client.commands('NOOP')))
      const messages = await truth(server)
      for (const client of clients) compare(client, messages)
      await Promise.all(clients.map((client) => client.commands('FETCH 1:* (UID FLAGS)', 'NOOP')))
      for (const client of clients) compare(client, messages)
      if (messages.length < 4)
        for (let i = 0; i < 8; i++)
          await server.deliver('alice@example.net', 'Law', `Subject: ${'abc'[i % 3]}\n\n`)
      await Promise.all(clients.map((client) => client.commands('NOOP')))
    }
    for (const client of clients) client.imap.end()
    expect(server.logged).toEqual([])
    return steps
  } finally {
    await server.close()
  }
}

test.for([
  ...seeds,
  ...fresh,
])('UR-01, UR-04, UR-05, UR-07, UR-09, CX-13, CX-15, CX-16, CX-17, NO-25, NO-26, QR-27, QR-29: the law, seed %i', {
  timeout: 60_000,
}, async (seed) => {
  const steps = await run(seed)
  console.log(`seed ${seed}: ${steps} steps`)
})
