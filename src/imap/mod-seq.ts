/** What CONDSTORE and QRESYNC ask of several commands (RFC 7162). */
import type { ModSeq, UidSet } from '../store/store.ts'
import { numberSetOf } from '../wire/imap/encode.ts'
import type { CommandInput } from '../wire/imap/tokens.ts'
import type { Session } from './session.ts'
import { normalised, UidList } from './view/uid-list.ts'

/** The first command that shows it: from here on unasked FETCH has UID and MODSEQ (QR-05, QR-06). */
export function awareOfModSeq(session: Session): void {
  if (session.condstore) return
  session.condstore = true
  if (session.selected) session.out.untagged(`OK [HIGHESTMODSEQ ${session.selected.highestModSeq}] Highest`)
}

/** RFC 7162 §7 mod-sequence-value: 63 bits; beyond 2^53 nothing was ever given out, so the exact value does not matter. */
export function modSeqValue(input: CommandInput, least = 1): ModSeq {
  const digits = input.digits()
  const value = BigInt(digits)
  if (
    value < BigInt(least) ||
    value > 9_223_372_036_854_775_807n ||
    (digits.length > 1 && digits.startsWith('0'))
  )
    input.fail('a mod-sequence')
  return Number(value)
}

/** `* VANISHED (EARLIER)`: what of `asked` is gone since `since`, known or not (QR-31, QR-41, QR-44). */
export async function tellVanishedEarlier(session: Session, asked: UidSet, since: ModSeq): Promise<void> {
  const { shared, uids } = session.view
  const gone = await session.services.store.read(shared.account, (view) => view.vanished(shared.id, since))
  // What went only now still has its number in this view: an ordinary VANISHED takes it away (RFC 7162 §3.2.10).
  const all = intersection(normalised(asked), gone)
  const found = UidList.of(all).minus(uids.intersect(all)).set
  if (found.length > 0) session.out.untagged(`VANISHED (EARLIER) ${numberSetOf(found)}`)
}

/** Both ascending and not overlapping. */
export function intersection(a: UidSet, b: UidSet): UidSet {
  const found: { from: number; to: number }[] = []
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const x = a[i]
    const y = b[j]
    if (!x || !y) break
    const from = Math.max(x.from, y.from)
    const to = Math.min(x.to, y.to)
    if (from <= to) found.push({ from, to })
    if (x.to < y.to) i++
    else j++
  }
  return found
}
