/**
 * Which messages criteria can match, as far as their numbers and the store's indexes of flags tell: sets of UIDs, and no
 * message is looked at. SEARCH UNSEEN costs what is unseen, not what is in the mailbox.
 */
import type { UidSet } from '../../store/store.ts'
import type { SearchKey } from '../../wire/imap/search-keys.ts'
import type { Session } from '../session.ts'
import { Turns } from '../turns.ts'
import { normalised, rangesOf, UidList } from '../view/uid-list.ts'
import type { SearchScope } from './evaluate.ts'
import { ofMsns } from './numbers.ts'

export interface Narrowed {
  /** No others can match. */
  readonly uids: UidSet
  /** All of them do. */
  readonly exact: boolean
}

/** Of the messages of the scope that are still there. */
export async function narrowed(session: Session, search: SearchKey, scope: SearchScope): Promise<Narrowed> {
  const { store } = session.services
  const { account, id } = scope.shared
  const all = UidList.of(scope.uids.intersect(scope.shared.uids.set))
  const everything: Narrowed = { uids: all.set, exact: true }
  const anything: Narrowed = { uids: all.set, exact: false }
  const turns = new Turns()
  const asked = new Map<string, Promise<UidSet | undefined>>()

  const indexed = (flag: string, set: boolean): Promise<UidSet | undefined> => {
    const key = `${set} ${flag.toLowerCase()}`
    const known = asked.get(key)
    if (known) return known
    const answer = store.read(account, (view) => view.flagged(id, flag, set))
    asked.set(key, answer)
    return answer
  }
  const flagged = async (flag: string): Promise<Narrowed> => {
    const having = await indexed(flag, true)
    if (having) return { uids: all.intersect(having), exact: true }
    const lacking = await indexed(flag, false)
    return lacking ? { uids: all.minus(lacking).set, exact: true } : anything
  }
  /** Two at a time, and so on: many small sets cost little more than one large one (SC-35). */
  const joined = async (
    keys: readonly SearchKey[],
    join: (a: UidSet, b: UidSet) => UidSet,
  ): Promise<Narrowed> => {
    let sets: UidSet[] = []
    let exact = true
    for (const key of keys) {
      const each = await of(key)
      exact &&= each.exact
      sets.push(each.uids)
    }
    while (sets.length > 1) {
      const next: UidSet[] = []
      for (let i = 0; i < sets.length; i += 2) {
        const [a = [], b] = [sets[i], sets[i + 1]]
        next.push(b === undefined || a === b ? a : join(a, b))
        if (turns.isDue) await turns.give()
      }
      sets = next
    }
    return { uids: sets[0] ?? [], exact }
  }
  const of = async (key: SearchKey): Promise<Narrowed> => {
    if (turns.isDue) await turns.give()
    switch (key.key) {
      case 'all':
        return everything
      case 'uid':
        return { uids: all.intersect(rangesOf(key.set, scope.uids.last)), exact: true }
      case 'msn':
        return { uids: all.intersect(ofMsns(key.set, scope.uids)), exact: true }
      case 'result':
        return { uids: all.intersect(scope.result), exact: true }
      case 'recent':
        return { uids: all.intersect(scope.recentSet), exact: true }
      case 'flag':
        return flagged(key.flag)
      case 'not': {
        const inner = await of(key.inner)
        return inner.exact ? { uids: all.minus(inner.uids).set, exact: true } : anything
      }
      case 'and':
        return joined(key.keys, (a, b) => UidList.of(a).intersect(b))
      case 'or':
        return joined(key.keys, (a, b) => normalised([...a, ...b]))
      default:
        return anything
    }
  }
  return of(search)
}
