/** One copy for each next hop and report group (ADR-043, AMB-29, MAP-135). */
import type { NeutralMessage, Recipient } from '../model/neutral.ts'

export interface Routed {
  /** Position in NeutralMessage.recipients. */
  readonly index: number
  readonly recipient: Recipient
  readonly target: string
  readonly account?: string | undefined
}

export interface Group {
  readonly target: string
  readonly members: readonly Routed[]
}

/** Delivery-Report Yes, No, absent: in this order. Only copies towards MMS differ by it. */
const reportRank = (message: NeutralMessage, recipient: Recipient, target: string): number => {
  if (message.source !== 'mm3' || !target.startsWith('mm')) return 0
  if (recipient.notify === 'never') return 1
  return recipient.notify?.success ? 0 : 2
}

/** Groups in the order of the first recipient of each target, within a target by report group; split at the peer's limit (ADR-044). */
export function groupsOf(
  message: NeutralMessage,
  routed: readonly Routed[],
  limitOf: (target: string) => number,
): Group[] {
  const groups: Group[] = []
  for (const target of new Set(routed.map((r) => r.target)))
    for (const rank of [0, 1, 2]) {
      const members = routed.filter(
        (r) => r.target === target && reportRank(message, r.recipient, target) === rank,
      )
      const limit = limitOf(target)
      for (let i = 0; i < members.length; i += limit)
        groups.push({ target, members: members.slice(i, i + limit) })
    }
  return groups
}
