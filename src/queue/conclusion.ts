/** Writes what became of an attempt, however long that takes; what can never be written waits for the operator. */
import { asFault, type Fault } from '../model/fault.ts'
import type { DeliveryRecord, Settlement } from '../model/queue.ts'
import type { RunnerOptions } from './runner.ts'

/** A settlement that is refused so often, and not for want of room, is not written by trying on. */
const maxRefusals = 5
const longestWaitMs = 30_000

export interface Conclusion {
  /** Resolves to what was written; undefined: nothing, and the delivery is released, or held as a dead letter. */
  write(delivery: DeliveryRecord, settlement: Settlement): Promise<Settlement | undefined>
  /** Not even its being held could be written: not to be tried again by this process. */
  isLost(deliveryId: number): boolean
}

export function createConclusion(options: {
  readonly spool: RunnerOptions['spool']
  readonly settled: (settlement: Settlement) => Promise<void>
  /** Instead of one that should have put it into a mailbox, which nothing outside knows of (QUE-060). */
  readonly deferred: (delivery: DeliveryRecord) => Promise<Settlement>
  readonly isStopping: () => boolean
  readonly now: RunnerOptions['now']
  readonly log: RunnerOptions['log']
  /** Wait before the second try; it doubles. Milliseconds. */
  readonly retryMs: number
}): Conclusion {
  const { spool, log } = options
  const lost = new Set<number>()

  async function write(delivery: DeliveryRecord, first: Settlement): Promise<Settlement | undefined> {
    const { queueId } = delivery.entry
    let settlement = first
    let refusals = 0
    for (let waitMs = options.retryMs; ; waitMs = Math.min(waitMs * 2, longestWaitMs)) {
      try {
        await options.settled(settlement)
        return settlement
      } catch (error) {
        const fault = asFault(error)
        log('error', 'an outcome could not be written', { queueId, error: String(error) })
        if (options.isStopping()) {
          await spool.release([delivery.deliveryId]).catch(() => {})
          return undefined
        }
        // A disk without room has some again one day; anything else is refused the next time, too.
        if (fault.kind !== 'unavailable') refusals++
        if (settlement.mailbox) settlement = await options.deferred(delivery)
        else if (refusals >= maxRefusals) {
          if (await bury(delivery, settlement, fault)) return undefined
        } else await new Promise((resolve) => setTimeout(resolve, waitMs).unref())
      }
    }
  }

  /** False: for want of room; it is tried again. */
  async function bury(delivery: DeliveryRecord, settlement: Settlement, fault: Fault): Promise<boolean> {
    const { deliveryId, entry, target } = delivery
    const outcomes = settlement.outcomes.map((o) => `${o.index} ${o.state} ${o.status.text}`).join('; ')
    const reason = `what became of it cannot be written (${fault.message}): ${outcomes}`.slice(0, 1000)
    try {
      const isHeld = await spool.bury(deliveryId, settlement.outcomes, reason, options.now())
      log('error', isHeld ? 'a delivery is a dead letter: the operator has to look' : 'a delivery is over', {
        queueId: entry.queueId,
        target,
        reason,
      })
      return true
    } catch (error) {
      if (asFault(error).kind === 'unavailable') {
        await new Promise((resolve) => setTimeout(resolve, longestWaitMs).unref())
        return false
      }
      lost.add(deliveryId)
      log('error', 'a dead letter cannot be held: it is left alone until the gateway is started again', {
        queueId: entry.queueId,
        target,
        error: String(error),
        reason,
      })
      return true
    }
  }

  return { write, isLost: (deliveryId) => lost.has(deliveryId) }
}
