import fc from 'fast-check'
import { expect, test } from 'vitest'
import { base64Lines } from '../../../src/wire/mime/base64-lines.ts'

test('RFC 2045 §6.8: base64 in lines of at most 76, whatever the length', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (octets) => {
      const text = base64Lines(octets).toString('latin1')
      expect(Buffer.from(text, 'base64')).toEqual(Buffer.from(octets))
      const lines = text.split('\r\n')
      expect(lines.every((line, i) => (i < lines.length - 1 ? line.length === 76 : line.length <= 76))).toBe(
        true,
      )
    }),
  )
  for (const length of [57 * 1024 - 1, 57 * 1024, 57 * 1024 + 1, 57 * 2048 + 56]) {
    const octets = Buffer.alloc(length, 'lemonade')
    const text = base64Lines(octets).toString('latin1')
    expect(Buffer.from(text, 'base64').equals(octets)).toBe(true)
    expect(text).toBe(octets.toString('base64').replace(/.{76}(?=.)/g, '$&\r\n'))
  }
})
