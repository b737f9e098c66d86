/**
 * What ends a request, in words no protocol owns. Each protocol has one total table FaultKind -> its own answer,
 * so that a new kind does not compile until SMTP, IMAP and MM7 all answer it.
 */
export type FaultKind =
  | 'malformed'
  | 'unsupported'
  | 'unauthenticated'
  | 'forbidden'
  | 'not-found'
  | 'exists'
  | 'in-use'
  | 'has-children'
  | 'too-large'
  | 'content-refused'
  | 'over-quota'
  /** More of something than one place can hold, whatever room there is: keywords, UIDs. */
  | 'limit'
  | 'unavailable'
  | 'bug'

export class Fault extends Error {
  readonly kind: FaultKind

  constructor(kind: FaultKind, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'Fault'
    this.kind = kind
  }
}

/** The fault as it is; anything else thrown is a bug. */
export const asFault = (error: unknown): Fault =>
  error instanceof Fault ? error : new Fault('bug', 'internal error', { cause: error })
