/** The sort criteria of SORT (RFC 5256 §3, RFC 5957 §4) over records whose strings are collation keys already. */
import type { EpochMs, OctetString, Octets } from '../../model/units.ts'
import type { Paced } from '../turns.ts'
import { pacedSort } from './paced-sort.ts'

export type SortKey =
  | 'ARRIVAL'
  | 'CC'
  | 'DATE'
  | 'DISPLAYFROM'
  | 'DISPLAYTO'
  | 'FROM'
  | 'SIZE'
  | 'SUBJECT'
  | 'TO'

export interface SortCriterion {
  readonly key: SortKey
  /** REVERSE: of this criterion alone (SO-02). */
  readonly reverse: boolean
}

/**
 * What is compared of one message. Strings are sortKey() of a collation, the empty string where there is no field, which
 * sorts first (SO-03). A field that the criteria do not name may be left out.
 */
export interface SortRecord {
  /** INTERNALDATE with its time. */
  readonly arrival?: EpochMs
  /** Sent date in UTC, or INTERNALDATE where there is none (SO-04). */
  readonly sent?: EpochMs
  readonly size?: Octets
  readonly subject?: OctetString
  readonly from?: OctetString
  readonly to?: OctetString
  readonly cc?: OctetString
  readonly displayFrom?: OctetString
  readonly displayTo?: OctetString
}

export const sortFields = {
  ARRIVAL: 'arrival',
  CC: 'cc',
  DATE: 'sent',
  DISPLAYFROM: 'displayFrom',
  DISPLAYTO: 'displayTo',
  FROM: 'from',
  SIZE: 'size',
  SUBJECT: 'subject',
  TO: 'to',
} as const satisfies Record<SortKey, keyof SortRecord>

/** The word as a sort key, in any case; undefined: BAD (SO-09). */
export const sortKeyNamed = (word: string): SortKey | undefined => {
  const name = word.toUpperCase()
  return Object.hasOwn(sortFields, name) ? (name as SortKey) : undefined
}

/** RFC 5256 §2.2: without a sent date the INTERNALDATE stands for it. */
export const sentDate = (sentAt: EpochMs | null, internalDate: EpochMs): EpochMs => sentAt ?? internalDate

/** Compares by the criteria in turn; 0 where all are equal, and then the order of the mailbox decides. */
export function sortOrder(criteria: readonly SortCriterion[]): (a: SortRecord, b: SortRecord) => number {
  const steps = criteria.map(({ key, reverse }) => {
    const field = sortFields[key]
    const sign = reverse ? -1 : 1
    return (a: SortRecord, b: SortRecord): number => {
      const left = a[field] ?? ''
      const right = b[field] ?? ''
      return left === right ? 0 : left < right ? -sign : sign
    }
  })
  const [first, ...more] = steps
  if (!first) return () => 0
  return (a, b) => {
    let order = first(a, b)
    for (let i = 0; order === 0 && i < more.length; i += 1) order = more[i]?.(a, b) ?? 0
    return order
  }
}

/**
 * The records in the order of the criteria. They come in the order of the mailbox, which decides where all criteria
 * are equal, REVERSE or not.
 */
export const sortRecords = <T extends SortRecord>(
  records: readonly T[],
  criteria: readonly SortCriterion[],
): Paced<T[]> => pacedSort([...records], sortOrder(criteria))
