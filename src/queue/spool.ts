/** The durable queue as the queue runner sees it; `db` fulfils it. Every promise resolves when the change is on disk. */
import type { MmsOrigin } from '../model/original.ts'
import type { DeliveryRecord, NewQueueEntry, Origin, QueueEntry, Settlement } from '../model/queue.ts'
import type { EpochMs } from '../model/units.ts'
import type { Correlation } from './correlation.ts'

export interface QueueFilter {
  readonly queueId?: string | undefined
  /** Only entries with an unsettled recipient. Default true. */
  readonly open?: boolean | undefined
  readonly limit?: number | undefined
}

/** How many deliveries a target may have leased, and how many it has. */
export interface Room {
  readonly each: number
  readonly leased: ReadonlyMap<string, number>
}

export interface CancelCount {
  /** Now, and by an earlier request. */
  readonly cancelled: number
  readonly before: number
  /** Sent, failed, or being sent at this moment. */
  readonly tooLate: number
}

export interface Replacement {
  readonly queueId: string
  readonly octets: Uint8Array
  readonly origin: Origin
  /** For every delivery; absent: as it was. */
  readonly dueAt?: EpochMs | undefined
  /** For every delivery; absent: as it was. */
  readonly expiresAt?: EpochMs | undefined
  /** What of the original it changes. */
  readonly original?: Partial<MmsOrigin> | undefined
  readonly duplicateKey?: NewQueueEntry['duplicateKey']
}

export interface Lease {
  readonly now: EpochMs
  readonly until: EpochMs
}

export interface Spool {
  /** What reports about accepted messages are matched with. */
  readonly originals: Correlation
  /**
   * Takes responsibility for the entries, all or none.
   * @throws Fault 'unavailable' when the disk is full or cannot be written: nothing was kept.
   * @throws Fault 'exists' when one of their marks may not follow what was reported before (RPT-006): nothing was kept.
   *
   * With `lease`, deliveries that are due at `now` are leased to this process in the same step, and returned: what was
   * just accepted need not be looked for.
   */
  enqueue(entries: readonly NewQueueEntry[], lease?: Lease): Promise<readonly DeliveryRecord[]>
  /**
   * Leases up to `limit` due deliveries to this process until `leaseUntil`; a lease that ran out is due again (QUE-002).
   * With `room`, of each target only what it has room for: the cost does not grow with what waits behind a busy one.
   */
  claim(now: EpochMs, leaseUntil: EpochMs, limit: number, room?: Room): Promise<readonly DeliveryRecord[]>
  /** Leases what is open of one entry and not under way, due or not (QUE-054). */
  lease(queueId: string, leaseUntil: EpochMs): Promise<readonly DeliveryRecord[]>
  /** Writes the fates of one attempt, its mailbox deliveries and its reports in one transaction, and ends the lease. */
  settle(settlements: readonly Settlement[]): Promise<void>
  /** Ends leases without an attempt (shutdown). */
  release(deliveryIds: readonly number[]): Promise<void>
  /** The instant at which the next delivery is due, or a lease runs out; undefined when none is queued. `except`: targets. */
  nextDue(except?: readonly string[]): Promise<EpochMs | undefined>
  /** The accepted octets of an entry. */
  octets(queueId: string): Promise<Uint8Array>
  list(filter: QueueFilter): Promise<readonly { entry: QueueEntry; deliveries: readonly DeliveryRecord[] }[]>
  /** Makes deferred and held deliveries of an entry due now. False: no such entry. */
  retry(queueId: string, now: EpochMs): Promise<boolean>
  /** Ends recipients of an entry that still wait (MM7-064). */
  cancel(queueId: string, indices: readonly number[], now: EpochMs): Promise<CancelCount>
  /** Replaces the octets of an entry of which no copy is sent or under way (MM7-065). False: it is too late. */
  replace(replacement: Replacement, now: EpochMs): Promise<boolean>
  /** Entries by the id that was given to the peer that they came from, newest first. */
  byMmsMessageId(peer: string, mmsMessageId: string): Promise<readonly string[]>
  /** MM7-060: the stored answer for the same request within 24 h; 'different' = same key, other body (MM7-061). */
  duplicate(key: string, hash: string, now: EpochMs): Promise<{ response: string } | 'different' | undefined>
  /** Delivery that got this id from this peer (target contains the peer), for reports. */
  byPeerMessageId(peer: string, peerMessageId: string): Promise<readonly DeliveryRecord[]>
  /**
   * Deletes up to `limit` entries settled before `before`, and octets without an owner since `freedBefore`. Resolves to
   * less than `limit` when nothing is left to delete.
   */
  purge(before: EpochMs, freedBefore: EpochMs, limit: number): Promise<number>
  stats(): Promise<{ readonly entries: number; readonly due: number; readonly oldest: EpochMs | undefined }>
}
