/** What a client knows of the mailbox that it has open, from the lines that it is told and from nothing else. */

/** A message as the client knows it: uid 0 and flags undefined are not known. */
export interface Known {
  uid: number
  flags: ReadonlySet<string> | undefined
}

export interface LiveResult {
  readonly tag: string
  readonly uid: boolean
  readonly sorted: boolean
  readonly keys: string
  /** UIDs, or what the MSNs stand for. */
  list: (number | Known)[]
}

export interface Sent {
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
  /** Where messages are put by it. */
  readonly target?: string | undefined
}

export class LawModel {
  view: Known[] = []
  results: LiveResult[] = []
  /** MESSAGES and UIDNEXT of mailboxes, as STATUS told them. */
  readonly status = new Map<string, { messages: number; uidNext: number }>()
  /** The highest mod-sequence that it was told, of any message or mailbox. */
  highestTold = 0
  /** Commands without an answer. */
  sent: Sent[] = []
  idling = false
  uidValidity = 0
  /** What it may resynchronise from. */
  modSeq = 0
  selecting = false
  /** Up to CLOSED all is of the mailbox before. */
  #closing = false
  #selectedSize = 0
  #code: number | undefined
  #highestSeen = 0
  readonly #qresync: boolean
  readonly #unaskedExpunges: boolean

  constructor(setup: readonly string[]) {
    this.#qresync = setup.some((line) => line.includes('QRESYNC'))
    this.#unaskedExpunges = setup.some((line) => line.includes('(selected '))
  }

  /** Nothing but UIDs can name a message, as expunges may come at any time. */
  get unaskedExpunges(): boolean {
    return this.#unaskedExpunges
  }

  get qresync(): boolean {
    return this.#qresync
  }

  connected(): void {
    this.sent = []
    this.idling = false
    this.#closing = false
    this.status.clear()
  }

  /** A SELECT is sent; what it knows of that mailbox already is `view`. */
  selects(view: readonly Known[], closes: boolean): void {
    this.view = view.map((message) => ({ ...message }))
    this.results = []
    this.modSeq = 0
    this.#code = undefined
    this.#highestSeen = 0
    this.selecting = true
    this.#closing = closes
  }

  /** Whether the command under way, or its absence, lets the server tell an expunge (UR-01, UR-03). */
  #mayExpunge(): boolean {
    const [current] = this.sent
    return this.#unaskedExpunges || this.idling || (current !== undefined && !current.msn)
  }

  /** @throws when it cannot be true */
  hear(line: string): void {
    const [current] = this.sent
    if (line.startsWith('+ ')) {
      this.idling = true
      return
    }
    for (const [, n] of line.matchAll(/HIGHESTMODSEQ (\d+)|MODSEQ \((\d+)\)/g)) if (n) this.#tell(Number(n))
    const code = /\[HIGHESTMODSEQ (\d+)/.exec(line)?.[1]
    if (code && !this.#closing) this.#code = Number(code)
    const validity = /\[UIDVALIDITY (\d+)/.exec(line)?.[1]
    if (validity) this.uidValidity = Number(validity)
    if (current && line.startsWith(`${current.tag} `)) {
      this.sent.shift()
      this.#answered(current, line)
      return
    }
    if (line.startsWith('* OK [CLOSED]')) this.#closing = false
    if (this.#closing) return
    const [, number = '', what = '', data = ''] =
      /^\* (\d+) (EXISTS|EXPUNGE|FETCH)(?: \((.*)\))?$/.exec(line) ?? []
    if (what === 'EXISTS') this.#exists(Number(number))
    else if (what === 'EXPUNGE') {
      if (this.#qresync) throw new Error('EXPUNGE after ENABLE QRESYNC')
      this.#expunge(Number(number))
    } else if (what === 'FETCH') this.#fetched(Number(number), data)
    const vanished = /^\* VANISHED (\(EARLIER\) )?([\d:,]+)$/.exec(line)
    if (vanished) this.#vanished(numbers(vanished[2]!), vanished[1] !== undefined)
    const result = /^\* ESEARCH \(TAG "(.*?)"\)( UID)?(.*)$/.exec(line)
    if (result) this.#esearch(result[1]!, result[3]!)
    const status = /^\* STATUS (\S+) \(.*?MESSAGES (\d+).*?\)$/.exec(line)
    const uidNext = /UIDNEXT (\d+)/.exec(line)?.[1]
    if (status && uidNext)
      this.status.set(status[1]!, { messages: Number(status[2]), uidNext: Number(uidNext) })
  }

  #tell(modSeq: number): void {
    this.highestTold = Math.max(this.highestTold, modSeq)
  }

  #answered(current: Sent, line: string): void {
    if (current.name === 'IDLE') this.idling = false
    if (current.name === 'SELECT') this.selecting = false
    // What it does itself in a mailbox that is not open, NOTIFY does not tell it (NO-23).
    if (current.target !== undefined) this.status.delete(current.target)
    if (line.startsWith(`${current.tag} OK`)) this.#applySilent(current)
    else if (
      !/BAD expected|BAD there are|NO \[EXPUNGEISSUED\]|NO \[TRYCREATE\]|NO \[NONEXISTENT\] there is no such message/.test(
        line,
      )
    )
      throw new Error(current.name)
    // RFC 7162 §6: the last HIGHESTMODSEQ, or else the highest that was seen (RC-02).
    this.modSeq = this.#code ?? Math.max(this.modSeq, this.#highestSeen)
    this.#code = undefined
  }

  #exists(size: number): void {
    if (this.selecting) {
      // What came since stands behind what is left of the old; how much that is, VANISHED tells.
      while (this.view.length < size) this.view.push({ uid: 0, flags: undefined })
      this.#selectedSize = size
      return
    }
    if (size < this.view.length) throw new Error(`shrank from ${this.view.length}`)
    while (this.view.length < size) this.view.push({ uid: 0, flags: undefined })
  }
  #vanished(uids: readonly number[], earlier: boolean): void {
    if (!this.#qresync) throw new Error('VANISHED without QRESYNC')
    if (earlier !== this.selecting) throw new Error('EARLIER')
    if (!earlier) {
      for (const uid of uids) this.#expunge(this.#placeOf(uid) + 1)
      return
    }
    const gone = new Set(uids)
    this.view = this.view.filter((m) => m.uid === 0 || !gone.has(m.uid))
    while (this.view.length < this.#selectedSize) this.view.push({ uid: 0, flags: undefined })
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
    if (this.selecting && this.view.length > this.#selectedSize)
      throw new Error('FETCH before VANISHED has told what is gone')
    const message = this.view[msn - 1]
    if (!message) throw new Error(`there are ${this.view.length}`)
    const uid = /UID (\d+)/.exec(data)?.[1]
    if (uid) {
      if (message.uid !== 0 && message.uid !== Number(uid)) throw new Error(`is ${message.uid}`)
      message.uid = Number(uid)
    }
    this.#highestSeen = Math.max(this.#highestSeen, Number(/MODSEQ \((\d+)\)/.exec(data)?.[1] ?? 0))
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
      for (let i = 0; i < pairs.length; i += 2)
        change(result, what === 'ADDTO', Number(pairs[i]), numbers(pairs[i + 1]!).map(item))
    }
  }
}

/** ADDTO or REMOVEFROM, at a position of a sorted result or anywhere (RFC 5267 §4.3.3, §4.3.4). */
function change(
  result: LiveResult,
  adds: boolean,
  position: number,
  items: readonly (number | Known)[],
): void {
  if (result.sorted !== position > 0) throw new Error('position')
  if (adds) {
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

export function numbers(ranges: string): number[] {
  return ranges.split(',').flatMap((range) => {
    const [from = 0, to = from] = range.split(':').map(Number)
    return Array.from({ length: to - from + 1 }, (_, i) => from + i)
  })
}
