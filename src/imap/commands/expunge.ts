/** EXPUNGE and UID EXPUNGE (RFC 3501 §6.4.3, RFC 4315 §2.1). */
import type { UidSet } from '../../store/store.ts'
import { command, noArguments, ok, type Reply } from '../command.ts'
import type { Session } from '../session.ts'
import { syncExpunged } from '../sync.ts'

async function expungeDeleted(session: Session, uids: UidSet): Promise<Reply> {
  const { view } = session
  const [result] = await session.write([{ op: 'expunge', mailbox: view.shared.id, uids, onlyDeleted: true }])
  await syncExpunged(session, result?.op === 'expunge' ? result.uids : [])
  const any = result?.op === 'expunge' && result.uids.length > 0
  return ok('EXPUNGE completed', any && session.qresync ? `HIGHESTMODSEQ ${view.highestModSeq}` : undefined)
}

export const expunge = command({
  name: 'EXPUNGE',
  source: 'RFC 3501 §6.4.3',
  states: ['selected'],
  writes: true,
  parse: noArguments,
  // Those that the client was told of, and no others: it has not seen the rest.
  run: (_, session) => expungeDeleted(session, session.view.uids.set),
})

export const uidExpunge = command({
  name: 'EXPUNGE',
  source: 'RFC 4315 §2.1',
  states: ['selected'],
  uid: 'only',
  writes: true,
  parse: (input) => input.sp().messages(),
  run: (messages, session) => expungeDeleted(session, session.view.resolve(messages, true)),
})
