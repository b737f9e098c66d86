/** `lemonade queue list|show|retry|bounce`: also while the gateway runs. */
import type { QueueItem } from '../admin/operations.ts'
import { loadConfig } from '../config.ts'
import type { DeliveryRecord } from '../model/queue.ts'
import { withOperations } from './open.ts'

type Out = (line: string) => void

const isOpen = (state: string): boolean => state === 'pending' || state === 'deferred'
const instant = (at: number): string => new Date(at).toISOString()

export async function queueList(
  options: { config?: string; json?: boolean; all?: boolean; limit: string },
  out: Out,
): Promise<number> {
  const filter = { all: options.all === true, limit: Math.max(1, Number(options.limit) || 1) }
  const items = await withOperations(loadConfig(options.config), { mustExist: true }, (o) => o.queue(filter))
  for (const item of items)
    if (options.json) out(JSON.stringify(plain(item)))
    else for (const line of linesOf(item)) out(line)
  return 0
}

export async function queueShow(queueId: string, file: string | undefined, out: Out): Promise<number> {
  const item = await withOperations(loadConfig(file), { mustExist: true }, (o) => o.queueEntry(queueId))
  out(JSON.stringify(plain(item), null, 2))
  return 0
}

export async function queueRetry(queueId: string, file: string | undefined, out: Out): Promise<number> {
  await withOperations(loadConfig(file), { mustExist: true }, (o) => o.retry(queueId))
  out(`${queueId} is due now`)
  return 0
}

export async function queueBounce(
  queueId: string,
  options: { config?: string; reason?: string },
  out: Out,
): Promise<number> {
  const count = await withOperations(loadConfig(options.config), { mustExist: true }, (o) =>
    o.bounce(queueId, options.reason ?? ''),
  )
  out(count === 0 ? `${queueId} has no open recipient` : `${queueId}: gave up ${count} recipients`)
  return count === 0 ? 1 : 0
}

/** The entry of each delivery is the item's own. */
const plain = ({ entry, deliveries }: QueueItem): object => ({
  ...entry,
  deliveries: deliveries.map(({ entry: _, ...rest }) => rest),
})

/** One line a delivery: id, next attempt, attempts, way out, sender, recipients with what was said last. */
function linesOf({ entry, deliveries }: QueueItem): string[] {
  const line = (d: DeliveryRecord): string =>
    [
      entry.queueId,
      d.recipients.some((r) => isOpen(r.state)) ? `due=${instant(d.dueAt)}` : 'settled',
      `attempts=${d.attempts}`,
      `to=${d.target}`,
      `from=<${entry.sender}>`,
      ...d.recipients.map(
        (r) => `${r.address}=${r.state}${r.status ? `(${r.status.code} ${r.status.text})` : ''}`,
      ),
    ]
      .join(' ')
      // What a peer said must not steer the terminal.
      .replace(/\p{Cc}+/gu, ' ')
  return deliveries.map(line)
}
