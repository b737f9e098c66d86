/** Date fields (RFC 5322 §3.3, obsolete forms §4.3), tolerant of comments, blanks inside the time and two-digit years. */

export interface ParsedDate {
  readonly epochMs: number
  /** null = the source gave no usable zone ("-0000", military letters, nothing). */
  readonly offsetMinutes: number | null
}

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']

const zones: Readonly<Record<string, number>> = {
  ut: 0,
  utc: 0,
  gmt: 0,
  z: 0,
  est: -300,
  edt: -240,
  cst: -360,
  cdt: -300,
  mst: -420,
  mdt: -360,
  pst: -480,
  pdt: -420,
}

const pattern =
  /^(?:[a-z]+\.?\s*,?\s*)?(\d{1,2})[\s-]+([a-z]{3})[a-z]*\.?[\s-]+(\d{2,4})[\s,]+(\d{1,2})\s*:\s*(\d{1,2})(?:\s*:\s*(\d{1,2}))?(?:\.\d+)?\s*([+-]\s?\d{4}|[a-z]+)?/i

/** undefined when the value is no date. */
export function parseDate(value: string): ParsedDate | undefined {
  const match = pattern.exec(
    value
      .slice(0, 200)
      .replace(/\([^()]*\)/g, ' ')
      .trim(),
  )
  if (!match) return undefined
  const [, day = '', monthName = '', yearText = '', hour = '', minute = '', second = '0', zone] = match
  const month = months.indexOf(monthName.toLowerCase())
  const year = fullYear(yearText)
  if (month < 0 || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) return undefined
  const local = Date.UTC(year, month, Number(day), Number(hour), Number(minute), Math.min(Number(second), 59))
  // The 31st of a shorter month is no date.
  if (new Date(local).getUTCDate() !== Number(day)) return undefined
  const offset = zoneMinutes(zone)
  return { epochMs: local - (offset ?? 0) * 60_000, offsetMinutes: offset }
}

/** RFC 5322 §4.3: 00 to 49 are 2000 to 2049, 50 to 99 and three digits count from 1900. */
const fullYear = (text: string): number => {
  const year = Number(text)
  if (text.length === 2) return year < 50 ? 2000 + year : 1900 + year
  return text.length === 3 ? 1900 + year : year
}

function zoneMinutes(zone: string | undefined): number | null {
  if (zone === undefined) return null
  const numeric = /^([+-])\s?(\d{2})(\d{2})$/.exec(zone)
  if (!numeric) return zones[zone.toLowerCase()] ?? null
  const minutes = Number(numeric[2]) * 60 + Number(numeric[3])
  if (numeric[1] === '-' && minutes === 0) return null
  if (minutes > 24 * 60) return null
  return numeric[1] === '-' ? -minutes : minutes
}
