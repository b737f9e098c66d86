/**
 * What a report has to know of a message. Usually that is read from the message again; where it cannot be read any more (a
 * configuration that takes other numbers, a newer reader, damaged octets) it is taken from the envelope and from what was
 * noted when the message was accepted: its sender is told all the same (QUE-003).
 */
import { mailParty } from '../mapping/addresses.ts'
import { notifyOf, orcptOf } from '../mapping/elements/recipients.ts'
import { fromXtext } from '../mapping/xtext.ts'
import type { NeutralMessage } from '../model/neutral.ts'
import type { QueueEntry } from '../model/queue.ts'
import { isRefusal } from '../model/refusal.ts'
import type { Settings } from '../model/settings.ts'
import type { SmtpEnvelope } from '../model/smtp-envelope.ts'
import type { Correlation } from '../queue/correlation.ts'

/** Of each recipient its party and what was asked for; by its index. */
type RecipientFacts = Pick<NeutralMessage['recipients'][number], 'party' | 'notify' | 'orcpt' | 'field'>

export interface MailFacts
  extends Pick<NeutralMessage, 'deliverBy' | 'envid' | 'ret' | 'messageId' | 'dispositionTo'> {
  readonly recipients: readonly (RecipientFacts | undefined)[]
}

export interface MmsFacts
  extends Pick<
    NeutralMessage,
    'source' | 'peer' | 'sender' | 'mmsMessageId' | 'messageId' | 'deliveryReport'
  > {
  readonly recipients: readonly (Pick<RecipientFacts, 'party'> | undefined)[]
}

/** Whether the header names a recipient is not known: each is told of apart from the others (SEC-040). */
export function mailFacts({ mailFrom, rcptTo }: SmtpEnvelope, settings: Settings): MailFacts {
  const { ENVID, RET } = mailFrom.params
  const ret = RET?.toLowerCase()
  return {
    envid: ENVID === undefined ? undefined : fromXtext(ENVID),
    ret: ret === 'full' || ret === 'hdrs' ? ret : undefined,
    messageId: '',
    recipients: rcptTo.map(({ path, params }) => {
      const party = mailParty(path, settings)
      return {
        party: isRefusal(party) ? { kind: 'unknown', value: path, raw: path } : party,
        notify: notifyOf(params.NOTIFY),
        orcpt: orcptOf(params.ORCPT),
        field: 'bcc',
      }
    }),
  }
}

/** undefined: nothing was noted of it. */
export async function mmsFacts(
  { queueId, origin }: QueueEntry,
  originals: Pick<Correlation, 'byQueueId'>,
): Promise<MmsFacts | undefined> {
  const original = await originals.byQueueId(queueId)
  if (original?.origin.kind !== 'mms') return undefined
  const { peer, sender, mmsMessageId, deliveryReport } = original.origin
  return {
    source:
      origin.carrier !== 'mm7' ? 'mm4' : origin.operation === 'SubmitReq' ? 'mm7-submit' : 'mm7-deliver',
    peer,
    sender,
    mmsMessageId,
    messageId: original.messageId ?? '',
    deliveryReport,
    recipients: indexed(original.recipients),
  }
}

function indexed<T extends { readonly index: number }>(items: readonly T[]): (T | undefined)[] {
  const list: (T | undefined)[] = []
  for (const item of items) list[item.index] = item
  return list
}
