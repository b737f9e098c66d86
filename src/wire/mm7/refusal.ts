/** Why an MM7 request is not understood, or not allowed, before any operation looked at it (MM7-043). */
export class Mm7Refusal extends Error {
  /** MM7 StatusCode. */
  readonly status: number
  /** Instead of an MM7 error: a SOAP fault of its own (MM7-010, MM7-013). */
  readonly soapCode: 'VersionMismatch' | 'MustUnderstand' | undefined
  /** What of the request was read before it broke: the answer mirrors it (MM7-011, MM7-014). */
  readonly seen: { readonly transactionId?: string; readonly namespace?: string; readonly operation?: string }

  constructor(
    status: number,
    details: string,
    seen: Mm7Refusal['seen'] = {},
    soapCode?: 'VersionMismatch' | 'MustUnderstand',
  ) {
    super(details)
    this.name = 'Mm7Refusal'
    this.status = status
    this.seen = seen
    this.soapCode = soapCode
  }
}
