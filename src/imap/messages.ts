/** Rows of messages in batches, each read in a snapshot of its own: a slow client holds none open. */
import { Fault } from '../model/fault.ts'
import type { AccountId, MailboxId, Message, MessageQuery, UidSet } from '../store/store.ts'
import type { Session } from './session.ts'
import { Turns } from './turns.ts'

const atOnce = 500

export async function* messageBatches(
  session: Session,
  uids: UidSet,
  query: Omit<MessageQuery, 'uids'>,
  of: { readonly account: AccountId; readonly id: MailboxId } = session.view.shared,
): AsyncGenerator<readonly Message[]> {
  const { store } = session.services
  const { account, id } = of
  const turns = new Turns()
  // What changed is asked for in one go: it costs what changed, whatever the set (QR-56).
  const runsAtOnce = query.changedSince === undefined ? atOnce : Number.POSITIVE_INFINITY
  /** The first run that is not done with, and the first UID of it. */
  let at = 0
  let from = 0
  while (at < uids.length) {
    // Nobody is left to be answered.
    if (session.ended) throw new Fault('unavailable', 'the session has ended')
    const wanted = uids
      .slice(at, at + runsAtOnce)
      .map((run) => (run.from < from ? { from, to: run.to } : run))
    const rows: Message[] = []
    await store.read(account, async (view) => {
      for await (const batch of view.messages(id, { ...query, uids: wanted })) {
        for (const message of batch) rows.push(message)
        if (rows.length >= atOnce) break
      }
    })
    if (rows.length > 0) yield rows
    if (rows.length < atOnce) at += wanted.length
    else {
      from = (rows[rows.length - 1]?.uid ?? 0) + 1
      while (at < uids.length && (uids[at]?.to ?? 0) < from) at += 1
    }
    // Rows come out of memory for the most part: nothing else would run until the last of them (SC-40).
    if (turns.isDue) await turns.give()
  }
}
