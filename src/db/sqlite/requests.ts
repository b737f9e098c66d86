/** What the main thread asks of the writer thread. Octets travel apart, as transferred buffers; rows name them by index. */

import type { FaultKind } from '../../model/fault.ts'
import type { ComputedDigest } from '../../model/message-digest.ts'
import type { NewQueueEntry, NewReportMark, Outcome } from '../../model/queue.ts'
import type { Lease, Replacement, Reroute, Room } from '../../queue/spool.ts'
import type { AccountChange, AccountId, OperationResult, StoreOperation } from '../../store/store.ts'

/** Index into WriteRequest.octets. */
export type OctetsRef = number

export interface MessageRow {
  readonly octets: OctetsRef
  readonly digest: ComputedDigest
  readonly internalDate: number
  readonly internalOffsetMinutes: number
  readonly flags: readonly string[]
}

export type OperationRow =
  | Exclude<StoreOperation, { op: 'append' }>
  | { readonly op: 'append'; readonly mailbox: number; readonly messages: readonly MessageRow[] }

export type EntryRow = Omit<NewQueueEntry, 'octets'> & { readonly octets: OctetsRef; readonly size: number }

export interface SettlementRow {
  readonly deliveryId: number
  readonly outcomes: readonly Outcome[]
  readonly nextDueAt?: number | undefined
  readonly peerMessageId?: string | undefined
  readonly mailbox: readonly {
    readonly account: string
    readonly mailbox: string
    readonly message: MessageRow
  }[]
  readonly reports: readonly EntryRow[]
  readonly delayReported?: readonly number[] | undefined
  readonly now: number
}

export interface CancelRow {
  readonly queueId: string
  readonly indices: readonly number[]
  readonly now: number
  /** What the recipient's status says. */
  readonly text?: string | undefined
}

export type ReplaceRow = Omit<Replacement, 'octets'> & {
  readonly octets: OctetsRef
  readonly size: number
  readonly now: number
}

/** What holds a number (SEC-053). */
export interface EraseRow {
  readonly entries: readonly string[]
  readonly originals: readonly string[]
  /** Of entries and originals that are needed for others. */
  readonly recipients: readonly { readonly queueId: string; readonly index: number }[]
  readonly digits: string
  readonly now: number
}

export interface TokenRow {
  readonly id: string
  readonly account: AccountId
  readonly client: string
  readonly mechanism: string
  readonly issuedAt: number
  readonly expiresAt: number
  readonly fullLoginAt: number
  readonly validUntil: number | null
}

export type WriteBody =
  | {
      readonly kind: 'store'
      readonly account: AccountId
      readonly operations: readonly OperationRow[]
      readonly now: number
      readonly origin: number | undefined
    }
  | { readonly kind: 'enqueue'; readonly entries: readonly EntryRow[]; readonly lease?: Lease | undefined }
  | {
      readonly kind: 'claim'
      readonly now: number
      readonly leaseUntil: number
      readonly limit: number
      readonly room?: Room | undefined
    }
  | { readonly kind: 'settle'; readonly settlements: readonly SettlementRow[] }
  | { readonly kind: 'release'; readonly deliveryIds: readonly number[] }
  | { readonly kind: 'retry'; readonly queueId: string; readonly now: number }
  | { readonly kind: 'mark'; readonly marks: readonly NewReportMark[] }
  | { readonly kind: 'purge-originals'; readonly now: number; readonly limit: number }
  | { readonly kind: 'cancel'; readonly row: CancelRow }
  | { readonly kind: 'replace'; readonly row: ReplaceRow }
  | { readonly kind: 'hold'; readonly queueId: string; readonly reason: string; readonly now: number }
  | { readonly kind: 'let-go'; readonly queueId: string; readonly now: number }
  | {
      readonly kind: 'bury'
      readonly deliveryId: number
      readonly outcomes: readonly Outcome[]
      readonly reason: string
      readonly now: number
    }
  | { readonly kind: 'reroute'; readonly reroute: Reroute }
  | { readonly kind: 'move-holds'; readonly by: number; readonly now: number }
  | { readonly kind: 'clock-set-back'; readonly now: number }
  /** Answers whether there may be more to do. */
  | { readonly kind: 'compact' }
  | { readonly kind: 'erase'; readonly row: EraseRow }
  | {
      readonly kind: 'put-account'
      readonly address: string
      readonly password: string
      readonly scram: string
    }
  | {
      readonly kind: 'upgrade-password'
      readonly id: AccountId
      readonly replaces: string
      readonly password: string
      readonly scram: string
    }
  | { readonly kind: 'issue-token'; readonly token: TokenRow; readonly clients: number }
  | { readonly kind: 'use-token'; readonly id: string; readonly now: number }
  | { readonly kind: 'revoke-tokens'; readonly account: AccountId; readonly client?: string }
  | { readonly kind: 'lease'; readonly queueId: string; readonly leaseUntil: number }
  | {
      readonly kind: 'purge'
      readonly before: number
      readonly contentBefore: number
      readonly freedBefore: number
      readonly limit: number
    }
  | { readonly kind: 'remove-account'; readonly address: string }

export interface WriteRequest {
  readonly id: number
  readonly body: WriteBody
  readonly octets: readonly Uint8Array[]
}

/** An account whose state a commit changed. */
export type Touched = AccountChange

/** The result of a flags operation as columns: ten thousand objects would cost more to hand over than to make. */
export interface FlagsAnswer {
  readonly op: 'flags'
  readonly modified: number[]
  readonly uids: number[]
  readonly modSeqs: number[]
  /** As stored, separated by blanks. */
  readonly flags: string[]
}

export interface WriteAnswer {
  readonly id: number
  readonly value?: unknown
  readonly fault?: { readonly kind: FaultKind; readonly message: string }
}

export interface WriteBatch {
  readonly answers: readonly WriteAnswer[]
  readonly touched: readonly Touched[]
}

export type StoreAnswer = readonly (OperationResult | FlagsAnswer)[]
