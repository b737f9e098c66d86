/** REPLACE and UID REPLACE (RFC 8508): one message takes the place of another, in one transaction. */
import { command, no, ok } from '../command.ts'
import { syncExpunged } from '../sync.ts'
import { countOf, uidSetOf } from '../view/uid-list.ts'
import { appendedMessage, appendUid, prepared, targetRefuses } from './append.ts'
import { targetOf } from './copy.ts'

export const replace = command({
  name: 'REPLACE',
  source: 'RFC 8508 §3',
  states: ['selected'],
  uid: 'too',
  writes: true,
  refusesLiteral(input, session) {
    input.sp().nzNumber()
    return targetRefuses(session, input.sp().mailbox())
  },
  parse: (input, session) => ({
    number: input.sp().nzNumberOrStar(),
    name: input.sp().mailbox(),
    message: appendedMessage(input.sp(), session),
  }),
  async run({ number, name, message }, session, uid) {
    const { view, out } = session
    const uids = view.resolve([{ from: number, to: number }], uid)
    if (countOf(uids) !== 1) return no('there is no such message', 'NONEXISTENT')
    const target = await targetOf(session, name)
    if ('status' in target) return target
    const made = await prepared(message, session, target)
    if ('status' in made) return made
    const results = await session.write([
      { op: 'append', mailbox: target.id, messages: [made] },
      { op: 'expunge', mailbox: view.shared.id, uids: uidSetOf([uids[0]?.from ?? 0]), onlyDeleted: false },
    ])
    // The new UID is known before the old message goes (RFC 8508 §4.3).
    out.untagged(`OK [${appendUid(results[0])}] Replaced`)
    await syncExpunged(
      session,
      uids.map(({ from }) => from),
    )
    return ok('REPLACE completed')
  },
})
