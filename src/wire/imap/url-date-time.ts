/** date-time of RFC 3339 §5.6, as EXPIRE has it. */
import type { EpochMs } from '../../model/units.ts'

const pattern = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:Z|([+-])(\d\d):(\d\d))$/i

/** undefined: not a date-time, or a day that does not exist. A fraction counts to the millisecond, rounded down. */
export function parseDateTime(text: string): EpochMs | undefined {
  const match = pattern.exec(text)
  if (!match) return undefined
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const [zoneHour, zoneMinute] = [Number(match[9] ?? 0), Number(match[10] ?? 0)]
  if (hour > 23 || minute > 59 || second > 60 || zoneHour > 23 || zoneMinute > 59) return undefined
  const midnight = new Date(0)
  midnight.setUTCFullYear(year, month - 1, day)
  if (midnight.getUTCMonth() !== month - 1 || midnight.getUTCDate() !== day) return undefined
  const east = (match[8] === '-' ? -1 : 1) * (zoneHour * 60 + zoneMinute)
  const milliseconds = Number((match[7] ?? '').slice(0, 3).padEnd(3, '0'))
  return midnight.getTime() + ((hour * 60 + minute - east) * 60 + second) * 1000 + milliseconds
}
