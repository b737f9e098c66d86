/**
 * The neutral model: one value for a message or report from any interface (MM7, MM4, MM1, Internet mail).
 * Absent and default are different states (MAP-177).
 */
import type { EpochSeconds, Octets, Seconds } from './units.ts'

/** A point in time that remembers how it was written (MAP-066, MAP-141, GEN-004). */
export interface Instant {
  readonly epoch: EpochSeconds
  /** Minutes east of UTC as written; null = the source gave none (RFC 5322 "-0000"). */
  readonly offsetMinutes: number | null
}

/** Expiry, delivery time, reply-charging deadline: MM7 relativeOrAbsoluteDateType. */
export type When =
  | { readonly kind: 'absolute'; readonly at: Instant }
  /** Relative to receivedAt of the message that carries it; resolved once, on receipt (MAP-176). */
  | { readonly kind: 'relative'; readonly seconds: Seconds }

export type AddressKind = 'number' | 'shortcode' | 'mail' | 'ip' | 'unknown'

/** One party: TS 23.140 address types; MM7 Number, RFC2822Address, ShortCode; MM1 "/TYPE=". */
export interface Party {
  readonly kind: AddressKind
  /**
   * number: "+" and 7..15 digits when global, digits only when national or unknown; shortcode: digits;
   * mail: addr-spec with the domain in A-label form; ip: literal.
   */
  readonly value: string
  /** Display name, Unicode, no line breaks. */
  readonly name?: string | undefined
  /** Exactly as received, for ORCPT and audit (RFC 3461 §4.2). */
  readonly raw: string
  /** MM7 displayOnly: shown, not served (MAP-031, MAP-125). */
  readonly displayOnly?: boolean | undefined
  /** MM7 addressCoding (MAP-076). */
  readonly coding?: 'encrypted' | 'obfuscated' | undefined
  /** MM7 id attribute (xs:ID), opaque. */
  readonly xmlId?: string | undefined
  /** RFC 3801 §4.1.1 mailbox extension. */
  readonly extension?: string | undefined
}

export type RecipientField = 'to' | 'cc' | 'bcc'

/** RFC 3461 NOTIFY of one recipient; undefined = parameter absent. */
export type Notify =
  | 'never'
  | { readonly success: boolean; readonly failure: boolean; readonly delay: boolean }

export interface Recipient {
  readonly party: Party
  readonly field: RecipientField
  /** false for displayOnly and header-only mailboxes. */
  readonly serve: boolean
  readonly notify?: Notify | undefined
  /** Decoded ORCPT, for instance { type: 'rfc822', address: '...' }. */
  readonly orcpt?: { readonly type: string; readonly address: string } | undefined
}

export type MessageClass =
  | 'personal'
  | 'advertisement'
  | 'informational'
  | 'auto'
  | { readonly token: string }
export type Priority = 'low' | 'normal' | 'high'
export type Visibility = 'show' | 'hide'
export type Interface = 'mm1' | 'mm3' | 'mm4' | 'mm7-submit' | 'mm7-deliver' | 'store'

export interface ReplyCharging {
  /** X-Mms-Reply-Charging 0x80..0x83; an MM7 ReplyCharging element = requested. */
  readonly state: 'requested' | 'requested-text-only' | 'accepted' | 'accepted-text-only'
  readonly deadline?: When | undefined
  readonly size?: Octets | undefined
  /** X-Mms-Reply-Charging-ID; MM7 ReplyChargingID. */
  readonly id?: string | undefined
}

/** One entry of X-Mms-Previously-Sent-By / -Date-and-Time (MAP-101 to MAP-107, MAP-145 to MAP-151). */
export interface PreviousSend {
  /** 0 = original submission. */
  readonly index: number
  readonly by: readonly Party[]
  readonly at?: Instant | undefined
  /** Only known on the mail side (Resent-To, Resent-Cc, Resent-Message-ID). */
  readonly to?: readonly Party[] | undefined
  readonly cc?: readonly Party[] | undefined
  readonly messageId?: string | undefined
}

export type ContentClass =
  | 'text'
  | 'image-basic'
  | 'image-rich'
  | 'video-basic'
  | 'video-rich'
  | 'megapixel'
  | 'content-basic'
  | 'content-rich'

/** VAS data, never sent to Internet mail (MAP-014). */
export interface VasInfo {
  vaspId?: string | undefined
  vasId?: string | undefined
  serviceCode?: string | undefined
  linkedId?: string | undefined
  relayServerId?: string | undefined
  senderSpi?: string | undefined
  recipientSpi?: string | undefined
  chargedParty?: 'Sender' | 'Recipient' | 'Both' | 'Neither' | 'ThirdParty' | undefined
  chargedPartyId?: string | undefined
  distributionIndicator?: boolean | undefined
  deliveryCondition?: readonly number[] | undefined
  applicId?: string | undefined
  replyApplicId?: string | undefined
  auxApplicInfo?: string | undefined
  contentClass?: ContentClass | undefined
  drmContent?: boolean | undefined
  adaptationAllowed?: boolean | undefined
  uaCapabilities?: { readonly uaProf?: string | undefined; readonly timeStamp?: When | undefined } | undefined
}

export interface Param {
  readonly name: string
  readonly value: string
  readonly language?: string | undefined
  readonly charset?: string | undefined
}

/** A header field: name as written, unfolded value. */
export interface Field {
  readonly name: string
  readonly value: string
}

/** Octets of one body, decoded when asked for; the encoded form is a view on the accepted octets, not a copy. */
export interface Body {
  /** Decoded content. Computed at the first call, then kept. */
  octets(): Uint8Array
  /** The transfer-encoded form as it came, where there is one. */
  readonly encoded?:
    | { readonly encoding: 'base64' | 'quoted-printable'; readonly octets: Uint8Array }
    | undefined
}

/** A MIME node. */
export type Part =
  | {
      readonly kind: 'multi'
      /** 'related', 'mixed', 'alternative' ... in lower case. */
      readonly subtype: string
      readonly params: readonly Param[]
      readonly headers: readonly Field[]
      readonly parts: readonly Part[]
      readonly start?: string | undefined
      readonly rootType?: string | undefined
    }
  | {
      readonly kind: 'leaf'
      /** 'image/jpeg', in lower case. */
      readonly type: string
      readonly params: readonly Param[]
      readonly headers: readonly Field[]
      readonly body: Body
      readonly charset?: string | undefined
    }
  /** Signed, encrypted, DRM: never opened, kept octet for octet (CNT-090). `body` is the whole entity body. */
  | {
      readonly kind: 'opaque'
      readonly type: string
      readonly params: readonly Param[]
      readonly headers: readonly Field[]
      readonly body: Body
    }

export interface NeutralMessage {
  readonly kind: 'message'
  /** Interface it came in by. */
  readonly source: Interface
  /** Key of the peer it came from in Settings.peers; undefined for mail from anywhere. */
  readonly peer?: string | undefined
  readonly receivedAt: EpochSeconds
  readonly queueId: string
  /** Transaction on the incoming interface. */
  readonly transactionId?: string | undefined
  /** RFC 5322 msg-id with brackets (MAP-022 to MAP-026). */
  readonly messageId: string
  /** The MMS-side id: MM7 MessageID, MM4 X-Mms-Message-ID, MM1 0x8B. */
  readonly mmsMessageId?: string | undefined
  readonly version?: string | undefined
  readonly sender: Party
  /** Several From mailboxes (MAP-060); the first is `sender`. */
  readonly from?: readonly Party[] | undefined
  /** SMTP MAIL FROM without brackets; null = "<>"; undefined = the interface has none. */
  readonly returnPath?: string | null | undefined
  readonly envid?: string | undefined
  readonly ret?: 'full' | 'hdrs' | undefined
  readonly recipients: readonly Recipient[]
  readonly subject?: string | undefined
  readonly date: Instant
  readonly class?: MessageClass | undefined
  readonly priority?: Priority | undefined
  readonly expiry?: When | undefined
  /** RFC 2852 as received. */
  readonly deliverBy?:
    | { readonly mode: 'R' | 'N'; readonly trace: boolean; readonly deadline: EpochSeconds }
    | undefined
  readonly earliestDelivery?: When | undefined
  readonly deliveryReport?: boolean | undefined
  /** MM4 X-Mms-Originator-R/S-Delivery-Report. */
  readonly originatorRsReport?: boolean | undefined
  readonly readReply?: boolean | undefined
  /** Disposition-Notification-To, addr-specs (RPT-040). */
  readonly dispositionTo?: readonly string[] | undefined
  readonly senderVisibility?: Visibility | undefined
  readonly replyCharging?: ReplyCharging | undefined
  readonly previous: readonly PreviousSend[]
  readonly forwardCounter?: number | undefined
  /** VPIM or X.400 field, raw value (MAP-157). */
  readonly sensitivity?: string | undefined
  readonly vas: VasInfo
  /** Fields that Table 1 does not list, in order (MAP-003). */
  readonly passThrough: readonly Field[]
  /** Received fields, top first: whole field bodies as they came. */
  readonly trace: readonly string[]
  readonly content?: Part | undefined
}

/** A message while a carrier reads it: the same keys, writable. */
export type NeutralDraft = { -readonly [K in keyof NeutralMessage]?: NeutralMessage[K] } & { vas: VasInfo }

export type DeliveryStatus =
  | 'expired'
  | 'retrieved'
  | 'rejected'
  | 'deferred'
  | 'unrecognised'
  | 'indeterminate'
  | 'forwarded'
  | 'unreachable'
  | 'delivery-condition-not-met'

export interface NeutralReport {
  readonly kind: 'delivery-report' | 'read-report'
  readonly source: Interface
  readonly receivedAt: EpochSeconds
  readonly transactionId?: string | undefined
  /** Id of the original on the reporting side. */
  readonly originalMmsId?: string | undefined
  readonly originalMessageId?: string | undefined
  readonly originalEnvid?: string | undefined
  /** Recipient of the original; Party.raw is what the peer wrote (MAP-170). */
  readonly recipient: Party
  readonly originalRecipient?: { readonly type: string; readonly address: string } | undefined
  /** Where the report goes. */
  readonly destination?: Party | undefined
  readonly at: Instant
  readonly delivery?:
    | {
        readonly status: DeliveryStatus
        readonly raw: string
        readonly by?: 'recipient' | 'other-rs' | undefined
        readonly action?: string | undefined
        readonly enhanced?: string | undefined
        readonly diagnostic?: string | undefined
      }
    | undefined
  readonly read?:
    | {
        readonly status: 'read' | 'deleted' | 'indeterminate'
        readonly actionMode?: 'manual-action' | 'automatic-action' | undefined
        readonly sendingMode?: string | undefined
        readonly raw: string
      }
    | undefined
  readonly text?: string | undefined
  /** Reporting MTA or R/S host. */
  readonly reportingHost?: string | undefined
}
