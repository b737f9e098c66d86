/** The parameters of FUTURERELEASE (RFC 4865 §3, §4.2, §5.2.2). */
import type { EpochMs } from '../../model/units.ts'

type Params = Readonly<Record<string, string>>

/** A client whose clock is behind, or whose link is slow, may name an instant that has just passed (FR-05). */
const patienceMs = 60_000

const dateTime = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)Z$/i

/** RFC 3339 in UTC, whole seconds; undefined: not of that form, or no such day. */
function instantOf(text: string): EpochMs | undefined {
  const match = dateTime.exec(text)
  if (!match) return undefined
  const at = Date.parse(text.toUpperCase())
  // Date.parse takes February 30th for March 2nd.
  return Number.isNaN(at) || new Date(at).getUTCDate() !== Number(match[3]) ? undefined : at
}

/** When the message may leave at the earliest; undefined: nothing was asked. `acceptedAt`: HOLDFOR counts from there. */
export function releaseAt({ HOLDFOR, HOLDUNTIL }: Params, acceptedAt: EpochMs): EpochMs | undefined {
  if (HOLDFOR !== undefined) return acceptedAt + Number(HOLDFOR) * 1000
  return HOLDUNTIL === undefined ? undefined : instantOf(HOLDUNTIL)
}

/** What is wrong with them, for people; undefined: nothing. */
export function holdFault(
  params: Params,
  { maxSeconds, now }: { readonly maxSeconds: number; readonly now: EpochMs },
): string | undefined {
  const { HOLDFOR, HOLDUNTIL, BY } = params
  if (HOLDFOR !== undefined && HOLDUNTIL !== undefined) return 'HOLDFOR or HOLDUNTIL, not both'
  if (HOLDFOR !== undefined && !/^[1-9]\d{0,8}$/.test(HOLDFOR)) return 'HOLDFOR must be a number of seconds'
  const until = releaseAt(params, now)
  if (until === undefined) return 'HOLDUNTIL must be a date and time in UTC'
  if (until > now + maxSeconds * 1000) return `a message is held for ${maxSeconds} seconds at the most`
  if (until < now - patienceMs) return 'HOLDUNTIL has passed'
  const by = /^([+-]?\d{1,9});/.exec(BY ?? '')
  if (by && until > now + Number(by[1]) * 1000) return 'the message would be held past the time of BY'
  return undefined
}

/** The arguments of the EHLO keyword: the longest interval, and the date at its end (FR-06). */
export const futureReleaseLimits = (maxSeconds: number, now: EpochMs): string =>
  `${maxSeconds} ${new Date(now + maxSeconds * 1000).toISOString().replace(/\.\d+Z$/, 'Z')}`
