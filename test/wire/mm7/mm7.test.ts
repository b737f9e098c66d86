import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Fault } from '../../../src/model/fault.ts'
import { decodeBody } from '../../../src/wire/mime/scan.ts'
import { isMm7Type, readMm7 } from '../../../src/wire/mm7/read.ts'
import type { Mm7Refusal } from '../../../src/wire/mm7/refusal.ts'
import { readMm7Response } from '../../../src/wire/mm7/response.ts'
import { mm7Status } from '../../../src/wire/mm7/status.ts'
import { element, schemaNamespace, writeFault, writeMm7 } from '../../../src/wire/mm7/write.ts'
import { childText, parseXml } from '../../../src/wire/mm7/xml.ts'

const namespace = schemaNamespace('REL-6-MM7-1-4')
const soap = (
  body: string,
  header = `<t:TransactionID xmlns:t="${namespace}" e:mustUnderstand="1"> vas-1 </t:TransactionID>`,
) =>
  `<?xml version="1.0"?><e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Header>${header}</e:Header><e:Body>${body}</e:Body></e:Envelope>`
const submit = (inner = '') => `<SubmitReq xmlns="${namespace} ">${inner}</SubmitReq>`
const refusal = (fn: () => unknown): Mm7Refusal & Fault => {
  try {
    fn()
  } catch (error) {
    return error as Mm7Refusal & Fault
  }
  throw new Error('nothing was refused')
}
const multipart = (root: string, parts: string[], parameters = 'start="<r>"') => {
  const body = [`Content-Type: text/xml\r\nContent-ID: <r>\r\n\r\n${root}`, ...parts]
    .map((p) => `--b\r\n${p}\r\n`)
    .join('')
  return readMm7(`multipart/related; boundary=b; type="text/xml"; ${parameters}`, Buffer.from(`${body}--b--`))
}
const contentText = (m: ReturnType<typeof readMm7>) =>
  m.content && Buffer.from(decodeBody(m.content.octets, m.content.node)).toString()

test('SEC-020, MM7-018: DTD, depth, elements, attributes, text: each refused at once, with its place', () => {
  const said = (xml: string) => refusal(() => parseXml(Buffer.from(xml))).message
  expect(said('<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>')).toMatch(/line 1.*document type/)
  expect(said('<a><!doctype a></a>')).toMatch(/XML line/)
  expect(said('<a>'.repeat(10_000))).toMatch(/deeper than 32/)
  expect(said(`<a>${'<b/>'.repeat(10_001)}</a>`)).toMatch(/more than 10000 elements/)
  expect(said(`<a ${Array.from({ length: 65 }, (_, i) => `x${i}="1"`).join(' ')}/>`)).toMatch(
    /more than 64 attributes/,
  )
  expect(said(`<a>${'x'.repeat(300_000)}</a>`)).toMatch(/more than 262144 characters/)
  expect(said('<a><b></a>')).toMatch(/line 1/)
  expect(said('<soap-env::Header/>')).toMatch(/XML line/)
  expect(said('')).toMatch(/XML/)
  expect(said('<a>&lol;</a>')).toMatch(/XML/)
  expect(parseXml(Buffer.from('<a><!-- <!DOCTYPE x> -->t</a>')).text).toBe('t')
})

test('MM7-017, QUIRKS 7: encodings by BOM, declaration, and octets that contradict it', () => {
  const text = (octets: Buffer) => parseXml(octets).text
  const utf16 = Buffer.from('\ufeff<?xml version="1.0" encoding="utf-16"?><a>ä€</a>', 'utf16le')
  expect(text(utf16)).toBe('ä€')
  expect(text(Buffer.from(utf16).swap16())).toBe('ä€')
  expect(text(Buffer.from('<?xml version="1.0" encoding="ISO-8859-1"?><a>\xe4</a>', 'latin1'))).toBe('ä')
  expect(text(Buffer.from('<?xml version="1.0" encoding="utf-16"?><a>ä</a>'))).toBe('ä')
  expect(
    text(
      Buffer.concat([
        Buffer.from('<?xml version="1.0" encoding="GBK"?><a>'),
        Buffer.from([0xd6, 0xd0]),
        Buffer.from('</a>'),
      ]),
    ),
  ).toBe('中')
  expect(text(Buffer.from('\r\n<?xml version="1.0"?><a>x</a>'))).toBe('x')
})

test('MM7-010 to MM7-016: envelope, header blocks, body', () => {
  const read = (xml: string) => readMm7('text/xml', Buffer.from(xml))
  expect(read(soap(submit()))).toMatchObject({ transactionId: 'vas-1', namespace, operation: 'SubmitReq' })
  expect(read(soap(submit(), '')).transactionId).toBeUndefined()
  expect(
    refusal(() =>
      read(
        soap(submit()).replaceAll(
          'http://schemas.xmlsoap.org/soap/envelope/',
          'http://www.w3.org/2003/05/soap-envelope',
        ),
      ),
    ).soapCode,
  ).toBe('VersionMismatch')
  expect(
    refusal(() => read(soap(submit(), '<x:Other xmlns:x="urn:x" e:mustUnderstand="1"/>'))).soapCode,
  ).toBe('MustUnderstand')
  expect(read(soap(submit(), '<x:Other xmlns:x="urn:x" e:mustUnderstand="0"/>')).operation).toBe('SubmitReq')
  expect(refusal(() => read(soap('')))).toMatchObject({ status: 4004, seen: { transactionId: 'vas-1' } })
  expect(refusal(() => read(soap(submit() + submit()))).status).toBe(4004)
  expect(refusal(() => read('<html/>')).status).toBe(4004)
})

test('MM7-021 to MM7-025, QUIRKS 14 to 17: parts, start, href', () => {
  const content = 'Content-Type: text/plain\r\nContent-ID:<c/1@x>\r\nContent-Location: l.txt\r\n\r\nhello'
  const href = (h: string) => soap(submit(`<Content href="${h}"/>`))
  for (const h of ['cid:c/1@x', 'cid:c%2F1@x', 'cid: c/1@x', 'c/1@x', '&lt;c/1@x&gt;', 'l.txt'])
    expect(contentText(multipart(href(h), [content]))).toBe('hello')
  expect(contentText(multipart(soap(submit()), [content]))).toBe('hello')
  expect(contentText(multipart(href('cid:c/1@x'), [content], ''))).toBe('hello')
  expect(contentText(multipart(href('cid:c/1@x'), [content], 'start="<nothing>"'))).toBe('hello')
  expect(multipart(href('cid:none'), [content])).toMatchObject({ danglingHref: 'cid:none' })
  expect(multipart(href('http://example.org/x'), [content])).toMatchObject({
    danglingHref: 'http://example.org/x',
  })
  expect(
    refusal(() => readMm7('multipart/related; type="text/xml"', Buffer.from(soap(submit())))).status,
  ).toBe(4004)
  expect(refusal(() => readMm7('multipart/related; boundary=zz', Buffer.from(soap(submit())))).status).toBe(
    4004,
  )
  const unclosed = `--b\r\n\r\n${soap(submit())}\r\n--b\r\nContent-Type: text/plain\r\n\r\nopen`
  expect(contentText(readMm7('multipart/related; boundary=b', Buffer.from(unclosed)))).toBe('open')
  expect([
    isMm7Type('Text/XML; charset=utf-8'),
    isMm7Type('application/soap+xml'),
    isMm7Type('text/html'),
  ]).toEqual([true, true, false])
})

test('MM7-019, MM7-026: what is written is read again, whatever the text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 50 }), (subject) => {
      const written = writeMm7({
        transactionId: `t${subject}`,
        namespace,
        body: element('SubmitReq', [element('Subject', subject), element('Empty', '', { a: subject })]),
      })
      const xml = Buffer.concat(written.body)
      const expected = subject.toWellFormed().replace(/[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, '\ufffd')
      const read = readMm7(written.contentType, xml)
      expect(childText(read.body, 'Subject') ?? '').toBe(expected.replaceAll('\r\n', '\r\n').trim())
      expect(read.body.children[1]?.attributes.a).toBe(expected)
    }),
  )
  const fields = [
    { name: 'Content-Type', value: 'text/plain' },
    { name: 'Content-ID', value: '<p@x>' },
  ]
  const withContent = writeMm7({
    transactionId: 't',
    namespace,
    body: element('SubmitReq', [element('Content', '', { href: 'cid:p@x' })]),
    rootId: '<root@x>',
    boundary: 'bb',
    content: { fields, body: [Buffer.from('hel'), Buffer.from('lo')] },
  })
  expect(contentText(readMm7(withContent.contentType, Buffer.concat(withContent.body)))).toBe('hello')
})

test('MM7-033, MM7-044, QUIRKS 11: answers by content', () => {
  const status = (code: number) =>
    `<Status><StatusCode>${code}</StatusCode><StatusText>text</StatusText><Details><x>2002 +999</x></Details></Status>`
  const read = (body: string) => readMm7Response(Buffer.from(soap(body)))
  expect(read(`<SubmitRsp>${status(1100)}<MessageID>m-1</MessageID></SubmitRsp>`)).toEqual({
    transactionId: 'vas-1',
    statusCode: 1100,
    statusText: 'text',
    details: '2002 +999',
    messageId: 'm-1',
  })
  expect(read(`<RSErrorRsp>${status(4001)}</RSErrorRsp>`).statusCode).toBe(4001)
  expect(
    read(
      `<e:Fault><e:faultcode>Server</e:faultcode><e:detail><RSErrorRsp>${status(2001)}</RSErrorRsp></e:detail></e:Fault>`,
    ).statusCode,
  ).toBe(2001)
  expect(
    read('<e:Fault><faultcode>env:Client</faultcode><faultstring>no</faultstring></e:Fault>'),
  ).toMatchObject({ statusCode: 4004, statusText: 'no' })
  expect(read('<e:Fault><faultcode>env:Server</faultcode></e:Fault>').statusCode).toBe(4000)
  expect(refusal(() => readMm7Response(Buffer.from('<html><body>gone</body></html>'))).kind).toBe('malformed')
  const fault = writeFault({
    code: 'Client',
    string: 'Client error',
    transactionId: 'a@<b>',
    namespace,
    detail: element('RSErrorRsp', [element('Status', [element('StatusCode', '4004')])]),
  })
  expect(readMm7Response(Buffer.concat(fault.body))).toMatchObject({
    transactionId: 'a@<b>',
    statusCode: 4004,
  })
})

test('MM7-041: unknown codes', () => {
  expect(mm7Status(2572).code).toBe(2000)
  expect(mm7Status(4999).code).toBe(4000)
  expect([mm7Status(5000).code, mm7Status(99).code, mm7Status(Number.NaN).code]).toEqual([3000, 3000, 3000])
})

test('every MM7 request of the worked cases is read or refused with a status', () => {
  const root = new URL('../../../fixtures/rfc4356/', import.meta.url)
  let count = 0
  for (const name of readdirSync(root)) {
    let raw: Buffer
    try {
      raw = readFileSync(new URL(`${name}/input.http`, root))
    } catch {
      continue
    }
    const end = raw.indexOf('\r\n\r\n')
    const type = /^content-type: (.*)$/im.exec(raw.subarray(0, end).toString('latin1'))?.[1] ?? ''
    try {
      expect(readMm7(type, raw.subarray(end + 4)).operation).not.toBe('')
    } catch (error) {
      expect((error as Mm7Refusal).status).toBe(4004)
    }
    count++
  }
  expect(count).toBeGreaterThan(20)
})
