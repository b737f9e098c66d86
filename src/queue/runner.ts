/** Takes due deliveries out of the spool, runs their adapters, and writes down what became of each recipient. */
import type { IdSource } from '../model/providers.ts'
import type {
  AcceptedMessage,
  DeliveryRecord,
  EnhancedStatus,
  NewQueueEntry,
  Outcome,
  QueueEntry,
  Settlement,
} from '../model/queue.ts'
import type { Refusal } from '../model/refusal.ts'
import type { EpochMs } from '../model/units.ts'
import type { Adapter, DeliveryJob, DeliveryResult } from './adapter.ts'
import { Alarm, maxSleepMs } from './alarm.ts'
import { ClockWatch } from './clock-watch.ts'
import { createConclusion } from './conclusion.ts'
import { groupSettlements } from './group-settlements.ts'
import { HotMessages } from './hot-messages.ts'
import { expired, temporary } from './local-outcomes.ts'
import { type ReportInput, type Reports, reported } from './outcome-reports.ts'
import { type Concurrency, Places } from './places.ts'
import { giveUpMs, nextAttempt } from './schedule.ts'
import type { Spool } from './spool.ts'

export interface RunnerOptions {
  readonly spool: Spool
  readonly adapters: readonly Adapter[]
  readonly now: () => EpochMs
  readonly ids: IdSource
  /** Reads an accepted message again by its carrier. */
  readonly read: (entry: QueueEntry, octets: Uint8Array) => AcceptedMessage | Refusal
  /** What the outcomes of an attempt call for: DSNs and reports. */
  readonly reports: (input: ReportInput) => Promise<Reports>
  readonly concurrency: Concurrency
  /** An attempt that takes longer is taken to be dead. Milliseconds. */
  readonly leaseMs?: number
  /** Wait before an outcome that could not be written is written again, milliseconds; default 1000. It doubles. */
  readonly settleRetryMs?: number
  /** A clock that nobody sets, milliseconds; default performance.now. */
  readonly elapsed?: () => number
  readonly log: (
    level: 'info' | 'warn' | 'error',
    message: string,
    fields?: Readonly<Record<string, unknown>>,
  ) => void
  /** What became of an attempt is on disk. */
  readonly onWritten?: (delivery: DeliveryRecord, settlement: Settlement) => void
  readonly onSettled?: (target: string, state: string) => void
}

export interface Runner {
  remember(queueId: string, octets: Uint8Array, message: AcceptedMessage | undefined): void
  /** Spool.enqueue, and what is due of the entries is begun without a look into the queue. */
  enqueue(entries: readonly NewQueueEntry[]): Promise<readonly DeliveryRecord[]>
  /** Something was enqueued. */
  wake(): void
  /**
   * Gives the open recipients of an entry up now; their sender is told as of any failure (QUE-054). Resolves to how many
   * recipients; those whose attempt is under way are left alone.
   */
  giveUp(queueId: string, status: EnhancedStatus): Promise<number>
  /** Does all that is due, and what arises from it, one after the other; for runs with a clock of their own. */
  runDue(): Promise<number>
  /** Resolves when no attempt of the delivery is under way: what became of the last one is written then. */
  idle(deliveryId: number): Promise<void>
  start(): void
  /** No new attempts; waits for those under way. What is not done by then is leased no more. */
  stop(drainMs: number): Promise<void>
}

const hotOctets = 32 * 1024 * 1024
const claimAtOnce = 64
/** No message is let go that much early, however the clock is set (RFC 4865 §6; FR-10). Milliseconds. */
const holdLeapMs = 500

export function createRunner(options: RunnerOptions): Runner {
  const { spool } = options
  const leaseMs = options.leaseMs ?? 600_000
  const hot = new HotMessages(hotOctets)
  const byKind = new Map(options.adapters.flatMap((a) => a.kinds.map((kind): [string, Adapter] => [kind, a])))
  const stopping = new AbortController()
  const running = new Map<number, Promise<void>>()
  const places = new Places(options.concurrency)
  let backlog: DeliveryRecord[] = []
  let started = false
  let claiming = false
  let again = false
  let isClockRead = false
  const alarm = new Alarm(options.now, look)
  /** The queue may hold something that is due and not leased. */
  let isDue = true
  const settled = groupSettlements(spool)
  const clock = new ClockWatch(options.now, options.elapsed)
  const holdClock = new ClockWatch(options.now, options.elapsed, holdLeapMs)
  const conclusion = createConclusion({
    spool,
    settled,
    deferred: (delivery) =>
      settlementOf(delivery, {
        outcomes: openOf(delivery).map((index) => temporary(index, 'the mailbox cannot be written')),
      }),
    isStopping: () => stopping.signal.aborted,
    now: options.now,
    log: options.log,
    retryMs: options.settleRetryMs ?? 1000,
  })

  const kindOf = (target: string): string => target.split(':')[0] ?? ''
  const isOpen = (state: string): boolean => state === 'pending' || state === 'deferred'

  const openOf = (delivery: DeliveryRecord): number[] =>
    delivery.recipients.filter((r) => isOpen(r.state)).map((r) => r.index)
  const octetsOf = async ({ entry }: DeliveryRecord): Promise<Uint8Array> =>
    hot.get(entry.queueId)?.octets ?? spool.octets(entry.queueId)

  const messageOf = async (
    { entry }: DeliveryRecord,
    octets: () => Promise<Uint8Array>,
  ): Promise<AcceptedMessage | Refusal> =>
    hot.get(entry.queueId)?.message ?? options.read(entry, await octets())

  /**
   * Whose time is over by our own limit, without a try: the clock leapt, or the gateway was down for days. A limit of the
   * sender's is kept all the same (RFC 2852 §4.1.3).
   */
  const isUntried = ({ attempts, expiresAt, entry }: DeliveryRecord): boolean =>
    attempts === 0 && expiresAt - entry.receivedAt >= giveUpMs

  async function attempt(delivery: DeliveryRecord): Promise<Settlement> {
    const now = options.now()
    const serve = openOf(delivery)
    const octets = (): Promise<Uint8Array> => octetsOf(delivery)
    // Nothing is left to do: a dead letter that the operator let go.
    if (serve.length === 0) return settlementOf(delivery, { outcomes: [] })
    const isOver = delivery.expiresAt <= now && !isUntried(delivery)
    const result = isOver
      ? { outcomes: serve.map((index) => expired(index)) }
      : await deliver(delivery, serve, octets, now)
    return settlementOf(delivery, result)
  }

  async function settlementOf(delivery: DeliveryRecord, result: DeliveryResult): Promise<Settlement> {
    const { queueId } = delivery.entry
    const octets = (): Promise<Uint8Array> => octetsOf(delivery)
    const after = options.now()
    const next = nextAttempt(delivery.attempts + 1, after, options.ids.random(), result.retryAfterMs)
    const message = () => messageOf(delivery, octets)
    const input = { delivery, outcomes: result.outcomes, octets, message, now: after }
    const { outcomes, reports } = await reported(input, options.reports, options.log)
    const deferred = outcomes.some((o) => o.state === 'deferred')
    for (const outcome of outcomes) {
      options.onSettled?.(kindOf(delivery.target), outcome.state)
      const level = outcome.state === 'delivered' || outcome.state === 'relayed' ? 'info' : 'warn'
      options.log(level, `recipient ${outcome.state}`, {
        queueId,
        target: delivery.target,
        recipient: delivery.recipients.find((r) => r.index === outcome.index)?.address,
        status: outcome.status.code,
        text: outcome.status.text,
      })
    }
    return {
      deliveryId: delivery.deliveryId,
      outcomes,
      now: after,
      ...(deferred
        ? { nextDueAt: delivery.expiresAt > after ? Math.min(next, delivery.expiresAt) : next }
        : {}),
      ...(result.peerMessageId === undefined ? {} : { peerMessageId: result.peerMessageId }),
      ...(result.mailbox === undefined ? {} : { mailbox: result.mailbox }),
      reports: reports.entries,
      delayReported: reports.delayReported,
    }
  }

  async function deliver(
    delivery: DeliveryRecord,
    serve: readonly number[],
    octets: () => Promise<Uint8Array>,
    now: EpochMs,
  ): Promise<DeliveryResult> {
    const adapter = byKind.get(kindOf(delivery.target))
    if (!adapter)
      return { outcomes: serve.map((index) => temporary(index, `no way out to ${delivery.target}`)) }
    const { queueId } = delivery.entry
    const job: DeliveryJob = {
      delivery,
      serve,
      now,
      ids: options.ids.of(queueId, String(delivery.number)),
      octets,
      message: () => messageOf(delivery, octets),
    }
    try {
      return await adapter.deliver(job, stopping.signal)
    } catch (error) {
      options.log('error', 'a delivery failed', { queueId, target: delivery.target, error: String(error) })
      return { outcomes: serve.map((index) => temporary(index, 'local error')) }
    }
  }

  function launch(delivery: DeliveryRecord): void {
    places.start(delivery.target)
    const work = attempt(delivery)
      .then((settlement) => conclusion.write(delivery, settlement))
      .then((written) => {
        if (!written) return
        options.onWritten?.(delivery, written)
        planAfter(written)
      })
      .catch((error: unknown) => {
        options.log('error', 'an attempt ended badly', {
          queueId: delivery.entry.queueId,
          error: String(error),
        })
      })
      .finally(() => {
        running.delete(delivery.deliveryId)
        hot.forget(delivery.entry.queueId)
        places.lease(delivery.target, -1)
        places.end(delivery.target)
        pump(delivery.target)
      })
    running.set(delivery.deliveryId, work)
  }

  /** Starts what may run. */
  function pump(ended?: string): void {
    if (!started || stopping.signal.aborted) return
    const waiting: DeliveryRecord[] = []
    for (const delivery of backlog)
      if (places.mayStart(delivery.target)) launch(delivery)
      else waiting.push(delivery)
    backlog = waiting
    if (isDue && places.isHungry(ended, claimAtOnce)) void claim()
  }

  function look(): void {
    isDue = true
    if (started) void claim()
  }

  /** What a settlement leaves to be done: another attempt, or the reports that it brought. */
  function planAfter({ nextDueAt, reports = [] }: Settlement): void {
    if (nextDueAt !== undefined && started) alarm.set(nextDueAt)
    if (reports.length > 0) look()
  }

  async function enqueue(entries: readonly NewQueueEntry[]): Promise<readonly DeliveryRecord[]> {
    const now = options.now()
    const deliveries = entries.flatMap((entry) => entry.deliveries)
    const due = deliveries.filter(({ dueAt }) => dueAt <= now)
    for (const { target } of due) places.lease(target)
    const mayLease = started && due.every(({ target }) => places.mayLease(target))
    let leased: readonly DeliveryRecord[] = []
    try {
      leased = await spool.enqueue(entries, mayLease ? { now, until: now + leaseMs } : undefined)
    } catch (error) {
      for (const { target } of due) places.lease(target, -1)
      // Others may have found no place for the sake of these.
      if (isDue) look()
      throw error
    }
    if (!started) {
      await spool.release(leased.map((d) => d.deliveryId)).catch(() => {})
      return leased
    }
    if (due.length < deliveries.length)
      alarm.set(Math.min(...deliveries.map(({ dueAt }) => dueAt).filter((at) => at > now)))
    backlog.push(...leased)
    // Whoever waits for the answer gets it first.
    if (leased.length > 0) setImmediate(() => pump())
    else if (due.length > 0) {
      for (const { target } of due) places.lease(target, -1)
      // The queue is asked when one that is at hand ends; where there is none, now.
      isDue = true
      if (!due.every(({ target }) => places.has(target))) look()
    }
    return leased
  }

  /** What was put off until an instant that lies far ahead now, since the clock was set back, is brought back. */
  async function readClock(): Promise<void> {
    const heldBy = holdClock.look()
    if (heldBy !== 0) await spool.moveHolds(heldBy, options.now())
    const leapMs = clock.look()
    if (leapMs !== 0) options.log('warn', 'the clock was set', { seconds: Math.round(leapMs / 1000) })
    // Also at the first look: it may have been set while nothing ran here.
    if (!isClockRead || leapMs < 0) {
      const moved = await spool.clockSetBack(options.now())
      if (moved > 0) options.log('warn', 'deliveries of a later time are brought back', { deliveries: moved })
    }
    isClockRead = true
  }

  async function claim(): Promise<void> {
    if (claiming) {
      again = true
      return
    }
    claiming = true
    alarm.clear()
    try {
      do {
        again = false
        isDue = false
        const now = options.now()
        await readClock()
        const claimed = await spool.claim(now, now + leaseMs, claimAtOnce, places.room)
        // A lease that ran out of one that is still under way here (a slow peer, a clock that was set) is only renewed.
        const waiting = new Set(backlog.map((d) => d.deliveryId))
        const found = claimed.filter(
          ({ deliveryId: id }) => !running.has(id) && !waiting.has(id) && !conclusion.isLost(id),
        )
        if (!started) {
          await spool.release(found.map((d) => d.deliveryId))
          return
        }
        backlog.push(...found)
        for (const { target } of found) places.lease(target)
        if (found.length > 0) queueMicrotask(() => pump())
        if (claimed.length === claimAtOnce) again = true
      } while (again && started)
      const { full } = places
      // What waits behind these is asked for when one of them ends.
      if (full.targets.length > 0 || full.prefix !== undefined) isDue = true
      const next = (await spool.nextDue(full)) ?? options.now() + maxSleepMs
      if (started) alarm.set(next)
    } catch (error) {
      if (!started) return
      options.log('error', 'the queue could not be read', { error: String(error) })
      alarm.set(options.now() + 1000)
    } finally {
      claiming = false
      if (again && started) queueMicrotask(() => void claim())
    }
  }

  return {
    remember(queueId, octets, message) {
      hot.remember(queueId, { octets, message })
    },
    enqueue,
    wake: look,
    async giveUp(queueId, status) {
      const leased = await spool.lease(queueId, options.now() + leaseMs)
      try {
        for (const delivery of leased) {
          const outcomes = openOf(delivery).map((index): Outcome => ({ index, state: 'failed', status }))
          const settlement = await settlementOf(delivery, { outcomes })
          await settled(settlement)
          options.onWritten?.(delivery, settlement)
        }
      } finally {
        // What could not be settled is as it was.
        await spool.release(leased.map((d) => d.deliveryId)).catch(() => {})
        look()
      }
      return leased.reduce((sum, delivery) => sum + openOf(delivery).length, 0)
    },
    async runDue() {
      let count = 0
      for (;;) {
        const now = options.now()
        const due = await spool.claim(now, now + leaseMs, 1000)
        if (due.length === 0) return count
        for (const delivery of [...due].sort((a, b) => a.deliveryId - b.deliveryId)) {
          await spool.settle([await attempt(delivery)])
          count++
        }
      }
    },
    async idle(deliveryId) {
      await running.get(deliveryId)
    },
    start() {
      started = true
      look()
    },
    async stop(drainMs) {
      started = false
      alarm.clear()
      const unstarted = backlog.map((d) => d.deliveryId)
      backlog = []
      const drained = Promise.all(running.values())
      const late = new Promise<void>((resolve) => setTimeout(resolve, drainMs).unref())
      await Promise.race([drained, late])
      stopping.abort()
      await Promise.race([
        Promise.all(running.values()),
        new Promise<void>((resolve) => setTimeout(resolve, 1000).unref()),
      ])
      await spool.release([...unstarted, ...running.keys()]).catch(() => {})
      for (const adapter of options.adapters) await adapter.close()
    },
  }
}
