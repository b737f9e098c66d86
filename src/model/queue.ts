/** What the durable queue holds: an accepted message, its deliveries, and each recipient's fate. */

import type { ComputedDigest } from './message-digest.ts'
import type { NeutralMessage, NeutralReport } from './neutral.ts'
import type { NewOriginal, ReportMark } from './original.ts'
import type { SmtpEnvelope } from './smtp-envelope.ts'
import type { EpochMs, Octets } from './units.ts'

/** How an accepted message came, and what beside its octets is needed to read it again. */
export type Origin =
  /** RFC 5322 octets. `own` = made by this gateway (DSN, notice): sent as it is, never answered by a report. */
  | {
      readonly carrier: 'mail'
      readonly envelope: SmtpEnvelope
      readonly own?: boolean | undefined
      /** Of the MM that it answers (MM7-067). */
      readonly linkedId?: string | undefined
    }
  /** The octets of an MM4_forward.REQ from this peer. */
  | { readonly carrier: 'mm4'; readonly peer: string; readonly envelope: SmtpEnvelope }
  /** The HTTP body of an MM7 SubmitReq or DeliverReq. */
  | {
      readonly carrier: 'mm7'
      readonly peer: string
      readonly ip: string
      readonly contentType: string
      readonly operation: string
      readonly receivedAt: EpochMs
    }
  /**
   * Reports towards MMS: recipient `index` of a delivery is `reports[index]`, and every delivery has one. Never answered by a
   * report (RPT-056). `envelope`: of the DSN or MDN that they were made from, whose octets the entry holds; absent when this
   * gateway reports on its own: then there is no trace field (GEN-002).
   */
  | {
      readonly carrier: 'report'
      readonly reports: readonly NeutralReport[]
      readonly envelope?: SmtpEnvelope | undefined
    }

export interface EnhancedStatus {
  /** '5.1.1' (RFC 3463). */
  readonly code: string
  /** One line for people: an SMTP reply, an MM7 status. */
  readonly text: string
}

export type Fate = 'delivered' | 'relayed' | 'failed' | 'expired' | 'cancelled'
export type RecipientState = 'pending' | 'deferred' | Fate

export interface DeliveryRecipient {
  /** Position in NeutralMessage.recipients (MMS origins) or in the envelope's rcptTo (mail). */
  readonly index: number
  /** The address as this gateway serves it; for lists and logs. */
  readonly address: string
  /** For target `store`: the account and mailbox that receives. */
  readonly account?: string | undefined
}

/** One copy for one next hop and report group (ADR-043, MAP-135). */
export interface NewDelivery {
  /** A route target: 'store', 'mm7-submit:mmsc', 'smtp:relay', 'mx' ... */
  readonly target: string
  readonly recipients: readonly DeliveryRecipient[]
  /** Not before this instant (QUE-020). */
  readonly dueAt: EpochMs
  /** Give up at this instant. */
  readonly expiresAt: EpochMs
}

export interface NewQueueEntry {
  readonly queueId: string
  readonly receivedAt: EpochMs
  readonly origin: Origin
  /** The accepted octets, in order. Ownership passes to the spool: the caller must not change them. */
  readonly octets: readonly Uint8Array[]
  /** Null reverse-path or address; for lists. */
  readonly sender: string
  readonly mmsMessageId?: string | undefined
  readonly deliveries: readonly NewDelivery[]
  /** MM7-060: (peer, VASPID, TransactionID) and the hash of the body, with the answer to repeat for 24 h. */
  readonly duplicateKey?:
    | { readonly key: string; readonly hash: string; readonly response: string }
    | undefined
  /** What reports about this message will be matched with: written in the same transaction (RPT-001). */
  readonly original?: NewOriginal | undefined
  /** Its sender asked for it to be held (RFC 4865). */
  readonly hold?: SenderHold | undefined
  /** Reports that this entry passes on, or that end with it (RPT-006). */
  readonly marks?: readonly NewReportMark[] | undefined
}

export interface SenderHold {
  /** Account that submitted it. */
  readonly submitter: string
  readonly releaseAt: EpochMs
  /** The date that was named, if one was; an interval is kept without. */
  readonly until?: EpochMs | undefined
}

export interface NewReportMark extends ReportMark {
  /** Of the original, and the recipient's index there. */
  readonly queueId: string
  readonly index: number
}

export interface QueueEntry {
  readonly queueId: string
  readonly receivedAt: EpochMs
  readonly origin: Origin
  readonly size: Octets
  readonly sender: string
  readonly mmsMessageId?: string | undefined
}

export interface RecipientRecord extends DeliveryRecipient {
  readonly state: RecipientState
  readonly status?: EnhancedStatus | undefined
  readonly settledAt?: EpochMs | undefined
  /** When its sender was last told that it is late (RPT-015). */
  readonly delayReportedAt?: EpochMs | undefined
}

/** `dead-letter`: what became of an attempt could not be written; the operator has to look. */
export type HeldBy = 'operator' | 'dead-letter'

export interface Held {
  readonly by: HeldBy
  readonly reason: string
  readonly at: EpochMs
}

export interface DeliveryRecord {
  readonly deliveryId: number
  /** 0-based number of the delivery within its entry; the scope of its Ids. */
  readonly number: number
  readonly entry: QueueEntry
  readonly target: string
  /** All recipients of the delivery; those still to serve are 'pending' or 'deferred'. */
  readonly recipients: readonly RecipientRecord[]
  readonly attempts: number
  readonly dueAt: EpochMs
  readonly expiresAt: EpochMs
  /** Not tried until the operator lets it go (QUE-054). */
  readonly held?: Held | undefined
  /** The id the peer gave (MM7 SubmitRsp MessageID), for reports. */
  readonly peerMessageId?: string | undefined
}

/** What one attempt did for one recipient. */
export interface Outcome {
  readonly index: number
  readonly state: 'delivered' | 'relayed' | 'deferred' | 'failed' | 'expired'
  readonly status: EnhancedStatus
  /** Diagnostic-Code of RFC 3464 §2.3.6: type and text, e.g. 'smtp' and '550 5.1.1 no such user'. */
  readonly diagnostic?: { readonly type: 'smtp' | 'x-mm7' | 'x-mm4'; readonly text: string } | undefined
  readonly remoteMta?: string | undefined
  /** What the next hop that took it offers: who reports from there on depends on it (RFC 3461 §5.2.2, RFC 2852 §4.1.4). */
  readonly hop?: { readonly dsn: boolean; readonly deliverBy: boolean } | undefined
  /** The id that the peer gave for this recipient, where an attempt made several requests (MM7 3003). */
  readonly peerMessageId?: string | undefined
}

/** One message to be put into a mailbox, with everything FETCH will be asked for. */
export interface NewMessage {
  readonly octets: readonly Uint8Array[]
  readonly digest: ComputedDigest
  readonly internalDate: EpochMs
  /** Minutes east of UTC, -1439 to 1439, in which INTERNALDATE was given and is shown; absent: UTC (AP-09). */
  readonly internalOffsetMinutes?: number | undefined
  readonly flags: readonly string[]
}

/** Delivery into a mailbox of the embedded store, done in the transaction that settles the queue (QUE-060). */
export interface MailboxDelivery {
  readonly account: string
  /** Mailbox name, UTF-8; created when it does not exist. */
  readonly mailbox: string
  readonly message: NewMessage
}

export interface Settlement {
  readonly deliveryId: number
  readonly outcomes: readonly Outcome[]
  /** Next attempt for what is deferred; absent when nothing is. */
  readonly nextDueAt?: EpochMs | undefined
  readonly peerMessageId?: string | undefined
  readonly mailbox?: readonly MailboxDelivery[] | undefined
  /** Reports that the outcomes call for: enqueued in the same transaction. */
  readonly reports?: readonly NewQueueEntry[] | undefined
  /** Recipients whose sender is told now that they are late. */
  readonly delayReported?: readonly number[] | undefined
  readonly now: EpochMs
}

/** A message read again from the accepted octets. */
export type AcceptedMessage = NeutralMessage
