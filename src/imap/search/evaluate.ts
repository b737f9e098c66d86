/**
 * The criteria of SEARCH over the messages of a view (RFC 3501 §6.4.4). What a row and the store's index tell is looked at
 * first; the text of a message is read only where that leaves the answer open.
 */
import { Fault } from '../../model/fault.ts'
import type { EpochMs } from '../../model/units.ts'
import type { AccountId, MailboxId, Message, ModSeq, SearchTerm, Uid, UidSet } from '../../store/store.ts'
import { substringOf, unicodeCasemap } from '../../wire/imap/collation.ts'
import type { DateKey, SearchKey } from '../../wire/imap/search-keys.ts'
import { headerHolds, type SearchableText } from '../../wire/mime/search-text.ts'
import { shownSize } from '../fetch/shown-form.ts'
import { messageBatches } from '../messages.ts'
import type { Session } from '../session.ts'
import { inTurns, type Paced, Turns } from '../turns.ts'
import { contains, UidList, uidsOf } from '../view/uid-list.ts'
import { withFilters } from './filters.ts'
import { type MessageText, TextAnswers, textOf } from './message-texts.ts'
import { narrowed } from './narrow.ts'
import { ofMsns, openRanges } from './numbers.ts'
import { TextHits } from './text-hits.ts'

export interface Found {
  readonly uid: Uid
  readonly modSeq: ModSeq
}

/** What is searched: the view of a session, or a mailbox that is not selected. */
export interface SearchScope {
  readonly shared: { readonly account: AccountId; readonly id: MailboxId; readonly uids: UidList }
  readonly uids: UidList
  readonly result: UidSet
  isRecent(uid: Uid): boolean
  readonly recentSet: UidSet
}

/** Each of them may have to go through the whole of a large message (SC-35). */
const maxTexts = 200

/** undefined: the row alone does not tell. */
type Test = (message: Message, texts: TextAnswers | undefined) => boolean | undefined

/** A text criterion. */
type TextTest = (text: MessageText) => boolean | Paced<boolean>

/** The criteria for one message at a time. */
export interface MessageTest {
  /** The criteria, with filters put in. */
  readonly search: SearchKey
  /** Needs the Date field. */
  readonly digest: boolean
  /** Needs the thread of the message. */
  readonly threadId: boolean
  readonly matches: (message: Message) => boolean | Promise<boolean>
  /** Criteria that the store can answer; the store is asked before a whole mailbox is gone through. */
  readonly texts: readonly TextHits[]
  /** Those of them that a message must match to match at all. */
  readonly needed: readonly TextHits[]
  /** OLDER and YOUNGER count from this instant on (RFC 5032). */
  readonly setNow: (now: EpochMs) => void
}

/**
 * Numbers in the criteria and `$` mean what they mean now (CX-19), and so does the time until setNow.
 * @throws Fault answered UNDEFINED-FILTER
 */
export async function messageTest(
  session: Session,
  asked: SearchKey,
  scope: SearchScope,
): Promise<MessageTest> {
  const search = await withFilters(session, asked)
  const { test, textTests, ...plan } = planOf(session, search, scope)
  const turns = new Turns()
  const byText = async (message: Message): Promise<boolean> => {
    const text = await textOf(session, message)
    const answers = new TextAnswers()
    for (;;) {
      const matches = test(message, answers)
      if (matches !== undefined) return matches
      const { missing } = answers
      const textTest = missing === undefined ? undefined : textTests[missing]
      if (missing === undefined || !textTest) return false
      const answer = textTest(text)
      answers.set(missing, typeof answer === 'boolean' ? answer : await inTurns(answer, turns))
      if (turns.isDue) await turns.give()
    }
  }
  return { ...plan, search, matches: (message) => test(message, undefined) ?? byText(message) }
}

/** Matching messages of the scope, in mailbox order (SR-16, SR-17). Strings of the criteria are UTF-8 octets. */
export async function evaluate(
  session: Session,
  search: SearchKey,
  scope: SearchScope = session.view,
): Promise<Found[]> {
  return findMessages(session, await messageTest(session, search, scope), scope)
}

export async function findMessages(
  session: Session,
  { search, digest, threadId, matches, texts, needed }: MessageTest,
  scope: SearchScope = session.view,
): Promise<Found[]> {
  const { account, id } = scope.shared
  const narrow = await narrowed(session, search, scope)
  // Numbers and flags alone: no message need be looked at; those that are gone are left out.
  if (narrow.exact) return Array.from(uidsOf(narrow.uids), (uid) => ({ uid, modSeq: 0 }))
  if (narrow.uids.length === 0) return []
  for (const hits of texts) {
    await hits.ask(session.services.store, account, id)
    await turn()
  }
  let { uids } = narrow
  for (const hits of needed) uids = UidList.of(uids).intersect(hits.candidates())
  const query = { digest: digest ? (['detail'] as const) : false, threadId }
  const found: Found[] = []
  const turns = new Turns()
  for await (const batch of messageBatches(session, uids, query, scope.shared)) {
    for (const message of batch) {
      if (scope.uids.msnOf(message.uid) === 0) continue
      const matched = matches(message)
      if (matched === true || (matched !== false && (await matched)))
        found.push({ uid: message.uid, modSeq: message.modSeq })
      if (turns.isDue) await turns.give()
    }
    await turn()
  }
  return found
}

/** Lets other sessions run between batches (SC-40). */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

interface Plan extends Omit<MessageTest, 'matches' | 'search'> {
  readonly test: Test
  readonly textTests: readonly TextTest[]
}

function planOf(session: Session, search: SearchKey, scope: SearchScope): Plan {
  let now = session.services.now()
  // MSNs of the criteria mean the view as it is now (CX-19).
  let digest = false
  const texts: TextHits[] = []
  const { comparator } = session
  const isDefault = comparator === unicodeCasemap
  const textTests: TextTest[] = []
  const textTest = (term: SearchTerm, test: TextTest): Test => {
    const hits = new TextHits(term)
    texts.push(hits)
    const number = textTests.push(test) - 1
    if (isDefault || 'id' in term) return (m, t) => hits.known(m.uid) ?? t?.of(number)
    // Every other comparator finds less than the default one, by which the store knows.
    return (m, t) => (hits.known(m.uid) === false ? false : t?.of(number))
  }
  let threadId = false
  /** No text tells it, but the row does, of messages that came after the store was asked too. */
  const byThread = (id: string): Test => {
    const hits = new TextHits({ in: 'thread-id', id })
    texts.push(hits)
    return (m) => hits.known(m.uid) ?? m.threadId === id
  }
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
        const set = ofMsns(key.set, scope.uids)
        return (m) => contains(set, m.uid)
      }
      case 'uid': {
        const set = openRanges(key.set, scope.uids.last)
        return (m) => contains(set, m.uid)
      }
      case 'larger':
        return (m) => shownSize(m, session) > key.octets
      case 'smaller':
        return (m) => shownSize(m, session) < key.octets
      case 'older':
        return (m) => second(m.internalDate) <= second(now) - key.seconds
      case 'younger':
        return (m) => second(m.internalDate) >= second(now) - key.seconds
      case 'modseq':
        return (m) => m.modSeq >= key.modSeq
      case 'emailid':
        return (m) => m.emailId === key.id
      case 'threadid':
        threadId = true
        return byThread(key.id)
      case 'header': {
        const { field } = key
        const needle = unicode(key.text)
        return textTest({ in: 'header', field, needle }, ({ plain }) =>
          isDefault
            ? headerHolds(plain, field, needle)
            : fieldHolds(plain, field, substringOf(comparator, needle)),
        )
      }
      case 'body':
      case 'text': {
        const scope = key.key
        const needle = unicode(key.text)
        return textTest({ in: scope, needle }, (text) => {
          if (isDefault) return text.holds(scope, needle)
          const holds = substringOf(comparator, needle)
          return holds(text.plain.body) || (scope === 'text' && holds(text.plain.header))
        })
      }
      case 'filter':
        // Every one was put in before (withFilters).
        return () => false
      default: {
        if (key.key.startsWith('sent')) digest = true
        return dateTest(key.key, key.date)
      }
    }
  }
  const test = build(search)
  if (texts.length > maxTexts) throw new Fault('limit', `at most ${maxTexts} criteria look for text`)
  const setNow = (at: EpochMs): void => {
    now = at
  }
  const must = neededTexts(search)
  const needed = texts.filter((_, i) => must[i])
  return { test, textTests, digest, threadId, texts, needed, setNow }
}

/** headerHolds() by any comparator. */
function fieldHolds(text: SearchableText, field: string, holds: (value: string) => boolean): boolean {
  const start = `${field.toUpperCase()}: `
  return text.header
    .split('\n')
    .some((line) => line.slice(0, start.length).toUpperCase() === start && holds(line.slice(start.length)))
}

/** For each text criterion, in the order of the tree, whether the whole can only hold when it does. */
function neededTexts(key: SearchKey, needed = true): boolean[] {
  switch (key.key) {
    case 'and':
    case 'or':
      return key.keys.flatMap((each) => neededTexts(each, needed && key.key === 'and'))
    case 'not':
      return neededTexts(key.inner, false)
    case 'threadid':
    case 'header':
    case 'body':
    case 'text':
      return [needed]
    default:
      return []
  }
}

const unicode = (octets: string): string => Buffer.from(octets, 'latin1').toString('utf8')

/** INTERNALDATE as clients know it, and as OLDER and YOUNGER compare it (RFC 5032 §2). */
const second = (at: EpochMs): number => Math.floor(at / 1000)

const dayMs = 86_400_000

/** INTERNALDATE as it is shown. */
const arrivedAt = (m: Message): number => m.internalDate + m.internalOffsetMinutes * 60_000

/** Dates without time and zone; the Date field counts as it is written (SR-09, SR-10). */
function dateTest(key: DateKey, date: number): Test {
  const day = (m: Message): number => {
    if (key.startsWith('sent')) {
      const { sentAt, sentOffsetMinutes } = m.digest
      return Math.floor((sentAt === null ? arrivedAt(m) : sentAt + (sentOffsetMinutes ?? 0) * 60_000) / dayMs)
    }
    return Math.floor((key.startsWith('saved') ? m.savedAt : arrivedAt(m)) / dayMs)
  }
  const wanted = Math.floor(date / dayMs)
  if (key.endsWith('before')) return (m) => day(m) < wanted
  if (key.endsWith('on')) return (m) => day(m) === wanted
  return (m) => day(m) >= wanted
}
