/** Times in the syntax of each carrier; an instant keeps its offset (GEN-004, MAP-066, MAP-141, MAP-190). */
import type { Instant, When } from '../model/neutral.ts'
import { parseDate } from '../wire/mime/date.ts'

const maxSeconds = 999_999_999
const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const two = (n: number): string => String(n).padStart(2, '0')

/** The date and time at the instant's own offset. */
const wallClock = (at: Instant): Date => new Date((at.epoch + (at.offsetMinutes ?? 0) * 60) * 1000)

const offset = (minutes: number, colon: string): string => {
  const absolute = Math.abs(minutes)
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(absolute / 60))}${colon}${two(absolute % 60)}`
}

/** RFC 5322 §3.3; an unknown offset is written -0000. */
export function toMailDate(at: Instant): string {
  const d = wallClock(at)
  const zone = at.offsetMinutes === null ? '-0000' : offset(at.offsetMinutes, '')
  return `${days[d.getUTCDay()]}, ${d.getUTCDate()} ${months[d.getUTCMonth()]} ${d.getUTCFullYear()} ${two(d.getUTCHours())}:${two(d.getUTCMinutes())}:${two(d.getUTCSeconds())} ${zone}`
}

export function fromMailDate(value: string): Instant | undefined {
  const parsed = parseDate(value)
  return parsed && { epoch: Math.floor(parsed.epochMs / 1000), offsetMinutes: parsed.offsetMinutes }
}

/** RFC 7231 §7.1.1.1 IMF-fixdate, in GMT (MAP-150). */
export function toHttpDate(at: Instant): string {
  const d = new Date(at.epoch * 1000)
  return `${days[d.getUTCDay()]}, ${two(d.getUTCDate())} ${months[d.getUTCMonth()]} ${d.getUTCFullYear()} ${two(d.getUTCHours())}:${two(d.getUTCMinutes())}:${two(d.getUTCSeconds())} GMT`
}

/** RFC 7231 §7.1.1.1: IMF-fixdate, the two obsolete forms, and what RFC 5322 reads; always GMT (MAP-101). */
export function fromHttpDate(value: string): Instant | undefined {
  const asctime = /^[A-Za-z]{3} ([A-Za-z]{3}) ([ \d]\d) (\d{2}:\d{2}:\d{2}) (\d{4})$/.exec(value.trim())
  const rfc850 = /^[A-Za-z]+, (\d{2})-([A-Za-z]{3})-(\d{2,4}) (.*)$/.exec(value.trim())
  if (asctime) return fromMailDate(`${asctime[2]} ${asctime[1]} ${asctime[4]} ${asctime[3]} +0000`)
  if (rfc850) return fromMailDate(`${rfc850[1]} ${rfc850[2]} ${rfc850[3]} ${rfc850[4]}`)
  return fromMailDate(value)
}

/** xs:dateTime with the instant's offset; UTC as Z. */
export function toXmlDateTime(at: Instant): string {
  const text = wallClock(at).toISOString().slice(0, 19)
  return at.offsetMinutes ? `${text}${offset(at.offsetMinutes, ':')}` : `${text}Z`
}

/** xs:dateTime; fractions dropped, no zone = UTC with unknown offset (QUIRKS 30, 31). undefined: it is none. */
export function fromXmlDateTime(value: string): Instant | undefined {
  const match =
    /^(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):\s?(\d{2})(?:\.\d+)?\s*(Z|z|[+-]\d{2}:?\d{2})?$/.exec(
      value.trim(),
    )
  if (!match) return fromMailDate(fromScript(value))
  const [, year, month, day, hour, minute, second, zone] = match
  if (Number(hour) > 24 || Number(minute) > 59 || Number(second) > 60) return undefined
  const local = Date.UTC(
    Number(year),
    Number(month) - 1,
    Number(day),
    Number(hour),
    Number(minute),
    Number(second),
  )
  if (new Date(Date.UTC(Number(year), Number(month) - 1, Number(day))).getUTCDate() !== Number(day))
    return undefined
  const minutes =
    zone === undefined
      ? null
      : /z/i.test(zone)
        ? 0
        : (zone.startsWith('-') ? -1 : 1) * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2)))
  return { epoch: Math.floor(local / 1000) - (minutes ?? 0) * 60, offsetMinutes: minutes }
}

/** `Tue Mar 05 2024 10:15:30 GMT+0100 (CET)`, as scripts print dates, in the order of mail (QUIRKS 31). */
const fromScript = (value: string): string =>
  value.replace(
    /^\s*[A-Za-z]{3} ([A-Za-z]{3}) (\d{1,2}) (\d{4}) (\d{2}:\d{2}:\d{2}) GMT([+-]\d{4}).*$/s,
    '$2 $1 $3 $4 $5',
  )

/** xs:duration in seconds (MAP-190): months of 30, years of 365 days. undefined: none, negative, or too long. */
export function fromDuration(value: string): number | undefined {
  const match = /^P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.\d+)?S)?)?$/.exec(
    value.trim(),
  )
  if (!match || value.trim().length < 3 || value.trim().endsWith('T')) return undefined
  const [, y = 0, mo = 0, d = 0, h = 0, mi = 0, s = 0] = match
  const seconds =
    ((Number(y) * 365 + Number(mo) * 30 + Number(d)) * 24 + Number(h)) * 3600 + Number(mi) * 60 + Number(s)
  return seconds > maxSeconds ? undefined : seconds
}

/** MM7 relativeOrAbsoluteDateType. undefined: neither. */
export function whenFromXml(value: string): When | undefined {
  const seconds = fromDuration(value)
  if (seconds !== undefined) return { kind: 'relative', seconds }
  const at = fromXmlDateTime(value)
  return at && { kind: 'absolute', at }
}

/** X-Mms-Expiry and its like: seconds, or a date in any syntax peers use (MAP-211, QUIRKS 30). undefined: neither. */
export function whenFromMm4(value: string): When | undefined {
  const text = value.trim()
  if (/^\d{1,9}$/.test(text)) return { kind: 'relative', seconds: Number(text) }
  const at = fromXmlDateTime(text)
  return at && { kind: 'absolute', at }
}

/** The instant of a time that may be relative to the receipt of its message (MAP-176). */
export const resolved = (when: When, receivedAt: number): number =>
  when.kind === 'absolute' ? when.at.epoch : receivedAt + when.seconds
