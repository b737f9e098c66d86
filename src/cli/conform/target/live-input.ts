/**
 * What a live run changes in the input of a case. Transaction ids get a mark that is new in each run, so that a gateway
 * does not take them for duplicates of the run before (MM7-060, MAP-210); it is taken out of what comes back. Deadlines
 * move with the clock: one that is an hour ahead of the case's clock is an hour ahead of now.
 */
import type { EpochMs } from '../../../model/units.ts'

export interface LiveInput {
  put(octets: Buffer): Buffer
  remove(octets: Buffer): Buffer
}

const ids: readonly RegExp[] = [
  /(<(?:\w+:)?TransactionID\b[^>]*>\s*[A-Za-z0-9._-]+)/g,
  /(^X-Mms-(?:Transaction|Message)-ID:[ \t]*["<]?[A-Za-z0-9._-]+)/gim,
]
const deadlines =
  /(<(?:\w+:)?(?:ExpiryDate|EarliestDeliveryTime)>\s*)(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d))/g

/** @param token letters and digits that occur in no case; the mark is this and the case's id */
export function liveInput(token: string, id: string, clock: EpochMs, now: EpochMs): LiveInput {
  const mark = `-${token}${id.replace(/[^A-Za-z0-9]/g, '')}`
  const moved = (time: string): string =>
    Date.parse(time) <= clock
      ? time
      : new Date(Date.parse(time) - clock + now).toISOString().replace(/\.\d+Z$/, 'Z')
  const put = (text: string): string =>
    ids
      .reduce((changed, id) => changed.replace(id, `$1${mark}`), text)
      .replace(deadlines, (_whole, before: string, time: string) => before + moved(time))
  return {
    put: (octets) => changed(octets, put),
    remove: (octets) => withoutMark(token, octets),
  }
}

/** The octets without the marks of this run. */
export const withoutMark = (token: string, octets: Buffer): Buffer =>
  changed(octets, (text) => text.replace(new RegExp(`-${token}[A-Za-z0-9]*`, 'g'), ''))

const changed = (octets: Buffer, change: (text: string) => string): Buffer =>
  Buffer.from(change(octets.toString('latin1')), 'latin1')
