/** Rows of messages in batches, each read in a snapshot of its own: a slow client holds none open. */
import { Fault } from '../model/fault.ts'
import type { AccountId, MailboxId, Message, MessageQuery, UidSet } from '../store/store.ts'
import type { Session } from './session.ts'

const atOnce = 500

export async function* messageBatches(
  session: Session,
  uids: UidSet,
  query: Omit<MessageQuery, 'uids'>,
  of: { readonly account: AccountId; readonly id: MailboxId } = session.view.shared,
): AsyncGenerator<readonly Message[]> {
  const { store } = session.services
  const { account, id } = of
  let rest: UidSet = uids
  while (rest.length > 0) {
    // Nobody is left to be answered.
    if (session.ended) throw new Fault('unavailable', 'the session has ended')
    const rows: Message[] = []
    const wanted = rest
    await store.read(account, async (view) => {
      for await (const batch of view.messages(id, { ...query, uids: wanted })) {
        for (const message of batch) rows.push(message)
        if (rows.length >= atOnce) break
      }
    })
    if (rows.length > 0) yield rows
    if (rows.length < atOnce) return
    rest = above(rest, rows[rows.length - 1]?.uid ?? 0)
  }
}

/** What of a set lies above a UID. */
function above(set: UidSet, uid: number): UidSet {
  const first = set.findIndex((range) => range.to > uid)
  if (first < 0) return []
  const [head, ...tail] = set.slice(first)
  if (!head) return []
  return [{ from: Math.max(head.from, uid + 1), to: head.to }, ...tail]
}
