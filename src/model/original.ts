/** What is kept of an accepted message so that reports about it find their way back (RPT-001, RPT-002). */
import type { Notify, Party } from './neutral.ts'
import type { EpochMs, EpochSeconds, OctetString, Octets } from './units.ts'

/** The message came as mail: reports go back as DSN and MDN. */
export interface MailOrigin {
  readonly kind: 'mail'
  /** MAIL FROM without brackets; null = "<>": nobody is told anything (RPT-010). */
  readonly returnPath: string | null
  /** ENVID, decoded; absent when it was not given. */
  readonly envid?: string | undefined
  readonly ret?: 'full' | 'hdrs' | undefined
  readonly deliverBy?: EpochSeconds | undefined
  /** Value of Future-Release-Request (RFC 4865 §5.1.2): 'for;600', 'until;...'. */
  readonly futureRelease?: string | undefined
  /** addr-specs of Disposition-Notification-To (RPT-040). */
  readonly dispositionTo?: readonly string[] | undefined
  /** The header block as received, with the line end of its last field. */
  readonly header: OctetString
  /** Of the whole original. */
  readonly size: Octets
}

/** The message came from an MMS peer: reports go back as that peer's own. */
export interface MmsOrigin {
  readonly kind: 'mms'
  /** MAIL FROM of the mail that it became; null = "<>". */
  readonly returnPath: string | null
  /** Key of Settings.peers. */
  readonly peer: string
  /** As the peer knows it. */
  readonly sender: Party
  /** The id that the peer knows: SubmitRsp MessageID, X-Mms-Message-ID. */
  readonly mmsMessageId?: string | undefined
  readonly deliveryReport?: boolean | undefined
  readonly readReply?: boolean | undefined
  /** LinkedID of the DeliverReq, for the answer (MM7-067). */
  readonly linkedId?: string | undefined
}

/** A report that was passed on, or that was seen and is not to be passed on twice (RPT-006, MM7-069). */
export interface ReportMark {
  readonly report: 'delivery' | 'read'
  /** 'delivered', 'failed', 'relayed', 'delayed'; of a read report 'displayed' or 'deleted'. */
  readonly outcome: string
  readonly at: EpochMs
}

export interface OriginalRecipient {
  /** Position in NeutralMessage.recipients. */
  readonly index: number
  /** RCPT path as received; for a message from MMS the mail address or number that it went to. */
  readonly address: string
  readonly party: Party
  /** Decoded ORCPT. */
  readonly orcpt?: { readonly type: string; readonly address: string } | undefined
  readonly notify?: Notify | undefined
  readonly blind: boolean
  /** Route target: it names the peer that may report. */
  readonly target: string
  /** The id that this peer gave (SubmitRsp MessageID) or got (X-Mms-Message-ID). */
  readonly peerMessageId?: string | undefined
  readonly reports: readonly ReportMark[]
}

export interface NewOriginal {
  /** Message-ID with brackets, as the mail side knows it; null when a mail had none that could be used. */
  readonly messageId: string | null
  readonly origin: MailOrigin | MmsOrigin
  readonly recipients: readonly OriginalRecipient[]
  /** A report may have to return the content: the octets are kept until every recipient has its last report. */
  readonly keepContent: boolean
  readonly keepUntil: EpochMs
}

export interface OriginalRecord extends Omit<NewOriginal, 'keepContent'> {
  readonly queueId: string
  readonly acceptedAt: EpochMs
  readonly hasContent: boolean
}
