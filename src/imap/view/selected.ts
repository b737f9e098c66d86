/**
 * One client's view of its selected mailbox. Sequence numbers live here and nowhere else. `take` moves the view to the
 * store's state and says what has to be told; expunges that may not be told yet are held back, and their MSNs stay.
 */
import { Fault } from '../../model/fault.ts'
import type { ModSeq, Uid, UidSet } from '../../store/store.ts'
import type { NumberSet } from '../../wire/imap/tokens.ts'
import type { Contexts } from '../context/contexts.ts'
import type { Delta, FlagState, SharedMailbox } from './shared-mailbox.ts'
import { contains, countOf, type Msn, normalised, rangesOf, UidList, uidsOf } from './uid-list.ts'

/** What one move of the view has to tell, in the order in which it is told (DE-01, UR-07). */
export interface ViewChange {
  /** MSNs before removal, ascending, and their UIDs; told first. */
  readonly expunged: UidSet
  readonly expungedMsns: readonly Msn[]
  /** The view's size when it grew. */
  readonly exists?: number | undefined
  readonly added: readonly FlagState[]
  /** Changed by others. */
  readonly changed: readonly FlagState[]
  /** Changed by others or by this session. */
  readonly touched: readonly FlagState[]
  /** Gone since the last move, whether that may be told or not. */
  readonly vanished: UidSet
  readonly keywords: readonly string[]
}

/** Own changes that are remembered; of more, the client is told twice. */
const maxOwn = 10_000

export class Selected {
  readonly shared: SharedMailbox
  readonly readOnly: boolean
  /** Messages by MSN, those included whose expunge is held back. */
  uids: UidList
  /** `$` (RFC 5182). */
  result: UidSet = []
  /** Keywords that a FLAGS response has named, by count: new ones only ever come at the end. */
  keywords = 0
  /** Searches that are kept up to date (RFC 5267 §4.3); they end with the selection (CX-11). */
  contexts: Contexts | undefined
  /** UIDs that this session put here itself: nothing of them is fetched unasked (NO-23). */
  ownMessages: UidSet = []
  #modSeq: ModSeq
  /** Expunged, but the client does not know yet. */
  #held: UidSet = []
  /** The mod-sequence before the first of those (QR-49). */
  #heldAfter: ModSeq | undefined
  /** States of messages that this session has told already: it made them itself. One STORE gives many one mod-sequence. */
  readonly #own = new Map<Uid, ModSeq>()
  #recent: { from: Uid; to: Uid }[] = []
  /** Flags that changed after it were not told, because the client did not want them (RFC 5465 §3.1). */
  #untoldFlags: ModSeq | undefined

  constructor(shared: SharedMailbox, readOnly: boolean) {
    this.shared = shared
    this.readOnly = readOnly
    this.uids = shared.uids
    this.#modSeq = shared.modSeq
    this.#takeRecent()
  }

  #takeRecent(): void {
    const from = this.readOnly ? this.shared.recentFrom : this.shared.claimRecent()
    const to = this.shared.uidNext - 1
    if (from > to) return
    const last = this.#recent[this.#recent.length - 1]
    if (last && from <= last.to + 1) last.to = Math.max(last.to, to)
    else this.#recent.push({ from, to })
  }

  get exists(): number {
    return this.uids.length
  }

  get recent(): number {
    return countOf(this.uids.intersect(this.#recent))
  }

  isRecent(uid: Uid): boolean {
    return this.#recent.length > 0 && contains(this.#recent, uid)
  }

  get recentSet(): UidSet {
    return this.#recent
  }

  /** VANISHED names no mod-sequence: the HIGHESTMODSEQ that covers what was told is still to be told (QR-49, RC-12). */
  owesModSeq = false

  /** What HIGHESTMODSEQ may say: below anything that the client has not been told (QR-49). */
  get highestModSeq(): ModSeq {
    return Math.min(this.#heldAfter ?? this.#modSeq, this.#untoldFlags ?? this.#modSeq)
  }

  /** The state that the view stands at. */
  get modSeq(): ModSeq {
    return this.#modSeq
  }

  /** The change that was just taken had flags that were not told. */
  leaveFlagsUntold(after: ModSeq): void {
    this.#untoldFlags ??= after
  }

  /** From here on they are told again: since when they were not, if so. */
  takeUntoldFlags(): ModSeq | undefined {
    const since = this.#untoldFlags
    this.#untoldFlags = undefined
    return since
  }

  get heldBack(): UidSet {
    return this.#held
  }

  /** This session tells that state of the message itself, as the answer of a command. */
  tellsItself({ uid, modSeq }: { readonly uid: Uid; readonly modSeq: ModSeq }): void {
    if (this.#own.size >= maxOwn) this.#own.clear()
    this.#own.set(uid, modSeq)
  }

  /** Nothing to tell, as far as is known without asking the store. */
  isCurrent(mayExpunge: boolean): boolean {
    return (
      !this.shared.dirty &&
      !this.shared.gone &&
      this.#modSeq === this.shared.modSeq &&
      (!mayExpunge || this.#held.length === 0)
    )
  }

  /** Moves the view to the store's state. The caller tells what is returned, whole and at once. */
  async take(mayExpunge: boolean): Promise<ViewChange | undefined> {
    await this.shared.refresh()
    if (this.shared.gone) throw new Fault('unavailable', 'the mailbox was deleted')
    const from = this.#modSeq
    return this.#move(from === this.shared.modSeq ? undefined : await this.shared.delta(from), mayExpunge)
  }

  /** The same without waiting; 'later' where the store has to be asked. */
  takeNow(mayExpunge: boolean): ViewChange | undefined | 'later' {
    const { shared } = this
    if (shared.dirty || shared.gone) return 'later'
    if (this.#modSeq === shared.modSeq) return this.#move(undefined, mayExpunge)
    const delta = shared.knownDelta(this.#modSeq)
    return delta ? this.#move(delta, mayExpunge) : 'later'
  }

  #move(delta: Delta | undefined, mayExpunge: boolean): ViewChange | undefined {
    if (!delta && (!mayExpunge || this.#held.length === 0)) return undefined
    let vanished: UidSet = []
    if (delta) {
      vanished = this.uids.intersect(delta.vanished)
      if (vanished.length > 0) {
        this.#held = normalised([...this.#held, ...vanished])
        this.#heldAfter ??= this.#modSeq
      }
      this.#modSeq = delta.to
    }
    let expunged: UidSet = []
    let expungedMsns: readonly Msn[] = []
    if (mayExpunge && this.#held.length > 0) {
      expunged = this.#held
      expungedMsns = this.reveal(expunged)
    }
    if (!delta) return { ...nothing, expunged, expungedMsns }
    const added = delta.added
    // With nothing held back the view is the store's own list: all sessions share one value.
    this.uids = this.#held.length === 0 ? delta.uids : this.uids.plus(added.map((m) => m.uid))
    if (added.length > 0) this.#takeRecent()
    const touched = delta.changed.filter((m) => this.uids.msnOf(m.uid) > 0)
    const changed = this.#own.size === 0 ? touched : touched.filter((m) => this.#own.get(m.uid) !== m.modSeq)
    for (const [uid, modSeq] of this.#own) if (modSeq <= delta.to) this.#own.delete(uid)
    return {
      expunged,
      expungedMsns,
      ...(added.length > 0 ? { exists: this.uids.length } : {}),
      added,
      changed,
      touched,
      vanished,
      keywords: delta.keywords,
    }
  }

  /** Takes expunged messages out of the view: their MSNs before that, to be told at once. */
  reveal(expunged: UidSet): readonly Msn[] {
    const msns = [...uidsOf(expunged)].map((uid) => this.uids.msnOf(uid))
    this.#held = withoutAll(this.#held, expunged)
    if (this.#held.length === 0) this.#heldAfter = undefined
    this.uids = this.uids.minus(expunged)
    this.result = this.result.length === 0 ? this.result : this.uids.intersect(this.result)
    return msns
  }

  /**
   * The UIDs that a set of the client means. UIDs that are not there are left out (FE-03).
   * @throws Fault 'malformed' for an MSN that the client was not told of (FE-02)
   */
  resolve(set: NumberSet | '$', uid: boolean): UidSet {
    if (set === '$') return this.uids.intersect(this.result)
    if (uid) return this.uids.intersect(this.ranges(set, this.uids.last))
    const ranges = this.ranges(set, this.exists)
    const top = ranges[ranges.length - 1]
    if (top && (top.to > this.exists || top.from < 1))
      throw new Fault('malformed', `there are ${this.exists} messages, not ${top.to}`)
    return ranges.flatMap(({ from, to }) => this.uids.slice(from, to))
  }

  /** A set of numbers with `*` put in, ascending. */
  ranges(set: NumberSet, last: number): UidSet {
    return rangesOf(set, last)
  }
}

const nothing = { added: [], changed: [], touched: [], vanished: [], keywords: [] } as const

const withoutAll = (set: UidSet, gone: UidSet): UidSet =>
  set === gone || set.length === 0 ? [] : UidList.of(set).minus(gone).set
