/** Numbers in criteria as UIDs. */
import type { Uid, UidSet } from '../../store/store.ts'
import type { NumberSet } from '../../wire/imap/tokens.ts'
import { normalised, rangesOf, type UidList } from '../view/uid-list.ts'

const maxUid = 4_294_967_295

/** Behind `n:*` there is always room: what comes later is in it too, where the result is kept up to date. */
export const openRanges = (set: NumberSet, last: Uid): UidSet =>
  normalised([
    ...rangesOf(set, last),
    ...set.flatMap(({ from, to }) =>
      (from === '*') === (to === '*')
        ? []
        : [{ from: Math.min(Number(from === '*' ? to : from), last), to: maxUid }],
    ),
  ])

/** MSNs beyond the end name nothing (RFC 7377 §2). */
export const ofMsns = (set: NumberSet, uids: UidList): UidSet =>
  rangesOf(set, uids.length).flatMap(({ from, to }) =>
    from > uids.length ? [] : [...uids.slice(Math.max(from, 1), Math.min(to, uids.length))],
  )
