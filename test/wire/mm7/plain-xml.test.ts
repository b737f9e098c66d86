import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parsePlainXml } from '../../../src/wire/mm7/plain-xml.ts'
import { element, writeMm7 } from '../../../src/wire/mm7/write.ts'
import { defaultXmlLimits, parseWholeXml } from '../../../src/wire/mm7/xml.ts'

const soap = (body: string): string =>
  `<?xml version="1.0"?>\n<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" xmlns:x=" urn:x ">\r\n <e:Header><t:TransactionID xmlns:t="urn:t" e:mustUnderstand="1"> a-1 </t:TransactionID></e:Header><e:Body>${body}</e:Body></e:Envelope>`
/** The declaration is taken out before (decodeXml). */
const bare = (text: string): string => text.replace(/^<\?xml[^>]*\?>/, '')

const whole = (text: string): unknown => {
  try {
    return parseWholeXml(text)
  } catch {
    return 'refused'
  }
}

const bodies = [
  '<SubmitReq xmlns="urn:m"><To a="1" b=\'2\'><N>+49&amp;&#65;&#x42;&lt;</N></To>\r\n<Empty/><Content href="cid:x" /></SubmitReq>',
  '<x:R x:a="&quot;&apos;" e:b="&#10;">t<x:b>u</x:b>v\rw</x:R>',
  '<a xmlns:p="urn:1" xmlns:q="urn:1" p:x="1" q:y="2"><b xmlns=""/><p:c>ä€\u{1f600}</p:c></a>',
]

test('SEC-020: what the plain reader reads is what the whole reader reads; it reads what peers write', () => {
  for (const body of bodies) {
    const text = bare(soap(body))
    expect(parsePlainXml(text, defaultXmlLimits)).toEqual(whole(text))
    expect(parsePlainXml(text, defaultXmlLimits)).toBeDefined()
  }
  const written = writeMm7({
    transactionId: 'a"<&>\t\u0001',
    namespace: 'urn:m',
    body: element('R', [element('S', ' ]]> ü ')]),
  })
  const text = bare(Buffer.concat(written.body).toString())
  expect(parsePlainXml(text, defaultXmlLimits)).toEqual(whole(text))
  expect(parsePlainXml(text, defaultXmlLimits)).toBeDefined()
})

test('SEC-020: cut, joined and broken XML: both readers agree, or the plain one does not judge', () => {
  const pieces = [
    '<',
    '>',
    '/',
    '&',
    ';',
    '"',
    "'",
    '=',
    ':',
    ' ',
    '\t',
    '\r\n',
    'xmlns',
    'xmlns:x=""',
    'xmlns:xml="urn:x"',
    '<!--',
    '-->',
    '<![CDATA[',
    ']]>',
    '<?p i?>',
    '<!DOCTYPE a>',
    '&#x',
    '&#0;',
    '&#xD800;',
    '&nbsp;',
    '&amp',
    'a="1"',
    ' a="1"',
    ' x:a="1"',
    ' y:a="1"',
    '<y:a/>',
    '</a>',
    '<a>',
    '<a/>',
    '\u0000',
    '\ufffe',
    '\ud800',
    'ä',
    'é:a',
    '<1/>',
    ' z:a="1" xmlns:z="urn:x"',
  ]
  const change = fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    cut: fc.nat(6),
    put: fc.constantFrom('', ...pieces),
  })
  fc.assert(
    fc.property(
      fc.constantFrom(...bodies),
      fc.array(change, { minLength: 1, maxLength: 3 }),
      (body, changes) => {
        let text = bare(soap(body))
        for (const { at, cut, put } of changes) {
          const place = Math.floor(at * text.length)
          text = text.slice(0, place) + put + text.slice(place + cut)
        }
        const plain = parsePlainXml(text, defaultXmlLimits)
        if (plain) expect(plain).toEqual(whole(text))
      },
    ),
    { numRuns: 6000 },
  )
})

test('SEC-020: limits hold in time that grows with the text alone', () => {
  const limits = defaultXmlLimits
  for (const text of [
    `<a ${Array.from({ length: 40_000 }, (_, i) => `x${i}="1"`).join(' ')}/>`,
    `<a ${' '.repeat(200_000)}`,
    `<a${' b="1"'.repeat(40_000)}<`,
    `<${'a'.repeat(200_000)}`,
    '<a>'.repeat(80_000),
    `<a>${'<b/>'.repeat(60_000)}</a>`,
    `<a>${'&'.repeat(200_000)}</a>`,
    `<a>${'x'.repeat(262_145)}</a>`,
  ]) {
    const begin = performance.now()
    expect(parsePlainXml(text, limits)).toBeUndefined()
    expect(performance.now() - begin).toBeLessThan(1000)
  }
})
