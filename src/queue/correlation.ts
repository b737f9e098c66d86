/** Finds the original that a report is about (RPT-001 to RPT-007); `db` fulfils it. Originals are written by Spool.enqueue. */

import type { OriginalRecord, ReportMark } from '../model/original.ts'
import type { NewReportMark } from '../model/queue.ts'
import type { EpochMs } from '../model/units.ts'

export interface Correlation {
  byQueueId(queueId: string): Promise<OriginalRecord | undefined>
  /** Originals with a recipient to whom this id belongs at this peer (RPT-003), newest first. */
  byPeerMessageId(peer: string, peerMessageId: string): Promise<readonly OriginalRecord[]>
  /** Originals of this Message-ID (with brackets), newest first; several when a message was sent more than once. */
  byMessageId(messageId: string): Promise<readonly OriginalRecord[]>
  /** Whether reports may come to this address: it is the reverse-path of a mail that was made from an MM. */
  isReturnPath(address: string): Promise<boolean>
  /** Whether a request to this peer is under way, so that its report may be faster than its answer. */
  isSending(peer: string): Promise<boolean>
  /** Notes reports that are not passed on. Marks that may not follow what was reported before are left out. */
  mark(marks: readonly NewReportMark[]): Promise<void>
  /** Deletes originals whose time is over. Resolves to how many. */
  purge(now: EpochMs, limit: number): Promise<number>
}

/** Reports for one recipient of one original that are taken at the most (SEC-035). */
export const maxReports = 10
const delayedAgainMs = 86_400_000

/** Outcomes after which nothing more is reported. */
const terminal: ReadonlySet<string> = new Set(['delivered', 'failed', 'displayed', 'deleted'])

/**
 * Whether a report may follow those before it: one terminal report of a kind, relayed once and not after it, delayed
 * once a day (RPT-006, RPT-015, RFC 3464 §2.3.3).
 */
export function mayFollow(before: readonly ReportMark[], mark: ReportMark): boolean {
  if (before.length >= maxReports) return false
  const same = before.filter((b) => b.report === mark.report)
  if (same.some((b) => terminal.has(b.outcome))) return false
  if (terminal.has(mark.outcome)) return true
  if (mark.outcome === 'delayed')
    return !same.some((b) => b.outcome === 'delayed' && mark.at - b.at < delayedAgainMs)
  return !same.some((b) => b.outcome === mark.outcome)
}

/** Nothing more will be reported that would need the content. */
export const isOver = (marks: readonly ReportMark[]): boolean =>
  marks.some((m) => m.report === 'delivery' && terminal.has(m.outcome))

const dayMs = 86_400_000

/** RPT-002: the later of expiry + 7 days and 14 days; 30 days where a read report may come. */
export const keepUntil = (
  acceptedAt: EpochMs,
  expiresAt: EpochMs,
  readReport: boolean,
  {
    keepDays = 14,
    keepReadDays = 30,
  }: { readonly keepDays?: number | undefined; readonly keepReadDays?: number | undefined } = {},
): EpochMs =>
  Math.max(
    expiresAt + 7 * dayMs,
    acceptedAt + (readReport ? Math.max(keepDays, keepReadDays) : keepDays) * dayMs,
  )
