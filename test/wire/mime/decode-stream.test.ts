import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodedStream, windowOf } from '../../../src/wire/mime/decode-stream.ts'
import { decodeTransfer } from '../../../src/wire/mime/decode-transfer.ts'

async function* cut(octets: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let at = 0
  for (let i = 0; at < octets.length; i++) {
    const size = sizes.length === 0 ? octets.length : sizes[i % sizes.length]!
    yield octets.subarray(at, at + size)
    at += size
  }
}
const whole = async (pieces: AsyncIterable<Uint8Array>): Promise<string> => {
  const all: Uint8Array[] = []
  for await (const piece of pieces) all.push(piece)
  return Buffer.concat(all).toString('latin1')
}

const token = fc.oneof(
  fc.constantFrom(
    '=',
    '==',
    '\r\n',
    '\n',
    '\r',
    ' ',
    '\t',
    '=\r\n',
    '= \t\n',
    '=3D',
    '=3',
    '=4',
    'D',
    '-',
    '_',
    '\0',
    '=0A',
    '=0D',
  ),
  fc.string({ unit: fc.constantFrom(...'ABCDEFabcdef0123+/'), maxLength: 9 }),
  fc.string({ unit: 'binary-ascii', maxLength: 5 }),
)

test.each([
  'base64',
  'quoted-printable',
  '7bit',
  '8bit',
  'binary',
])('BI-01, BI-03, UA-39: law: %s in pieces is the whole at once, however it is cut', async (encoding) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(token, { maxLength: 60 }),
      fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 5 }),
      fc.constantFrom('text/plain', 'image/png'),
      fc.nat(60),
      fc.nat(60),
      async (tokens, sizes, type, start, length) => {
        const body = Buffer.from(tokens.join(''), 'latin1')
        const part = { type, encoding }
        const expected = Buffer.from(decodeTransfer(part, body)!).toString('latin1')
        expect(await whole(decodedStream(part, cut(body, sizes))!)).toBe(expected)
        const window = windowOf(decodedStream(part, cut(body, sizes))!, start, start + length)
        expect(await whole(window)).toBe(expected.slice(start, start + length))
      },
    ),
    { numRuns: 400 },
  )
})

test('QP lines without an end are cut where it makes no difference, and hold no more than they must', async () => {
  for (const unit of ['abc=3D', 'a =20b ', '=C3=BC', 'x'.repeat(7), '\u00e9 \t']) {
    const body = Buffer.from(unit.repeat(Math.ceil(400_000 / unit.length)), 'latin1')
    const part = { type: 'text/plain', encoding: 'quoted-printable' }
    let longest = 0
    const pieces: Uint8Array[] = []
    for await (const piece of decodedStream(part, cut(body, [4096]))!) {
      longest = Math.max(longest, piece.length)
      pieces.push(piece)
    }
    expect(Buffer.concat(pieces).equals(decodeTransfer(part, body)!)).toBe(true)
    expect(longest).toBeLessThan(100_000)
  }
})

test('BI-04: an encoding that nobody knows', () => {
  expect(
    decodedStream({ type: 'text/plain', encoding: 'x-uuencode' }, cut(Buffer.from('a'), [])),
  ).toBeUndefined()
})
