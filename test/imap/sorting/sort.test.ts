import { describe, expect, test } from 'vitest'
import { envelopeValues } from '../../../src/imap/sorting/envelope-values.ts'
import {
  sortRecords as pacedRecords,
  type SortCriterion,
  type SortRecord,
  sentDate,
  sortKeyNamed,
} from '../../../src/imap/sorting/sort.ts'
import { sortKey, unicodeCasemap } from '../../../src/wire/imap/collation.ts'
import { baseSubject, subjectParts } from '../../../src/wire/mime/base-subject.ts'
import { digestMessage } from '../../../src/wire/mime/digest.ts'
import { finished } from '../../support/paced.ts'

const sortRecords = <T extends SortRecord>(records: readonly T[], criteria: readonly SortCriterion[]): T[] =>
  finished(pacedRecords(records, criteria))
const numbers = (list: readonly { n: number }[]): number[] => list.map(({ n }) => n)
const key = (text: string): string => sortKey(unicodeCasemap, text)

describe('SORT criteria (RFC 5256 §3)', () => {
  const records = [
    { n: 1, subject: key('b'), sent: 5, size: 9, arrival: 1 },
    { n: 2, subject: key(''), sent: 4, size: 9, arrival: 2 },
    { n: 3, subject: key('B'), sent: 6, size: 8, arrival: 3 },
    { n: 4, subject: key('á'), sent: 4, size: 7, arrival: 4 },
  ]

  test('SO-02: criteria in order, ties in the order of the mailbox', () => {
    expect(numbers(sortRecords(records, [{ key: 'SUBJECT', reverse: false }]))).toEqual([2, 4, 1, 3])
    expect(
      numbers(
        sortRecords(records, [
          { key: 'SUBJECT', reverse: false },
          { key: 'DATE', reverse: true },
        ]),
      ),
    ).toEqual([2, 4, 3, 1])
    expect(numbers(sortRecords(records, [{ key: 'DATE', reverse: false }]))).toEqual([2, 4, 1, 3])
  })

  test('SO-02: REVERSE turns its own criterion, not the ties', () => {
    expect(numbers(sortRecords(records, [{ key: 'SIZE', reverse: true }]))).toEqual([1, 2, 3, 4])
    expect(numbers(sortRecords(records, [{ key: 'DATE', reverse: true }]))).toEqual([3, 1, 2, 4])
    expect(numbers(sortRecords(records, [{ key: 'ARRIVAL', reverse: true }]))).toEqual([4, 3, 2, 1])
  })

  test('SO-03: what is missing sorts first', () => {
    const list = [{ n: 1, from: key('joe') }, { n: 2 }, { n: 3, from: key('Amy') }]
    expect(numbers(sortRecords(list, [{ key: 'FROM', reverse: false }]))).toEqual([2, 3, 1])
  })

  test('SO-04: INTERNALDATE stands for a sent date that is not there', () => {
    expect(sentDate(null, 7)).toBe(7)
    expect(sentDate(3, 7)).toBe(3)
    expect(sentDate(0, 7)).toBe(0)
  })

  test('SO-09: names of keys', () => {
    expect(sortKeyNamed('displayFrom')).toBe('DISPLAYFROM')
    expect(sortKeyNamed('REVERSE')).toBeUndefined()
    expect(sortKeyNamed('constructor')).toBeUndefined()
  })

  test('SO-02: 100,000 records of one subject and date', () => {
    const many = Array.from({ length: 100_000 }, (_, n) => ({ n, subject: 'S', sent: 1 }))
    const start = process.cpuUsage()
    const sorted = sortRecords(many, [
      { key: 'SUBJECT', reverse: true },
      { key: 'DATE', reverse: false },
    ])
    expect(sorted.every(({ n }, i) => n === i)).toBe(true)
    expect(process.cpuUsage(start).user / 1000).toBeLessThan(1000)
  })
})

describe('base subject (RFC 5256 §2.1)', () => {
  test.each([
    ['Re: hello', 'hello', true],
    ['re [x] : hello', 'hello', true],
    ['[list] Re: [other] hello', 'hello', true],
    ['Fwd: FW: re: x', 'x', true],
    ['x (fwd) (FWD) ', 'x', true],
    ['[fwd: [list] Re: x (fwd)]', 'x', true],
    ['[fwd: x', '[fwd: x', false],
    ['[list] x', 'x', false],
    ['[list]', '[list]', false],
    ['[a] [b]', '[b]', false],
    ['[a] (fwd)', '[a]', true],
    ['AW: x', 'AW: x', false],
    ['SV: x', 'SV: x', false],
    ['Reply: x', 'Reply: x', false],
    ['res: x', 'res: x', false],
    ['re x', 're x', false],
    ['a\t\r\n  b', 'a b', false],
    ['Re:', '', true],
    ['[fwd:]', '', true],
    ['', '', false],
    ['\u00a0Re: x', '\u00a0Re: x', false],
  ])('SO-06, SO-07: %j', (subject, base, isReply) => {
    expect(subjectParts(subject)).toEqual({ base, isReply })
  })

  test('SO-06, SC-36: what is taken off again and again costs bounded time', () => {
    const start = process.cpuUsage()
    for (const unit of ['re:', '[x]', '(fwd)', '[fwd:', '[', '[a] re', ' ']) baseSubject(unit.repeat(100_000))
    expect(process.cpuUsage(start).user / 1000).toBeLessThan(500)
  })
})

describe('strings of ENVELOPE that SORT compares', () => {
  const values = (...lines: string[]) =>
    envelopeValues(digestMessage(Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'utf8')).envelope)

  test('SO-03: local part of the first address', () => {
    expect(
      values('From: Joe <joe@a.example>', 'To: b@x, a@x', 'Cc: "q\\"s"@x, z@x', 'Subject: Re: hi'),
    ).toEqual({
      from: 'joe',
      to: 'b',
      cc: 'q"s',
      displayFrom: 'Joe',
      displayTo: 'b@x',
      isReply: true,
    })
    expect(values('Subject: x')).toEqual({
      from: '',
      to: '',
      cc: '',
      displayFrom: '',
      displayTo: '',
      isReply: false,
    })
  })

  test('SO-08: display name decoded; else the address; else the mailbox; else nothing', () => {
    expect(values('From: =?iso-8859-1?Q?J=F6rg?= <j@x>').displayFrom).toBe('Jörg')
    expect(values('From: "" <j@x>').displayFrom).toBe('j@x')
    expect(values('From: j').displayFrom).toBe('j')
    expect(values('To: Friends: a@x, b@x;').displayTo).toBe('Friends')
    expect(values('To: Friends: a@x, b@x;').to).toBe('Friends')
    expect(values('From: "a \\"b\\" c" <j@x>').displayFrom).toBe('a "b" c')
    expect(values('From: Jörg <j@x>', 'To: x@y').displayFrom).toBe('Jörg')
  })

  test('SO-12: a subject in encoded words is examined decoded', () => {
    expect(values('Subject: =?utf-8?Q?Re=3A_h=C3=A9?=').isReply).toBe(true)
    expect(values('Subject: plain "quoted" \\ text').isReply).toBe(false)
  })
})
