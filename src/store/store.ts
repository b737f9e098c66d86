/**
 * The mailbox store. A transaction is a list of operations given as data: it runs whole or not at all in the one writer,
 * so there are no conflicts to repeat, and MOVE, REPLACE or MULTIAPPEND are lists of the few operations there are.
 * UIDs only: sequence numbers never cross this line.
 */

import type { MessageDigest } from '../model/message-digest.ts'
import type { NewMessage } from '../model/queue.ts'
import type { EpochMs, Octets } from '../model/units.ts'

export type AccountId = number
export type MailboxId = number
export type Uid = number
/** One counter per account numbers every change, strictly rising; starts at 1 (RFC 7162 asks it per mailbox). */
export type ModSeq = number
/** Ascending, not overlapping, both ends included. */
export type UidSet = readonly { readonly from: Uid; readonly to: Uid }[]

export interface Mailbox {
  readonly id: MailboxId
  /** UTF-8, '/' between levels, INBOX in upper case. */
  readonly name: string
  /** false = a name that only holds children: \Noselect. */
  readonly selectable: boolean
  readonly uidValidity: number
  readonly uidNext: Uid
  readonly messages: number
  readonly unseen: number
  readonly deleted: number
  /** Sum of the sizes of its messages. */
  readonly octets: Octets
  /** Messages with a UID from here on are \Recent for the next session that is told (SE-14). */
  readonly firstRecent: Uid
  readonly highestModSeq: ModSeq
  /** RFC 8474 MAILBOXID, stable over RENAME. */
  readonly objectId: string
  /** Keywords in use, spelt as first used. */
  readonly keywords: readonly string[]
}

export interface Message {
  readonly uid: Uid
  readonly modSeq: ModSeq
  /** ModSeq at which it entered the mailbox. */
  readonly createdModSeq: ModSeq
  /** System flags ('\\Seen' ...) and keywords; never '\\Recent'. */
  readonly flags: readonly string[]
  readonly internalDate: EpochMs
  readonly savedAt: EpochMs
  readonly size: Octets
  readonly blob: number
  readonly emailId: string
  /** What was computed at delivery. `structure` is parsed from its stored form at first use. */
  readonly digest: MessageDigest
}

/** The columns a query needs; what is not asked for is not read. */
export interface MessageQuery {
  readonly uids?: UidSet | undefined
  readonly changedSince?: ModSeq | undefined
  /** Without it the digest is absent work: only uid, modSeq, flags, dates, size, blob are read and `digest` throws. */
  readonly digest?: boolean | undefined
}

export interface AccountView {
  /** Counts and highestModSeq too: LIST and STATUS in one. Order: INBOX, then by name. */
  mailboxes(): Promise<readonly Mailbox[]>
  /** By name; INBOX in any case. */
  mailbox(name: string): Promise<Mailbox | undefined>
  mailboxById(id: MailboxId): Promise<Mailbox | undefined>
  subscriptions(): Promise<readonly string[]>
  /** All UIDs, ascending. */
  uids(mailbox: MailboxId): Promise<Uint32Array>
  /** In UID order, in batches of up to some hundreds. */
  messages(mailbox: MailboxId, query: MessageQuery): AsyncIterable<readonly Message[]>
  /** UIDs expunged after `after`, with the ModSeq of the expunge not needed. */
  vanished(mailbox: MailboxId, after: ModSeq): Promise<UidSet>
  /** Messages with a UID from `from` on. */
  countFrom(mailbox: MailboxId, from: Uid): Promise<number>
  /** UID of the first message without \Seen. */
  firstUnseen(mailbox: MailboxId): Promise<Uid | undefined>
  highestModSeq(): Promise<ModSeq>
}

export interface FlagChange {
  readonly mode: 'add' | 'remove' | 'replace'
  readonly flags: readonly string[]
  /** RFC 7162 UNCHANGEDSINCE: messages changed after it are left alone and named in `modified`. */
  readonly unchangedSince?: ModSeq | undefined
}

export interface Copied {
  readonly uidValidity: number
  /** Same length; source[i] became target[i]. */
  readonly source: readonly Uid[]
  readonly target: readonly Uid[]
}

export type StoreOperation =
  /** Missing parents are made, selectable. @throws Fault 'exists' */
  | { readonly op: 'create'; readonly name: string }
  /** Children follow; missing parents of the new name are made; of INBOX the messages move (MX-10, MX-12). Faults: 'not-found', 'exists'. */
  | { readonly op: 'rename'; readonly from: string; readonly to: string }
  /** With children it becomes \Noselect (MX-06). Faults: 'not-found', 'has-children' (MX-07). */
  | { readonly op: 'delete'; readonly name: string }
  | { readonly op: 'subscribe'; readonly name: string; readonly subscribed: boolean }
  | { readonly op: 'append'; readonly mailbox: MailboxId; readonly messages: readonly NewMessage[] }
  | { readonly op: 'copy'; readonly from: MailboxId; readonly uids: UidSet; readonly to: MailboxId }
  /** Copy and expunge in one; no other session sees a message twice or not at all (RFC 6851). */
  | { readonly op: 'move'; readonly from: MailboxId; readonly uids: UidSet; readonly to: MailboxId }
  | { readonly op: 'flags'; readonly mailbox: MailboxId; readonly uids: UidSet; readonly change: FlagChange }
  /** Removes messages; with onlyDeleted those that carry \Deleted. */
  | {
      readonly op: 'expunge'
      readonly mailbox: MailboxId
      readonly uids: UidSet | 'all'
      readonly onlyDeleted: boolean
    }
  /** The caller's session now owns \Recent of everything up to uidNext; answers with the former firstRecent. */
  | { readonly op: 'claim-recent'; readonly mailbox: MailboxId }

/** result of operation i, by its `op`. */
export type OperationResult =
  | { readonly op: 'create' | 'rename' | 'delete' | 'subscribe' }
  | { readonly op: 'append'; readonly uidValidity: number; readonly uids: readonly Uid[] }
  | { readonly op: 'copy' | 'move'; readonly copied: Copied }
  | {
      readonly op: 'flags'
      /** Left alone because of unchangedSince, or no longer there. */
      readonly modified: readonly Uid[]
      /** New state of each message that the change touched (also where it changed nothing). */
      readonly changed: readonly {
        readonly uid: Uid
        readonly modSeq: ModSeq
        readonly flags: readonly string[]
      }[]
    }
  | { readonly op: 'expunge'; readonly uids: readonly Uid[] }
  | { readonly op: 'claim-recent'; readonly firstRecent: Uid }

export interface AccountChange {
  readonly account: AccountId
  readonly modSeq: ModSeq
  /** Mailboxes whose messages changed. */
  readonly mailboxes: readonly MailboxId[]
  /** The list of names or subscriptions changed. */
  readonly names: boolean
}

export interface OctetRange {
  readonly start: Octets
  /** One past the last. */
  readonly end: Octets
}

export interface MailStore {
  /** Runs `fn` on one consistent snapshot. */
  read<T>(account: AccountId, fn: (view: AccountView) => Promise<T>): Promise<T>
  /** One transaction, on disk when it resolves. @throws Fault, and then nothing was changed */
  write(account: AccountId, operations: readonly StoreOperation[]): Promise<readonly OperationResult[]>
  /** Calls back after every commit that changed the account; returns how to stop. */
  watch(account: AccountId, onChange: (change: AccountChange) => void): () => void
  /** Octets of a message, or a range of them; small reads come from one positioned read. */
  readBlob(blob: number, range?: OctetRange): Promise<Uint8Array>
  /** The same in chunks of at most 64 KiB. */
  streamBlob(blob: number, range?: OctetRange): AsyncIterable<Uint8Array>
}
