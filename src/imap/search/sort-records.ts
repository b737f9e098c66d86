/** What SORT compares of the messages that were found (RFC 5256 §3, RFC 5957 §3). */
import type { Message } from '../../store/store.ts'
import { sortKey, unicodeCasemap } from '../../wire/imap/collation.ts'
import { messageBatches } from '../messages.ts'
import type { Session } from '../session.ts'
import { envelopeValues } from '../sorting/envelope-values.ts'
import { type SortCriterion, type SortKey, type SortRecord, sentDate, sortRecords } from '../sorting/sort.ts'
import { uidSetOf } from '../view/uid-list.ts'
import type { Found, SearchScope } from './evaluate.ts'

export interface SortedMessage extends Found, SortRecord {}

const collated = (text: string): string => sortKey(unicodeCasemap, text)

const ofEnvelope = {
  FROM: 'from',
  TO: 'to',
  CC: 'cc',
  DISPLAYFROM: 'displayFrom',
  DISPLAYTO: 'displayTo',
} as const satisfies Partial<Record<SortKey, string>>

export function sortRecordOf(message: Message, criteria: readonly SortCriterion[]): SortedMessage {
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
        record.subject = collated(message.digest.baseSubject)
        break
      default: {
        envelope ??= envelopeValues(message.digest.envelope)
        const field = ofEnvelope[key]
        record[field] = collated(envelope[field])
      }
    }
  return record
}

const rowTells: ReadonlySet<SortKey> = new Set(['ARRIVAL', 'SIZE'])

export const needsDigest = (criteria: readonly SortCriterion[]): boolean =>
  criteria.some(({ key }) => !rowTells.has(key))

/** The messages found, in the order of the criteria; equal ones in that of the mailbox (SO-02). */
export async function sortFound(
  session: Session,
  found: readonly Found[],
  criteria: readonly SortCriterion[],
  scope: SearchScope = session.view,
): Promise<SortedMessage[]> {
  const records: SortedMessage[] = []
  const uids = uidSetOf(found.map((m) => m.uid))
  for await (const batch of messageBatches(session, uids, { digest: needsDigest(criteria) }, scope.shared))
    for (const message of batch) records.push(sortRecordOf(message, criteria))
  return sortRecords(records, criteria)
}
