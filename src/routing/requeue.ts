/** A message on its way once more, by the routes as they are now (QUE-054). */
import type { Party } from '../model/neutral.ts'
import type { DeliveryRecord, QueueEntry } from '../model/queue.ts'
import { isRefusal } from '../model/refusal.ts'
import type { Settings } from '../model/settings.ts'
import type { EpochMs } from '../model/units.ts'
import type { Reroute, Spool } from '../queue/spool.ts'
import type { Acceptor } from './accept.ts'
import { peerOfTarget } from './routes.ts'
import { type Source, sourceOf, type Way } from './ways.ts'

export interface Requeued {
  /** Recipients that are due now. */
  readonly recipients: number
  /** Addresses to which the routes know no way any more: they go the way that they had. */
  readonly unrouted: readonly string[]
}

type Requeue = (queueId: string, now: EpochMs) => Promise<Requeued>

export function createRequeue(options: {
  readonly settings: Settings
  readonly spool: Pick<Spool, 'list' | 'octets' | 'reroute'>
  readonly acceptor: Pick<Acceptor, 'read' | 'ways'>
  readonly maxRecipients: number
}): Requeue {
  const { settings, spool, acceptor } = options

  /** Parties by the index of the recipient; none: it is no message, or cannot be read, and keeps its way. */
  async function partiesOf(entry: QueueEntry): Promise<readonly Party[]> {
    const { origin } = entry
    if (origin.carrier === 'report' || (origin.carrier === 'mail' && origin.own)) return []
    try {
      const message = acceptor.read(entry, await spool.octets(entry.queueId))
      return isRefusal(message) ? [] : message.recipients.map(({ party }) => party)
    } catch {
      return []
    }
  }

  const sourceOfEntry = ({ origin }: QueueEntry): Source => {
    if (origin.carrier === 'mail') return sourceOf(origin.envelope.session, settings)
    return sourceOf({ peer: origin.carrier === 'report' ? null : origin.peer, auth: null }, settings)
  }

  const limitOf = (target: string): number =>
    settings.peers[peerOfTarget(target) ?? '']?.maxRecipients ?? options.maxRecipients

  return async (queueId, now) => {
    const [found] = await spool.list({ queueId, open: false })
    if (!found) return { recipients: 0, unrouted: [] }
    const parties = await partiesOf(found.entry)
    const source = sourceOfEntry(found.entry)
    const unrouted: string[] = []
    const wayOf = async (delivery: DeliveryRecord, index: number, account?: string): Promise<Way> => {
      const before: Way = { target: delivery.target, ...(account === undefined ? {} : { account }) }
      const party = parties[index]
      if (!party) return before
      const way = await acceptor.ways.of(party, source)
      if (!isRefusal(way)) return way
      unrouted.push(party.raw)
      return before
    }
    const moves: Reroute['moves'][number][] = []
    for (const delivery of found.deliveries) {
      const byTarget = new Map<string, { index: number; account?: string | undefined }[]>()
      for (const { index, account, state } of delivery.recipients) {
        if (state !== 'pending' && state !== 'deferred') continue
        const way = await wayOf(delivery, index, account)
        byTarget.set(way.target, [...(byTarget.get(way.target) ?? []), { index, account: way.account }])
      }
      const groups = [...byTarget].flatMap(([target, recipients]) =>
        chunks(recipients, limitOf(target)).map((some) => ({ target, recipients: some })),
      )
      if (groups.length > 0) moves.push({ deliveryId: delivery.deliveryId, groups })
    }
    return { recipients: await spool.reroute({ queueId, moves, now }), unrouted }
  }
}

const chunks = <T>(list: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size))
