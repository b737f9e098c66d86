import fc from 'fast-check'
import { expect, test } from 'vitest'
import { pairedSets } from '../../../src/wire/imap/encode.ts'

const expanded = (set: string): number[] =>
  set === ''
    ? []
    : set.split(',').flatMap((part) => {
        const [from = 0, to = from] = part.split(':').map(Number)
        return Array.from({ length: to - from + 1 }, (_, i) => from + i)
      })

test('UP-02: the sets of COPYUID name pairs: ranges only where both sides ascend by one', () => {
  expect(pairedSets([1, 2, 3], [7, 8, 9])).toEqual(['1:3', '7:9'])
  expect(pairedSets([1, 2, 3], [7, 9, 10])).toEqual(['1,2:3', '7,9:10'])
  expect(pairedSets([1, 2, 4, 5], [7, 8, 9, 10])).toEqual(['1:2,4:5', '7:8,9:10'])
  expect(pairedSets([3, 1], [7, 8])).toEqual(['3,1', '7,8'])
  const numbers = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 12, maxLength: 12 })
  fc.assert(
    fc.property(numbers, numbers, fc.nat(12), (source, target, length) => {
      const [left, right] = pairedSets(source.slice(0, length), target.slice(0, length))
      expect(expanded(left)).toEqual(source.slice(0, length))
      expect(expanded(right)).toEqual(target.slice(0, length))
      expect(left.split(',').length).toBe(right.split(',').length)
    }),
  )
})
