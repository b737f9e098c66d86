/** A client that acts at random and keeps a model of its mailbox, from what it is told and from nothing else. */
import { type Known, LawModel, numbers, type Sent } from './law-model.ts'
import type { RawImap } from './raw-imap.ts'

export const boxes = ['Law', 'Away'] as const
export type Box = (typeof boxes)[number]

const flagNames = ['\\Seen', '\\Flagged', '\\Answered', '$Work']

export interface Kind {
  readonly kind: string
  readonly setup: readonly string[]
  readonly compress?: boolean
  readonly results?: readonly (readonly [uid: boolean, sorted: boolean, keys: string])[]
}

/** What a client keeps of a mailbox that it left, to come back with QRESYNC. */
interface Memory {
  readonly uidValidity: number
  readonly modSeq: number
  readonly view: readonly Known[]
}

export class LawClient {
  readonly kind: Kind
  box: Box = 'Law'
  readonly model: LawModel
  readonly problems: string[] = []
  readonly log: string[] = []
  /** The next number of a message that it uploads. */
  uploads = 0
  readonly #next: (below: number) => number
  readonly #connect: () => Promise<RawImap>
  readonly #memory = new Map<Box, Memory>()
  #imap!: RawImap
  #ended = false
  #opened = false
  #tag = 0
  #rest = ''
  #waiting: { readonly until: () => boolean; readonly resolve: () => void } | undefined

  constructor(kind: Kind, next: (below: number) => number, connect: () => Promise<RawImap>) {
    this.kind = kind
    this.#next = next
    this.#connect = connect
    this.model = new LawModel(kind.setup)
  }

  get ended(): boolean {
    return this.#ended
  }

  /** Connects, and opens its mailbox, from what it remembers where it can. */
  async start(): Promise<void> {
    const imap = await this.#connect()
    if (this.kind.compress) await imap.compress()
    this.#imap = imap
    this.#ended = false
    this.#rest = ''
    this.model.connected()
    this.#opened = false
    imap.listen((ended) => {
      if (imap === this.#imap) this.#read(ended)
    })
    this.log.push('-- connected')
    await this.commands(...this.kind.setup)
    await this.open(this.box)
  }

  /** The link is cut, with whatever was under way. What it knew stays. */
  async drop(): Promise<void> {
    this.#remember()
    this.log.push('-- cut off')
    const imap = this.#imap
    imap.end()
    this.#ended = true
    await imap.closed()
    await this.start()
  }

  /** After the server was killed: what it had told stays. */
  lost(): void {
    this.#remember()
    this.#ended = true
    this.#imap.end()
  }

  end(): void {
    this.#imap.end()
  }

  #remember(): void {
    const whole = this.model.view.every((m) => m.uid > 0)
    if (this.model.qresync && whole && this.model.modSeq > 0 && !this.model.selecting)
      this.#memory.set(this.box, {
        uidValidity: this.model.uidValidity,
        modSeq: this.model.modSeq,
        // A change that was under way may be stored or not: of such flags nothing is known.
        view: this.model.view.map((m) => ({ ...m })),
      })
    else this.#memory.delete(this.box)
  }

  /** Opens a mailbox: with QRESYNC when it remembers enough, or all anew. */
  async open(box: Box): Promise<void> {
    const memory = this.#memory.get(box)
    this.#memory.delete(box)
    // Of the one it leaves, NOTIFY tells from now on.
    this.model.status.clear()
    this.box = box
    this.model.selects(memory?.view ?? [], this.#opened)
    this.#opened = true
    const known = memory && this.#next(2) === 0 ? ` ${set(memory.view.map((m) => m.uid))}` : ''
    const select = memory
      ? `SELECT ${box} (QRESYNC (${memory.uidValidity} ${memory.modSeq}${known === ' ' ? '' : known}))`
      : `SELECT ${box}`
    await this.commands(select)
    await this.commands(
      memory
        ? `UID FETCH ${(this.model.view.findLast((m) => m.uid > 0)?.uid ?? 0) + 1}:* (UID FLAGS)`
        : 'FETCH 1:* (UID FLAGS)',
    )
    for (const each of this.kind.results ?? []) await this.watch(...each)
  }

  #read(ended: boolean): void {
    this.#rest += this.#imap.taken()
    for (let end = this.#rest.indexOf('\r\n'); end >= 0; end = this.#rest.indexOf('\r\n')) {
      const line = this.#rest.slice(0, end)
      this.#rest = this.#rest.slice(end + 2)
      this.log.push(`S: ${line}`)
      if (this.log.length > 400) this.log.splice(0, 200)
      try {
        this.model.hear(line)
      } catch (error) {
        if (this.problems.length === 0)
          this.problems.push(`${line}: ${(error as Error).message}`, ...this.log.slice(-120))
      }
    }
    if (ended) this.#ended = true
    if (this.#ended || this.#waiting?.until()) {
      this.#waiting?.resolve()
      this.#waiting = undefined
    }
  }

  #wait(until: () => boolean): Promise<void> {
    if (until() || this.#ended) return Promise.resolve()
    return new Promise((resolve) => {
      this.#waiting = { until, resolve }
    })
  }

  /** Puts one command into the text to be sent. */
  #command(text: string, extra: Partial<Sent> = {}): string {
    const tag = `c${++this.#tag}`
    const [first = '', second = ''] = text.split(' ')
    const name = first === 'UID' ? `UID ${second}` : first
    const msn = /^(FETCH|STORE|SEARCH|SORT)$/.test(name)
    const target = /^(?:UID )?(?:APPEND|(?:COPY|MOVE|REPLACE) \S+) (\w+)/.exec(text)?.[1]
    this.model.sent.push({ tag, name, msn, told: new Set(), target, ...extra })
    this.log.push(`C: ${tag} ${text}`)
    return `${tag} ${text}\r\n`
  }

  /** Sends, and waits until everything is answered, or the link is gone. */
  async commands(...texts: (string | [string, Partial<Sent>])[]): Promise<void> {
    if (this.#ended || texts.length === 0) return
    this.#imap.send(
      texts.map((t) => (typeof t === 'string' ? this.#command(t) : this.#command(...t))).join(''),
    )
    await this.#wait(() => this.model.sent.length === 0)
  }

  async watch(uid: boolean, sorted: boolean, keys: string): Promise<void> {
    const tag = `c${this.#tag + 1}`
    this.model.results.push({ tag, uid, sorted, keys, list: [] })
    const what = sorted ? 'SORT RETURN (UPDATE ALL) (REVERSE SUBJECT) UTF-8' : 'SEARCH RETURN (UPDATE ALL)'
    await this.commands(`${uid ? 'UID ' : ''}${what} ${keys}`)
  }

  /** One random act. */
  async act(): Promise<void> {
    if (this.#ended) return
    const what = this.#next(60)
    if (what < 4) return this.#idle()
    if (what === 4) {
      this.#remember()
      return this.open(boxes[this.#next(boxes.length)]!)
    }
    // In the middle of a flight, too: nobody waits for its answers.
    if (what === 5) {
      if (this.#next(2) === 0) this.#imap.send(this.#flight().join(''))
      return this.drop()
    }
    await this.#send(this.#flight())
  }

  async #send(flight: readonly string[]): Promise<void> {
    this.#imap.send(flight.join(''))
    await this.#wait(() => this.model.sent.length === 0)
  }

  #flight(): string[] {
    const many = this.#next(5) === 0 ? 1 + this.#next(6) : 1
    return Array.from({ length: many }, () => {
      const next = this.#random()
      return typeof next === 'string' ? this.#command(next) : this.#command(...next)
    })
  }

  #idle(): Promise<void> {
    return this.idle(() => new Promise((resolve) => setTimeout(resolve, this.#next(8))))
  }

  async idle(meanwhile: () => Promise<unknown>): Promise<void> {
    if (this.#ended) return
    this.#imap.send(this.#command('IDLE'))
    await this.#wait(() => this.model.idling)
    await meanwhile()
    this.log.push('C: DONE')
    this.#imap.send('DONE\r\n')
    await this.#wait(() => this.model.sent.length === 0)
  }

  #literal(): string {
    const message = `Subject: ${String.fromCharCode(97 + this.#next(26)).repeat(11)}\r\nX: ${++this.uploads}\r\n\r\n`
    return `{${message.length}+}\r\n${message}`
  }

  #random(): string | [string, Partial<Sent>] {
    const known = this.model.view.filter((m) => m.uid > 0)
    const uid = this.model.unaskedExpunges || this.#next(2) === 0
    const count = uid ? known.length : this.model.view.length
    const one = count === 0 ? 1 : uid ? known[this.#next(count)]!.uid : 1 + this.#next(count)
    const prefix = uid ? 'UID ' : ''
    const box = boxes[this.#next(boxes.length)]!
    const flag = flagNames[this.#next(flagNames.length)]!
    const mode = this.#next(2) === 0 ? '+' : '-'
    switch (this.#next(21)) {
      case 0:
        return `APPEND ${box} ${this.#literal()}`
      case 14:
        return `APPEND ${box} ${this.#literal()} (\\Seen) ${this.#literal()}`
      case 15:
        return `${prefix}REPLACE ${one} ${box} (${flag}) ${this.#literal()}`
      case 16:
        // Some stay unaware of mod-sequences.
        if (this.kind.setup.length === 0) return 'NOOP'
        return `${prefix}STORE ${one} (UNCHANGEDSINCE ${1 + this.#next(this.model.highestTold + 1)}) ${mode}FLAGS (${flag})`
      case 17:
        return `${prefix}FETCH ${one} (UID BODY[TEXT]<9999.5>)`
      case 18:
        return `UID SEARCH RETURN (SAVE) ${flag === '$Work' ? 'KEYWORD $Work' : flag.slice(1).toUpperCase()}`
      case 19:
        return `UID STORE $ ${mode}FLAGS (${flag})`
      case 20:
        return this.#next(4) === 0 ? `UID MOVE $ ${box}` : `UID COPY ${one} ${box}`
      case 1:
        return `${prefix}COPY ${one} ${box}`
      case 2:
        return [
          `${prefix}STORE ${one} +FLAGS.SILENT (\\Deleted)`,
          { silent: { mode: '+', flag: '\\Deleted', numbers: [one], uid } },
        ]
      case 3:
        return this.#next(3) === 0 ? 'EXPUNGE' : uid ? `UID EXPUNGE ${one}` : 'NOOP'
      case 4:
        return `${prefix}MOVE ${one} ${box}`
      case 5:
        return `${prefix}FETCH 1:* (UID FLAGS)`
      case 6:
        return `${prefix}SEARCH ${uid ? '' : '1:* '}SEEN`
      case 7:
        return 'NOOP'
      default: {
        const to = one + this.#next(3)
        const last = uid ? to : Math.min(to, Math.max(count, 1))
        const range = last > one ? `${one}:${last}` : `${one}`
        if (this.#next(2) === 0) return `${prefix}STORE ${range} ${mode}FLAGS (${flag})`
        const silent = { mode, flag, numbers: numbers(range), uid }
        return [`${prefix}STORE ${range} ${mode}FLAGS.SILENT (${flag})`, { silent }]
      }
    }
  }
}

/** Numbers in rising order as a set. */
const set = (sorted: readonly number[]): string => sorted.join(',')
