import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeText } from '../../../src/wire/mime/charset.ts'
import { decodeWords } from '../../../src/wire/mime/encoded-words.ts'
import type { MimeNode } from '../../../src/wire/mime/node.ts'
import { parseContentType, parseDisposition } from '../../../src/wire/mime/parameters.ts'
import { allFields, decodeBody, fieldValue, scanMessage } from '../../../src/wire/mime/scan.ts'

const octets = (text: string) => Buffer.from(text, 'latin1')
const body = (source: Buffer, node: MimeNode) =>
  source.subarray(node.bodyStart, node.bodyEnd).toString('latin1')

const nested = octets(
  [
    'From: a@example.org',
    'Subject: folded',
    ' text',
    'Content-Type: multipart/mixed; boundary="b"',
    '',
    'preamble',
    '--b',
    '',
    'one',
    '--b  ',
    'Content-Type: multipart/alternative; boundary=bb',
    '',
    '--bb',
    'Content-Type: text/html',
    '',
    '<p>two</p>',
    '--bb--',
    '--b',
    'Content-Type: message/rfc822',
    '',
    'Subject: inner',
    '',
    'three',
    '',
    '--b--',
    'epilogue',
  ].join('\r\n'),
)

function checkRanges(node: MimeNode, start: number, end: number): void {
  expect(node.headerStart).toBeGreaterThanOrEqual(start)
  expect(node.bodyStart).toBeGreaterThanOrEqual(node.headerStart)
  expect(node.bodyEnd).toBeGreaterThanOrEqual(node.bodyStart)
  expect(node.bodyEnd).toBeLessThanOrEqual(end)
  for (const part of node.parts) checkRanges(part, node.bodyStart, node.bodyEnd)
}

test('RFC 2046 §5.1: nested multiparts, message/rfc822, blanks after a delimiter', () => {
  const node = scanMessage(nested)
  expect(fieldValue(nested, node, 'SUBJECT')).toBe('folded text')
  expect(node.parts.map((p) => `${p.type}/${p.subtype}`)).toEqual([
    'text/plain',
    'multipart/alternative',
    'message/rfc822',
  ])
  const [one, two, three] = node.parts
  expect(body(nested, one!)).toBe('one')
  expect(body(nested, two!.parts[0]!)).toBe('<p>two</p>')
  expect(fieldValue(nested, three!.parts[0]!, 'Subject')).toBe('inner')
  expect(body(nested, three!.parts[0]!)).toBe('three\r\n')
  expect(node.defect).toBeUndefined()
})

test('QUIRKS 17, 49: LF only gives the same structure; no close delimiter and no boundary are told', () => {
  const lf = octets(nested.toString('latin1').replaceAll('\r\n', '\n'))
  const shape = (n: MimeNode): unknown => [n.type, n.subtype, n.lines, n.parts.map(shape)]
  expect(shape(scanMessage(lf))).toEqual(shape(scanMessage(nested)))
  expect(scanMessage(octets('Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nopen')).defect).toBe(
    'unclosed',
  )
  const none = scanMessage(octets('Content-Type: multipart/mixed\r\n\r\n--x\r\n\r\nopen'))
  expect([none.defect, none.parts]).toEqual(['no-boundary', []])
})

test('RFC 2046 §5.1.1: a longer boundary with the same beginning is no delimiter', () => {
  const source = octets(
    'Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--bc\r\ny\r\n--b--\r\n',
  )
  const node = scanMessage(source)
  expect(node.parts).toHaveLength(1)
  expect(body(source, node.parts[0]!)).toBe('x\r\n--bc\r\ny')
})

test('SEC-021: nesting and parts are limited, in linear time', () => {
  let deep = 'Subject: x\r\n\r\n'
  for (let i = 0; i < 10_000; i++) deep = `Content-Type: message/rfc822\r\n\r\n${i < 40 ? deep : ''}`
  expect(
    JSON.stringify(scanMessage(octets('Content-Type: message/rfc822\r\n\r\n'.repeat(10_000)))),
  ).toContain('too-deep')
  const many = octets(`Content-Type: multipart/mixed; boundary=b\r\n\r\n${'--b\r\n\r\n'.repeat(200_000)}`)
  const node = scanMessage(many)
  expect(node.defect).toBe('too-many-parts')
  expect(node.parts).toHaveLength(500)
})

test('several fields of one name, a blank before the colon, a missing empty line', () => {
  const source = octets('Received: one\r\nReceived : two\r\nSubject: s\r\nno field here\r\nmore')
  const node = scanMessage(source)
  expect(allFields(source, node, 'received')).toEqual(['one', 'two'])
  expect(body(source, node)).toBe('no field here\r\nmore')
})

test('QUIRKS 18: base64 in one line, without padding, joined pieces; quoted-printable with defects', () => {
  const decode = (encoding: string, text: string) => {
    const source = octets(`Content-Transfer-Encoding: ${encoding}\r\n\r\n${text}`)
    return Buffer.from(decodeBody(source, scanMessage(source))).toString('latin1')
  }
  expect(decode('BASE64', 'aGVsbG8')).toBe('hello')
  expect(decode('base64', 'aGVs\r\n bG8=!aGk=')).toBe('hellohi')
  expect(decode('quoted-printable', 'a=3Db=\r\nc  \r\nd=XYe=3d=')).toBe('a=bc\r\nd=XYe=')
  expect(decode('x-unknown', 'a=3D')).toBe('a=3D')
})

test('CNT-047: RFC 2231 values and continuations, RFC 2047 in parameters, quoted pairs, comments', () => {
  const name = (value: string) => parseDisposition(value).params.find((p) => p.name === 'filename')?.value
  expect(name("attachment; filename*=utf-8''na%C3%AFve.jpg")).toBe('naïve.jpg')
  expect(name("attachment; filename*0*=utf-8'en'na%C3; filename*1*=%AFve; filename*2=.jpg")).toBe('naïve.jpg')
  expect(name('attachment; filename="=?utf-8?Q?na=C3=AFve.jpg?="')).toBe('naïve.jpg')
  expect(name('attachment; filename=This is a test.txt; size=3')).toBe('This is a test.txt')
  expect(name('attachment; filename=a.txt size=3')).toBe('a.txt')
  expect(name('attachment (a \\) comment); filename="a\\"b;c.txt"')).toBe('a"b;c.txt')
  expect(parseContentType('Text / Plain; Charset=UTF-8 ; format = flowed')).toEqual({
    type: 'text/plain',
    params: [
      { name: 'charset', value: 'UTF-8' },
      { name: 'format', value: 'flowed' },
    ],
  })
  expect(parseContentType('garbage')).toBeUndefined()
})

test('MAP-140: encoded words: split characters joined, blanks between dropped, unknown charset kept', () => {
  expect(decodeWords('=?utf-8?Q?J=C3?= =?UTF-8?Q?=B6rg?= x')).toBe('Jörg x')
  expect(decodeWords('a =?iso-8859-1?q?=E4?= =?utf-8?B?w7Y=?= b')).toBe('a äö b')
  expect(decodeWords('=?x-no-such?Q?a?= b')).toBe('=?x-no-such?Q?a?= b')
  // Each word of ISO-2022-JP ends in ASCII: where two meet, one escape follows another.
  const word = '=?ISO-2022-JP?B?GyRCJUYlOSVIGyhC?='
  expect(decodeWords(`${word}\r\n ${word} x ${word}`)).toBe('テストテスト x テスト')
  expect(decodeWords('J\xc3\xb6rg')).toBe('Jörg')
})

test('CNT-040, CNT-043: UTF-16 without a BOM is big-endian; 8-bit octets called ASCII are repaired', () => {
  expect(decodeText(Uint8Array.of(0x20, 0xac), 'utf-16')).toBe('€')
  expect(decodeText(Uint8Array.of(0xff, 0xfe, 0xac, 0x20), 'UTF-16')).toBe('€')
  expect(decodeText(Uint8Array.of(0x80), 'us-ascii')).toBe('€')
  expect(decodeText(Buffer.from('ä'), 'x-unknown')).toBe('ä')
})

test('law: any octets have a structure whose ranges nest', () => {
  const pieces = fc.constantFrom(
    '--b',
    '--',
    '\r\n',
    '\n',
    '\r',
    'Content-Type: multipart/mixed; boundary=b',
    'a: b',
    ' ',
    '\0',
    'x',
  )
  fc.assert(
    fc.property(fc.array(fc.oneof(pieces, fc.string()), { maxLength: 60 }), (list) => {
      const source = octets(`Content-Type: multipart/mixed; boundary=b\r\n\r\n${list.join('')}`)
      checkRanges(scanMessage(source), 0, source.length)
    }),
    { numRuns: 300 },
  )
})

const corpus = new URL('../../../../shared/corpus/mail', import.meta.url).pathname
test.skipIf(!existsSync(corpus))(
  'every file of the mail corpus is scanned and decoded (skipped where it is absent)',
  () => {
    const decode = (source: Buffer, node: MimeNode): void => {
      checkRanges(node, 0, source.length)
      decodeBody(source, node)
      for (const part of node.parts) decode(source, part)
    }
    let files = 0
    for (const name of readdirSync(corpus, { recursive: true }) as string[]) {
      if (!name.endsWith('.eml')) continue
      const source = readFileSync(join(corpus, name))
      decode(source, scanMessage(source))
      files++
    }
    expect(files).toBeGreaterThan(50)
  },
)
