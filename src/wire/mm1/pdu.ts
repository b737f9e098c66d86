/** MM1 PDUs as values (OMA MMS ENC 1.0 to 1.3). Codes of one octet stay numbers, 0x80 to 0xFF; text is Unicode. */
import type { Param } from '../../model/neutral.ts'

/** By number (MAP-221). */
export const pduTypes = {
  128: 'm-send-req',
  129: 'm-send-conf',
  130: 'm-notification-ind',
  131: 'm-notifyresp-ind',
  132: 'm-retrieve-conf',
  133: 'm-acknowledge-ind',
  134: 'm-delivery-ind',
  135: 'm-read-rec-ind',
  136: 'm-read-orig-ind',
  137: 'm-forward-req',
  138: 'm-forward-conf',
} as const
export type PduType = (typeof pduTypes)[keyof typeof pduTypes]

export interface ContentType {
  /** In lower case. */
  readonly type: string
  /** Names in lower case. */
  readonly params: readonly Pick<Param, 'name' | 'value'>[]
}

export type Mm1When = { readonly absolute: number } | { readonly relative: number }

export interface Mm1Headers {
  readonly bcc?: readonly string[]
  readonly cc?: readonly string[]
  readonly contentLocation?: string
  /** Seconds since 1970. */
  readonly date?: number
  readonly deliveryReport?: number
  readonly deliveryTime?: Mm1When
  readonly expiry?: Mm1When
  /** null = insert-address-token. */
  readonly from?: string | null
  readonly messageClass?: number | string
  /** Without angle brackets. */
  readonly messageId?: string
  /** '1.2'. */
  readonly version?: string
  readonly messageSize?: number
  readonly priority?: number
  readonly readReport?: number
  readonly reportAllowed?: number
  readonly responseStatus?: number
  readonly responseText?: string
  readonly senderVisibility?: number
  readonly status?: number
  readonly subject?: string
  readonly to?: readonly string[]
  readonly transactionId?: string
  readonly retrieveStatus?: number
  readonly retrieveText?: string
  readonly readStatus?: number
  readonly replyCharging?: number
  readonly replyChargingDeadline?: Mm1When
  readonly replyChargingId?: string
  readonly replyChargingSize?: number
  readonly previouslySentBy?: readonly { readonly index: number; readonly address: string }[]
  readonly previouslySentDate?: readonly { readonly index: number; readonly date: number }[]
  readonly store?: number
  readonly mmState?: number
  readonly storeStatus?: number
  readonly storeStatusText?: string
  readonly distributionIndicator?: number
  readonly statusText?: string
  readonly applicId?: string
  readonly replyApplicId?: string
  readonly auxApplicInfo?: string
  readonly contentClass?: number
  readonly drmContent?: number
  readonly adaptationAllowed?: number
  readonly replaceId?: string
  readonly cancelId?: string
  readonly cancelStatus?: number
}

/** A header that has no field above: its code (0x80 to 0xFF) and the octets of its value. */
export interface OtherHeader {
  readonly code: number
  readonly octets: Uint8Array
}

export interface Mm1Part {
  readonly contentType: ContentType
  /** Without brackets and quotes. */
  readonly contentId?: string
  readonly contentLocation?: string
  readonly disposition?: { readonly type: string; readonly params: readonly Pick<Param, 'name' | 'value'>[] }
  /** Headers written out as text, such as Content-Transfer-Encoding. */
  readonly headers: readonly { readonly name: string; readonly value: string }[]
  readonly body: Mm1Body
}

export type Mm1Body =
  | { readonly kind: 'octets'; readonly octets: Uint8Array }
  /** A multipart of WSP. */
  | { readonly kind: 'parts'; readonly parts: readonly Mm1Part[] }

export interface Mm1Pdu {
  readonly type: PduType
  readonly headers: Mm1Headers
  readonly others: readonly OtherHeader[]
  /** Of the PDUs that carry content. */
  readonly content?: { readonly contentType: ContentType; readonly body: Mm1Body }
}

export interface Mm1Limits {
  readonly headers: number
  readonly parts: number
  readonly depth: number
  /** Parameters of one value. */
  readonly params: number
}
export const defaultMm1Limits: Mm1Limits = { headers: 2000, parts: 500, depth: 8, params: 50 }

/** Whether the content type is a multipart in the form of WSP. */
export const isMultipart = (type: string): boolean =>
  type.startsWith('application/vnd.wap.multipart.') || type.startsWith('multipart/')
