import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  asciiCasemap,
  asciiNumeric,
  installedCollations,
  keyContains,
  negotiateCollation,
  octetCollation,
  sortKey,
  substringOf,
  unicodeCasemap,
} from '../../../src/wire/imap/collation.ts'

const key = unicodeCasemap.key
const same = (a: string, b: string): boolean => key(a) === key(b)
const octets = (...codes: number[]): Uint8Array => Uint8Array.from(codes)

describe('i;unicode-casemap (RFC 5051 §2)', () => {
  test('IN-03: simple titlecase of each code point, then full decomposition', () => {
    // The worked example of RFC 5051 §2.
    expect(key('\u01c4')).toBe(Buffer.from('Dz\u030c', 'utf8').toString('latin1'))
    expect(same('\u01c4', '\u01c5')).toBe(true)
    expect(same('\u01c4', '\u01c6')).toBe(true)
    expect(same('\u01f1', '\u01f3')).toBe(true)
    expect(same('é', 'É')).toBe(true)
    expect(same('é', 'e\u0301')).toBe(true)
    expect(same('straße', 'STRASSE')).toBe(false)
    expect(same('\u1e9e', 'ß')).toBe(false)
    // No second case step: the ligature decomposes to small letters.
    expect(key('\ufb01')).toBe('fi')
    expect(same('\ufb01', 'FI')).toBe(false)
  })

  test('IN-03: where the full uppercase mapping is longer, the simple one of UnicodeData.txt counts', () => {
    expect(same('\u1f80', '\u1f88')).toBe(true)
    expect(same('\u1fa7', '\u1faf')).toBe(true)
    expect(same('\u1fb3', '\u1fbc')).toBe(true)
    expect(same('\u1ff3', '\u1ffc')).toBe(true)
    expect(same('\u0149', '\u02bcn')).toBe(false)
    expect(key('\u0149')).toBe(Buffer.from('\u02bcn', 'utf8').toString('latin1'))
    // Georgian small letters are their own titlecase.
    expect(same('\u10d0', '\u1c90')).toBe(false)
    expect(same('ﬀ', 'FF')).toBe(false)
  })

  test('IN-04: no locale: Turkish letters follow UnicodeData.txt alone', () => {
    expect(same('i', 'I')).toBe(true)
    expect(same('\u0131', 'I')).toBe(true)
    expect(same('\u0130', 'I\u0307')).toBe(true)
    expect(same('\u0130', 'I')).toBe(false)
  })

  test('IN-03: order is that of UTF-8 octets, also beyond the BMP', () => {
    expect(key('\uffe8') < key('\u{1f600}')).toBe(true)
    expect('\uffe8' < '\u{1f600}').toBe(false)
    expect(key('a') < key('B')).toBe(true)
    expect(key('') < key('a')).toBe(true)
  })

  test('IN-03: every code point has a key, and a key is octets', () => {
    for (let c = 0; c < 0x110000; c += 1) {
      if (c >= 0xd800 && c < 0xe000) continue
      const one = key(String.fromCodePoint(c))
      if (one === '' || /[^\x00-\xff]/.test(one)) expect.fail(`U+${c.toString(16)}`)
    }
  })

  test('IN-03: combining marks are not put in another order: each code point is prepared on its own', () => {
    expect(same('a\u0301\u0323', 'a\u0323\u0301')).toBe(false)
    expect(same('\u{1e921}', '\u{1e943}')).toBe(true)
    expect(same('\u{10428}', '\u{10400}')).toBe(true)
  })
})

describe('text that could not be converted (RFC 5255 §4.6)', () => {
  const koi8 = 'Алексей'
  const upper = '\u0441ЕРГЕЙ'
  // Strings (1) and (3) of the example: not valid UTF-8.
  const one = octets(0xd0, 0xc0, 0xd0, 0xbd, 0xd0, 0xb4, 0xd1, 0x80, 0xd0, 0xb5, 0xd0, 0xb9)
  const three = octets(0xd0, 0x92, 0xd0, 0xb0, 0xd1, 0x81, 0xd0, 0xb8, 0xd0, 0xbb, 0xd0, 0xb8, 0xff, 0xb9)

  test('IN-06: the printed example sorts (4) (2) (3) (1)', () => {
    const list = [one, upper, three, koi8]
    const sorted = [...list].sort((a, b) =>
      sortKey(unicodeCasemap, a) < sortKey(unicodeCasemap, b) ? -1 : 1,
    )
    expect(sorted).toEqual([koi8, upper, three, one])
  })

  test('IN-05: substrings of it are looked for by i;octet', () => {
    expect(substringOf(unicodeCasemap, 'йабв')(three)).toBe(false)
    expect(substringOf(unicodeCasemap, 'Васили')(three)).toBe(true)
    expect(substringOf(unicodeCasemap, 'васили')(three)).toBe(false)
    expect(keyContains(unicodeCasemap, 'Васили')(sortKey(unicodeCasemap, three))).toBe(true)
    expect(substringOf(unicodeCasemap, '')(three)).toBe(true)
  })

  test('IN-06: a lone surrogate is no Unicode text', () => {
    expect(sortKey(unicodeCasemap, '\ud800') > sortKey(unicodeCasemap, '\u{10ffff}')).toBe(true)
    expect(sortKey(unicodeCasemap, '\ud800')).not.toBe(sortKey(unicodeCasemap, '\ufffd'))
  })
})

test('IN-02: substring: text in any case, at any place; the key can stand for the text', () => {
  const find = substringOf(unicodeCasemap, 'ÜBER')
  expect(find('gegenüber')).toBe(true)
  expect(find('gegenuber')).toBe(false)
  expect(substringOf(unicodeCasemap, 'uber')('gegenu\u0308ber')).toBe(false)
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (text, part) => {
      for (const collation of installedCollations) {
        const plain = substringOf(collation, part)(text)
        expect(keyContains(collation, part)(sortKey(collation, text))).toBe(plain)
        if (text.isWellFormed() && part.isWellFormed())
          expect(substringOf(collation, part)(`${text}${part}${text}`)).toBe(true)
      }
    }),
  )
})

test('RFC 4790 §9.2: i;ascii-casemap folds a to z only', () => {
  expect(asciiCasemap.key('aZ{é')).toBe(Buffer.from('AZ{é', 'utf8').toString('latin1'))
  expect(asciiCasemap.key('é')).not.toBe(asciiCasemap.key('É'))
  expect(asciiCasemap.key('a') < asciiCasemap.key('B')).toBe(true)
})

test('RFC 4790 §9.3: i;octet compares octets', () => {
  expect(octetCollation.key('a') > octetCollation.key('B')).toBe(true)
  expect(octetCollation.key('ab') > octetCollation.key('a')).toBe(true)
  expect(octetCollation.key('é')).toBe('\xc3\xa9')
})

test('RFC 4790 §9.1: i;ascii-numeric, with its printed examples', () => {
  const n = asciiNumeric.key
  expect(n('0') < n('1')).toBe(true)
  expect(n('1') < n('4294967298')).toBe(true)
  expect(n('4294967298')).toBe(n('04294967298'))
  expect(n('4294967298')).toBe(n('4294967298b'))
  expect(n('04294967298') < n('')).toBe(true)
  expect(n('')).toBe(n('x'))
  expect(n('x')).toBe(n('y'))
  expect(n('000')).toBe(n('0'))
  expect(n('9') < n('10')).toBe(true)
  expect(asciiNumeric.operations).not.toContain('substring')
})

describe('COMPARATOR arguments', () => {
  test('IN-10: the first that matches becomes active, all that match are listed', () => {
    expect(negotiateCollation(['cz;*', 'i;unicode-casemap'])).toEqual({
      active: unicodeCasemap,
      matching: [unicodeCasemap],
    })
    expect(negotiateCollation(['i;*'])).toEqual({
      active: unicodeCasemap,
      matching: [unicodeCasemap, asciiCasemap, octetCollation],
    })
    expect(negotiateCollation(['I;ASCII-*'])?.valueOf()).toMatchObject({ active: asciiCasemap })
    expect(negotiateCollation(['+i;octet', 'default'])).toMatchObject({
      active: octetCollation,
      matching: [octetCollation, unicodeCasemap],
    })
    expect(negotiateCollation(['*i;*casemap*'])).toMatchObject({ matching: [unicodeCasemap, asciiCasemap] })
  })

  test('IN-11, IN-12: no match; not a collation-order; a collation without substring is not installed', () => {
    expect(negotiateCollation(['cz;*'])).toBeUndefined()
    expect(negotiateCollation(['i;ascii-numeric'])).toBeUndefined()
    expect(negotiateCollation(['-i;octet'])).toBeUndefined()
    expect(negotiateCollation(['i;**'])).toBe('malformed')
    expect(negotiateCollation(['ä'])).toBe('malformed')
    expect(negotiateCollation([''])).toBe('malformed')
    expect(negotiateCollation([`i${';'.repeat(300)}`])).toBe('malformed')
  })
})
