/**
 * The criteria of SEARCH over the messages of a view (RFC 3501 §6.4.4). What a row tells is looked at first; the text of a
 * message is read only where that leaves the answer open.
 */
import type { Message, ModSeq, Uid } from '../../store/store.ts'
import type { DateKey, SearchKey } from '../../wire/imap/search-keys.ts'
import { type SearchableText, searchableText } from '../../wire/mime/search-text.ts'
import { messageBatches } from '../messages.ts'
import type { Session } from '../session.ts'
import { contains, type Msn } from '../view/uid-list.ts'
import { fold } from './fold.ts'

export interface Found {
  readonly uid: Uid
  readonly modSeq: ModSeq
}

/** undefined: the row alone does not tell. */
type Test = (message: Message, text: SearchableText | undefined) => boolean | undefined

interface Plan {
  readonly test: Test
  /** Needs the Date field. */
  readonly digest: boolean
}

/** Matching messages of the view, in mailbox order (SR-16, SR-17). Strings of the criteria are UTF-8 octets. */
export async function evaluate(session: Session, search: SearchKey): Promise<Found[]> {
  const { view } = session
  const plan = planOf(session, search)
  const found: Found[] = []
  for await (const batch of messageBatches(session, view.uids.set, { digest: plan.digest })) {
    for (const message of batch) {
      if (view.uids.msnOf(message.uid) === 0) continue
      const known = plan.test(message, undefined)
      const matches = known ?? plan.test(message, await textOf(session, message)) ?? false
      if (matches) found.push({ uid: message.uid, modSeq: message.modSeq })
    }
    await turn()
  }
  return found
}

/** Lets other sessions run between batches (SC-40). */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

async function textOf(session: Session, message: Message): Promise<SearchableText> {
  return searchableText(await session.services.store.readBlob(message.blob))
}

function planOf(session: Session, search: SearchKey): Plan {
  const { view } = session
  const now = session.services.now()
  // MSNs of the criteria mean the view as it is now (CX-19).
  const uids = (set: readonly { from: Msn; to: Msn }[]) =>
    set.flatMap(({ from, to }) =>
      from > view.exists ? [] : [...view.uids.slice(Math.max(from, 1), Math.min(to, view.exists))],
    )
  let digest = false
  const build = (key: SearchKey): Test => {
    switch (key.key) {
      case 'all':
        return () => true
      case 'recent':
        return (m) => view.isRecent(m.uid)
      case 'result': {
        const saved = view.result
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
        const set = uids(view.ranges(key.set, view.exists))
        return (m) => contains(set, m.uid)
      }
      case 'uid': {
        const set = view.ranges(key.set, view.uids.last)
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
  return { test, digest }
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
