/** What SELECT and EXAMINE were asked beside the name (RFC 4466 §2.1). */
import type { ModSeq, UidSet } from '../store/store.ts'

export interface SelectQuery {
  /** The name as the client gave it, where that is not the mailbox's own. */
  given?: string
  condstore?: boolean
  /** RFC 7162 §3.2.5. */
  qresync?: {
    readonly uidValidity: number
    readonly modSeq: ModSeq
    readonly known?: UidSet | undefined
    /** MSNs and the UIDs that the client has them for, paired. */
    readonly match?: { readonly msns: readonly number[]; readonly uids: readonly number[] } | undefined
  }
}
