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

test('PV-03, PV-04: what is left out takes no room: the same preview, however much of it stands before the text', () => {
  const words = ['lorem ', 'Gr\u00fc\u00dfe ', '\u{1f600}', '\u200b', ' '.repeat(40), '\r\n', 'x'.repeat(30)]
  const marks = {
    plain: ['\r\n> old\r\n', '\r\n-- \r\n', '\r\n>\r\n', '-- '],
    html: [
      '<b>',
      '</b',
      '>',
      '<style>',
      '</style>',
      '<!--',
      '-->',
      '&amp;',
      '&#x200b;',
      '&am',
      '<br/>',
      '< ',
    ],
  }
  const before = { plain: '> quoted\r\n'.repeat(300), html: `<!-- ${'no '.repeat(1000)}-->` }
  const long = new Set<boolean>()
  for (const subtype of ['plain', 'html'] as const)
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(fc.constantFrom(...words, ...words, ...marks[subtype]), fc.integer({ min: 1, max: 30 })),
          {
            minLength: 20,
            maxLength: 60,
          },
        ),
        (pieces) => {
          const text = `first ${pieces.map(([piece, times]) => piece.repeat(times)).join('')}`.slice(0, 5000)
          const head = `Content-Type: text/${subtype}; charset=utf-8`
          long.add(text.length > 2048)
          expect(preview(head, '', text)).toBe(preview(head, '', before[subtype] + text))
        },
      ),
      { numRuns: 300, seed: 5 },
    )
  expect(long.size).toBe(2)
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
