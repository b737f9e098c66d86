/**
 * What all sessions on one mailbox share: its UIDs and counters at the latest known mod-sequence, and the difference from
 * an earlier one. A change is read from the store once, whatever the number of sessions that will tell it.
 */
import type { Flagged } from '../../store/flagged.ts'
import type {
  AccountChange,
  AccountId,
  Mailbox,
  MailboxId,
  MailStore,
  ModSeq,
  Uid,
  UidSet,
} from '../../store/store.ts'
import { normalised, UidList } from './uid-list.ts'

export interface FlagState {
  readonly uid: Uid
  readonly modSeq: ModSeq
  readonly flags: readonly string[]
}

/** What became different between two mod-sequences. */
export interface Delta {
  readonly from: ModSeq
  readonly to: ModSeq
  /** All UIDs at `to`. */
  readonly uids: UidList
  readonly uidNext: Uid
  /** Came and still there, ascending. */
  readonly added: readonly FlagState[]
  /** There before, changed since. */
  readonly changed: readonly FlagState[]
  /** Expunged since; may name UIDs that came after `from`. */
  readonly vanished: UidSet
  readonly keywords: readonly string[]
}

interface State {
  readonly modSeq: ModSeq
  readonly uidNext: Uid
  readonly uids: UidList
  readonly mailbox: Mailbox
}

/** Changes that are remembered. */
const maxLog = 64
/** Sessions that are told of a change before others get their turn. */
const toldAtOnce = 1000

export class SharedMailbox {
  readonly account: AccountId
  readonly id: MailboxId
  readonly uidValidity: number
  /** The mailbox was deleted: sessions on it end (UR-13). */
  gone = false
  /** Sessions that have it selected. */
  users = 0
  /** Called when the state has moved on: sessions in IDLE, with NOTIFY, with contexts. They must not throw. */
  readonly listeners = new Set<() => void>()
  readonly #store: MailStore
  #state: State
  #dirty = false
  /** The latest changes, and where they begin. */
  readonly #log: AccountChange[] = []
  #logFrom: ModSeq
  #deltas = new Map<ModSeq, Promise<Delta>>()
  /** Of these, the one that leads from the state before. */
  #latest: Delta | undefined
  #announcing = false
  #refreshing: Promise<void> | undefined
  #recentFrom: Uid

  private constructor(store: MailStore, account: AccountId, state: State) {
    this.#store = store
    this.account = account
    this.id = state.mailbox.id
    this.uidValidity = state.mailbox.uidValidity
    this.#state = state
    this.#logFrom = state.modSeq
    this.#recentFrom = state.mailbox.firstRecent
  }

  static async open(store: MailStore, account: AccountId, id: MailboxId): Promise<SharedMailbox | undefined> {
    const state = await store.read(account, async (view): Promise<State | undefined> => {
      const mailbox = await view.mailboxById(id)
      if (!mailbox?.selectable) return undefined
      // Every UID below UIDNEXT is there or is a gap: the gaps tell all, and are few.
      const uids = UidList.without(mailbox.uidNext, await view.gaps(id))
      return { modSeq: mailbox.highestModSeq, uidNext: mailbox.uidNext, uids, mailbox }
    })
    return state && new SharedMailbox(store, account, state)
  }

  get mailbox(): Mailbox {
    return this.#state.mailbox
  }

  get modSeq(): ModSeq {
    return this.#state.modSeq
  }

  get uids(): UidList {
    return this.#state.uids
  }

  get uidNext(): Uid {
    return this.#state.uidNext
  }

  /** True: the store has changes that refresh() has not read to the end. */
  get dirty(): boolean {
    return this.#dirty || this.#refreshing !== undefined
  }

  /** A commit touched the mailbox. */
  touched(change: AccountChange): void {
    const { flagged } = change
    if (flagged?.mailbox === this.id && flagged.before === this.modSeq && !this.dirty) this.#flag(flagged)
    else this.#dirty = true
    this.#log.push(change)
    if (this.#log.length > maxLog) this.#logFrom = this.#log.shift()?.modSeq ?? 0
    if (this.listeners.size > 0 && !this.#announcing) void this.#announce()
  }

  /** The state moves by what the change tells itself: it is the next one after the state, and nothing is to be read. */
  #flag({ counters, messages }: Flagged): void {
    const { modSeq: from, uidNext, uids, mailbox } = this.#state
    const to = counters.highestModSeq
    const { keywords } = counters
    this.#state = { modSeq: to, uidNext, uids, mailbox: { ...mailbox, ...counters } }
    this.#move({ from, to, uids, uidNext, added: [], changed: messages, vanished: [], keywords })
  }

  #move(delta: Delta): void {
    this.#deltas = new Map([[delta.from, Promise.resolve(delta)]])
    this.#latest = delta
  }

  /** Messages whose flags others than `origin` changed since; undefined: that is no longer known. */
  flagsChangedByOthers(since: ModSeq, origin: number): UidSet | undefined {
    if (since < this.#logFrom) return undefined
    const uids: { readonly from: Uid; readonly to: Uid }[] = []
    for (const { modSeq, origin: by, events } of this.#log)
      if (modSeq > since && by !== origin)
        for (const event of events)
          if (event.kind === 'flags' && event.mailbox === this.id) uids.push(...event.uids)
    return normalised(uids)
  }

  /**
   * Of these messages those on which nobody changed any of the flags since, and the mod-sequence up to which that is known
   * (RFC 7162 §3.1.12). undefined: it is not known back to there.
   */
  flagsUnchanged(
    uids: UidSet,
    flags: readonly string[],
    since: ModSeq,
  ): { readonly uids: UidSet; readonly upTo: ModSeq } | undefined {
    const last = this.#log[this.#log.length - 1]
    if (!last || since < this.#logFrom) return undefined
    const names = new Set(flags.map((flag) => flag.toLowerCase()))
    const changed: { readonly from: Uid; readonly to: Uid }[] = []
    for (const { modSeq, events } of this.#log) {
      if (modSeq <= since) continue
      for (const event of events) {
        if (!('mailbox' in event) || event.mailbox !== this.id) continue
        // Of a message that came since, every flag is new.
        if (event.kind === 'added') changed.push(...event.uids)
        if (
          event.kind === 'flags' &&
          [...event.set, ...event.cleared].some((f) => names.has(f.toLowerCase()))
        )
          changed.push(...event.uids)
      }
    }
    return { uids: UidList.of(uids).minus(normalised(changed)).set, upTo: last.modSeq }
  }

  /** The store is asked once, then all are told, in turns so that nothing else has to wait for the last. */
  async #announce(): Promise<void> {
    this.#announcing = true
    // What fails here fails for each session that asks for itself, and is dealt with there.
    await this.refresh().catch(() => {})
    this.#announcing = false
    let told = 0
    for (const tell of [...this.listeners]) {
      tell()
      told += 1
      if (told % toldAtOnce === 0) await new Promise((resolve) => setImmediate(resolve))
    }
  }

  /** The mailbox may have changed while nobody listened. */
  suspect(): void {
    this.#dirty = true
    this.#logFrom = Number.POSITIVE_INFINITY
  }

  /** Brings the state to the latest commit; one read for all that ask at once. */
  async refresh(): Promise<void> {
    while (this.dirty && !this.gone) {
      this.#refreshing ??= this.#read()
        .catch((error: unknown) => {
          // What could not be read now is still to be read.
          this.#dirty = true
          throw error
        })
        .finally(() => {
          this.#refreshing = undefined
        })
      await this.#refreshing
    }
  }

  async #read(): Promise<void> {
    this.#dirty = false
    const before = this.#state
    await this.#store.read(this.account, async (view) => {
      const mailbox = await view.mailboxById(this.id)
      if (!mailbox?.selectable || mailbox.uidValidity !== this.uidValidity) {
        this.gone = true
        return
      }
      if (this.#logFrom === Number.POSITIVE_INFINITY) this.#logFrom = mailbox.highestModSeq
      if (mailbox.highestModSeq === before.modSeq) {
        this.#state = { ...before, mailbox }
        return
      }
      const changes = await this.#changes(view, mailbox, before.modSeq)
      const uids = before.uids.minus(changes.vanished).plus(changes.added.map((m) => m.uid))
      const delta = { ...changes, uids }
      this.#state = { modSeq: delta.to, uidNext: delta.uidNext, uids: delta.uids, mailbox }
      this.#move(delta)
    })
  }

  async #changes(
    view: Parameters<Parameters<MailStore['read']>[1]>[0],
    mailbox: Mailbox,
    from: ModSeq,
  ): Promise<Omit<Delta, 'uids'>> {
    const added: FlagState[] = []
    const changed: FlagState[] = []
    const { messages, vanished } = await view.changes(this.id, from)
    for (const message of messages) (message.createdModSeq > from ? added : changed).push(message)
    return {
      from,
      to: mailbox.highestModSeq,
      uidNext: mailbox.uidNext,
      added,
      changed,
      vanished,
      keywords: mailbox.keywords,
    }
  }

  /** The delta from `from`, where it is at hand. */
  knownDelta(from: ModSeq): Delta | undefined {
    return this.#latest?.from === from && this.#latest.to === this.#state.modSeq ? this.#latest : undefined
  }

  /** From `from` to the state of now; shared by all sessions that stand at `from`. */
  delta(from: ModSeq): Promise<Delta> {
    const known = this.#deltas.get(from)
    if (known) return known
    const state = this.#state
    const read = this.#store
      .read(this.account, async (view) => {
        const mailbox = await view.mailboxById(this.id)
        if (!mailbox || mailbox.highestModSeq !== state.modSeq) return undefined
        // The UIDs of that state: the newest may be another one by the time that this is read.
        return { ...(await this.#changes(view, mailbox, from)), uids: state.uids }
      })
      .then(async (delta): Promise<Delta> => {
        if (delta) return delta
        // The store went on between refresh and here: once more from its newest state.
        this.#dirty = true
        await this.refresh()
        return this.gone
          ? { ...empty, from, to: from, uids: this.uids, uidNext: this.uidNext }
          : this.delta(from)
      })
    if (this.#state === state) {
      const deltas = this.#deltas
      deltas.set(from, read)
      // What could not be read now may be read by the next that asks.
      read.catch(() => {
        if (deltas.get(from) === read) deltas.delete(from)
      })
    }
    return read
  }

  /**
   * \Recent of what nobody was told yet goes to the session that asks: the UID from which on it owns them. The store
   * learns it behind the answer's back; after a crash a message may be recent once more, never lost.
   */
  claimRecent(): Uid {
    const from = this.#recentFrom
    if (from >= this.#state.uidNext) return this.#state.uidNext
    this.#recentFrom = this.#state.uidNext
    this.#store.write(this.account, [{ op: 'claim-recent', mailbox: this.id }]).catch(() => {})
    return from
  }

  /** The UID from which on messages are recent for the next session that claims them. */
  get recentFrom(): Uid {
    return this.#recentFrom
  }
}

const empty = { added: [], changed: [], vanished: [], keywords: [] } as const
