/**
 * The mailbox store. A transaction is a list of operations given as data: it runs whole or not at all in the one writer,
 * so there are no conflicts to repeat, and MOVE, REPLACE or MULTIAPPEND are lists of the few operations there are.
 * UIDs only: sequence numbers never cross this line.
 */

import type { MessageDigest } from '../model/message-digest.ts'
import type { NewMessage } from '../model/queue.ts'
import type { EpochMs, Octets } from '../model/units.ts'
import type { Flagged } from './flagged.ts'

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
  /** Sizes of the messages with \Deleted (RFC 9208 §4.1.4). */
  readonly deletedOctets: Octets
  /** Sum of the sizes of its messages. */
  readonly octets: Octets
  /** Messages with a UID from here on are \Recent for the next session that is told (SE-14). */
  readonly firstRecent: Uid
  readonly highestModSeq: ModSeq
  /** RFC 8474 MAILBOXID, stable over RENAME. */
  readonly objectId: string
  /** Keywords in use, spelt as first used. */
  readonly keywords: readonly string[]
  /** RFC 6154 attributes, '\\Sent'; each is held by one mailbox of the account at the most. */
  readonly specialUse: readonly SpecialUse[]
}

export const specialUses = [
  '\\All',
  '\\Archive',
  '\\Drafts',
  '\\Flagged',
  '\\Junk',
  '\\Sent',
  '\\Trash',
] as const
export type SpecialUse = (typeof specialUses)[number]

export interface Message {
  readonly uid: Uid
  readonly modSeq: ModSeq
  /** ModSeq at which it entered the mailbox. */
  readonly createdModSeq: ModSeq
  /** System flags ('\\Seen' ...) and keywords; never '\\Recent'. */
  readonly flags: readonly string[]
  readonly internalDate: EpochMs
  /** Minutes east of UTC: the zone in which the date was given (AP-09). */
  readonly internalOffsetMinutes: number
  readonly savedAt: EpochMs
  /** As those see it who do not know 8-bit header fields; that is what is counted everywhere. */
  readonly size: Octets
  /** Of a message with 8-bit header fields: its size for those who know them (FE-25). */
  readonly utf8Size: Octets | undefined
  readonly blob: number
  /** RFC 8474: 'M' and a number; the same after COPY and MOVE. */
  readonly emailId: string
  /** 'T' and a number; only read when the query asks, else it throws. */
  readonly threadId: string
  /** What was computed at delivery. `structure` is parsed from its stored form at first use. */
  readonly digest: MessageDigest
}

/** The parts of a digest that can be read apart; `detail` is all the rest, structure and dates among it. */
export type DigestPart = 'envelope' | 'bodyStructure' | 'body' | 'preview' | 'ascii' | 'detail'

/** The columns a query needs; what is not asked for is not read. */
export interface MessageQuery {
  readonly uids?: UidSet | undefined
  readonly changedSince?: ModSeq | undefined
  /**
   * Without it the digest is absent work: only uid, modSeq, flags, dates, size, blob are read and `digest` throws.
   * A list names the parts that are read, true is all of them; other parts throw.
   */
  readonly digest?: boolean | readonly DigestPart[] | undefined
  readonly threadId?: boolean | undefined
  /** For lists: modSeq, createdModSeq, savedAt and blob are not read either, and throw. */
  readonly brief?: boolean | undefined
}

export interface MailboxChanges {
  /** Changed or new since, in UID order. New ones have a createdModSeq above `since`. */
  readonly messages: readonly {
    readonly uid: Uid
    readonly modSeq: ModSeq
    readonly createdModSeq: ModSeq
    readonly flags: readonly string[]
  }[]
  readonly vanished: UidSet
}

/** RFC 5464. The account's server annotations stand under mailbox null. */
export interface MetadataEntry {
  /** Lower case (MD-11): '/private/comment', '/shared/vendor/...'. */
  readonly name: string
  readonly value: Uint8Array
}

/** Octets of one METADATA value, and entries of one mailbox or of the account, at the most (MD-08, MD-09). */
export const maxMetadataValue: Octets = 65_536

/** Keywords that one mailbox knows, and octets of each; more are refused with Fault 'limit' (SE-06, SE-18). */
export const maxKeywords = 4096
export const maxKeywordOctets: Octets = 255

export const maxMetadataEntries = 1000

export interface QuotaFigure {
  readonly used: number
  /** undefined: no limit. */
  readonly limit: number | undefined
}

/** One quota root for each account (RFC 9208). */
export interface Quota {
  /** RES-STORAGE, in octets (the protocol counts 1024 of them). */
  readonly octets: QuotaFigure
  readonly messages: QuotaFigure
}

/** RFC 5256 §3, RFC 5957 §4. */
export interface SortKey {
  readonly by: 'arrival' | 'cc' | 'date' | 'from' | 'size' | 'subject' | 'to' | 'displayFrom' | 'displayTo'
  readonly reverse?: boolean | undefined
}

/** What THREAD needs of a message (RFC 5256 §3). */
export interface ThreadKey {
  readonly uid: Uid
  /** Sent date, INTERNALDATE where there is none. */
  readonly sentAt: EpochMs
  /** Base subject, casemapped. */
  readonly subject: string
  readonly isReply: boolean
  readonly messageId: string | null
  readonly references: readonly string[]
}

/**
 * One text key of SEARCH. Needles are plain Unicode; they are compared by i;unicode-casemap (RFC 5255 §4.2) as substrings.
 * An empty needle is in every message, for a header field in every message that has the field (SR-06).
 */
export type SearchTerm =
  /** Field name in any case: FROM, TO, CC, BCC, SUBJECT, HEADER x. */
  | { readonly in: 'header'; readonly field: string; readonly needle: string }
  | { readonly in: 'text' | 'body'; readonly needle: string }
  /** Exact, with the letter before it (OB-07). */
  | { readonly in: 'email-id' | 'thread-id'; readonly id: string }

export interface SearchHits {
  /** UIDs that match, ascending. */
  readonly matches: Uint32Array
  /**
   * UIDs, ascending, that must be looked into: their octets decide (textHolds and headerHolds of wire/mime/search-text). With 'text'
   * and 'body' these are what the index could not rule out, and what is not yet indexed; with 'header' only messages
   * whose header block is larger than what is kept of it.
   */
  readonly maybe: Uint32Array
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
  /** All that changed after `since`, in one call; costs as much as what changed. */
  changes(mailbox: MailboxId, since: ModSeq): Promise<MailboxChanges>
  /** UIDs below uidNext that no message has: what an MSN map is built from, in as many steps as there are gaps. */
  gaps(mailbox: MailboxId): Promise<UidSet>
  /** All entries, by name. */
  metadata(mailbox: MailboxId | null): Promise<readonly MetadataEntry[]>
  quota(): Promise<Quota>
  /** The mailbox access key of URLAUTH (RFC 4467 §2.2); undefined until `access-key` made one. */
  accessKey(mailbox: MailboxId): Promise<Uint8Array | undefined>
  /** All UIDs in the order of the keys; equal ones in UID order (RFC 5256 §3). */
  sorted(mailbox: MailboxId, keys: readonly SortKey[]): Promise<Uint32Array>
  /** In UID order, in batches. */
  threadKeys(mailbox: MailboxId, uids?: UidSet): AsyncIterable<readonly ThreadKey[]>
  search(mailbox: MailboxId, term: SearchTerm): Promise<SearchHits>
  /**
   * Messages that have the flag (`set`), or that lack it, where an index tells them at the cost of what it tells;
   * undefined: the messages have to be looked at.
   */
  flagged(mailbox: MailboxId, flag: string, set: boolean): Promise<UidSet | undefined>
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
  /**
   * Missing parents are made, selectable. Faults: 'exists'; 'in-use' when another mailbox has one of the uses, which
   * CREATE answers with USEATTR (RFC 6154 §3).
   */
  | { readonly op: 'create'; readonly name: string; readonly use?: readonly SpecialUse[] | undefined }
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
  /** Replaces the mailbox's uses. With `take` they are taken from their holders, else Fault 'in-use' (RFC 6154 §4). */
  | {
      readonly op: 'special-use'
      readonly mailbox: MailboxId
      readonly use: readonly SpecialUse[]
      readonly take: boolean
    }
  /**
   * Sets entries, or removes them with value null (RFC 5464 §4.3); the mailbox's highestModSeq grows (QR-50). Names are
   * made lower case. Faults: 'too-large' (value), 'over-quota' (too many entries).
   */
  | {
      readonly op: 'metadata'
      readonly mailbox: MailboxId | null
      readonly entries: readonly { readonly name: string; readonly value: Uint8Array | null }[]
    }
  /** Limits of the account; undefined = none. What is over a new limit stays. */
  | {
      readonly op: 'quota'
      readonly octets: Octets | undefined
      readonly messages: number | undefined
    }
  /** The mailbox's access key, made (256 random bits) when there is none (UA-11). */
  | { readonly op: 'access-key'; readonly mailbox: MailboxId }
  /** New key for a mailbox, or all keys of the account gone (UA-30). */
  | { readonly op: 'reset-keys'; readonly mailbox: MailboxId | 'all' }

/** result of operation i, by its `op`. */
export type OperationResult =
  | { readonly op: 'create' | 'rename' | 'delete' | 'subscribe' }
  | { readonly op: 'special-use' | 'metadata' | 'quota' | 'reset-keys' }
  | { readonly op: 'access-key'; readonly key: Uint8Array }
  | { readonly op: 'append'; readonly uidValidity: number; readonly uids: readonly Uid[] }
  | { readonly op: 'copy' | 'move'; readonly copied: Copied }
  | {
      readonly op: 'flags'
      /** Left alone because of unchangedSince. What is no longer there is in neither list. */
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
  /** What happened, in order: for NOTIFY (RFC 5465) and the export of events (RFC 5423). */
  readonly events: readonly StoreEvent[]
  /** As given to write(): the session that made the change (NT-30). undefined: delivery, or nobody's. */
  readonly origin: number | undefined
  /** Of a change of the flags of a few messages, and of nothing else: what the writer knows need not be read. */
  readonly flagged?: Flagged | undefined
}

/** UID sets are as short as they can be. `implied`: told by another event of the same change (NT-06). */
export type StoreEvent =
  /** `delivered`: by a delivery agent (MessageNew), else by APPEND, COPY or MOVE (MessageAppend). */
  | {
      readonly kind: 'added'
      readonly mailbox: MailboxId
      readonly uids: UidSet
      readonly delivered: boolean
    }
  | { readonly kind: 'expunged'; readonly mailbox: MailboxId; readonly uids: UidSet }
  /** The flags that were set and cleared on these messages, each really changed on at least one. */
  | {
      readonly kind: 'flags'
      readonly mailbox: MailboxId
      readonly uids: UidSet
      readonly set: readonly string[]
      readonly cleared: readonly string[]
    }
  | {
      readonly kind: 'created' | 'deleted'
      readonly mailbox: MailboxId
      readonly name: string
      readonly implied: boolean
    }
  | {
      readonly kind: 'renamed'
      readonly mailbox: MailboxId
      readonly from: string
      readonly to: string
      readonly implied: boolean
    }
  | { readonly kind: 'subscription'; readonly name: string; readonly subscribed: boolean }
  /** Names only; mailbox null: the account's server annotations. */
  | { readonly kind: 'metadata'; readonly mailbox: MailboxId | null; readonly entries: readonly string[] }
  | { readonly kind: 'special-use'; readonly mailbox: MailboxId; readonly use: readonly SpecialUse[] }
  /** mailbox null: all of the account. */
  | { readonly kind: 'access-keys'; readonly mailbox: MailboxId | null }
  /** 'exceeded' comes with a refused change, each time; the state of the account is unchanged then. */
  | {
      readonly kind: 'quota'
      readonly state: 'exceeded' | 'within' | 'changed'
      readonly resource: 'octets' | 'messages'
      readonly used: number
      readonly limit: number | undefined
    }

export interface OctetRange {
  readonly start: Octets
  /** One past the last. */
  readonly end: Octets
}

export interface MailStore {
  /** Runs `fn` on one consistent snapshot. */
  read<T>(account: AccountId, fn: (view: AccountView) => Promise<T>): Promise<T>
  /**
   * One transaction, on disk when it resolves. Quota is asked of the whole: an append with the expunge of what it
   * replaces needs room for the difference only (RFC 8508 §3.4). `origin` comes back in the change that watchers see.
   * @throws Fault, and then nothing was changed; 'over-quota' when the account would grow beyond a limit, 'limit' for too many keywords or UIDs
   */
  write(
    account: AccountId,
    operations: readonly StoreOperation[],
    origin?: number,
  ): Promise<readonly OperationResult[]>
  /** Whether a delivery of that size has room; if not, watchers hear of it (NT-08). Delivery itself is never refused. */
  hasRoom(account: AccountId, octets: Octets): Promise<boolean>
  /** Calls back after every commit that changed the account; returns how to stop. */
  watch(account: AccountId, onChange: (change: AccountChange) => void): () => void
  /** The same for every account, in the order of the commits. */
  watchAll(onChange: (change: AccountChange) => void): () => void
  /** Octets of a message, or a range of them; small reads come from one positioned read. */
  readBlob(blob: number, range?: OctetRange): Promise<Uint8Array>
  /** The same in chunks of at most 64 KiB. */
  streamBlob(blob: number, range?: OctetRange): AsyncIterable<Uint8Array>
}
