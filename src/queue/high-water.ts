/** Whether more mail may be taken, or the queue has to get shorter first (QUE-051; RFC 5321 §4.5.3.1.9). */
import { statfs } from 'node:fs/promises'
import type { EpochMs } from '../model/units.ts'
import type { Spool } from './spool.ts'

export interface HighWaterMarks {
  /** Entries with an unsettled recipient, and the octets of all of them. */
  readonly entries: number
  readonly octets: number
  /** Age of the oldest of them that nobody holds: older means that the queue does not move. Milliseconds. */
  readonly ageMs: number
  /** Room on the disk of the store, octets. */
  readonly freeOctets: number
}

export interface HighWater {
  /** What is too much, in words for the log; undefined: more may come. */
  reason(): string | undefined
  /** Looks now; it does so by itself every `everyMs`. */
  look(): Promise<void>
  stop(): void
}

export async function watchHighWater(options: {
  readonly spool: Pick<Spool, 'stats'>
  readonly folder: string
  readonly marks: HighWaterMarks
  readonly now: () => EpochMs
  /** Milliseconds; default two seconds. */
  readonly everyMs?: number
  readonly log: (
    level: 'info' | 'warn' | 'error',
    message: string,
    fields?: Readonly<Record<string, unknown>>,
  ) => void
}): Promise<HighWater> {
  const { marks } = options
  let reason: string | undefined

  async function tooMuch(): Promise<string | undefined> {
    const { entries, octets, oldestMoving } = await options.spool.stats()
    if (entries >= marks.entries) return `${entries} entries in the queue`
    if (octets >= marks.octets) return `${octets} octets in the queue`
    if (oldestMoving !== undefined && options.now() - oldestMoving > marks.ageMs)
      return `an entry in the queue since ${new Date(oldestMoving).toISOString()}`
    const { bavail, bsize } = await statfs(options.folder)
    return bavail * bsize < marks.freeOctets ? `${bavail * bsize} octets left on the disk` : undefined
  }

  async function look(): Promise<void> {
    const before = reason
    try {
      reason = await tooMuch()
    } catch (error) {
      options.log('error', 'the queue could not be measured', { error: String(error) })
      return
    }
    if (reason !== undefined && before === undefined)
      options.log('warn', 'no new mail is taken until there is room', { reason })
    if (reason === undefined && before !== undefined) options.log('info', 'mail is taken again')
  }

  await look()
  const timer = setInterval(() => void look(), options.everyMs ?? 2000)
  timer.unref()
  return { reason: () => reason, look, stop: () => clearInterval(timer) }
}
