/** A mail transaction (RFC 5321 §3.3), and where it stands. */
import type { EnvelopePath } from '../../model/smtp-envelope.ts'
import type { Gathered } from './gathered.ts'

type Recipient = EnvelopePath & { readonly path: string }

/** What BURL brought. */
export interface ContentSources {
  /** Header fields were put into ASCII: the sender is told so (2.6.4). */
  readonly converted: boolean
  /** Digests of the URLs, for the log. */
  readonly urls: readonly string[]
}

export const noSources: ContentSources = { converted: false, urls: [] }

export type Transaction =
  | { readonly phase: 'idle' }
  | { readonly phase: 'mail'; readonly from: EnvelopePath }
  | { readonly phase: 'rcpt'; readonly from: EnvelopePath; readonly to: readonly Recipient[] }
  /** Some of the content is there, by BDAT or BURL; the piece with LAST has not come (RFC 3030 §2, RFC 4468 §3.2). */
  | {
      readonly phase: 'content'
      readonly from: EnvelopePath
      readonly to: readonly Recipient[]
      readonly content: Gathered
      readonly sources: ContentSources
    }
  /** A piece of content was refused: nothing but RSET or the end of the content leads out (BD-05). */
  | { readonly phase: 'failed' }

/** What content may be added to: recipients were accepted. */
export type Open = Extract<Transaction, { readonly phase: 'rcpt' | 'content' }>

export const idle: Transaction = { phase: 'idle' }

export const isOpen = (transaction: Transaction): transaction is Open =>
  transaction.phase === 'rcpt' || transaction.phase === 'content'
