/** date-time (RFC 3501 §9; SY-29, AP-09) against the calendar of the language. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { dateTime } from '../../../src/wire/imap/encode.ts'

test('SY-29, AP-09: any instant in any zone is written as its local time', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -62_135_596_800_000, max: 253_402_300_799_000 }),
      fc.integer({ min: -840, max: 840 }),
      (instant, zone) => {
        const [, weekday = '', date = '', month = '', year = '', time = ''] =
          /^(\w+), (\d+) (\w+) (\d+) ([\d:]+) GMT$/.exec(new Date(instant + zone * 60_000).toUTCString()) ??
          []
        expect(weekday).not.toBe('')
        const sign = zone < 0 ? '-' : '+'
        const hours = String(Math.floor(Math.abs(zone) / 60)).padStart(2, '0')
        const minutes = String(Math.abs(zone) % 60).padStart(2, '0')
        expect(dateTime(instant, zone)).toBe(
          `"${String(Number(date)).padStart(2)}-${month}-${year.padStart(4, '0')} ${time} ${sign}${hours}${minutes}"`,
        )
      },
    ),
    { numRuns: 500, seed: 7 },
  )
})
