/**
 * The criteria of SEARCH over the messages of a view (RFC 3501 §6.4.4). What a row tells is looked at first; the text of a
 * message is read only where that leaves the answer open.
 */
import type { EpochMs } from '../../model/units.ts'
import type { AccountId, MailboxId, Message, ModSeq, Uid, UidSet } from '../../store/store.ts'
import type { DateKey, SearchKey } from '../../wire/imap/search-keys.ts'
import { type SearchableText, searchableText } from '../../wire/mime/search-text.ts'
import { messageBatches } from '../messages.ts'
import type { Session } from '../session.ts'
import { contains, type Msn, rangesOf, type UidList } from '../view/uid-list.ts'
import { fold } from './fold.ts'

export interface Found {
  readonly uid: Uid
  readonly modSeq: ModSeq
}

/** What is searched: the view of a session, or a mailbox that is not selected. */
export interface SearchScope {
  readonly shared: { readonly account: AccountId; readonly id: MailboxId }
  readonly uids: UidList
  readonly result: UidSet
  isRecent(uid: Uid): boolean
}

/** undefined: the row alone does not tell. */
type Test = (message: Message, text: SearchableText | undefined) => boolean | undefined

/** The criteria for one message at a time. */
export interface MessageTest {
  /** Needs the digest of the message. */
  readonly digest: boolean
  readonly matches: (message: Message) => boolean | Promise<boolean>
  /** OLDER and YOUNGER count from this instant on (RFC 5032). */
  readonly setNow: (now: EpochMs) => void
}

/** Numbers in the criteria and `$` mean what they mean now (CX-19), and so does the time until setNow. */
export function messageTest(session: Session, search: SearchKey, scope: SearchScope): MessageTest {
  const { test, digest, setNow } = planOf(session, search, scope)
  return {
    digest,
    setNow,
    matches: (message) =>
      test(message, undefined) ?? textOf(session, message).then((text) => test(message, text) ?? false),
  }
}

/** Matching messages of the scope, in mailbox order (SR-16, SR-17). Strings of the criteria are UTF-8 octets. */
export function evaluate(
  session: Session,
  search: SearchKey,
  scope: SearchScope = session.view,
): Promise<Found[]> {
  return findMessages(session, messageTest(session, search, scope), scope)
}

export async function findMessages(
  session: Session,
  { digest, matches }: MessageTest,
  scope: SearchScope = session.view,
): Promise<Found[]> {
  const found: Found[] = []
  for await (const batch of messageBatches(session, scope.uids.set, { digest }, scope.shared)) {
    for (const message of batch) {
      if (scope.uids.msnOf(message.uid) === 0) continue
      const matched = matches(message)
      if (matched === true || (matched !== false && (await matched)))
        found.push({ uid: message.uid, modSeq: message.modSeq })
    }
    await turn()
  }
  return found
}

/** Lets other sessions run between batches (SC-40). */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Several criteria may ask for the text of one message. */
const texts = new WeakMap<Message, Promise<SearchableText>>()

function textOf(session: Session, message: Message): Promise<SearchableText> {
  const known = texts.get(message)
  if (known) return known
  const text = session.services.store.readBlob(message.blob).then(searchableText)
  texts.set(message, text)
  return text
}

interface Plan {
  readonly test: Test
  /** Needs the Date field. */
  readonly digest: boolean
  readonly setNow: (now: EpochMs) => void
}

function planOf(session: Session, search: SearchKey, scope: SearchScope): Plan {
  const exists = scope.uids.length
  let now = session.services.now()
  // MSNs of the criteria mean the view as it is now (CX-19).
  const uids = (set: readonly { from: Msn; to: Msn }[]) =>
    set.flatMap(({ from, to }) =>
      from > exists ? [] : [...scope.uids.slice(Math.max(from, 1), Math.min(to, exists))],
    )
  let digest = false
  const build = (key: SearchKey): Test => {
    switch (key.key) {
      case 'all':
        return () => true
      case 'recent':
        return (m) => scope.isRecent(m.uid)
      case 'result': {
        const saved = scope.result
        return (m) => contains(saved, m.uid)
      }
      case 'and': {
        const tests = key.keys.map(build)
        return (m, t) => {
          let all: boolean | undefined = true
          for (const test of tests) {
            const result = test(m, t)
            if (result === false) return false
            if (result === undefined) all = undefined
          }
          return all
        }
      }
      case 'or': {
        const tests = key.keys.map(build)
        return (m, t) => {
          let any: boolean | undefined = false
          for (const test of tests) {
            const result = test(m, t)
            if (result === true) return true
            if (result === undefined) any = undefined
          }
          return any
        }
      }
      case 'not': {
        const test = build(key.inner)
        return (m, t) => {
          const result = test(m, t)
          return result === undefined ? undefined : !result
        }
      }
      case 'flag': {
        const flag = key.flag.toLowerCase()
        return (m) => m.flags.some((f) => f.toLowerCase() === flag)
      }
      case 'msn': {
        const set = uids(rangesOf(key.set, exists))
        return (m) => contains(set, m.uid)
      }
      case 'uid': {
        const set = rangesOf(key.set, scope.uids.last)
        return (m) => contains(set, m.uid)
      }
      case 'larger':
        return (m) => m.size > key.octets
      case 'smaller':
        return (m) => m.size < key.octets
      case 'older':
        return (m) => m.internalDate <= now - key.seconds * 1000
      case 'younger':
        return (m) => m.internalDate >= now - key.seconds * 1000
      case 'modseq':
        return (m) => m.modSeq >= key.modSeq
      case 'emailid':
        return (m) => m.emailId === key.id
      case 'threadid':
        return () => false
      case 'header':
        return headerTest(key.field, unicode(key.text))
      case 'body':
      case 'text': {
        const needle = fold(unicode(key.text))
        const whole = key.key === 'text'
        return (_, t) => t && (fold(t.body).includes(needle) || (whole && fold(t.header).includes(needle)))
      }
      default: {
        if (key.key.startsWith('sent')) digest = true
        return dateTest(key.key, key.date)
      }
    }
  }
  const test = build(search)
  const setNow = (at: EpochMs): void => {
    now = at
  }
  return { test, digest, setNow }
}

const unicode = (octets: string): string => Buffer.from(octets, 'latin1').toString('utf8')

/** An empty text matches every message that has the field (SR-06). */
function headerTest(field: string, wanted: string): Test {
  const name = field.toLowerCase()
  const needle = fold(wanted)
  return (_, text) =>
    text?.header.split('\n').some((line) => {
      const colon = line.indexOf(':')
      return line.slice(0, colon).toLowerCase() === name && fold(line.slice(colon + 2)).includes(needle)
    })
}

const dayMs = 86_400_000

/** Dates without time and zone; the Date field counts as it is written (SR-09, SR-10). */
function dateTest(key: DateKey, date: number): Test {
  const day = (m: Message): number => {
    if (key.startsWith('sent')) {
      const { sentAt, sentOffsetMinutes } = m.digest
      return Math.floor(
        (sentAt === null ? m.internalDate : sentAt + (sentOffsetMinutes ?? 0) * 60_000) / dayMs,
      )
    }
    return Math.floor((key.startsWith('saved') ? m.savedAt : m.internalDate) / dayMs)
  }
  const wanted = Math.floor(date / dayMs)
  if (key.endsWith('before')) return (m) => day(m) < wanted
  if (key.endsWith('on')) return (m) => day(m) === wanted
  return (m) => day(m) >= wanted
}
