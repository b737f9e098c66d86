/** THREAD and UID THREAD (RFC 5256 §3). */
import type { Message } from '../../store/store.ts'
import { sortKey, unicodeCasemap } from '../../wire/imap/collation.ts'
import { usesKey } from '../../wire/imap/search-keys.ts'
import { command, ok } from '../command.ts'
import { messageBatches } from '../messages.ts'
import { awareOfModSeq } from '../mod-seq.ts'
import { evaluate } from '../search/evaluate.ts'
import type { Session } from '../session.ts'
import { envelopeValues } from '../sorting/envelope-values.ts'
import { sentDate } from '../sorting/sort.ts'
import { type Thread, type ThreadMessage, threadBySubject, threadLists } from '../sorting/thread.ts'
import { threadByReferences } from '../sorting/thread-references.ts'
import { uidSetOf } from '../view/uid-list.ts'
import { charsetProblem } from './search.ts'
import { charsetAndKeys } from './sort.ts'

const algorithms: Readonly<Record<string, (messages: readonly ThreadMessage[]) => Thread[]>> = {
  ORDEREDSUBJECT: threadBySubject,
  REFERENCES: threadByReferences,
}

const threadMessage = (message: Message, number: number): ThreadMessage => ({
  number,
  sent: sentDate(message.digest.sentAt, message.internalDate),
  subject: sortKey(unicodeCasemap, message.digest.baseSubject),
  isReply: envelopeValues(message.digest.envelope).isReply,
  messageId: message.digest.messageId,
  references: message.digest.references,
})

async function threadMessages(session: Session, found: readonly { uid: number }[], uid: boolean) {
  const { uids } = session.view
  const messages: ThreadMessage[] = []
  for await (const batch of messageBatches(session, uidSetOf(found.map((m) => m.uid)), { digest: true }))
    for (const message of batch)
      messages.push(threadMessage(message, uid ? message.uid : uids.msnOf(message.uid)))
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
  async run({ algorithm, charset, search }, session, uid) {
    const problem = charsetProblem(charset, search)
    if (problem) return problem
    // THREAD has no place to tell a mod-sequence, but the client knows them all the same (QR-22).
    if (usesKey(search, 'modseq')) awareOfModSeq(session)
    if (usesKey(search, 'msn')) session.holdExpunges()
    const found = await evaluate(session, search)
    const lists = threadLists(algorithm(await threadMessages(session, found, uid)))
    session.out.untagged(lists === '' ? 'THREAD' : `THREAD ${lists}`)
    return ok('THREAD completed')
  },
})
