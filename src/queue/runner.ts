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
import { HotMessages } from './hot-messages.ts'
import { nextAttempt } from './schedule.ts'
import type { Spool } from './spool.ts'

export interface ReportInput {
  readonly delivery: DeliveryRecord
  readonly outcomes: readonly Outcome[]
  readonly octets: () => Promise<Uint8Array>
  /** The accepted message, read again by its carrier. */
  readonly message: () => Promise<AcceptedMessage | Refusal>
  readonly now: EpochMs
}

export interface Reports {
  readonly entries: readonly NewQueueEntry[]
  /** Recipients whose sender is told with them that they are late. */
  readonly delayReported: readonly number[]
}

export interface RunnerOptions {
  readonly spool: Spool
  readonly adapters: readonly Adapter[]
  readonly now: () => EpochMs
  readonly ids: IdSource
  /** Reads an accepted message again by its carrier. */
  readonly read: (entry: QueueEntry, octets: Uint8Array) => AcceptedMessage | Refusal
  /** What the outcomes of an attempt call for: DSNs and reports. */
  readonly reports: (input: ReportInput) => Promise<Reports>
  readonly concurrency: { readonly total: number; readonly perTarget: number }
  /** An attempt that takes longer is taken to be dead. Milliseconds. */
  readonly leaseMs?: number
  readonly log: (
    level: 'info' | 'warn' | 'error',
    message: string,
    fields?: Readonly<Record<string, unknown>>,
  ) => void
  readonly onSettled?: (target: string, state: string) => void
}

export interface Runner {
  remember(queueId: string, octets: Uint8Array, message: AcceptedMessage | undefined): void
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
/** What a target may have leased, in multiples of what it may have under way: the next ones are at hand when one ends. */
const aheadOfTarget = 3
/** Sleep at the longest: a clock that was set, or a change by another process, is noticed after this. */
const maxSleepMs = 60_000

export function createRunner(options: RunnerOptions): Runner {
  const { spool } = options
  const leaseMs = options.leaseMs ?? 600_000
  const hot = new HotMessages(hotOctets)
  const byKind = new Map(options.adapters.flatMap((a) => a.kinds.map((kind): [string, Adapter] => [kind, a])))
  const stopping = new AbortController()
  const running = new Map<number, Promise<void>>()
  const perTarget = new Map<string, number>()
  let backlog: DeliveryRecord[] = []
  let started = false
  let claiming = false
  let again = false
  let timer: NodeJS.Timeout | undefined
  const settled = groupSettlements(spool)

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

  async function attempt(delivery: DeliveryRecord): Promise<Settlement> {
    const now = options.now()
    const serve = openOf(delivery)
    const octets = (): Promise<Uint8Array> => octetsOf(delivery)
    const result =
      delivery.expiresAt <= now
        ? { outcomes: serve.map((index) => expired(index)) }
        : await deliver(delivery, serve, octets, now)
    return settlementOf(delivery, result)
  }

  async function settlementOf(delivery: DeliveryRecord, result: DeliveryResult): Promise<Settlement> {
    const { queueId } = delivery.entry
    const octets = (): Promise<Uint8Array> => octetsOf(delivery)
    const after = options.now()
    const next = nextAttempt(delivery.attempts + 1, after, options.ids.random(), result.retryAfterMs)
    const { outcomes, reports } = await reported(delivery, result.outcomes, octets, after)
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

  /** A failure that cannot be reported now is not final yet: nothing fails in silence (QUE-003). */
  async function reported(
    delivery: DeliveryRecord,
    outcomes: readonly Outcome[],
    octets: () => Promise<Uint8Array>,
    now: EpochMs,
  ): Promise<{ readonly outcomes: readonly Outcome[]; readonly reports: Reports }> {
    try {
      const message = () => messageOf(delivery, octets)
      return { outcomes, reports: await options.reports({ delivery, outcomes, octets, message, now }) }
    } catch (error) {
      const { queueId } = delivery.entry
      options.log('error', 'what became of a message cannot be reported', { queueId, error: String(error) })
      const later = outcomes.map((o) =>
        o.state === 'failed' || o.state === 'expired'
          ? temporary(o.index, 'its failure cannot be reported')
          : o,
      )
      return { outcomes: later, reports: { entries: [], delayReported: [] } }
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

  /**
   * Writes what became of the attempt. A fate that was decided elsewhere is written again until the spool takes it; what
   * should have gone into a mailbox here is tried again by the schedule, since nothing left the gateway (QUE-060).
   */
  async function conclude(delivery: DeliveryRecord, first: Settlement): Promise<void> {
    let settlement = first
    for (let wait = 1000; ; wait = Math.min(wait * 2, 30_000)) {
      try {
        await settled(settlement)
        return
      } catch (error) {
        options.log('error', 'an outcome could not be written', { error: String(error) })
        if (stopping.signal.aborted) {
          await spool.release([delivery.deliveryId]).catch(() => {})
          return
        }
        if (settlement.mailbox)
          settlement = await settlementOf(delivery, {
            outcomes: openOf(delivery).map((index) => temporary(index, 'the mailbox cannot be written')),
          })
        else await new Promise((resolve) => setTimeout(resolve, wait).unref())
      }
    }
  }

  function launch(delivery: DeliveryRecord): void {
    perTarget.set(delivery.target, (perTarget.get(delivery.target) ?? 0) + 1)
    const work = attempt(delivery)
      .then((settlement) => conclude(delivery, settlement))
      .catch((error: unknown) => {
        options.log('error', 'an attempt ended badly', {
          queueId: delivery.entry.queueId,
          error: String(error),
        })
      })
      .finally(() => {
        running.delete(delivery.deliveryId)
        hot.forget(delivery.entry.queueId)
        const left = (perTarget.get(delivery.target) ?? 1) - 1
        if (left > 0) perTarget.set(delivery.target, left)
        else perTarget.delete(delivery.target)
        pump(delivery.target)
      })
    running.set(delivery.deliveryId, work)
  }

  /** Starts what may run. A target with nothing under way may always start one: those that hang must not take every place. */
  function pump(ended?: string): void {
    if (!started || stopping.signal.aborted) return
    const { total, perTarget: each } = options.concurrency
    const held: DeliveryRecord[] = []
    for (const delivery of backlog) {
      const busy = perTarget.get(delivery.target) ?? 0
      if (busy === 0 || (running.size < total && busy < each)) launch(delivery)
      else held.push(delivery)
    }
    backlog = held
    const isIdle = ended !== undefined && !perTarget.has(ended)
    if (isIdle || (backlog.length < claimAtOnce && running.size < total)) void claim()
  }

  /** What each target has leased here, under way or about to be. */
  function leasedByTarget(): Map<string, number> {
    const leased = new Map(perTarget)
    for (const { target } of backlog) leased.set(target, (leased.get(target) ?? 0) + 1)
    return leased
  }

  async function claim(): Promise<void> {
    if (claiming) {
      again = true
      return
    }
    claiming = true
    clearTimeout(timer)
    const each = options.concurrency.perTarget * aheadOfTarget
    try {
      do {
        again = false
        const now = options.now()
        const room = { each, leased: leasedByTarget() }
        const claimed = await spool.claim(now, now + leaseMs, claimAtOnce, room)
        // A lease that ran out of one that is still under way here (a slow peer, a clock that was set) is only renewed.
        const waiting = new Set(backlog.map((d) => d.deliveryId))
        const found = claimed.filter((d) => !running.has(d.deliveryId) && !waiting.has(d.deliveryId))
        if (!started) {
          await spool.release(found.map((d) => d.deliveryId))
          return
        }
        backlog.push(...found)
        if (found.length > 0) queueMicrotask(() => pump())
        if (claimed.length === claimAtOnce) again = true
      } while (again && started)
      const full = [...leasedByTarget()].filter(([, count]) => count >= each).map(([target]) => target)
      const due = await spool.nextDue(full)
      const wait = due === undefined ? maxSleepMs : Math.min(Math.max(due - options.now(), 10), maxSleepMs)
      if (started) timer = setTimeout(() => void claim(), wait)
    } catch (error) {
      if (!started) return
      options.log('error', 'the queue could not be read', { error: String(error) })
      timer = setTimeout(() => void claim(), 1000)
    } finally {
      claiming = false
      if (again && started) queueMicrotask(() => void claim())
    }
  }

  return {
    remember(queueId, octets, message) {
      hot.remember(queueId, { octets, message })
    },
    wake() {
      if (started) void claim()
    },
    async giveUp(queueId, status) {
      const leased = await spool.lease(queueId, options.now() + leaseMs)
      for (const delivery of leased) {
        const outcomes = openOf(delivery).map((index): Outcome => ({ index, state: 'failed', status }))
        await settled(await settlementOf(delivery, { outcomes }))
      }
      if (started) void claim()
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
      void claim()
    },
    async stop(drainMs) {
      started = false
      clearTimeout(timer)
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

const expired = (index: number): Outcome => ({
  index,
  state: 'expired',
  status: { code: '5.4.7', text: 'The time allowed for delivery has passed' },
})

const temporary = (index: number, text: string): Outcome => ({
  index,
  state: 'deferred',
  status: { code: '4.3.0', text },
})

/** Settlements that come in one turn of the event loop are one call: the writer then syncs once for all. */
function groupSettlements(spool: Spool): (settlement: Settlement) => Promise<void> {
  let waiting: { settlement: Settlement; resolve: () => void; reject: (error: unknown) => void }[] = []
  return (settlement) =>
    new Promise((resolve, reject) => {
      waiting.push({ settlement, resolve, reject })
      if (waiting.length > 1) return
      setImmediate(() => {
        const group = waiting
        waiting = []
        spool.settle(group.map((g) => g.settlement)).then(
          () => {
            for (const g of group) g.resolve()
          },
          () => {
            // One that cannot be written must not take the others with it.
            for (const g of group) spool.settle([g.settlement]).then(g.resolve, g.reject)
          },
        )
      })
    })
}
