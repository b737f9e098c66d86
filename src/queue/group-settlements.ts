/** Writes settlements to the spool, many at a time. */
import type { Settlement } from '../model/queue.ts'
import type { Spool } from './spool.ts'

/** Settlements that come in one turn of the event loop are one call: the writer then syncs once for all. */
export function groupSettlements(spool: Spool): (settlement: Settlement) => Promise<void> {
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
