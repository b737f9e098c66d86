/**
 * The UIDs of a mailbox at one moment, ascending: MSN and UID are turned into one another here. Immutable, kept as runs of
 * consecutive UIDs, so that sessions share one value and a mailbox without gaps costs one run whatever its size.
 */
import type { Uid, UidSet } from '../../store/store.ts'
import type { NumberSet } from '../../wire/imap/tokens.ts'

/** Message sequence number: 1 is the first message of the view. */
export type Msn = number

export class UidList {
  static readonly empty = new UidList(new Uint32Array(0), new Uint32Array(0), 0)

  /** First and last UID of run i at 2i and 2i+1. */
  readonly #ends: Uint32Array
  /** Messages before run i. */
  readonly #before: Uint32Array
  readonly length: number

  private constructor(ends: Uint32Array, before: Uint32Array, length: number) {
    this.#ends = ends
    this.#before = before
    this.length = length
  }

  static of(set: UidSet): UidList {
    const ends = new Uint32Array(set.length * 2)
    const before = new Uint32Array(set.length)
    let length = 0
    set.forEach(({ from, to }, i) => {
      ends[2 * i] = from
      ends[2 * i + 1] = to
      before[i] = length
      length += to - from + 1
    })
    return new UidList(ends, before, length)
  }

  /** All UIDs below `uidNext` but those in `gaps`. */
  static without(uidNext: Uid, gaps: UidSet): UidList {
    const set: { from: Uid; to: Uid }[] = []
    let next = 1
    for (const { from, to } of gaps) {
      if (from > next) set.push({ from: next, to: from - 1 })
      next = to + 1
    }
    if (next < uidNext) set.push({ from: next, to: uidNext - 1 })
    return UidList.of(set)
  }

  /** The largest UID; 0 when the list is empty. */
  get last(): Uid {
    return this.#ends[this.#ends.length - 1] ?? 0
  }

  get set(): UidSet {
    const set: { from: Uid; to: Uid }[] = []
    for (let i = 0; i < this.#ends.length; i += 2)
      set.push({ from: this.#ends[i] ?? 0, to: this.#ends[i + 1] ?? 0 })
    return set
  }

  /** UID of a message; 0 when there is no such MSN. */
  uidAt(msn: Msn): Uid {
    if (msn < 1 || msn > this.length) return 0
    const run = lastNotAbove(this.#before, msn - 1)
    return (this.#ends[2 * run] ?? 0) + (msn - 1 - (this.#before[run] ?? 0))
  }

  /** MSN of a UID; 0 when it is not in the list. */
  msnOf(uid: Uid): Msn {
    const run = this.#runOf(uid)
    if (run < 0 || uid > (this.#ends[2 * run + 1] ?? 0)) return 0
    return (this.#before[run] ?? 0) + (uid - (this.#ends[2 * run] ?? 0)) + 1
  }

  /** How many UIDs are below `uid`. */
  countBelow(uid: Uid): number {
    const run = this.#runOf(uid)
    if (run < 0) return 0
    const from = this.#ends[2 * run] ?? 0
    const to = this.#ends[2 * run + 1] ?? 0
    return (this.#before[run] ?? 0) + Math.min(uid - from, to - from + 1)
  }

  /** Index of the last run that begins at or below `uid`; -1 when there is none. */
  #runOf(uid: Uid): number {
    let low = 0
    let high = this.#before.length - 1
    while (low <= high) {
      const middle = (low + high) >> 1
      if ((this.#ends[2 * middle] ?? 0) <= uid) low = middle + 1
      else high = middle - 1
    }
    return high
  }

  /** What of `set` (ascending, not overlapping) is in the list. */
  intersect(set: UidSet): UidSet {
    const found: { from: Uid; to: Uid }[] = []
    for (const { from, to } of set) {
      for (let run = Math.max(0, this.#runOf(from)); run < this.#before.length; run++) {
        const first = Math.max(from, this.#ends[2 * run] ?? 0)
        if (first > to) break
        const last = Math.min(to, this.#ends[2 * run + 1] ?? 0)
        if (first <= last) found.push({ from: first, to: last })
      }
    }
    return found
  }

  /** The UIDs of an MSN range, both ends within the list. */
  slice(from: Msn, to: Msn): UidSet {
    return this.intersect([{ from: this.uidAt(from), to: this.uidAt(to) }])
  }

  /** A list without the UIDs of `gone` (ascending). */
  minus(gone: UidSet): UidList {
    if (gone.length === 0) return this
    const left: { from: Uid; to: Uid }[] = []
    let at = 0
    for (const run of this.set) {
      let from = run.from
      while (at < gone.length && (gone[at]?.to ?? 0) < from) at++
      for (let i = at; i < gone.length && (gone[i]?.from ?? 0) <= run.to; i++) {
        const cut = gone[i]
        if (!cut) break
        if (cut.from > from) left.push({ from, to: cut.from - 1 })
        from = Math.max(from, cut.to + 1)
      }
      if (from <= run.to) left.push({ from, to: run.to })
    }
    return UidList.of(left)
  }

  /** A list with `added`, all above the largest UID so far, ascending. */
  plus(added: readonly Uid[]): UidList {
    if (added.length === 0) return this
    const set = [...this.set]
    for (const uid of added) {
      const last = set[set.length - 1]
      if (last && last.to === uid - 1) set[set.length - 1] = { from: last.from, to: uid }
      else set.push({ from: uid, to: uid })
    }
    return UidList.of(set)
  }
}

/** Index of the last element that is not above `value`; the array ascends and its first element is 0. */
function lastNotAbove(array: Uint32Array, value: number): number {
  let low = 0
  let high = array.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if ((array[middle] ?? 0) <= value) low = middle
    else high = middle - 1
  }
  return low
}

/** Ascending, not overlapping, neighbours joined. */
export function normalised(ranges: readonly { readonly from: Uid; readonly to: Uid }[]): UidSet {
  const sorted = [...ranges].sort((a, b) => a.from - b.from)
  const set: { from: Uid; to: Uid }[] = []
  for (const { from, to } of sorted) {
    const last = set[set.length - 1]
    if (last && from <= last.to + 1) last.to = Math.max(last.to, to)
    else set.push({ from, to })
  }
  return set
}

/** A set of numbers of the client with `*` put in, ascending. */
export function rangesOf(set: NumberSet, last: number): UidSet {
  const number = (n: number | '*'): number => (n === '*' ? last : n)
  return normalised(
    set.map(({ from, to }) => {
      const [a, b] = [number(from), number(to)]
      return a <= b ? { from: a, to: b } : { from: b, to: a }
    }),
  )
}

export function uidSetOf(uids: Iterable<Uid>): UidSet {
  const set: { from: Uid; to: Uid }[] = []
  for (const uid of uids) {
    const last = set[set.length - 1]
    if (last && last.to === uid - 1) last.to = uid
    else set.push({ from: uid, to: uid })
  }
  return set
}

export const countOf = (set: UidSet): number => set.reduce((sum, { from, to }) => sum + to - from + 1, 0)

export function* uidsOf(set: UidSet): Generator<Uid> {
  for (const { from, to } of set) for (let uid = from; uid <= to; uid++) yield uid
}

export const contains = (set: UidSet, uid: Uid): boolean => {
  let low = 0
  let high = set.length - 1
  while (low <= high) {
    const middle = (low + high) >> 1
    const range = set[middle]
    if (!range) return false
    if (uid < range.from) high = middle - 1
    else if (uid > range.to) low = middle + 1
    else return true
  }
  return false
}
