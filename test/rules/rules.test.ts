import { expect, test } from 'vitest'
import { idsIn, namedRules, rules } from './known-rules.ts'

test('every rule that a test or a case names stands in a checklist', () => {
  expect(rules.length).toBeGreaterThan(1500)
  expect(namedRules().unknown).toEqual([])
})

test('ids are found alone and as ranges', () => {
  expect(idsIn('MAP-101 to MAP-104, CNT-020; UTF-8 and REL-6')).toEqual([
    'MAP-101',
    'MAP-102',
    'MAP-103',
    'MAP-104',
    'CNT-020',
  ])
})
