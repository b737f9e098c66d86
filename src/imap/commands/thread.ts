/** THREAD and UID THREAD (RFC 5256 §3). */

import { sortKey, unicodeCasemap } from '../../wire/imap/collation.ts'
import { usesKey } from '../../wire/imap/search-keys.ts'
import { command } from '../command.ts'
import { messageBatches } from '../messages.ts'
import { awareOfModSeq } from '../mod-seq.ts'
import { evaluate, type Found } from '../search/evaluate.ts'
import { withFilters } from '../search/filters.ts'
import { searched } from '../search/return-options.ts'
import type { Session } from '../session.ts'
import { type Thread, type ThreadMessage, threadBySubject, threadLists } from '../sorting/thread.ts'
import { threadByReferences } from '../sorting/thread-references.ts'
import { inTurns, type Paced, Turns } from '../turns.ts'
import { uidSetOf } from '../view/uid-list.ts'
import { charsetProblem } from './search.ts'
import { charsetAndKeys } from './sort.ts'

const algorithms: Readonly<Record<string, (messages: readonly ThreadMessage[]) => Paced<Thread[]>>> = {
  ORDEREDSUBJECT: threadBySubject,
  REFERENCES: threadByReferences,
}

/** Base subjects by a comparator that is not the store's; undefined: the store's keys are right. */
async function subjectsOf(
  session: Session,
  found: readonly Found[],
): Promise<ReadonlyMap<number, string> | undefined> {
  const { comparator } = session
  if (comparator === unicodeCasemap) return undefined
  const subjects = new Map<number, string>()
  const uids = uidSetOf(found.map((m) => m.uid))
  for await (const batch of messageBatches(session, uids, { digest: ['detail'] }))
    for (const { uid, digest } of batch) subjects.set(uid, sortKey(comparator, digest.baseSubject))
  return subjects
}

/** Of those that are still there. */
async function threadMessages(session: Session, found: readonly Found[], uid: boolean) {
  const { uids, shared } = session.view
  const subjects = await subjectsOf(session, found)
  const messages: ThreadMessage[] = []
  const turns = new Turns()
  await session.services.store.read(shared.account, async (view) => {
    for await (const batch of view.threadKeys(shared.id, uidSetOf(found.map((m) => m.uid)))) {
      for (const { sentAt, ...key } of batch)
        messages.push({
          ...key,
          subject: subjects?.get(key.uid) ?? key.subject,
          sent: sentAt,
          number: uid ? key.uid : uids.msnOf(key.uid),
        })
      if (turns.isDue) await turns.give()
    }
  })
  return messages
}

export const thread = command({
  name: 'THREAD',
  source: 'RFC 5256 §3',
  states: ['selected'],
  uid: 'too',
  expunges: 'uid-form',
  parse(input) {
    const name = input.sp().word()
    const algorithm = Object.hasOwn(algorithms, name) ? algorithms[name] : undefined
    return { algorithm: algorithm ?? input.fail('a threading algorithm'), ...charsetAndKeys(input.sp()) }
  },
  async run({ algorithm, charset, search: named }, session, uid) {
    const problem = charsetProblem(charset, named)
    if (problem) return problem
    const search = await withFilters(session, named)
    // THREAD has no place to tell a mod-sequence, but the client knows them all the same (QR-22).
    if (usesKey(search, 'modseq')) awareOfModSeq(session)
    if (usesKey(search, 'msn')) session.holdExpunges()
    const found = await evaluate(session, search)
    const threads = await inTurns(algorithm(await threadMessages(session, found, uid)))
    const lists = await inTurns(threadLists(threads))
    session.out.untagged(lists === '' ? 'THREAD' : `THREAD ${lists}`)
    return searched(session, 'THREAD', uid)
  },
})
