/** Deletes what need not be kept any more, in small steps between which everything else goes on. */
import type { EpochMs } from '../model/units.ts'
import type { Spool } from './spool.ts'

export interface HousekeepingOptions {
  readonly spool: Spool
  readonly now: () => EpochMs
  /** Settled entries are listed this long. Milliseconds. */
  readonly keepMs: number
  /** The content of settled entries is kept this long (SEC-052). Milliseconds. */
  readonly keepContentMs: number
  /** What else is kept for a time only; once a round. */
  readonly also?: (() => Promise<void>) | undefined
  /** Milliseconds between two rounds; default one minute. */
  readonly everyMs?: number
  readonly log: (level: 'error', message: string, fields?: Readonly<Record<string, unknown>>) => void
}

/** A step holds the writer for some milliseconds at the most. */
const stepRows = 200
/** A session may still be sending an expunged message. */
const freedMs = 300_000

/** Pause between two steps of compaction: others write meanwhile. */
const compactMs = 50

/** Starts the rounds; call the result to end them. */
export function startHousekeeping(options: HousekeepingOptions): () => Promise<void> {
  let stopped = false
  let timer: NodeJS.Timeout | undefined
  let round: Promise<void> = Promise.resolve()

  async function clean(): Promise<void> {
    while (!stopped) {
      const now = options.now()
      const count = await options.spool.purge(
        now - options.keepMs,
        now - options.keepContentMs,
        now - freedMs,
        stepRows,
      )
      if (count < stepRows) break
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    await options.also?.()
    // What is left in sparse files is moved together, a little at a time.
    while (!stopped && (await options.spool.compact()))
      await new Promise((resolve) => setTimeout(resolve, compactMs))
  }

  function next(): void {
    timer = setTimeout(() => {
      round = clean()
        .catch((error: unknown) => options.log('error', 'housekeeping failed', { error: String(error) }))
        .finally(() => {
          if (!stopped) next()
        })
    }, options.everyMs ?? 60_000)
    timer.unref()
  }

  next()
  return async () => {
    stopped = true
    clearTimeout(timer)
    await round
  }
}
