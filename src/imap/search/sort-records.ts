/** The order of SORT, and what it compares of a message (RFC 5256 §3, RFC 5957 §3). */
import type { DigestPart, Message, SortKey as StoredKey, Uid } from '../../store/store.ts'
import { type Collation, sortKey as collationKey, unicodeCasemap } from '../../wire/imap/collation.ts'
import { addressKey, subjectKey } from '../../wire/mime/keys.ts'
import { messageBatches } from '../messages.ts'
import type { Session } from '../session.ts'
import { envelopeValues } from '../sorting/envelope-values.ts'
import {
  type SortCriterion,
  type SortKey,
  type SortRecord,
  sentDate,
  sortFields,
  sortRecords,
} from '../sorting/sort.ts'
import { inTurns, type Paced } from '../turns.ts'
import { uidSetOf } from '../view/uid-list.ts'
import type { Found, SearchScope } from './evaluate.ts'

export interface SortedMessage extends Found, SortRecord {}

/** As the store compares its keys: by the octets of their UTF-8. */
const octets = (key: string): string =>
  /^[\x00-\x7f]*$/.test(key) ? key : Buffer.from(key, 'utf8').toString('latin1')

const ofEnvelope = {
  FROM: 'from',
  TO: 'to',
  CC: 'cc',
  DISPLAYFROM: 'displayFrom',
  DISPLAYTO: 'displayTo',
} as const satisfies Partial<Record<SortKey, string>>

/** The same values that the store keeps as sort keys. */
export function sortRecordOf(
  message: Message,
  criteria: readonly SortCriterion[],
  comparator: Collation,
): SortedMessage {
  const isDefault = comparator === unicodeCasemap
  const record: { -readonly [K in keyof SortedMessage]: SortedMessage[K] } = {
    uid: message.uid,
    modSeq: message.modSeq,
  }
  let envelope: ReturnType<typeof envelopeValues> | undefined
  for (const { key } of criteria)
    switch (key) {
      case 'ARRIVAL':
        record.arrival = message.internalDate
        break
      case 'DATE':
        record.sent = sentDate(message.digest.sentAt, message.internalDate)
        break
      case 'SIZE':
        record.size = message.size
        break
      case 'SUBJECT':
        record.subject = isDefault
          ? octets(subjectKey(message.digest.baseSubject))
          : collationKey(comparator, message.digest.baseSubject)
        break
      default: {
        envelope ??= envelopeValues(message.digest.envelope)
        const field = ofEnvelope[key]
        record[field] = isDefault
          ? octets(addressKey(envelope[field]))
          : collationKey(comparator, envelope[field])
      }
    }
  return record
}

const rowTells: ReadonlySet<SortKey> = new Set(['ARRIVAL', 'SIZE'])

export const needsDigest = (criteria: readonly SortCriterion[]): boolean =>
  criteria.some(({ key }) => !rowTells.has(key))

/** The parts of the digest in which sort keys and dates stand. */
export const sortDigest: readonly DigestPart[] = ['envelope', 'detail']

/** Messages up to which their own rows are read, and not the order of the whole mailbox. */
const fewMessages = 200

/**
 * The messages found, in the order of the criteria; equal ones in that of the mailbox (SO-02). `records`: with what was
 * compared, for a result that goes on changing.
 */
export async function sortFound(
  session: Session,
  found: readonly Found[],
  criteria: readonly SortCriterion[],
  options: { readonly records: boolean; readonly scope?: SearchScope },
): Promise<SortedMessage[]> {
  const { shared } = options.scope ?? session.view
  const { comparator } = session
  // The store's keys are those of the default comparator.
  const stored = comparator === unicodeCasemap && !options.records
  if (stored && found.length > fewMessages) return byStoredKeys(session, found, criteria, shared)
  const records: SortedMessage[] = []
  const uids = uidSetOf(found.map((m) => m.uid))
  const digest = needsDigest(criteria) && sortDigest
  for await (const batch of messageBatches(session, uids, { digest }, shared))
    for (const message of batch) records.push(sortRecordOf(message, criteria, comparator))
  return inTurns(sortRecords(records, criteria))
}

async function byStoredKeys(
  session: Session,
  found: readonly Found[],
  criteria: readonly SortCriterion[],
  { account, id }: SearchScope['shared'],
): Promise<SortedMessage[]> {
  const keys = criteria.map(({ key, reverse }) => ({ by: storedKeys[key], reverse }))
  const order = await session.services.store.read(account, (view) => view.sorted(id, keys))
  return inTurns(inThatOrder(found, order))
}

function* inThatOrder(found: readonly Found[], order: Uint32Array): Paced<SortedMessage[]> {
  const byUid = new Map<Uid, Found>()
  for (const message of found) {
    byUid.set(message.uid, message)
    if (byUid.size % atOnce === 0) yield
  }
  const sorted: SortedMessage[] = []
  for (const [i, uid] of order.entries()) {
    if (i % atOnce === 0) yield
    const message = byUid.get(uid)
    if (message) sorted.push(message)
  }
  return sorted
}

/** Between two pauses. */
const atOnce = 5000

const storedKeys = { ...sortFields, DATE: 'date' } as const satisfies Record<SortKey, StoredKey['by']>
