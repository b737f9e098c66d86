/** The durable queue as the queue runner sees it; `db` fulfils it. Every promise resolves when the change is on disk. */
import type { MmsOrigin } from '../model/original.ts'
import type {
  DeliveryRecord,
  NewQueueEntry,
  Origin,
  Outcome,
  QueueEntry,
  Settlement,
} from '../model/queue.ts'
import type { EpochMs } from '../model/units.ts'
import type { Correlation } from './correlation.ts'

export interface QueueFilter {
  readonly queueId?: string | undefined
  /** Only what this account submitted. */
  readonly submitter?: string | undefined
  /** Only entries with an unsettled recipient. Default true. */
  readonly open?: boolean | undefined
  readonly limit?: number | undefined
}

/** How many deliveries a target may have leased, and how many it has. */
export interface Room {
  readonly each: number
  readonly leased: ReadonlyMap<string, number>
  /** Targets with this beginning may have so many more leased, all together. */
  readonly family?: { readonly prefix: string; readonly left: number } | undefined
}

/** Targets that have no room: by name, and all with this beginning. */
export interface Except {
  readonly targets: readonly string[]
  readonly prefix?: string | undefined
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

/** An entry's open recipients on other ways out. */
export interface Reroute {
  readonly queueId: string
  readonly moves: readonly {
    readonly deliveryId: number
    /** Of all open recipients of the delivery, by their new target; the first group stays in the delivery. */
    readonly groups: readonly {
      readonly target: string
      readonly recipients: readonly { readonly index: number; readonly account?: string | undefined }[]
    }[]
  }[]
  readonly now: EpochMs
}

/** Messages that their senders asked to be held, and that wait for their time (RFC 4865 §6). */
export interface HoldCounts {
  readonly ofSubmitter: number
  readonly ofAll: number
}

export interface QueueStats {
  readonly entries: number
  readonly due: number
  /** Octets of the entries. */
  readonly octets: number
  /** When the oldest entry was accepted, and the oldest of which not everything is held. */
  readonly oldest: EpochMs | undefined
  readonly oldestMoving: EpochMs | undefined
  /** Deliveries that wait for the operator. */
  readonly held: number
  readonly deadLetters: number
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
  /** The instant at which the next delivery is due, or a lease runs out; undefined when none is queued. */
  nextDue(except?: Except): Promise<EpochMs | undefined>
  /** The accepted octets of an entry. */
  octets(queueId: string): Promise<Uint8Array>
  list(filter: QueueFilter): Promise<readonly { entry: QueueEntry; deliveries: readonly DeliveryRecord[] }[]>
  /** Makes deferred deliveries of an entry, and those held for their sender, due now. False: no such entry. */
  retry(queueId: string, now: EpochMs): Promise<boolean>
  /** Ends recipients of an entry that still wait (MM7-064). */
  cancel(queueId: string, indices: readonly number[], now: EpochMs, text?: string): Promise<CancelCount>
  /** Keeps what is open of an entry from being tried, until letGo() (QUE-054). Resolves to how many deliveries. */
  hold(queueId: string, reason: string, now: EpochMs): Promise<number>
  /** Resolves to how many deliveries were held. */
  letGo(queueId: string, now: EpochMs): Promise<number>
  /** Holds a delivery whose outcomes cannot be written, with what is known of them. False: it is settled, or gone. */
  bury(deliveryId: number, outcomes: readonly Outcome[], reason: string, now: EpochMs): Promise<boolean>
  /** Resolves to how many recipients are due now on the ways given. */
  reroute(reroute: Reroute): Promise<number>
  /** The clock shows less than it did: what was noted as later than now is brought back. Resolves to how many deliveries. */
  clockSetBack(now: EpochMs): Promise<number>
  holds(submitter: string, now: EpochMs): Promise<HoldCounts>
  /** The clock was set by so much: holds of senders last as long as before. Resolves to how many messages. */
  moveHolds(by: number, now: EpochMs): Promise<number>
  /** Replaces the octets of an entry of which no copy is sent or under way (MM7-065). False: it is too late. */
  replace(replacement: Replacement, now: EpochMs): Promise<boolean>
  /** Entries by the id that was given to the peer that they came from, newest first. */
  byMmsMessageId(peer: string, mmsMessageId: string): Promise<readonly string[]>
  /** MM7-060: the stored answer for the same request within 24 h; 'different' = same key, other body (MM7-061). */
  duplicate(key: string, hash: string, now: EpochMs): Promise<{ response: string } | 'different' | undefined>
  /** Delivery that got this id from this peer (target contains the peer), for reports. */
  byPeerMessageId(peer: string, peerMessageId: string): Promise<readonly DeliveryRecord[]>
  /**
   * Deletes up to `limit` entries settled before `before`, the content of those settled before `contentBefore`, and octets
   * without an owner since `freedBefore`. Resolves to less than `limit` when nothing is left to delete.
   */
  purge(before: EpochMs, contentBefore: EpochMs, freedBefore: EpochMs, limit: number): Promise<number>
  /** Takes out what is kept about a number, and ends what waits for it. Resolves to how many records (SEC-053). */
  erase(digits: string, now: EpochMs): Promise<number>
  /** One small step of making room on the disk. False: nothing is left to move in this round. */
  compact(): Promise<boolean>
  stats(): Promise<QueueStats>
}
