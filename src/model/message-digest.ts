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
  /** What stands for the message in a list (RFC 8970): at most 200 characters, '' when there is nothing to say. */
  readonly preview: string
  /** Of a message with 8-bit header fields: as those are shown it who do not know them (RFC 3501 §7.4.2). */
  readonly ascii?: AsciiForm | undefined
}

/** Octets of the message from `start` to before `end`, and the ASCII that is shown in their place. */
export interface Replacement {
  readonly start: Octets
  readonly end: Octets
  readonly by: string
}

/** Everything in it counts octets as they are shown. */
export interface AsciiForm {
  readonly size: Octets
  /** Of the fields as they are shown. Messages stored by earlier versions lack it, and `utf8`: those of the digest stand in. */
  readonly envelope?: OctetString
  /** For those who know 8-bit header fields: what the digest has, without encoded words that are not the message's own. */
  readonly utf8?: Pick<MessageDigest, 'envelope' | 'bodyStructure' | 'body'>
  readonly bodyStructure: OctetString
  readonly body: OctetString
  readonly structure: PartRange
  /** Ascending, not overlapping; positions of the message as it is stored. */
  readonly replacements: readonly Replacement[]
}

/**
 * Stored beside the digest for SORT, THREAD and SEARCH, never sent. All texts are decoded and folded by
 * i;unicode-casemap (RFC 5255 §4.6), so that octet order is their order.
 */
export interface MessageKeys {
  /** Base subject, at most 1000 characters (RFC 5256 §2.1). */
  readonly subject: string
  /** The subject was that of a reply or forward (RFC 5256 §3, REFERENCES). */
  readonly isReply: boolean
  /** addr-mailbox of the first address; '' without one (RFC 5256 §3). */
  readonly from: string
  readonly to: string
  readonly cc: string
  /** Display sort value of the first address (RFC 5957 §3). */
  readonly displayFrom: string
  readonly displayTo: string
  /** The header block, one line '\nNAME:value' a field; what SEARCH of header fields looks through. */
  readonly fields: string
  /** False: `fields` was cut off at its limit. */
  readonly allFields: boolean
}

/** What delivery computes. */
export interface ComputedDigest extends MessageDigest {
  readonly keys: MessageKeys
}
