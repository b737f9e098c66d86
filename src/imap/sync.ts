/** Moves of a session's view to the state of the store, and who may see them (RFC 3501 §5.2, RFC 5465 §3.1). */
import { Fault } from '../model/fault.ts'
import type { OperationResult, StoreOperation, Uid } from '../store/store.ts'
import { messageBatches } from './messages.ts'
import type { Session } from './session.ts'
import { tellExpunged, tellFlags } from './tell.ts'
import { tellChange } from './tell-change.ts'
import { normalised, uidSetOf } from './view/uid-list.ts'

/** False: NOTIFY asked for nothing about the selected mailbox, and its view stands still (NO-02, NO-04). */
export const mayTellSelected = ({ notify }: Session): boolean =>
  notify === undefined || notify.selected.messages

/** Moves the view to the store's state and tells what changed. */
export async function sync(session: Session, mayExpunge: boolean): Promise<void> {
  const { selected } = session
  if (!selected) return
  if (!mayTellSelected(session)) {
    await selected.shared.refresh()
    if (selected.shared.gone) mailboxGone(session)
    return
  }
  if (selected.isCurrent(mayExpunge)) return
  const from = selected.modSeq
  const change = await selected.take(mayExpunge).catch((error: unknown) => {
    if (selected.shared.gone) mailboxGone(session)
    throw error
  })
  if (change) await tellChange(session, selected, change, from)
}

/** Deleted by somebody else: the session cannot go on with it (UR-13). */
function mailboxGone(session: Session): never {
  session.bye('the mailbox was deleted')
  throw new Fault('unavailable', 'the mailbox was deleted')
}

/** This session expunged them: that is told whatever NOTIFY says, since it is what the command answers (NO-02). */
export async function syncExpunged(session: Session, uids: readonly Uid[]): Promise<void> {
  if (mayTellSelected(session)) return sync(session, true)
  const { view, out } = session
  const gone = view.uids.intersect(uidSetOf(uids))
  const msns = view.reveal(gone)
  for (const line of view.contexts?.expunged(gone, msns) ?? []) out.untagged(line)
  tellExpunged(session, gone, msns)
}

/** Tells all that NOTIFY kept back so far: NOTIFY SET is a NOOP too (NO-01). */
export async function catchUp(session: Session): Promise<void> {
  session.notify?.end()
  session.notify = undefined
  await sync(session, true)
  const { selected } = session
  const changedSince = selected?.takeUntoldFlags()
  if (!selected || changedSince === undefined) return
  for await (const batch of messageBatches(session, selected.uids.set, { changedSince }))
    for (const message of batch) tellFlags(session, selected, message)
}

/**
 * With QRESYNC: flags were told that are newer than an expunge that was not, so that a client that is cut off now must ask
 * again; or expunges were told, and the client may count from a value that covers them (QR-49, RC-12).
 */
export function tellHighestModSeq(session: Session): void {
  const { selected } = session
  if (!session.qresync || !selected) return
  const waits = selected.heldBack.length > 0
  if (!waits && !selected.owesModSeq) return
  selected.owesModSeq = waits
  session.out.untagged(`OK [HIGHESTMODSEQ ${selected.highestModSeq}] ${waits ? 'Expunges wait' : 'Highest'}`)
}

/** A change that the session makes itself: what NOTIFY tells of others is not told of it (NO-23). */
export async function ownWrite(
  session: Session,
  operations: readonly StoreOperation[],
): Promise<readonly OperationResult[]> {
  const results = await session.services.store.write(session.user.id, operations, session.origin)
  const { selected } = session
  results.forEach((result, i) => {
    const operation = operations[i]
    if (!selected || !operation) return
    if (result.op === 'append' && 'mailbox' in operation && operation.mailbox === selected.shared.id)
      selected.ownMessages = normalised([...selected.ownMessages, ...uidSetOf(result.uids)])
    else if ('copied' in result && 'to' in operation && operation.to === selected.shared.id)
      selected.ownMessages = normalised([...selected.ownMessages, ...uidSetOf(result.copied.target)])
  })
  return results
}
