/** What NOTIFY SET asked of this session (RFC 5465). */
import type { FetchItem } from '../fetch/item.ts'

export interface SelectedEvents {
  /** MessageNew and MessageExpunge. */
  readonly messages: boolean
  /** FlagChange. */
  readonly flags: boolean
  /** Expunges wait for a command that allows them (NO-26). */
  readonly delayed: boolean
  /** Fetched of new messages (NO-24). */
  readonly items: readonly FetchItem[]
}

export interface Notify {
  readonly selected: SelectedEvents
  /** The selected mailbox is told as in IDLE, and nothing else is pending. */
  readonly isPlain: boolean
  /** Tells what is pending of other mailboxes. */
  tell(): Promise<void>
  end(): void
}
