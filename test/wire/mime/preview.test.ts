import fc from 'fast-check'
import { expect, test } from 'vitest'
import { digestMessage } from '../../../src/wire/mime/digest.ts'

const preview = (...lines: string[]) => digestMessage(Buffer.from(lines.join('\r\n'))).preview

test('PV-04: transfer encoding, markup, quotations, controls and line ends are gone', () => {
  expect(
    preview(
      'Content-Type: text/plain; charset=utf-8',
      'Content-Transfer-Encoding: quoted-printable',
      '',
      'Gr=C3=BC=C3=9Fe,=20=',
      'J',
      '',
      '> old',
      '--=20',
      'signature',
    ),
  ).toBe('Gr\u00fc\u00dfe, J')
  expect(
    preview(
      'Content-Type: text/html',
      '',
      '<html><head><title>T</title><style>p{}</style></head><!-- no --><p>One&nbsp;&amp; &#x4e8c;<br>three &lt;4 < 5<script>x("</p>")</script> <b',
    ),
  ).toBe('One & \u4e8c three <4 < 5')
  expect(preview('Subject: x', '', '> only', '> quoted')).toBe('> only > quoted')
})

test('PV-03: 200 characters at the most, cut between characters', () => {
  const text = preview('Content-Type: text/plain; charset=utf-8', '', '\u{1f600}'.repeat(300))
  expect(Array.from(text)).toHaveLength(200)
  expect(preview('', 'word '.repeat(100)).length).toBeLessThanOrEqual(200)
})

test('PV-01, PV-06: the text a reader sees first; images, attachments and encrypted parts say nothing', () => {
  const parts = (subtype: string, ...bodies: string[][]) =>
    preview(
      `Content-Type: multipart/${subtype}; boundary=b`,
      '',
      ...bodies.flatMap((body) => ['--b', ...body]),
      '--b--',
    )
  expect(
    parts(
      'mixed',
      ['Content-Type: application/smil', '', '<smil/>'],
      ['Content-Disposition: attachment', '', 'no'],
      ['Content-Type: text/html', '', '<p>html</p>'],
      ['Content-Type: text/plain', '', 'plain'],
    ),
  ).toBe('plain')
  expect(parts('encrypted', ['', 'Version: 1'], ['Content-Type: text/plain', '', 'secret'])).toBe('')
  expect(preview('Content-Type: image/png', '', 'x')).toBe('')
})

test('SEC: no octets make the digest throw, and the preview stays within its limit', () => {
  fc.assert(
    fc.property(fc.constantFrom('plain', 'html'), fc.uint8Array({ maxLength: 400 }), (subtype, body) => {
      const octets = Buffer.concat([
        Buffer.from(`Content-Type: text/${subtype}; charset=utf-8\r\n\r\n`),
        body,
      ])
      const { preview: text } = digestMessage(octets)
      expect(Array.from(text).length).toBeLessThanOrEqual(200)
      expect(text).not.toMatch(/\p{Cc}/u)
      expect(text.isWellFormed()).toBe(true)
    }),
  )
})
