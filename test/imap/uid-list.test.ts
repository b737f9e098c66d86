import fc from 'fast-check'
import { expect, test } from 'vitest'
import { normalised, UidList, uidSetOf, uidsOf } from '../../src/imap/view/uid-list.ts'

const uids = fc.uniqueArray(fc.integer({ min: 1, max: 60 })).map((list) => list.sort((a, b) => a - b))
const listOf = (numbers: readonly number[]): UidList => UidList.of(uidSetOf(numbers))

test('SE-13: MSN and UID are turned into one another as in a plain sorted list', () => {
  fc.assert(
    fc.property(uids, uids, (numbers, others) => {
      const list = listOf(numbers)
      expect([...uidsOf(list.set)]).toEqual(numbers)
      expect(list.length).toBe(numbers.length)
      for (let uid = 0; uid <= 61; uid++) {
        expect(list.msnOf(uid)).toBe(numbers.indexOf(uid) + 1)
        expect(list.countBelow(uid)).toBe(numbers.filter((n) => n < uid).length)
      }
      for (let msn = 0; msn <= 61; msn++) expect(list.uidAt(msn)).toBe(numbers[msn - 1] ?? 0)
      const set = uidSetOf(others)
      expect([...uidsOf(list.intersect(set))]).toEqual(numbers.filter((n) => others.includes(n)))
      expect([...uidsOf(list.minus(set).set)]).toEqual(numbers.filter((n) => !others.includes(n)))
      const added = others.filter((n) => n > list.last)
      expect([...uidsOf(list.plus(added).set)]).toEqual([...numbers, ...added])
      const gaps = uidSetOf(Array.from({ length: 60 }, (_, i) => i + 1).filter((n) => !numbers.includes(n)))
      expect([...uidsOf(UidList.without(61, gaps).set)]).toEqual(numbers)
    }),
  )
})

test('FE-01: ranges in any order and overlapping are one ascending set', () => {
  expect(
    normalised([
      { from: 5, to: 9 },
      { from: 1, to: 2 },
      { from: 3, to: 6 },
    ]),
  ).toEqual([{ from: 1, to: 9 }])
})
