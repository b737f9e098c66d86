/** FETCH and UID FETCH (RFC 3501 §6.4.5). */
import { asFault, type Fault } from '../../model/fault.ts'
import type { Message, UidSet } from '../../store/store.ts'
import type { CommandInput } from '../../wire/imap/tokens.ts'
import { command, ok, type Reply } from '../command.ts'
import { flagsItem, modSeqItem, uidItem } from '../fetch/basic-items.ts'
import { type FetchItem, queryOf } from '../fetch/item.ts'
import type { FetchQuery } from '../fetch/query.ts'
import { messageBatches } from '../messages.ts'
import { awareOfModSeq, tellVanishedEarlier } from '../mod-seq.ts'
import { responseFor } from '../response-for.ts'
import type { Session } from '../session.ts'
import { uidSetOf } from '../view/uid-list.ts'

const macros: Readonly<Record<string, readonly string[]>> = {
  FAST: ['FLAGS', 'INTERNALDATE', 'RFC822.SIZE'],
  ALL: ['FLAGS', 'INTERNALDATE', 'RFC822.SIZE', 'ENVELOPE'],
  FULL: ['FLAGS', 'INTERNALDATE', 'RFC822.SIZE', 'ENVELOPE', 'BODY'],
}

/** Each may read or decode the whole of a message: one command must not ask for that thousands of times (SC-35). */
const maxItems = 250

const unique = (items: readonly FetchItem[]): FetchItem[] => [
  ...new Map(items.map((item) => [item.label, item])).values(),
]

/** One item, a macro, or a list of items; a macro cannot stand in a list (FE-05). */
export function fetchItems(input: CommandInput, session: Session): FetchItem[] {
  const { registry } = session.services
  const one = (name: string): FetchItem =>
    registry.fetchItems.get(name)?.(input, session) ?? input.fail('a data item')
  if (!input.try('(')) {
    const name = input.itemName()
    return unique((macros[name] ?? [name]).map(one))
  }
  const items: FetchItem[] = []
  do {
    items.push(one(input.itemName()))
    if (items.length > maxItems) input.fail(`at most ${maxItems} data items`)
  } while (input.try(' '))
  input.expect(')')
  return unique(items)
}

function modifiers(input: CommandInput, session: Session): FetchQuery {
  const query: FetchQuery = {}
  if (!input.try(' ')) return query
  input.expect('(')
  do {
    const modifier = session.services.registry.fetchModifiers.get(input.word())
    if (!modifier) return input.fail('a modifier of FETCH')
    modifier(input, query, session)
  } while (input.try(' '))
  input.expect(')')
  return query
}

export const fetch = command({
  name: 'FETCH',
  source: 'RFC 3501 §6.4.5',
  states: ['selected'],
  uid: 'too',
  expunges: 'uid-form',
  parse(input, session, uid) {
    const messages = input.sp().messages()
    const items = fetchItems(input.sp(), session)
    const query = modifiers(input, session)
    // QR-26, QR-42.
    if (query.vanished && (!uid || query.changedSince === undefined || !session.qresync))
      input.fail('VANISHED only in UID FETCH with CHANGEDSINCE, after ENABLE QRESYNC')
    return { messages, items, query }
  },
  async run({ messages, items, query }, session, uid) {
    const { view } = session
    const uids = view.resolve(messages, uid)
    const since = query.changedSince
    if (since !== undefined || items.some((item) => item.condstore)) awareOfModSeq(session)
    if (query.vanished && since !== undefined) {
      // The range that was asked for, not what is left of it: what is gone is in no view (QR-41, QR-43).
      const asked = messages === '$' ? uids : view.ranges(messages, view.shared.uidNext - 1)
      await tellVanishedEarlier(session, asked, since)
    }
    const wanted = unique([...(uid ? [uidItem] : []), ...items, ...(since === undefined ? [] : [modSeqItem])])
    return fetchMessages(session, wanted, uids, since)
  },
})

/** Tells the items of the messages, and what the command answers. */
export async function fetchMessages(
  session: Session,
  items: readonly FetchItem[],
  uids: UidSet,
  changedSince?: number,
): Promise<Reply> {
  const { out } = session
  const selected = session.view
  const query = queryOf(items)
  const seen = !selected.readOnly && items.some((item) => item.seen)
  const onlyText = items.every((item) => item.text)
  let fault: Fault | undefined
  for await (const read of messageBatches(session, uids, { ...query, changedSince })) {
    const { batch, changed } = seen ? await markSeen(session, read) : { batch: read, changed: nobody }
    for (const message of batch) {
      const msn = selected.uids.msnOf(message.uid)
      if (msn === 0) continue
      if (onlyText) {
        let line = `${msn} FETCH (`
        for (let i = 0; i < items.length; i++)
          line += `${i === 0 ? '' : ' '}${items[i]?.text?.(message, session)}`
        out.untagged(`${line})`)
        continue
      }
      // The flags that the fetch itself changed are part of its answer (FE-24, QR-24).
      const told = changed.has(message.uid)
        ? unique([...items, flagsItem, ...(session.condstore ? [uidItem, modSeqItem] : [])])
        : items
      fault = (await writeMessage(session, told, message, msn)) ?? fault
    }
    await out.ready()
  }
  // The others were answered all the same (FE-27).
  if (fault) return responseFor(fault)
  // Gone, and the client could not be told yet: their data is left out (RFC 5530 §3, UR-10).
  const left = selected.heldBack.some((h) => uids.some((u) => u.from <= h.to && h.from <= u.to))
  return ok('FETCH completed', left ? 'EXPUNGEISSUED' : undefined)
}

const nobody: ReadonlySet<number> = new Set()

/** What of it could not be read, if anything; the rest is told. */
async function writeMessage(
  session: Session,
  items: readonly FetchItem[],
  message: Message,
  msn: number,
): Promise<Fault | undefined> {
  const { out } = session
  let told = 0
  let fault: Fault | undefined
  for (const item of items) {
    let value: Awaited<ReturnType<NonNullable<FetchItem['load']>>> | undefined
    try {
      value = item.text ? { text: item.text(message, session) } : await item.load?.(message, session)
    } catch (error) {
      fault = asFault(error)
      if (fault.kind === 'bug')
        session.services.log('error', 'a message could not be read', {
          uid: message.uid,
          error: String(error),
        })
    }
    if (!value) continue
    out.text(`${told === 0 ? `* ${msn} FETCH (` : ' '}${value.text}`)
    told += 1
    if (value.octets) out.octets(value.octets)
    else if (value.stream) await out.stream(value.stream.size, value.stream.content)
  }
  if (told > 0) out.text(')\r\n')
  await out.ready()
  return fault
}

const withState = (
  message: Message,
  { modSeq, flags }: { readonly modSeq: number; readonly flags: readonly string[] },
): Message => Object.create(message, { modSeq: { value: modSeq }, flags: { value: flags } }) as Message

/** Sets \Seen where it is not, in one write. */
async function markSeen(
  session: Session,
  read: readonly Message[],
): Promise<{ batch: readonly Message[]; changed: ReadonlySet<number> }> {
  const unseen = read.filter((m) => !m.flags.includes('\\Seen')).map((m) => m.uid)
  if (unseen.length === 0) return { batch: read, changed: nobody }
  const { shared } = session.view
  const [result] = await session.write([
    {
      op: 'flags',
      mailbox: shared.id,
      uids: uidSetOf(unseen),
      change: { mode: 'add', flags: ['\\Seen'] },
    },
  ])
  if (result?.op !== 'flags') return { batch: read, changed: nobody }
  const now = new Map(result.changed.map((m) => [m.uid, m]))
  for (const message of result.changed) session.view.tellsItself(message)
  return {
    batch: read.map((m) => {
      const state = now.get(m.uid)
      return state ? withState(m, state) : m
    }),
    changed: new Set(now.keys()),
  }
}
