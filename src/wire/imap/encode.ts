/** Values to IMAP syntax (RFC 3501 §9). Octet strings in, octet strings out. */
import { encodeUtf7 } from './utf7.ts'

/** ATOM-CHAR and "]" (ASTRING-CHAR). */
const astringChars = /^[^\x00-\x20(){%*"\\\x7f-\xff]+$/

/** Quoted where that is legal, else a literal (SY-11). NUL can stand in neither. */
export function string(octets: string): string {
  if (!/[\x00\r\n\x80-\xff]/.test(octets)) return `"${octets.replace(/["\\]/g, '\\$&')}"`
  const clean = octets.replaceAll('\0', '')
  return `{${clean.length}}\r\n${clean}`
}

/** Unicode as a string: quoted UTF-8 only for those who asked for it, else a literal (RFC 6855 §3; PV-01). */
export function unicodeString(text: string, utf8: boolean): string {
  const octets = Buffer.from(text.replaceAll('\0', ''), 'utf8').toString('latin1')
  if (utf8 && !/[\r\n]/.test(octets)) return `"${octets.replace(/["\\]/g, '\\$&')}"`
  return string(octets)
}

/** Octets as they are: a literal8 where NUL is among them (RFC 5464 §5 value); null is NIL. */
export function nstringOf(octets: Uint8Array | null): string {
  if (octets === null) return 'NIL'
  const text = Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString('latin1')
  return text.includes('\0') ? `~{${text.length}}\r\n${text}` : string(text)
}

/** An atom where that is possible and cannot be taken for NIL. */
export const astring = (octets: string): string =>
  octets.length <= 200 && astringChars.test(octets) && !/^nil$/i.test(octets) ? octets : string(octets)

/** A mailbox name: modified UTF-7 (MB-02), or UTF-8 for those who asked for it (RFC 6855 §3). */
export function mailboxName(name: string, utf8 = false): string {
  if (!utf8 || /^[\x20-\x7e]*$/.test(name)) return astring(utf8 ? name : encodeUtf7(name))
  return `"${Buffer.from(name, 'utf8').toString('latin1').replace(/["\\]/g, '\\$&')}"`
}

/** Human text: printable ASCII, never taken for a response code (SC-10). */
export const responseText = (text: string): string =>
  text
    .replace(/[^\x20-\x7e]/g, '?')
    .replace(/^[[ ]+/, '')
    .slice(0, 200) || '-'

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const two = (n: number): string => (n < 10 ? `0${n}` : String(n))

const dayMs = 86_400_000
/** Lists of messages have few days and many times. */
const dates = new Map<number, string>()
const maxDates = 1000

/** The date of a day since 1970. */
function dateOf(day: number): string {
  const known = dates.get(day)
  if (known !== undefined) return known
  const d = new Date(day * dayMs)
  const date = d.getUTCDate()
  const text = `${date < 10 ? ' ' : ''}${date}-${months[d.getUTCMonth()]}-${String(d.getUTCFullYear()).padStart(4, '0')}`
  if (dates.size >= maxDates) dates.clear()
  dates.set(day, text)
  return text
}

/** date-time, in quotes: the day is padded with a space (SY-29). Minutes east of UTC. */
export function dateTime(epochMs: number, offsetMinutes = 0): string {
  const local = epochMs + offsetMinutes * 60_000
  const day = Math.floor(local / dayMs)
  const seconds = Math.floor((local - day * dayMs) / 1000)
  const minutes = Math.floor(seconds / 60)
  const zone = Math.abs(offsetMinutes)
  return `"${dateOf(day)} ${two(Math.floor(minutes / 60))}:${two(minutes % 60)}:${two(seconds % 60)} ${offsetMinutes < 0 ? '-' : '+'}${two(Math.floor(zone / 60))}${two(zone % 60)}"`
}

/** Ascending numbers as a uid-set: 1:3,7. */
export function numberSet(numbers: readonly number[]): string {
  let out = ''
  for (let i = 0; i < numbers.length; ) {
    const from = numbers[i] ?? 0
    let to = from
    for (i += 1; i < numbers.length && numbers[i] === to + 1; i += 1) to += 1
    out += `${out === '' ? '' : ','}${from === to ? from : `${from}:${to}`}`
  }
  return out
}

/** Ranges, ascending, as a set: 1:3,7. */
export const numberSetOf = (set: readonly { readonly from: number; readonly to: number }[]): string =>
  set.map(({ from, to }) => (from === to ? from : `${from}:${to}`)).join(',')

/**
 * Two lists whose i-th elements belong together, as two uid-sets. A range is written only where both sides ascend by
 * one (UP-02).
 */
export function pairedSets(source: readonly number[], target: readonly number[]): [string, string] {
  const left: string[] = []
  const right: string[] = []
  for (let i = 0; i < source.length; ) {
    const start = i
    for (i += 1; i < source.length; i += 1)
      if (source[i] !== (source[i - 1] ?? 0) + 1 || target[i] !== (target[i - 1] ?? 0) + 1) break
    const range = (list: readonly number[]): string =>
      i - start === 1 ? String(list[start]) : `${list[start]}:${list[i - 1]}`
    left.push(range(source))
    right.push(range(target))
  }
  return [left.join(','), right.join(',')]
}
