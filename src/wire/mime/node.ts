/** What the offset scanner finds in an RFC 5322 message or MIME entity: ranges over the octets, nothing copied. */
export interface HeaderRange {
  /** Field name as written. */
  readonly name: string
  /** First octet of the field, of its body (after the colon), and one past its last octet (line end excluded). */
  readonly start: number
  readonly valueStart: number
  readonly end: number
}

export interface MimeNode {
  readonly headerStart: number
  /** First octet after the empty line. */
  readonly bodyStart: number
  /** One past the last octet of the body; the line end before a boundary belongs to the boundary. */
  readonly bodyEnd: number
  readonly fields: readonly HeaderRange[]
  /** Media type and subtype in lower case: of an absent or unusable Content-Type the default of the context. */
  readonly type: string
  readonly subtype: string
  /** Content-Type parameters after RFC 2231 decoding; names in lower case, in order. */
  readonly params: readonly {
    readonly name: string
    readonly value: string
    readonly charset?: string
    readonly language?: string
  }[]
  /** Content-Transfer-Encoding in lower case without comments; '7bit' when absent. */
  readonly encoding: string
  /** Of multipart: the parts. Of message/rfc822 (and message/global): the enclosed message as one node. */
  readonly parts: readonly MimeNode[]
  /** Number of lines of the body (RFC 3501 body-fld-lines). */
  readonly lines: number
  /** A multipart whose boundary parameter is missing, or whose close delimiter never came. */
  readonly defect?: 'no-boundary' | 'unclosed' | 'too-deep' | 'too-many-parts' | undefined
}

export interface ScanLimits {
  /** SEC-021; at the limit a node becomes a leaf and gets `defect`. */
  readonly depth: number
  readonly parts: number
}
export const defaultScanLimits: ScanLimits = { depth: 20, parts: 500 }
/** Of messages in the store: what a client is shown (BS-16). */
export const storeScanLimits: ScanLimits = { depth: 100, parts: 10_000 }

export const isMessageNode = ({
  type,
  subtype,
}: {
  readonly type: string
  readonly subtype: string
}): boolean => type === 'message' && (subtype === 'rfc822' || subtype === 'global')

/** Not opened, because of a limit or of its encoding: shown as octets that nobody looks into (BS-16). */
export const isOpaque = (node: MimeNode): boolean =>
  node.parts.length === 0 && (isMessageNode(node) || node.defect === 'too-deep')
