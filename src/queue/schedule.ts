/** When a deferred delivery is tried again (QUE-010, RFC 5321 §4.5.4.1). */
import type { EpochMs } from '../model/units.ts'

const minutes = [1, 5, 15, 30]
const hour = 3_600_000
/** Without an expiry of its own a message is given up after this, milliseconds. */
export const giveUpMs = 5 * 24 * hour
/** A peer's Retry-After counts up to this (QUE-015). */
const maxPause = hour

/** Next attempt after `attempts` have failed. `random` in [0, 1) gives a jitter of +-10 %. */
export function nextAttempt(attempts: number, now: EpochMs, random: number, retryAfterMs?: number): EpochMs {
  if (retryAfterMs !== undefined) return now + Math.min(Math.max(retryAfterMs, 1000), maxPause)
  const step = minutes[attempts - 1]
  const pause = step === undefined ? hour : step * 60_000
  return Math.round(now + pause * (0.9 + random * 0.2))
}
