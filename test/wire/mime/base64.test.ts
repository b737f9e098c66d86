import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeBase64, tidyBase64 } from '../../../src/wire/mime/base64.ts'
import { base64Lines } from '../../../src/wire/mime/base64-lines.ts'

const content = fc.uint8Array({ maxLength: 600 })
const naive = (octets: Uint8Array): string =>
  (
    Buffer.from(octets)
      .toString('base64')
      .match(/.{1,76}/g) ?? []
  ).join('\r\n')

test('RFC 2045 §6.8: lines of 76 at every length; what is written is tidy and is read again', () => {
  fc.assert(
    fc.property(content, (octets) => {
      const written = base64Lines(octets)
      expect(written.toString('latin1')).toBe(naive(octets))
      expect(Buffer.from(decodeBase64(written))).toEqual(Buffer.from(octets))
      if (octets.length > 0) expect(tidyBase64(written)).toBe(true)
    }),
  )
  const large = Buffer.alloc(3_000_001, 'abcdefg')
  expect(base64Lines(large).toString('latin1')).toBe(naive(large))
  expect(tidyBase64(base64Lines(large))).toBe(true)
})

test('RFC 2045 §6.8: what is decoded in blocks is what is decoded at once, however it is broken up', () => {
  const octets = Buffer.from(Array.from({ length: 1_400_003 }, (_, i) => (i * 7919) >> (i % 5)))
  const text = octets.toString('base64')
  const broken = (every: number, by: string): string =>
    (text.match(new RegExp(`.{1,${every}}`, 'g')) ?? []).join(by)
  for (const [every, by] of [
    [76, '\r\n'],
    [76, '\n'],
    [61, '\r\n'],
    [7, ' \t'],
    [5001, '!\r\n'],
    [1_000_000_000, ''],
  ] as const) {
    const source = broken(every, by)
    expect(Buffer.from(decodeBase64(Buffer.from(source))).equals(octets), `${every} ${by}`).toBe(true)
    const unpadded = Buffer.from(source.replace(/=+$/, ''))
    expect(Buffer.from(decodeBase64(unpadded)).equals(octets), `${every} ${by}`).toBe(true)
  }
})

test('CNT-008: only what mail can carry as it is goes through undecoded', () => {
  const tidy = base64Lines(Buffer.alloc(200, 'abc')).toString('latin1')
  for (const spoilt of [
    tidy.replaceAll('\r\n', '\n'),
    tidy.replace('\r\n', '\r\r\n'),
    tidy.replace('Y', '-'),
    tidy.replace('Y', '_'),
    tidy.replace('Y', '!'),
    tidy.replace('Y', '='),
    tidy.slice(0, -1),
    tidy.replaceAll('\r\n', ''),
    `${tidy}\r\n\r\n`,
    '',
  ])
    expect([spoilt, tidyBase64(Buffer.from(spoilt))]).toEqual([spoilt, false])
  expect(tidyBase64(Buffer.from(`${tidy}\r\n`))).toBe(true)
})
