/** The live contexts of one selection: what a move of its view means to each of them (RFC 5267 §4.3, App. B). */
import type { EpochMs } from '../../model/units.ts'
import type { Message, Uid, UidSet } from '../../store/store.ts'
import type { FetchItem } from '../fetch/item.ts'
import { messageBatches } from '../messages.ts'
import { sortDigest } from '../search/sort-records.ts'
import type { Session } from '../session.ts'
import { Turns } from '../turns.ts'
import type { ViewChange } from '../view/selected.ts'
import { type Msn, normalised, uidSetOf, uidsOf } from '../view/uid-list.ts'
import { type Context, nextTurn } from './context.ts'

/** CX-09. */
const maxContexts = 32
/** Messages in all results of one selection; one context may always be had, whatever its size (RFC 5267 §4.3.1). */
const maxMembers = 200_000
/** Time-dependent results are looked at again after that many milliseconds at the earliest (CX-21). */
const ageEveryMs = 5000

/** What there is to tell. */
export interface ContextChanges {
  /** Before the expunges: their numbers are still right then (CX-13). */
  readonly before: readonly string[]
  /** Behind EXISTS and FETCH (DE-01). */
  readonly after: readonly string[]
  /** To be fetched of new messages that joined. */
  readonly items: ReadonlyMap<Uid, readonly FetchItem[]>
}

export class Contexts {
  #live: readonly Context[] = []
  /** When the ages were last looked at, and when one of them passes next. */
  #agedAt: EpochMs
  #ageAt: EpochMs

  constructor(now: EpochMs) {
    this.#agedAt = now
    this.#ageAt = now + ageEveryMs
  }

  get size(): number {
    return this.#live.length
  }

  has(tag: string): boolean {
    return this.#live.some((context) => context.tag === tag)
  }

  /** False: there are as many as there may be. */
  add(context: Context, now: EpochMs): boolean {
    const members = this.#live.reduce((sum, { size }) => sum + size, context.size)
    if (this.#live.length > 0 && (this.#live.length >= maxContexts || members > maxMembers)) return false
    this.#live = [...this.#live, context]
    if (context.ages.length > 0) this.#ageAt = Math.min(this.#ageAt, now + ageEveryMs)
    return true
  }

  cancel(tags: ReadonlySet<string>): void {
    this.#live = this.#live.filter(({ tag }) => !tags.has(tag))
  }

  get tags(): readonly string[] {
    return this.#live.map(({ tag }) => tag)
  }

  /** Messages that go from the view now, with the MSNs that they had. */
  expunged(uids: UidSet, msns: readonly Msn[]): string[] {
    const gone = [...uidsOf(uids)]
    if (gone.length === 0) return []
    const msnOf = new Map(gone.map((uid, i) => [uid, msns[i] ?? 0]))
    return this.#lines((context) =>
      context.change(gone, [], (uid) => (context.uid ? uid : (msnOf.get(uid) ?? 0))),
    )
  }

  #lines(change: (context: Context) => string | undefined): string[] {
    return this.#live.flatMap((context) => change(context) ?? [])
  }

  /** The view has made this move; only messages that changed are looked at. */
  async changed(session: Session, change: ViewChange): Promise<ContextChanges> {
    const before = this.expunged(change.expunged, change.expungedMsns)
    // Those that know them by UID hear of an expunge at once, whenever it may be told itself (CX-14).
    const vanished = [...uidsOf(change.vanished)]
    if (vanished.length > 0)
      before.push(
        ...this.#lines((context) => (context.uid ? context.change(vanished, [], (uid) => uid) : undefined)),
      )
    const added = change.added.map((m) => m.uid)
    const rows = await this.#read(
      session,
      normalised([...uidSetOf(change.touched.map((m) => m.uid)), ...uidSetOf(added)]),
    )
    if (rows.length === 0) return { before, after: [], items: new Map() }
    for (const { internalDate } of rows) this.#expectTurn(internalDate)
    const isNew = new Set(added)
    const items = new Map<Uid, readonly FetchItem[]>()
    const after = await this.#test(session, rows, (context, message) => {
      // Not for those that join by a change of flags (CX-27), nor for what this session put there itself (NO-23).
      if (context.items.length > 0 && isNew.has(message.uid))
        items.set(message.uid, [...(items.get(message.uid) ?? []), ...context.items])
    })
    return { before, after, items }
  }

  async #read(session: Session, uids: UidSet): Promise<Message[]> {
    const rows: Message[] = []
    if (uids.length === 0 || this.#live.length === 0) return rows
    const query = {
      digest: this.#live.some((context) => context.digest) && sortDigest,
      threadId: this.#live.some(({ test }) => test.threadId),
    }
    for await (const batch of messageBatches(session, uids, query))
      for (const message of batch) rows.push(message)
    return rows
  }

  /** Tests messages of the view again, and tells whose membership is another one now. */
  async #test(
    session: Session,
    rows: readonly Message[],
    joined: (context: Context, message: Message) => void,
  ): Promise<string[]> {
    const { uids } = session.view
    const lines: string[] = []
    const turns = new Turns()
    for (const context of this.#live) {
      const join: Message[] = []
      const leave: Uid[] = []
      for (const message of rows) {
        if (turns.isDue) await turns.give()
        if (uids.msnOf(message.uid) === 0) continue
        const matches = await context.test.matches(message)
        if (matches === context.has(message.uid)) continue
        if (matches) {
          join.push(message)
          joined(context, message)
        } else leave.push(message.uid)
      }
      const line = context.change(leave, join, (uid) => (context.uid ? uid : uids.msnOf(uid)))
      if (line !== undefined) lines.push(line)
    }
    return lines
  }

  get #ages(): number[] {
    return this.#live.flatMap(({ ages }) => ages)
  }

  #expectTurn(internalDate: EpochMs): void {
    const turn = nextTurn(this.#ages, internalDate, this.#agedAt)
    if (turn < this.#ageAt) this.#ageAt = Math.max(turn, this.#agedAt + ageEveryMs)
  }

  /** Time alone may have changed a result. */
  isDue(now: EpochMs): boolean {
    return now >= this.#ageAt && this.#ages.length > 0
  }

  /** Tests what has grown too old or old enough since the last time; of the others only the date is looked at. */
  async age(session: Session, now: EpochMs): Promise<string[]> {
    const ages = this.#ages
    const since = this.#agedAt
    this.#agedAt = now
    this.#ageAt = Number.POSITIVE_INFINITY
    for (const { test } of this.#live) test.setNow(now)
    const turned: Uid[] = []
    for await (const batch of messageBatches(session, session.view.uids.set, {}))
      for (const { uid, internalDate } of batch) {
        if (nextTurn(ages, internalDate, since) <= now) turned.push(uid)
        this.#expectTurn(internalDate)
      }
    return this.#test(session, await this.#read(session, uidSetOf(turned)), () => {})
  }
}
