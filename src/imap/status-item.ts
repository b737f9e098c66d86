/** A data item of STATUS (RFC 3501 §6.3.10). */
import type { AccountView, Mailbox } from '../store/store.ts'
import type { Session } from './session.ts'

export interface StatusItem {
  /** Asking for it makes the session aware of mod-sequences (QR-05). */
  readonly condstore?: boolean
  readonly value: (mailbox: Mailbox, view: AccountView, session: Session) => string | Promise<string>
}

export const statusItem = (value: StatusItem['value']): StatusItem => ({ value })
