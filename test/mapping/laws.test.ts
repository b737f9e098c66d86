/** Laws of the mapping, on random and hostile input (MAP-001, MAP-175 to MAP-180, SEC-010, SEC-011, GEN-001). */
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { fixtureIds } from '../../src/cli/conform/fixture-ids.ts'
import { readMail, writeMail } from '../../src/mapping/carriers/mail.ts'
import { readMm7Message, writeMm7Request } from '../../src/mapping/carriers/mm7.ts'
import { bodyFrom } from '../../src/mapping/content/read-content.ts'
import type { MappingContext } from '../../src/mapping/context.ts'
import { resolved } from '../../src/mapping/times.ts'
import type { NeutralMessage, Part } from '../../src/model/neutral.ts'
import { isRefusal } from '../../src/model/refusal.ts'
import type { Settings } from '../../src/model/settings.ts'
import { readMm7 } from '../../src/wire/mm7/read.ts'
import { writeMm7 } from '../../src/wire/mm7/write.ts'
import { parseXml } from '../../src/wire/mm7/xml.ts'
import { anyMessage, hostile, lawTimeout, runs } from '../support/neutral-messages.ts'
import { mailDefects } from '../support/valid-mail.ts'

const settings = JSON.parse(
  readFileSync(new URL('../../fixtures/rfc4356/defaults.json', import.meta.url), 'utf8'),
) as Settings
const now = Date.parse('2024-03-05T10:15:30Z')
const context = (): MappingContext => ({
  settings,
  ids: fixtureIds(settings.gateway.host).of('Q-0001', ''),
  now,
})
const extensions = new Map([
  ['8BITMIME', ''],
  ['DSN', ''],
  ['DELIVERBY', ''],
])

const oneLine = fc.string({ unit: 'grapheme', maxLength: 80 }).map((s) =>
  s
    .toWellFormed()
    .replace(/[\u0000-\u001f\u007f-\u009f\ufffe\uffff]/g, '')
    .trim(),
)
const digits = fc.integer({ min: 2_000_000_000, max: 9_999_999_999 }).map(String)
const number = digits.map((d) => ({ kind: 'number', value: `+1${d}`, raw: `+1${d}` }) as const)
const mailbox = fc
  .tuple(fc.stringMatching(/^[a-z][a-z0-9+_-]{0,20}$/), fc.constantFrom('example.org', 'example.com'))
  .map(([l, d]) => ({ kind: 'mail', value: `${l}@${d}`, raw: `${l}@${d}` }) as const)
const party = fc.oneof(number, mailbox)
const recipient = fc.record({
  party,
  field: fc.constantFrom('to' as const, 'cc' as const, 'bcc' as const),
  serve: fc.constant(true),
})
const text = (body: string): Part => ({
  kind: 'leaf',
  type: 'text/plain',
  params: [{ name: 'charset', value: 'utf-8' }],
  headers: [],
  charset: 'utf-8',
  body: bodyFrom(Buffer.from(body)),
})
const optional = <T>(arb: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(arb, { nil: undefined })

const message = fc
  .record({
    sender: party,
    recipients: fc.uniqueArray(recipient, { minLength: 1, maxLength: 6, selector: (r) => r.party.value }),
    subject: optional(oneLine),
    epoch: fc.integer({ min: 0, max: 4_000_000_000 }),
    offset: optional(fc.integer({ min: -14 * 60, max: 14 * 60 })),
    class: optional(
      fc.constantFrom(
        'personal' as const,
        'advertisement' as const,
        'informational' as const,
        'auto' as const,
      ),
    ),
    priority: optional(fc.constantFrom('low' as const, 'normal' as const, 'high' as const)),
    expiry: optional(fc.integer({ min: 60, max: 900_000_000 })),
    deliveryReport: optional(fc.boolean()),
    readReply: optional(fc.boolean()),
    linkedId: optional(oneLine.filter((s) => s !== '')),
    body: oneLine,
  })
  .map(
    (m): NeutralMessage => ({
      kind: 'message',
      source: 'mm7-submit',
      peer: 'vasp1',
      receivedAt: now / 1000,
      queueId: 'Q-0001',
      messageId: '<M-0001@gw.mms.example.net>',
      sender: m.sender,
      recipients: m.recipients,
      subject: m.subject,
      date: { epoch: m.epoch, offsetMinutes: m.offset ?? null },
      class: m.class,
      priority: m.priority,
      expiry: m.expiry === undefined ? undefined : { kind: 'relative', seconds: m.expiry },
      deliveryReport: m.deliveryReport,
      readReply: m.readReply,
      previous: [],
      vas: { linkedId: m.linkedId },
      passThrough: [],
      trace: [],
      content: text(m.body),
    }),
  )

const all = (m: NeutralMessage): number[] => m.recipients.map((_, i) => i)

vi.setConfig({ testTimeout: lawTimeout })

describe('the model', () => {
  test('MAP-175, MAP-177: model to JSON and back loses nothing but the difference of absent and undefined', () => {
    const withoutUndefined = (value: unknown): unknown =>
      Array.isArray(value)
        ? value.map(withoutUndefined)
        : typeof value === 'object' && value !== null
          ? Object.fromEntries(
              Object.entries(value).flatMap(([k, v]) => (v === undefined ? [] : [[k, withoutUndefined(v)]])),
            )
          : value
    fc.assert(
      fc.property(anyMessage, hostile, (m, subject) => {
        // Octets are kept beside the model, in the store.
        const { content: _, ...rest } = { ...m, subject }
        expect(JSON.parse(JSON.stringify(rest))).toStrictEqual(withoutUndefined(rest))
      }),
      runs(200),
    )
  })
})

describe('mail', () => {
  test('MAP-022, MAP-050, MAP-066, MAP-094, MAP-097, MAP-180: what mail can carry comes back', () => {
    fc.assert(
      fc.property(message, (m) => {
        const out = writeMail(m, all(m), { extensions }, context())
        if (isRefusal(out)) throw new Error(out.text)
        const octets = Buffer.concat(out.octets)
        expect(mailDefects(octets)).toEqual([])
        const session = {
          peer: null,
          ehlo: 'x',
          ip: '127.0.0.1',
          port: 25,
          auth: null,
          tls: false,
          esmtp: true,
        }
        const back = readMail(
          octets,
          { ...out.envelope, session, receivedAt: now / 1000 },
          { queueId: 'Q' },
          context(),
        )
        if (isRefusal(back)) throw new Error(back.text)
        expect(back.subject).toBe(m.subject)
        expect(back.date).toEqual(m.date)
        expect(back.messageId).toBe(m.messageId)
        expect({ kind: back.sender.kind, value: back.sender.value }).toEqual({
          kind: m.sender.kind,
          value: m.sender.value,
        })
        expect(back.priority).toBe(m.priority === 'normal' ? undefined : m.priority)
        const shown = (x: NeutralMessage, field: string) =>
          x.recipients.filter((r) => r.field === field).map((r) => r.party.value)
        const disclosed = m.recipients.some((r) => r.field !== 'bcc')
        if (disclosed) for (const field of ['to', 'cc']) expect(shown(back, field)).toEqual(shown(m, field))
        expect(new Set(back.recipients.map((r) => r.party.value))).toEqual(
          new Set(m.recipients.map((r) => r.party.value)),
        )
        const by = back.deliverBy
        if (m.expiry) expect(by?.deadline).toBe(resolved(m.expiry, m.receivedAt))
        const body = back.content?.kind === 'leaf' ? Buffer.from(back.content.body.octets()).toString() : ''
        expect(body.replace(/\r\n$/, '')).toBe(
          m.content?.kind === 'leaf' ? Buffer.from(m.content.body.octets()).toString() : '',
        )
      }),
      runs(200),
    )
  })

  test('MAP-001, SEC-010: whatever a value holds, the mail is valid and has no field more', () => {
    fc.assert(
      fc.property(
        message,
        fc.array(hostile, { minLength: 8, maxLength: 8 }),
        fc.uint8Array({ maxLength: 400 }),
        (m, h, octets) => {
          const wild: NeutralMessage = {
            ...m,
            subject: h[0],
            sender: { ...m.sender, name: h[1] ?? '' },
            recipients: m.recipients.map((r) => ({ ...r, party: { ...r.party, name: h[2] ?? '' } })),
            class: { token: h[3] ?? '' },
            passThrough: [
              { name: 'Comments', value: h[4] ?? '' },
              { name: `X-${h[3]}`, value: h[2] ?? '' },
            ],
            content: {
              kind: 'multi',
              subtype: 'mixed',
              params: [{ name: 'x-note', value: h[5] ?? '' }],
              headers: [],
              parts: [
                { ...(text('') as Extract<Part, { kind: 'leaf' }>), body: bodyFrom(Buffer.from(octets)) },
                {
                  kind: 'leaf',
                  type: 'image/png',
                  params: [{ name: 'name', value: h[6] ?? '' }],
                  headers: [
                    { name: 'Content-ID', value: h[7] ?? '' },
                    { name: 'Content-Location', value: h[6] ?? '' },
                    { name: 'Content-Disposition', value: `attachment; filename="${h[5]}"` },
                    { name: 'Content-Description', value: h[4] ?? '' },
                  ],
                  body: bodyFrom(Buffer.from(octets)),
                },
              ],
            },
          }
          const out = writeMail(wild, all(wild), { extensions }, context())
          if (isRefusal(out)) return
          const mail = Buffer.concat(out.octets)
          expect(mailDefects(mail)).toEqual([])
          const head = mail.toString('latin1').split('\r\n\r\n')[0] ?? ''
          expect(/^(bcc|x-evil):/im.test(head)).toBe(false)
          for (const { path } of out.envelope.rcptTo) expect(/[\r\n\0<>]/.test(path)).toBe(false)
        },
      ),
      runs(300),
    )
  })

  test('SEC-011, MAP-039: an address with what no address may hold is refused, never cleaned', () => {
    fc.assert(
      fc.property(fc.constantFrom('\r', '\n', '\0', '<', '>', ' ', ','), (bad) => {
        const address = `al${bad}ice@example.org`
        const xml =
          `<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Header><TransactionID xmlns="x">1</TransactionID></Header><Body>` +
          `<SubmitReq xmlns="http://www.3gpp.org/ftp/Specs/archive/23_series/23.140/schema/REL-6-MM7-1-4"><MM7Version>6.8.0</MM7Version>` +
          `<SenderIdentification><SenderAddress><ShortCode>7777</ShortCode></SenderAddress></SenderIdentification>` +
          `<Recipients><To><RFC2822Address>${address.replace('<', '&lt;').replace('>', '&gt;').replace('\0', '')}</RFC2822Address></To></Recipients>` +
          `<Subject>x</Subject></SubmitReq></Body></Envelope>`
        if (bad === '\0') return
        const request = readMm7('text/xml', Buffer.from(xml))
        const read = readMm7Message(
          request,
          { peer: 'vasp1', ip: '', queueId: 'Q', receivedAt: now },
          context(),
        )
        if (isRefusal(read)) return
        expect(read.recipients[0]?.party.kind).toBe('unknown')
      }),
    )
  })
})

describe('MM7', () => {
  const target = { kind: 'mm7-submit', peerKey: 'mmsc', peer: settings.peers.mmsc! } as const

  test('MAP-180, MAP-185, MAP-190, MAP-191: what a SubmitReq can carry comes back', () => {
    fc.assert(
      fc.property(message, (m) => {
        const draft = writeMm7Request(m, all(m), target, context())
        if (isRefusal(draft)) throw new Error(draft.text)
        const out = writeMm7(draft)
        const back = readMm7Message(
          readMm7(out.contentType, Buffer.concat(out.body)),
          { peer: 'mmsc', ip: '', queueId: 'Q', receivedAt: now },
          context(),
        )
        if (isRefusal(back)) throw new Error(back.text)
        expect(back.subject).toBe(m.subject === '' ? undefined : m.subject)
        expect(back.date.epoch).toBe(m.date.epoch)
        if (m.date.offsetMinutes !== null) expect(back.date.offsetMinutes).toBe(m.date.offsetMinutes)
        expect(back.class).toBe(m.class)
        expect(back.priority).toBe(m.priority)
        expect(back.deliveryReport).toBe(m.deliveryReport)
        expect(back.readReply).toBe(m.readReply)
        expect(back.vas.linkedId).toBe(m.vas.linkedId)
        expect(back.expiry && resolved(back.expiry, back.receivedAt)).toBe(
          m.expiry && resolved(m.expiry, m.receivedAt),
        )
        const addresses = (x: NeutralMessage) =>
          (['to', 'cc', 'bcc'] as const).map((f) =>
            x.recipients.filter((r) => r.field === f).map((r) => r.party.value),
          )
        expect(addresses(back)).toEqual(addresses(m))
        expect(back.sender.value).toBe(m.sender.value)
      }),
      runs(200),
    )
  })

  test('MM7-019, SEC-010: whatever a value holds, the request is well-formed and its parts are found again', () => {
    fc.assert(
      fc.property(message, fc.array(hostile, { minLength: 3, maxLength: 3 }), (m, h) => {
        const draft = writeMm7Request(
          { ...m, subject: h[0], vas: { linkedId: h[1], applicId: h[2] } },
          all(m),
          target,
          context(),
        )
        if (isRefusal(draft)) throw new Error(draft.text)
        const out = writeMm7(draft)
        const octets = Buffer.concat(out.body)
        const request = readMm7(out.contentType, octets)
        expect(request.content).toBeDefined()
        expect(request.danglingHref).toBeUndefined()
        expect(
          parseXml(Buffer.from(octets.toString('utf8').match(/<\?xml[\s\S]*?<\/env:Envelope>/)?.[0] ?? ''))
            .name,
        ).toBe('Envelope')
      }),
      runs(200),
    )
  })
})

test('GEN-001: two runs with the same clock and ids give the same octets', () => {
  fc.assert(
    fc.property(message, (m) => {
      const once = (): string => {
        const out = writeMail(m, all(m), { extensions }, context())
        return isRefusal(out) ? out.text : Buffer.concat(out.octets).toString('latin1')
      }
      expect(once()).toBe(once())
    }),
    runs(50),
  )
})
