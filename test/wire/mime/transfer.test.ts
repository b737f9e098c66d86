import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isLined } from '../../../src/wire/mime/lined.ts'
import type { MimeNode } from '../../../src/wire/mime/node.ts'
import { decodeBody, scanMessage } from '../../../src/wire/mime/scan.ts'
import { isFramed, transferable } from '../../../src/wire/mime/transfer.ts'

const lines = (...all: string[]): Buffer => Buffer.from(all.join('\r\n'), 'latin1')
const shown = (octets: Uint8Array | undefined): string | undefined =>
  octets && Buffer.from(octets).toString('latin1')

const mixed = (parts: readonly { header: string[]; body: string }[], top: string[] = []): Buffer =>
  lines(
    'From: a@example.org',
    ...top,
    'MIME-Version: 1.0',
    'Content-Type: multipart/mixed; boundary=b',
    '',
    'preamble',
    ...parts.flatMap(({ header, body }) => ['--b', ...header, '', body]),
    '--b--',
    '',
  )

const leavesOf = (node: MimeNode): MimeNode[] =>
  node.parts.length === 0 ? [node] : node.parts.flatMap(leavesOf)

test('BD-11, BD-12: nothing is changed that need not be', () => {
  const ascii = mixed([{ header: ['Content-Type: text/plain'], body: 'hello' }])
  expect(transferable(ascii, { eightBit: false })).toBe(ascii)
  const high = mixed(
    [{ header: ['Content-Transfer-Encoding: 8bit'], body: 'h\xe9' }],
    ['Content-Transfer-Encoding: 8bit'],
  )
  expect(transferable(high, { eightBit: true })).toBe(high)
})

test('BD-12: 8-bit text becomes quoted-printable, other media base64; what holds them is relabelled', () => {
  const octets = mixed(
    [
      {
        header: ['Content-Type: text/plain; charset=utf-8', 'Content-Transfer-Encoding: 8bit'],
        body: 'h\xc3\xa9=\r\n..x',
      },
      { header: ['Content-Type: image/png', 'Content-Transfer-Encoding: 8bit'], body: '\x89PNG' },
      { header: ['Content-Type: image/gif', 'Content-Transfer-Encoding: base64'], body: 'AAAA' },
      { header: [], body: 'no header, \xff' },
    ],
    ['Content-Transfer-Encoding: 8bit'],
  )
  const text = shown(transferable(octets, { eightBit: false })) ?? ''
  expect(text).toMatch(/^[\x00-\x7f]*$/)
  expect(text).toContain('Content-Transfer-Encoding: 7bit\r\nMIME-Version')
  expect(text).toContain('quoted-printable\r\n\r\nh=C3=A9=3D\r\n=2E.x\r\n--b')
  expect(text).toContain('base64\r\n\r\niVBORw==\r\n--b')
  expect(text).toContain('base64\r\n\r\nAAAA\r\n--b')
  expect(text).toContain('--b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nno header, =FF\r\n--b--')
})

test('BD-11: binary bodies become base64 even where 8 bits pass; a message within is opened, not encoded', () => {
  const inner = mixed([
    { header: ['Content-Type: application/x', 'Content-Transfer-Encoding: binary'], body: 'a\0b\nc\rd' },
  ])
  const octets = mixed([
    {
      header: ['Content-Type: message/rfc822', 'Content-Transfer-Encoding: binary'],
      body: inner.toString('latin1').replaceAll('=b\r', '=inner\r').replaceAll('--b', '--inner'),
    },
    { header: ['Content-Type: text/plain', 'Content-Transfer-Encoding: binary'], body: 'caf\xe9' },
    { header: ['Content-Type: text/plain', 'Content-Transfer-Encoding: binary'], body: 'plain' },
  ])
  const out = transferable(octets, { eightBit: true })
  const text = shown(out) ?? ''
  expect(out && isLined(out)).toBe(true)
  expect(text).not.toMatch(/binary/)
  expect(text).toContain('Content-Transfer-Encoding: 8bit\r\n\r\ncaf\xe9')
  expect(text).toContain('Content-Transfer-Encoding: 7bit\r\n\r\nplain')
  const [application] = leavesOf(scanMessage(out!))
  expect(shown(decodeBody(out!, application!))).toBe('a\0b\nc\rd')
})

test('BD-12, 5.6.3: what is signed is not changed', () => {
  const signed = lines(
    'Content-Type: multipart/signed; boundary=s',
    '',
    '--s',
    'Content-Transfer-Encoding: 8bit',
    '',
    'sign\xe9d',
    '--s--',
    '',
  )
  expect(transferable(signed, { eightBit: false })).toBeUndefined()
  expect(transferable(signed, { eightBit: true })).toBe(signed)
  const broken = mixed([{ header: ['Content-Transfer-Encoding: base64'], body: 'AA\nAA' }])
  expect(transferable(broken, { eightBit: true })).toBeUndefined()
})

test('a text whose encoded lines would look like a delimiter goes as base64', () => {
  const body = `${'x'.repeat(75)}--b--\xe9`
  const out = transferable(mixed([{ header: ['Content-Type: text/plain'], body }]), { eightBit: false })
  expect(scanMessage(out!).parts).toHaveLength(1)
  expect(shown(decodeBody(out!, scanMessage(out!).parts[0]!))).toBe(body)
})

test('SC-13: a bare CR, LF or NUL outside of bodies is seen', () => {
  expect(isFramed(mixed([{ header: ['Content-Type: text/plain'], body: 'a\nb\0' }]))).toBe(true)
  for (const odd of ['Subject: x\ny', 'Subject: x\ry', 'Subject: x\0'])
    expect(isFramed(mixed([{ header: [odd], body: 'a' }])), odd).toBe(false)
  expect(isFramed(lines('From: a@example.org\nSubject: x', '', 'body'))).toBe(false)
  expect(isFramed(mixed([{ header: [], body: 'x' }]).subarray(0, -2))).toBe(true)
  expect(isFramed(Buffer.concat([mixed([{ header: [], body: 'x' }]), Buffer.from('epi\nlogue')]))).toBe(false)
})

test('law: any bodies come out as they went in, in lines, 7-bit where that is asked, and twice is once', () => {
  const body = fc.uint8Array({ maxLength: 300 }).map((o) => Buffer.from(o).toString('latin1'))
  const type = fc.constantFrom('text/plain', 'image/png', 'application/octet-stream')
  const encoding = fc.constantFrom(
    [],
    ['Content-Transfer-Encoding: 8bit'],
    ['Content-Transfer-Encoding: binary'],
  )
  const part = fc.record({ body, type, encoding }).filter(({ body: b }) => !/(^|\n)--/.test(b))
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 4 }), fc.boolean(), (parts, eightBit) => {
      const octets = mixed(
        parts.map((p) => ({ header: [`Content-Type: ${p.type}`, ...p.encoding], body: p.body })),
      )
      const out = transferable(octets, { eightBit })
      if (!out) throw new Error('not converted')
      expect(isLined(out)).toBe(true)
      if (!eightBit) expect(out.every((o) => o < 128)).toBe(true)
      const root = scanMessage(out)
      expect(root.parts.map((node) => shown(decodeBody(out, node)))).toEqual(parts.map((p) => p.body))
      expect(transferable(out, { eightBit })).toBe(out)
    }),
    { numRuns: 300 },
  )
})
