import { expect, test } from 'vitest'
import { casemap } from '../../src/model/casemap.ts'

test('IN-03: RFC 5051 §2: simple titlecase of each code point, then its decomposition, and no second case step', () => {
  expect(casemap('\u00e9')).toBe('E\u0301')
  expect(casemap('\u00c9')).toBe('E\u0301')
  expect(casemap('e\u0301')).toBe('E\u0301')
  for (const digraph of ['\u01c4', '\u01c5', '\u01c6']) expect(casemap(digraph)).toBe('Dz\u030c')
  expect(casemap('stra\u00dfe')).toBe('STRA\u00dfE')
  expect(casemap('\ufb01')).toBe('fi')
  expect(casemap('\ufb01')).not.toBe(casemap('FI'))
  expect(casemap('\u1fb3')).toBe(casemap('\u1fbc'))
  expect(casemap('\u{10428}')).toBe('\u{10400}')
  expect(casemap('\u10d0')).toBe('\u10d0')
})

test('IN-04: no locale, and lone surrogates do no harm', () => {
  expect(casemap('iI\u0131\u0130')).toBe('IIII\u0307')
  expect(casemap('a\ud800b')).toBe('A\ud800B')
})
