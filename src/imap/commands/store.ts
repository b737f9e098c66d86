/** STORE and UID STORE (RFC 3501 §6.4.6, RFC 7162 §3.1.3). */
import { Fault } from '../../model/fault.ts'
import type { FlagChange, ModSeq, OperationResult, UidSet } from '../../store/store.ts'
import { numberSet } from '../../wire/imap/encode.ts'
import type { CommandInput } from '../../wire/imap/tokens.ts'
import { command, no, ok } from '../command.ts'
import { awareOfModSeq, modSeqValue } from '../mod-seq.ts'
import { coded } from '../response-for.ts'
import type { Session } from '../session.ts'
import { flagText, tellKeywords } from '../tell.ts'
import { contains, countOf, uidSetOf } from '../view/uid-list.ts'

interface StoreQuery {
  unchangedSince?: ModSeq
}

function modifiers(input: CommandInput): StoreQuery {
  const query: StoreQuery = {}
  if (!input.try('(')) return query
  do {
    if (input.word() !== 'UNCHANGEDSINCE') input.fail('a modifier of STORE')
    query.unchangedSince = modSeqValue(input.sp(), 0)
  } while (input.try(' '))
  input.expect(')').sp()
  return query
}

type Stored = Extract<OperationResult, { readonly op: 'flags' }>

async function changeFlags(session: Session, uids: UidSet, change: FlagChange): Promise<Stored | undefined> {
  const { shared } = session.view
  const write = async (on: UidSet, how: FlagChange): Promise<Stored | undefined> => {
    const [result] = await session
      .write([{ op: 'flags', mailbox: shared.id, uids: on, change: how }])
      .catch((error: unknown) => {
        // It is keywords that are too many, of the mailbox or of a message, and not octets (SE-18).
        if (error instanceof Fault && error.kind === 'over-quota')
          throw coded(error.kind, error.message, 'LIMIT')
        throw error
      })
    return result?.op === 'flags' ? result : undefined
  }
  const first = await write(uids, change)
  const { unchangedSince } = change
  // A message has one mod-sequence for all its flags; what happened since tells which of them it was (QR-16).
  if (!first || !unchangedSince || change.mode === 'replace' || first.modified.length === 0) return first
  const others = shared.flagsUnchanged(uidSetOf(first.modified), change.flags, unchangedSince)
  if (!others || others.uids.length === 0) return first
  const second = await write(others.uids, { ...change, unchangedSince: others.upTo })
  if (!second) return first
  const changed = [...first.changed, ...second.changed].sort((a, b) => a.uid - b.uid)
  const done = uidSetOf(second.changed.map((m) => m.uid))
  return { ...first, changed, modified: first.modified.filter((uid) => !contains(done, uid)) }
}

const modes = { FLAGS: 'replace', '+FLAGS': 'add', '-FLAGS': 'remove' } as const

export const store = command({
  name: 'STORE',
  source: 'RFC 3501 §6.4.6',
  states: ['selected'],
  uid: 'too',
  writes: true,
  expunges: 'uid-form',
  parse(input) {
    const messages = input.sp().messages()
    const query = modifiers(input.sp())
    const match = /^([+-]?FLAGS)(\.SILENT)?$/.exec(input.word()) ?? input.fail('FLAGS, +FLAGS or -FLAGS')
    const mode = modes[match[1] as keyof typeof modes]
    input.sp()
    // The parentheses may be left out (AP-02).
    let flags: string[] = []
    if (input.peek() === '(') flags = input.flagList()
    else
      do flags.push(input.flag())
      while (input.try(' '))
    return { messages, query, mode, flags, silent: match[2] !== undefined }
  },
  async run({ messages, query, mode, flags, silent }, session, uid) {
    const { view, out } = session
    const uids = view.resolve(messages, uid)
    const stoodAt = view.modSeq
    const { unchangedSince } = query
    if (unchangedSince !== undefined) awareOfModSeq(session)
    const result = await changeFlags(session, uids, {
      mode,
      flags,
      ...(unchangedSince === undefined ? {} : { unchangedSince }),
    })
    if (!result) return ok('STORE completed')
    await view.shared.refresh()
    const { keywords } = view.shared.mailbox
    if (keywords.length > view.keywords) tellKeywords(session, view, keywords)
    const foreign = silent ? view.shared.flagsChangedByOthers(stoodAt, session.origin) : undefined
    for (const message of result.changed) {
      view.tellsItself(message)
      // Silence is about what the client did itself, and not about what happened in the meantime (UR-09).
      const quiet = silent && foreign !== undefined && !contains(foreign, message.uid)
      const pairs: string[] = []
      // UID STORE and those who know mod-sequences are told the UID (UR-17, UR-18).
      if (uid || session.condstore) pairs.push(`UID ${message.uid}`)
      if (!quiet) pairs.push(`FLAGS (${flagText(session, view, message)})`)
      if (session.condstore) pairs.push(`MODSEQ (${message.modSeq})`)
      // Silence leaves nothing to say to those who do not know mod-sequences (QR-14, QR-57).
      if (quiet && !session.condstore) continue
      const msn = view.uids.msnOf(message.uid)
      if (msn > 0) out.untagged(`${msn} FETCH (${pairs.join(' ')})`)
      if (out.full) await out.ready()
    }
    const modified = result.modified.filter((m) => view.uids.msnOf(m) > 0)
    if (modified.length > 0) {
      const numbers = modified.map((m) => (uid ? m : view.uids.msnOf(m)))
      return ok('some messages were changed by others', `MODIFIED ${numberSet(numbers)}`)
    }
    // All that were named are gone, and the client does not know yet (UR-11).
    if (!silent && !uid && countOf(uids) > 0 && result.changed.length === 0)
      return no('the messages were expunged', 'EXPUNGEISSUED')
    return ok('STORE completed')
  },
})
