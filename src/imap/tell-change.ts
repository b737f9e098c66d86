/** One move of the view, told whole with all that hangs on it: contexts, and what is fetched of new messages (DE-01). */
import type { ModSeq, Uid } from '../store/store.ts'
import { fetchMessages } from './commands/fetch.ts'
import type { ContextChanges } from './context/contexts.ts'
import { modSeqItem, uidItem } from './fetch/basic-items.ts'
import type { FetchItem } from './fetch/item.ts'
import { quotedTag } from './search/return-options.ts'
import type { Session } from './session.ts'
import { tell } from './tell.ts'
import type { Selected, ViewChange } from './view/selected.ts'
import { contains, uidSetOf } from './view/uid-list.ts'

const noChanges: ContextChanges = { before: [], after: [], items: new Map() }

/** `from`: where the view stood before. */
export async function tellChange(
  session: Session,
  selected: Selected,
  change: ViewChange,
  from: ModSeq,
): Promise<void> {
  const wanted = session.notify?.selected
  const flags = wanted === undefined || wanted.flags
  if (!flags && change.changed.length > 0) selected.leaveFlagsUntold(from)
  const changes = selected.contexts?.size ? await contextChanges(session, selected, change) : noChanges
  if (session.selected !== selected) return
  for (const line of changes.before) session.out.untagged(line)
  tell(session, selected, change, flags)
  if (change.added.length > 0) {
    await fetchNew(session, selected, change, wanted?.items ?? [], changes.items)
    selected.ownMessages = []
  }
  for (const line of changes.after) session.out.untagged(line)
}

/** The view has moved and must be told: contexts that cannot follow end, and the client knows (CX-09). */
async function contextChanges(
  session: Session,
  selected: Selected,
  change: ViewChange,
): Promise<ContextChanges> {
  const { contexts } = selected
  if (!contexts) return noChanges
  try {
    return await contexts.changed(session, change)
  } catch (error) {
    session.services.log('error', 'contexts could not be updated', { error: String(error) })
    selected.contexts = undefined
    session.unasked.listenAsNeeded()
    const before = contexts.tags.map((tag) => `NO [NOUPDATE ${quotedTag(tag)}] Updates end here`)
    return { ...noChanges, before }
  }
}

/** What NOTIFY and contexts ask of a message goes into one FETCH (RFC 5465 §5.2); the UID is always in it (UR-18). */
async function fetchNew(
  session: Session,
  selected: Selected,
  change: ViewChange,
  notified: readonly FetchItem[],
  byContext: ReadonlyMap<Uid, readonly FetchItem[]>,
): Promise<void> {
  if (notified.length === 0 && byContext.size === 0) return
  const groups = new Map<string, { readonly items: readonly FetchItem[]; readonly uids: Uid[] }>()
  for (const { uid } of change.added) {
    if (contains(selected.ownMessages, uid)) continue
    const asked = [...notified, ...(byContext.get(uid) ?? [])]
    if (asked.length === 0) continue
    const all = [uidItem, ...asked, ...(session.condstore ? [modSeqItem] : [])]
    const items = [...new Map(all.map((item) => [item.label, item])).values()]
    const key = items.map((item) => item.label).join(' ')
    const group = groups.get(key)
    if (group) group.uids.push(uid)
    else groups.set(key, { items, uids: [uid] })
  }
  for (const { items, uids } of groups.values()) await fetchMessages(session, items, uidSetOf(uids))
}
