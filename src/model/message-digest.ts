/**
 * What is computed once when a message enters the store, and stored ready to send (D6): FETCH of list data, SORT,
 * THREAD and header SEARCH never parse again.
 */
import type { EpochMs, OctetString, Octets } from './units.ts'

/** Octet ranges of one MIME part, relative to the first octet of the message. */
export interface PartRange {
  /** First octet of the header block (equal to bodyStart when the part has none). */
  readonly headerStart: Octets
  /** First octet after the empty line that ends the header block. */
  readonly bodyStart: Octets
  /** One past the last octet of the body. */
  readonly bodyEnd: Octets
  /** Media type in lower case, 'text/plain'. */
  readonly type: string
  /** Content-Transfer-Encoding in lower case, '7bit' when absent. */
  readonly encoding: string
  readonly charset?: string | undefined
  /** Of a multipart: its parts. Of message/rfc822: one element, the enclosed message. Else empty. */
  readonly parts: readonly PartRange[]
}

export interface MessageDigest {
  readonly size: Octets
  /** ENVELOPE data item as it goes on the wire, parentheses included (RFC 3501 §7.4.2). */
  readonly envelope: OctetString
  /** BODYSTRUCTURE, with extension data. */
  readonly bodyStructure: OctetString
  /** BODY, without extension data. */
  readonly body: OctetString
  readonly structure: PartRange
  /** Sent date of SEARCH SENT* and SORT DATE; null when there is no valid Date field. */
  readonly sentAt: EpochMs | null
  /** Minutes east of UTC of the Date field: SENTON compares the date as written (RFC 3501 §6.4.4). */
  readonly sentOffsetMinutes: number | null
  /** Base subject (RFC 5256 §2.1), Unicode. */
  readonly baseSubject: string
  /** msg-ids without brackets: Message-ID, then References or In-Reply-To in order (RFC 5256). */
  readonly messageId: string | null
  readonly references: readonly string[]
}
