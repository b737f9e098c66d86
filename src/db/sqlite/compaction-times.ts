/** When segments are looked at, and let go. Milliseconds. */
export interface CompactionTimes {
  /** How long the file of a segment that was emptied stays for its readers; default five minutes. */
  readonly graceMs?: number
  /** How often a segment is measured; default an hour. */
  readonly lookEveryMs?: number
}

export const compactionTimes: Required<CompactionTimes> = { graceMs: 300_000, lookEveryMs: 3_600_000 }
