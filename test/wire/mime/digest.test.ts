import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseAddressList } from '../../../src/wire/mime/addresses.ts'
import { parseDate } from '../../../src/wire/mime/date.ts'
import { baseSubject, digestMessage } from '../../../src/wire/mime/digest.ts'
import { searchableText } from '../../../src/wire/mime/search-text.ts'
import { filterHeader, locateSection, type SectionSpec } from '../../../src/wire/mime/section.ts'

const mail = (...lines: string[]) => Buffer.from(lines.join('\r\n'), 'latin1')

const nested = mail(
  'Date: Mon, 7 Feb 1994 21:52:25 -0800',
  'From: Fred Foobar <foobar@Blurdybloop.example>',
  'Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?= "x"',
  'To: A Group:b@c, "d e"@f;, root',
  'Message-ID: <B27397-0100000@Blurdybloop.example>',
  'Content-Type: multipart/mixed; boundary="b"',
  '',
  '--b',
  '',
  'part one',
  '--b',
  'Content-Type: message/rfc822',
  '',
  'Subject: inner',
  'Content-Type: multipart/alternative; boundary=c',
  '',
  '--c',
  'Content-Type: text/plain; charset=utf-8',
  "Content-Disposition: attachment; filename*=utf-8''na%C3%AFve.txt",
  '',
  'inner text',
  '--c--',
  '--b--',
  '',
)

test('EN-01 to EN-08: ENVELOPE', () => {
  expect(digestMessage(nested).envelope).toBe(
    '("Mon, 7 Feb 1994 21:52:25 -0800" "=?utf-8?Q?Gr=C3=BC=C3=9Fe?= \\"x\\"" ' +
      '(("Fred Foobar" NIL "foobar" "Blurdybloop.example")) (("Fred Foobar" NIL "foobar" "Blurdybloop.example")) ' +
      '(("Fred Foobar" NIL "foobar" "Blurdybloop.example")) ' +
      '((NIL NIL "A Group" NIL)(NIL NIL "b" "c")(NIL NIL "d e" "f")(NIL NIL NIL NIL)(NIL NIL "root" "")) NIL NIL NIL ' +
      '"<B27397-0100000@Blurdybloop.example>")',
  )
  const odd = digestMessage(
    mail('From: <@a,@b:c@d>', 'Sender:', 'Subject:', 'Reply-To: x@y (Comment Name)', '', ''),
  )
  expect(odd.envelope).toBe(
    '(NIL "" ((NIL "@a,@b" "c" "d")) ((NIL "@a,@b" "c" "d")) (("Comment Name" NIL "x" "y")) NIL NIL NIL NIL NIL)',
  )
  expect(digestMessage(mail('Subject: J\xc3\xb6rg', '', '')).envelope).toContain('"=?utf-8?B?SsO2cmc=?="')
})

test('BS-01 to BS-14: BODY and BODYSTRUCTURE', () => {
  expect(digestMessage(nested).body).toBe(
    '(("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 8 1)' +
      `("MESSAGE" "RFC822" NIL NIL NIL "7BIT" ${innerSize()} ` +
      '(NIL "inner" NIL NIL NIL NIL NIL NIL NIL NIL) (("TEXT" "PLAIN" ("CHARSET" "utf-8") NIL NIL "7BIT" 10 1) "ALTERNATIVE") 9) "MIXED")',
  )
  const full = digestMessage(nested).bodyStructure
  expect(full).toContain(
    '("CHARSET" "utf-8") NIL NIL "7BIT" 10 1 NIL ("attachment" ("FILENAME*" "utf-8\'\'na%C3%AFve.txt")) NIL NIL)',
  )
  expect(full.endsWith('"MIXED" ("BOUNDARY" "b") NIL NIL NIL)')).toBe(true)
  expect(digestMessage(mail('Content-Type: multipart/alternative', '', 'x')).body).toBe(
    '(("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 0 0) "ALTERNATIVE")',
  )
  expect(
    digestMessage(mail('Content-Type: foo', 'Content-Transfer-Encoding: BASE64 (x)', '', 'eA==')).body,
  ).toBe('("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "BASE64" 4 1)')
})

function innerSize(): number {
  const text = nested.toString('latin1')
  return text.indexOf('\r\n--b--') - text.indexOf('Subject: inner')
}

const section = (part: number[], text?: SectionSpec['text'], fields?: string[]): string | undefined => {
  const located = locateSection(digestMessage(nested).structure, { part, text, fields })
  if (!located) return undefined
  if (located.kind === 'range') return nested.subarray(located.start, located.end).toString('latin1')
  const header = nested.subarray(located.headerStart, located.headerEnd)
  return Buffer.from(filterHeader(header, located.names, located.not)).toString('latin1')
}

test('FE-07 to FE-19: sections by part number', () => {
  expect(section([])).toBe(nested.toString('latin1'))
  expect(section([1])).toBe('part one')
  expect(section([2, 1])).toBe('inner text')
  expect(section([2], 'HEADER')).toBe(
    'Subject: inner\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n',
  )
  expect(section([2], 'HEADER.FIELDS', ['subject'])).toBe('Subject: inner\r\n\r\n')
  expect(section([2], 'TEXT')?.startsWith('--c\r\n')).toBe(true)
  expect(section([2], 'MIME')).toBe('Content-Type: message/rfc822\r\n\r\n')
  expect(section([1], 'HEADER')).toBeUndefined()
  expect(section([9])).toBeUndefined()
  expect(section([1, 1])).toBeUndefined()
  expect(section([], 'HEADER.FIELDS', ['X-None'])).toBe('\r\n')
  expect(section([], 'HEADER.FIELDS.NOT', ['date', 'From', 'to', 'subject', 'message-id'])).toBe(
    'Content-Type: multipart/mixed; boundary="b"\r\n\r\n',
  )
  const plain = digestMessage(mail('Subject: x', '', 'body')).structure
  expect(locateSection(plain, { part: [1] })).toEqual({ kind: 'range', start: 14, end: 18 })
  expect(locateSection(plain, { part: [1, 1] })).toBeUndefined()
  expect(Buffer.from(filterHeader(Buffer.from('A: b'), ['a'], false)).toString()).toBe('A: b')
})

test('dates: zones, obsolete forms, blanks inside, what is none', () => {
  expect(parseDate('Mon, 7 Feb 1994 21:52:25 -0800 (PST)')).toEqual({
    epochMs: Date.UTC(1994, 1, 8, 5, 52, 25),
    offsetMinutes: -480,
  })
  expect(parseDate('7 Feb 94 21:52 EST')).toEqual({
    epochMs: Date.UTC(1994, 1, 8, 2, 52),
    offsetMinutes: -300,
  })
  expect(parseDate('Tue, 5 Mar 2024 13:47: 41 -0000')).toEqual({
    epochMs: Date.UTC(2024, 2, 5, 13, 47, 41),
    offsetMinutes: null,
  })
  expect(parseDate('31 Feb 2024 00:00:00 +0000')).toBeUndefined()
  expect(parseDate('yesterday')).toBeUndefined()
})

test('RFC 5256 §2.1: base subject', () => {
  expect(baseSubject('Re: [list] FWD: [Fwd: Hello]  (fwd)')).toBe('Hello')
  expect(baseSubject('[blob]')).toBe('[blob]')
  expect(baseSubject('re[2]: x')).toBe('x')
})

test('searchable text: decoded, enclosed messages too', () => {
  const text = searchableText(nested)
  expect(text.header).toContain('Subject: Grüße "x"')
  expect(text.body).toContain('inner text')
  expect(text.body).toContain('Subject: inner')
})

test('law: no field value makes the address reader or the digest throw', () => {
  const piece = fc.constantFrom(
    '<',
    '>',
    '@',
    ',',
    ';',
    ':',
    '"',
    '(',
    ')',
    '\\',
    '[',
    ']',
    ' ',
    'a',
    '=?utf-8?B?w7Y=?=',
    '\xe4',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (list) => {
      const value = list.join('')
      for (const item of parseAddressList(value)) expect(item.kind).toMatch(/mailbox|group/)
      const { envelope } = digestMessage(
        mail(`To: ${value}`, `Content-Type: ${value}`, `Date: ${value}`, '', 'x'),
      )
      expect(envelope.startsWith('(') && envelope.endsWith(')')).toBe(true)
    }),
    { numRuns: 500 },
  )
})
