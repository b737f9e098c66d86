/** The MM1 codec: round trips, cuts, hostile octets, and PDUs that handsets and relays sent. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodePdu } from '../../../src/wire/mm1/decode.ts'
import { encodePdu } from '../../../src/wire/mm1/encode.ts'
import { Mm1Fault } from '../../../src/wire/mm1/fault.ts'
import { mediaTypes } from '../../../src/wire/mm1/media.ts'
import {
  type ContentType,
  type Mm1Body,
  type Mm1Part,
  type Mm1Pdu,
  pduTypes,
} from '../../../src/wire/mm1/pdu.ts'
import { Reader } from '../../../src/wire/mm1/reader.ts'
import { Writer } from '../../../src/wire/mm1/writer.ts'

const hex = (text: string): Buffer => Buffer.from(text.replace(/\s+/g, ''), 'hex')
const fault = (octets: Uint8Array): Mm1Fault => {
  try {
    decodePdu(octets)
  } catch (error) {
    if (error instanceof Mm1Fault) return error
    throw error
  }
  throw new Error('it was decoded')
}

describe('MAP-223: primitives of WSP', () => {
  const roundTrip = <T>(write: (w: Writer) => void, read: (r: Reader) => T): [T, number] => {
    const writer = new Writer()
    write(writer)
    const reader = new Reader(writer.whole())
    return [read(reader), reader.left]
  }

  test('uintvar: seven bits an octet, most significant first', () => {
    expect([...new Writer().uintvar(0x87a5).whole()]).toEqual([0x82, 0x8f, 0x25])
    fc.assert(
      fc.property(fc.nat(0xffffffff), (n) => {
        expect(
          roundTrip(
            (w) => w.uintvar(n),
            (r) => r.uintvar(),
          ),
        ).toEqual([n, 0])
      }),
    )
    expect(() => new Reader(hex('8f 80 80 80 80 00')).uintvar()).toThrow(Mm1Fault)
    expect(() => new Reader(hex('90 80 80 80 00')).uintvar()).toThrow(Mm1Fault)
  })

  test('integers: short up to 127, long in up to 30 octets', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (n) => {
        expect(
          roundTrip(
            (w) => w.integer(n),
            (r) => r.integer(),
          ),
        ).toEqual([n, 0])
      }),
    )
    expect(() => new Reader(hex('00')).longInteger()).toThrow(Mm1Fault)
    expect(() => new Reader(hex('1f 01')).longInteger()).toThrow(Mm1Fault)
    expect(() => new Reader(hex('08 ff ff ff ff ff ff ff ff')).longInteger()).toThrow(Mm1Fault)
    // Leading zeros are only unusual.
    expect(new Reader(hex('0a 00 00 00 00 00 00 00 00 00 07')).longInteger()).toBe(7)
  })

  test('text and Encoded-string-value: any Unicode without NUL', () => {
    const text = fc.string({ unit: 'binary' }).map((s) => s.replaceAll('\0', '').toWellFormed())
    fc.assert(
      fc.property(text, (s) => {
        expect(
          roundTrip(
            (w) => w.text(s),
            (r) => r.text(),
          ),
        ).toEqual([s, 0])
        expect(
          roundTrip(
            (w) => w.encodedString(s),
            (r) => r.encodedString(),
          ),
        ).toEqual([s, 0])
      }),
    )
  })

  test('Encoded-string-value in charsets that handsets use', () => {
    const read = (octets: string) => new Reader(hex(octets)).encodedString()
    expect(read('04 84 e9 e8 00')).toBe('éè')
    expect(read('05 ea 7f c3 a9 00')).toBe('é')
    // UCS-2 with a NUL of two octets, of one, and of none; 03 e8 = 1000.
    expect(read('09 02 03 e8 00 48 00 69 00 00')).toBe('Hi')
    expect(read('08 02 03 e8 00 48 00 69 00')).toBe('Hi')
    expect(read('07 02 03 e8 00 48 00 69')).toBe('Hi')
    // An unknown MIBenum: UTF-8 where it is that.
    expect(read('07 02 7f ff c3 a9 21 00')).toBe('é!')
    expect(read('00')).toBe('')
    expect(read('48 69 00')).toBe('Hi')
  })
})

const text = fc
  .string({ unit: fc.constantFrom(...'abcXYZ 0189/+=é€日本\u{1F600}.:;"\u007f'), maxLength: 40 })
  .map((s) => s.toWellFormed())
const word = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/)
const octetCode = fc.integer({ min: 0x80, max: 0xff })
const seconds = fc.nat({ max: 2 ** 40 })
const when = fc.oneof(fc.record({ absolute: seconds }), fc.record({ relative: seconds }))
const list = fc.array(text, { minLength: 1, maxLength: 4 })
const index = fc.nat({ max: 300 })
const optional = { requiredKeys: [] as never[] }

const param = fc.oneof(
  fc.record({ name: fc.constantFrom('name', 'filename', 'start', 'start-info'), value: text }),
  fc.record({
    name: fc.constant('charset'),
    value: fc.constantFrom('utf-8', 'us-ascii', 'shift_jis', 'x-mib-9999', 'klingon'),
  }),
  fc.record({
    name: fc.constant('type'),
    value: fc.constantFrom('application/smil', 'text/plain', 'image/*'),
  }),
  fc.record({ name: word.map((w) => `x-${w}`), value: text }),
)
const params = fc.array(param, { maxLength: 4 })
const media = fc.oneof(
  fc.constantFrom(...mediaTypes.filter((t) => !/multipart/.test(t))),
  fc.tuple(word, word).map(([a, b]) => `${a}/${b}`),
)
const contentType: fc.Arbitrary<ContentType> = fc.record({ type: media, params })
const octets = fc.uint8Array({ maxLength: 60 })

const { body } = fc.letrec<{ body: { contentType: ContentType; body: Mm1Body }; part: Mm1Part }>((tie) => ({
  body: fc.oneof(
    { maxDepth: 3, depthIdentifier: 'mm1' },
    fc.record({ contentType, body: octets.map((o) => ({ kind: 'octets' as const, octets: o })) }),
    fc.record({
      contentType: fc.record({
        type: fc.constantFrom(
          'application/vnd.wap.multipart.related',
          'application/vnd.wap.multipart.mixed',
          'application/vnd.wap.multipart.alternative',
        ),
        params,
      }),
      body: fc
        .array(tie('part'), { maxLength: 3 })
        .map((parts) => ({ kind: 'parts' as const, parts: parts as Mm1Part[] })),
    }),
  ),
  part: fc
    .tuple(
      tie('body') as fc.Arbitrary<{ contentType: ContentType; body: Mm1Body }>,
      fc.record(
        {
          contentId: fc.stringMatching(/^[a-z0-9@.]{1,12}$/),
          contentLocation: text,
          disposition: fc.record({ type: fc.constantFrom('inline', 'attachment', 'x-other'), params }),
        },
        optional,
      ),
      fc.array(fc.record({ name: word, value: text }), { maxLength: 2 }),
    )
    .map(([b, extra, headers]) => ({ ...b, ...extra, headers }) as Mm1Part),
}))

const pdu = fc
  .tuple(
    fc.constantFrom(...Object.values(pduTypes)),
    fc.record(
      {
        bcc: list,
        cc: list,
        to: list,
        contentLocation: text,
        date: seconds,
        deliveryReport: octetCode,
        deliveryTime: when,
        expiry: when,
        from: fc.option(text),
        messageClass: fc.oneof(octetCode, fc.stringMatching(/^[a-z]{1,8}$/)),
        messageId: text,
        version: fc.constantFrom('1.0', '1.1', '1.2', '1.3'),
        messageSize: seconds,
        priority: octetCode,
        readReport: octetCode,
        reportAllowed: octetCode,
        responseStatus: octetCode,
        responseText: text,
        senderVisibility: octetCode,
        status: octetCode,
        subject: text,
        transactionId: text,
        retrieveStatus: octetCode,
        retrieveText: text,
        readStatus: octetCode,
        replyCharging: octetCode,
        replyChargingDeadline: when,
        replyChargingId: text,
        replyChargingSize: seconds,
        previouslySentBy: fc.array(fc.record({ index, address: text }), { minLength: 1, maxLength: 3 }),
        previouslySentDate: fc.array(fc.record({ index, date: seconds }), { minLength: 1, maxLength: 3 }),
        store: octetCode,
        statusText: text,
        applicId: text,
        contentClass: octetCode,
        cancelStatus: octetCode,
      },
      optional,
    ),
    fc.option(body, { nil: undefined }),
  )
  .map(
    ([type, headers, content]): Mm1Pdu =>
      ({ type, headers, others: [], ...(content ? { content } : {}) }) as Mm1Pdu,
  )

test('MAP-220 to MAP-229: decode(encode(pdu)) is pdu', () => {
  fc.assert(
    fc.property(pdu, (value) => {
      expect(decodePdu(encodePdu(value))).toEqual(value)
    }),
    { numRuns: 400 },
  )
})

test('MAP-220: type, transaction and version first, content type last', () => {
  const value: Mm1Pdu = {
    type: 'm-send-req',
    headers: { to: ['a@b.example'], version: '1.2', transactionId: 'T', from: null },
    others: [],
    content: {
      contentType: { type: 'text/plain', params: [] },
      body: { kind: 'octets', octets: Buffer.from('x') },
    },
  }
  expect(Buffer.from(encodePdu(value)).toString('hex')).toBe(
    `8c809854008d9289018197${Buffer.from('a@b.example\0').toString('hex')}848378`,
  )
})

test('MAP-229: every cut is an error or a shorter PDU, never a crash; in a multipart always an error', () => {
  fc.assert(
    fc.property(pdu, fc.nat(), (value, n) => {
      const whole = encodePdu(value)
      const cut = whole.subarray(0, n % whole.length)
      try {
        const shorter = decodePdu(cut)
        expect(shorter.type).toBe(value.type)
      } catch (error) {
        expect(error).toBeInstanceOf(Mm1Fault)
      }
    }),
    { numRuns: 400 },
  )
  const multi = encodePdu({
    type: 'm-retrieve-conf',
    headers: { transactionId: 'T' },
    others: [],
    content: {
      contentType: { type: 'application/vnd.wap.multipart.mixed', params: [] },
      body: {
        kind: 'parts',
        parts: ['one', 'two'].map((s) => ({
          contentType: { type: 'text/plain', params: [] },
          headers: [],
          body: { kind: 'octets' as const, octets: Buffer.from(s) },
        })),
      },
    },
  })
  const start = multi.indexOf(0x84, 2) + 2
  for (let n = start; n < multi.length; n++)
    expect(fault(multi.subarray(0, n))).toMatchObject({ responseStatus: 0xe2, transactionId: 'T' })
})

test('random octets end in a PDU or a fault, in time', () => {
  const started = performance.now()
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (noise, headed) => {
      const octetsIn = headed ? Buffer.concat([hex('8c 84 98 54 00 8d 92'), noise]) : noise
      try {
        decodePdu(octetsIn)
      } catch (error) {
        expect(error).toBeInstanceOf(Mm1Fault)
      }
    }),
    { numRuns: 3000 },
  )
  expect(performance.now() - started).toBeLessThan(10_000)
})

describe('hostile and broken PDUs', () => {
  const head = '8c 80 98 54 00 8d 92'
  test('MAP-229: lengths that overrun', () => {
    for (const tail of [
      '84 a3 05', // five parts in no octets
      '84 a3 8f ff ff ff 7f', // four thousand million parts
      '84 a3 01 7f 01 83', // part header longer than the PDU
      '84 a3 01 01 7f 83 61', // part data longer than the PDU
      '84 1f 8f ff ff ff 7f 83', // content type longer than the PDU
      '88 1f 8f ff ff ff 7f 80', // expiry
      '96 48 69', // text without an end
      '89 05 80 61', // From
    ])
      expect(fault(hex(`${head}${tail}`))).toMatchObject({ responseStatus: 0xe2, transactionId: 'T' })
  })

  test('SEC-021: nesting, parts, headers and parameters are limited', () => {
    let nested = hex('8361')
    let data = hex('0101 83 61')
    for (let depth = 0; depth < 40; depth++) {
      const length = new Writer().uintvar(1 + data.length).whole()
      nested = Buffer.concat([hex('01 01'), length, hex('a3 01'), data])
      data = nested.subarray(1)
    }
    expect(fault(Buffer.concat([hex(`${head} 84 a3`), nested])).message).toContain('nested')
    const many = Buffer.concat([new Writer().uintvar(1000).whole(), ...Array(1000).fill(hex('01 00 83'))])
    expect(fault(Buffer.concat([hex(`${head} 84 a3`), many])).message).toContain('too many parts')
    expect(fault(Buffer.concat([hex(head), ...Array(3000).fill(hex('86 80'))])).message).toContain(
      'too many headers',
    )
    const params = Buffer.concat(Array(60).fill(hex('85 61 00')))
    const counted = Buffer.concat([
      hex('84 1f'),
      new Writer().uintvar(params.length + 1).whole(),
      hex('83'),
      params,
    ])
    expect(fault(Buffer.concat([hex(head), counted])).message).toContain('too many parameters')
    expect(fault(Buffer.concat([hex(`${head} 96`), Buffer.alloc(70_000, 65), hex('00')])).message).toContain(
      'too long',
    )
  })

  test('an HTML page, nothing, and an unknown PDU type', () => {
    expect(fault(Buffer.from('<html><body>404</body></html>'))).toMatchObject({ responseStatus: 0xe2 })
    expect(fault(Buffer.alloc(0)).transactionId).toBeUndefined()
    expect(fault(hex('98 54 00 8d 92 8c b0'))).toMatchObject({ responseStatus: 0x88, transactionId: 'T' })
    expect(fault(hex('98 54 00 8d 92'))).toMatchObject({ responseStatus: 0xe2 })
  })

  test('fields that are not known are kept as octets; application headers are passed over', () => {
    const value = decodePdu(hex('8c 85 98 54 00 8d 92 c5 02 01 02 c6 61 00 c7 81 58 2d 41 00 62 00'))
    expect(value.others).toEqual([
      { code: 0xc5, octets: Uint8Array.from([2, 1, 2]) },
      { code: 0xc6, octets: Uint8Array.from([0x61, 0]) },
      { code: 0xc7, octets: Uint8Array.from([0x81]) },
    ])
    expect(decodePdu(encodePdu(value))).toEqual(value)
  })
})

describe('MAP-228: forms that others write', () => {
  const part = (header: string) => {
    const h = hex(header)
    const whole = Buffer.concat([hex(`8c84 9854 00 8d92 84a3 01`), Buffer.from([h.length, 1]), h, hex('78')])
    const { content } = decodePdu(whole)
    return content?.body.kind === 'parts' ? content.body.parts[0]! : undefined
  }
  const ascii = (text: string) => Buffer.from(text, 'latin1').toString('hex')

  test('charset by name, parameters of both versions, quoted values', () => {
    expect(part(`0d 83 81 ${ascii('utf-8\0')} 97 ${ascii('a.t\0')}`)?.contentType).toEqual({
      type: 'text/plain',
      params: [
        { name: 'charset', value: 'utf-8' },
        { name: 'name', value: 'a.t' },
      ],
    })
    expect(part(`${ascii('audio/amr\0')} c0 ${ascii('"<a>\0')}`)?.contentId).toBe('a')
    expect(part(`${ascii('audio/amr\0')} c0 ${ascii('<b>\0')}`)?.contentId).toBe('b')
    expect(part(`${ascii('audio/amr; q=1\0')}`)?.contentType.type).toBe('audio/amr')
    expect(part(`83 ae 04 81 86 ${ascii('f\0')}`)?.disposition).toEqual({
      type: 'attachment',
      params: [{ name: 'filename', value: 'f' }],
    })
    expect(part(`83 ${ascii('Content-Transfer-Encoding\0base64\0')}`)?.headers).toEqual([
      { name: 'Content-Transfer-Encoding', value: 'base64' },
    ])
  })
})

const corpus = new URL('../../../../shared/corpus/mm1/', import.meta.url)
test.skipIf(!existsSync(corpus))('PDUs of other projects are all decoded, and survive a round trip', () => {
  const names = (readdirSync(corpus, { recursive: true }) as string[]).filter((n) =>
    /\.(ind|conf|req|mms)$/.test(n),
  )
  expect(names.length).toBeGreaterThan(0)
  const counts = new Map<string, number>()
  for (const name of names) {
    const value = decodePdu(readFileSync(new URL(name, corpus)))
    expect(decodePdu(encodePdu(value))).toEqual(value)
    counts.set(value.type, (counts.get(value.type) ?? 0) + 1)
  }
  console.log(`${names.length} PDUs decoded:`, Object.fromEntries(counts))
})
if (!existsSync(corpus)) console.log('skipped: no corpus of MM1 PDUs at ../shared/corpus/mm1')

test('MAP-221: every PDU type by its number, as octets', () => {
  const numbers: Readonly<Record<string, string>> = {
    'm-send-req': '80',
    'm-send-conf': '81',
    'm-notification-ind': '82',
    'm-notifyresp-ind': '83',
    'm-retrieve-conf': '84',
    'm-acknowledge-ind': '85',
    'm-delivery-ind': '86',
    'm-read-rec-ind': '87',
    'm-read-orig-ind': '88',
    'm-forward-req': '89',
    'm-forward-conf': '8a',
  }
  expect(Object.values(pduTypes).sort()).toEqual(Object.keys(numbers).sort())
  for (const [type, number] of Object.entries(numbers)) {
    // X-Mms-Message-Type, Transaction-Id "t", version 1.2.
    const octets = hex(`8c ${number} 98 74 00 8d 92`)
    expect(decodePdu(octets)).toMatchObject({ type, headers: { transactionId: 't', version: '1.2' } })
    const written = encodePdu({ type: type as Mm1Pdu['type'], headers: { version: '1.2' }, others: [] })
    expect(Buffer.from(written).toString('hex')).toMatch(new RegExp(`^8c${number}`))
  }
})
