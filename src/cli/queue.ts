/** `lemonade queue list|show|retry|hold|release|cancel|requeue|bounce`: also while the gateway runs. */
import type { QueueItem } from '../admin/operations.ts'
import { loadConfig } from '../config.ts'
import type { DeliveryRecord, HeldBy } from '../model/queue.ts'
import { withOperations } from './open.ts'

type Out = (line: string) => void

const isOpen = (state: string): boolean => state === 'pending' || state === 'deferred'
const heldWord: Readonly<Record<HeldBy, string>> = { operator: 'held', 'dead-letter': 'dead-letter' }
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

interface WithReason {
  readonly config?: string
  readonly reason?: string
}

export async function queueHold(queueId: string, options: WithReason, out: Out): Promise<number> {
  const count = await withOperations(loadConfig(options.config), { mustExist: true }, (o) =>
    o.hold(queueId, options.reason ?? ''),
  )
  out(count === 0 ? `${queueId} has nothing to hold` : `${queueId}: ${count} deliveries held`)
  return count === 0 ? 1 : 0
}

export async function queueRelease(queueId: string, file: string | undefined, out: Out): Promise<number> {
  const count = await withOperations(loadConfig(file), { mustExist: true }, (o) => o.release(queueId))
  out(count === 0 ? `${queueId} is not held` : `${queueId}: ${count} deliveries released`)
  return count === 0 ? 1 : 0
}

export async function queueCancel(
  queueId: string,
  options: WithReason & { readonly submitter?: string },
  out: Out,
): Promise<number> {
  const { submitter } = options
  const count = await withOperations(loadConfig(options.config), { mustExist: true }, (o) =>
    submitter === undefined ? o.cancel(queueId, options.reason ?? '') : o.withdraw(submitter, queueId),
  )
  out(count === 0 ? `${queueId} has no open recipient` : `${queueId}: cancelled ${count} recipients`)
  return count === 0 ? 1 : 0
}

export async function queueRequeue(queueId: string, file: string | undefined, out: Out): Promise<number> {
  const { recipients, unrouted } = await withOperations(loadConfig(file), { mustExist: true }, (o) =>
    o.requeue(queueId),
  )
  out(
    recipients === 0
      ? `${queueId} has no open recipient`
      : `${queueId}: ${recipients} recipients are due now`,
  )
  for (const address of unrouted) out(`no route to ${address.replace(/\p{Cc}+/gu, ' ')}: it keeps its way`)
  return recipients === 0 ? 1 : 0
}

/** Who asked for it to leave later (RFC 4865), while it waits. */
function heldFor({ origin }: QueueItem['entry'], { attempts, recipients }: DeliveryRecord): string[] {
  if (origin.carrier !== 'mail' || attempts > 0 || !recipients.some((r) => isOpen(r.state))) return []
  const { HOLDFOR, HOLDUNTIL } = origin.envelope.mailFrom.params
  const wanted = HOLDFOR === undefined ? HOLDUNTIL : `${HOLDFOR} s`
  return wanted === undefined ? [] : [`hold=${wanted} by=<${origin.envelope.session.auth ?? ''}>`]
}

/** The entry of each delivery is the item's own. */
const plain = ({ entry, deliveries }: QueueItem): object => ({
  ...entry,
  deliveries: deliveries.map(({ entry: _, ...rest }) => rest),
})

/** One line a delivery: id, next attempt or who holds it, attempts, way out, sender, recipients with what was said last. */
function linesOf({ entry, deliveries }: QueueItem): string[] {
  const line = (d: DeliveryRecord): string =>
    [
      entry.queueId,
      d.held
        ? heldWord[d.held.by]
        : d.recipients.some((r) => isOpen(r.state))
          ? `due=${instant(d.dueAt)}`
          : 'settled',
      `attempts=${d.attempts}`,
      `to=${d.target}`,
      `from=<${entry.sender}>`,
      ...d.recipients.map(
        (r) => `${r.address}=${r.state}${r.status ? `(${r.status.code} ${r.status.text})` : ''}`,
      ),
      ...heldFor(entry, d),
      ...(d.held ? [`held since ${instant(d.held.at)}: ${d.held.reason}`] : []),
    ]
      .join(' ')
      // What a peer said must not steer the terminal.
      .replace(/\p{Cc}+/gu, ' ')
  return deliveries.map(line)
}
