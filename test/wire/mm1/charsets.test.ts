import { expect, test } from 'vitest'
import { decodeText } from '../../../src/wire/mime/charset.ts'
import { charsetMib, charsetName } from '../../../src/wire/mm1/charsets.ts'

const mibs: Readonly<Record<number, string>> = {
  3: 'us-ascii',
  ...Object.fromEntries(Array.from({ length: 9 }, (_, i) => [4 + i, `iso-8859-${i + 1}`])),
  17: 'shift_jis',
  18: 'euc-jp',
  38: 'euc-kr',
  39: 'iso-2022-jp',
  106: 'utf-8',
  113: 'gbk',
  114: 'gb18030',
  1000: 'iso-10646-ucs-2',
  1012: 'utf-7',
  1013: 'utf-16be',
  1014: 'utf-16le',
  1015: 'utf-16',
  2025: 'gb2312',
  2026: 'big5',
  2084: 'koi8-r',
  ...Object.fromEntries(Array.from({ length: 9 }, (_, i) => [2250 + i, `windows-125${i}`])),
}

test('CNT-044: each MIBenum of the list is its charset, both ways; any is US-ASCII', () => {
  for (const [mib, name] of Object.entries(mibs)) {
    expect([mib, charsetName(Number(mib))]).toEqual([mib, name])
    expect([name, charsetMib(name)]).toEqual([name, Number(mib)])
  }
  expect(charsetName(0)).toBe('us-ascii')
  expect(decodeText(Buffer.from('Hi +AOk-'), charsetName(1012))).toBe('Hi é')
  expect(decodeText(Buffer.from([0x82, 0xa0]), charsetName(17))).toBe('あ')
})
