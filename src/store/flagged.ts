/** A change of the flags of a few messages of one mailbox, and of nothing else, as the writer knows it. */
import type { Mailbox, MailboxId, Message, ModSeq } from './store.ts'

export interface Flagged {
  readonly mailbox: MailboxId
  /** The mailbox's highestModSeq before the change. */
  readonly before: ModSeq
  /** What of the mailbox may have changed with it. */
  readonly counters: Pick<Mailbox, 'unseen' | 'deleted' | 'deletedOctets' | 'highestModSeq' | 'keywords'>
  /** In UID order. */
  readonly messages: readonly Pick<Message, 'uid' | 'modSeq' | 'flags'>[]
}
