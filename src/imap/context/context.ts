/** One search whose result is kept up to date for the client (RFC 5267 §4.3). */
import type { EpochMs } from '../../model/units.ts'
import type { Message, Uid, UidSet } from '../../store/store.ts'
import type { Collation } from '../../wire/imap/collation.ts'
import { numberSet } from '../../wire/imap/encode.ts'
import type { SearchKey } from '../../wire/imap/search-keys.ts'
import type { FetchItem } from '../fetch/item.ts'
import type { Found, MessageTest } from '../search/evaluate.ts'
import { needsDigest, type SortedMessage, sortRecordOf } from '../search/sort-records.ts'
import { type SortCriterion, sortOrder } from '../sorting/sort.ts'
import { normalised, UidList } from '../view/uid-list.ts'
import { insertions, type Placed, removals } from './positions.ts'

export interface ContextOptions {
  readonly tag: string
  /** What stands between the parentheses of its ESEARCH responses. */
  readonly correlator: string
  /** Told by UID (CX-12). */
  readonly uid: boolean
  readonly test: MessageTest
  /** Of SORT. */
  readonly criteria?: readonly SortCriterion[] | undefined
  readonly comparator: Collation
  /** Fetched of new messages that match (RFC 5465 §7). */
  readonly items: readonly FetchItem[]
}

export class Context {
  readonly tag: string
  readonly uid: boolean
  readonly items: readonly FetchItem[]
  readonly test: MessageTest
  readonly digest: boolean
  /** Seconds of OLDER and YOUNGER: with them, time alone changes the result (CX-21). */
  readonly ages: readonly number[]
  readonly #correlator: string
  readonly #comparator: Collation
  readonly #criteria: readonly SortCriterion[] | undefined
  readonly #compare: (a: SortedMessage, b: SortedMessage) => number
  /** As runs: a context of all messages costs next to nothing. */
  #members: UidList
  /** Of SORT: the members in their order. */
  #sorted: readonly SortedMessage[] = []

  constructor(options: ContextOptions, found: readonly Found[]) {
    const { tag, uid, items, test, correlator, criteria } = options
    this.tag = tag
    this.uid = uid
    this.items = items
    this.test = test
    this.digest = test.digest || (criteria !== undefined && needsDigest(criteria))
    this.ages = agesOf(test.search)
    this.#correlator = correlator
    this.#criteria = criteria
    this.#comparator = options.comparator
    const order = sortOrder(criteria ?? [])
    this.#compare = (a, b) => order(a, b) || a.uid - b.uid
    this.#members = UidList.of(ranges(found.map((m) => m.uid)))
    if (criteria) this.#sorted = found
  }

  get size(): number {
    return this.#members.length
  }

  has(uid: Uid): boolean {
    return this.#members.msnOf(uid) > 0
  }

  /** The line that tells of messages that left and joined; undefined: none of them did. */
  change(
    leave: readonly Uid[],
    join: readonly Message[],
    numberOf: (uid: Uid) => number,
  ): string | undefined {
    const gone = new Set(leave.filter((uid) => this.has(uid)))
    const fresh = join.filter(({ uid }) => !this.has(uid))
    if (gone.size === 0 && fresh.length === 0) return undefined
    const stay = this.#members.minus(ranges([...gone]))
    this.#members = UidList.of(normalised([...stay.set, ...ranges(fresh.map((m) => m.uid))]))
    const parts = [`ESEARCH (${this.#correlator})`]
    if (this.uid) parts.push('UID')
    const pairs = (placed: readonly Placed<{ readonly uid: Uid }>[]): string =>
      placed
        .map(({ position, items }) => `${position} ${numberSet(items.map((m) => numberOf(m.uid)))}`)
        .join(' ')
    const criteria = this.#criteria
    if (!criteria) {
      // Position 0: the client keeps the order of the mailbox by itself (RFC 5267 §4.3.3).
      const whole = (uids: readonly Uid[]): string => numberSet(uids.map(numberOf).sort((a, b) => a - b))
      if (gone.size > 0) parts.push(`REMOVEFROM (0 ${whole([...gone])})`)
      if (fresh.length > 0) parts.push(`ADDTO (0 ${whole(fresh.map((m) => m.uid))})`)
      return parts.join(' ')
    }
    if (gone.size > 0) {
      const removed = removals(this.#sorted, (m) => gone.has(m.uid))
      this.#sorted = removed.list
      parts.push(`REMOVEFROM (${pairs(removed.pairs)})`)
    }
    if (fresh.length > 0) {
      const records = fresh.map((m) => sortRecordOf(m, criteria, this.#comparator))
      const inserted = insertions(this.#sorted, records, this.#compare)
      this.#sorted = inserted.list
      parts.push(`ADDTO (${pairs(inserted.pairs)})`)
    }
    return parts.join(' ')
  }
}

const ranges = (uids: readonly Uid[]): UidSet => normalised(uids.map((uid) => ({ from: uid, to: uid })))

function agesOf(search: SearchKey): number[] {
  if ('seconds' in search) return [search.seconds]
  if (search.key === 'not') return agesOf(search.inner)
  return 'keys' in search ? search.keys.flatMap(agesOf) : []
}

/** The first instant from `after` on at which a message changes sides of one of the ages; Infinity: never. */
export function nextTurn(ages: readonly number[], internalDate: EpochMs, after: EpochMs): EpochMs {
  let first = Number.POSITIVE_INFINITY
  for (const seconds of ages) {
    // OLDER holds from that second on, YOUNGER until it has passed (ES-18).
    const older = (Math.floor(internalDate / 1000) + seconds) * 1000
    for (const turn of [older, older + 1000]) if (turn >= after) first = Math.min(first, turn)
  }
  return first
}
