/**
 * Whatever a value holds, what leaves is valid on its carrier and has no field more; whatever octets come, they are read or
 * refused, never a crash (MAP-001, SEC-010, SEC-011, GEN-013, MM7-019). LAW_RUNS tries each law that often.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readMail, writeMail } from '../../src/mapping/carriers/mail.ts'
import { decodeMm1 } from '../../src/mapping/carriers/mm1.ts'
import { encodeMm1, encodeMm1Report } from '../../src/mapping/carriers/mm1-write.ts'
import {
  readMm4Forward,
  readMm4Report,
  writeMm4Forward,
  writeMm4Report,
} from '../../src/mapping/carriers/mm4.ts'
import { readMm7Message, writeMm7Request } from '../../src/mapping/carriers/mm7.ts'
import { bodyFrom } from '../../src/mapping/content/read-content.ts'
import { ownDsn, translatedDsn } from '../../src/mapping/reports/dsn.ts'
import { translatedMdn } from '../../src/mapping/reports/mdn.ts'
import { readMm7Report, writeMm7Report } from '../../src/mapping/reports/mm7-report.ts'
import { Fault } from '../../src/model/fault.ts'
import type { NeutralMessage, NeutralReport, Part } from '../../src/model/neutral.ts'
import { isRefusal } from '../../src/model/refusal.ts'
import { readMm7 } from '../../src/wire/mm7/read.ts'
import { Mm7Refusal } from '../../src/wire/mm7/refusal.ts'
import { writeMm7 } from '../../src/wire/mm7/write.ts'
import {
  all,
  anyMessage,
  context,
  hostile,
  lawTimeout,
  now,
  nowSeconds,
  party,
  runs,
  settings,
  text,
} from '../support/neutral-messages.ts'
import { mailDefects } from '../support/valid-mail.ts'

const extensions = new Map([
  ['8BITMIME', ''],
  ['DSN', ''],
  ['DELIVERBY', ''],
])
const session = { peer: null, ehlo: 'x', ip: '127.0.0.1', port: 25, auth: null, tls: false, esmtp: true }
const mmsc = settings.peers.mmsc!
const vasp1 = settings.peers.vasp1!
const opb = settings.peers.opb!

/** Every text of a value that may come from outside, replaced by hostile text. Kinds, fields and sources stay. */
const fixed = new Set([
  'kind',
  'field',
  'source',
  'state',
  'priority',
  'chargedParty',
  'contentClass',
  'senderVisibility',
])
const kept = new Set(['peer', 'queueId', 'content', 'messageId'])
function wild(value: unknown, next: () => string, key = ''): unknown {
  if (kept.has(key) || fixed.has(key)) return value
  // What an address may hold is checked where it is read (SEC-011).
  if (key === 'value' || key === 'raw') return value
  if (key === 'class' && typeof value === 'string') return value
  if (typeof value === 'string') return next()
  if (Array.isArray(value)) return value.map((one) => wild(one, next))
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, wild(v, next, k)]))
  return value
}

const wildPicture = (h: readonly string[], octets: Uint8Array): Part => ({
  kind: 'leaf',
  type: 'image/png',
  params: [{ name: 'name', value: h[3] ?? '' }],
  headers: [
    { name: 'Content-ID', value: h[4] ?? '' },
    { name: 'Content-Location', value: h[5] ?? '' },
    { name: 'Content-Disposition', value: `attachment; filename="${h[6]}"` },
    { name: 'Content-Description', value: h[7] ?? '' },
  ],
  body: bodyFrom(Buffer.from(octets)),
})

const wildContent = (h: readonly string[], octets: Uint8Array): Part => ({
  kind: 'multi',
  subtype: 'mixed',
  params: [{ name: 'x-note', value: h[0] ?? '' }],
  headers: [],
  parts: [
    { ...text(''), body: bodyFrom(Buffer.from(octets)) },
    {
      ...text(h[1] ?? ''),
      params: [
        { name: 'charset', value: 'utf-8' },
        { name: 'name', value: h[2] ?? '' },
      ],
    },
    wildPicture(h, octets),
  ],
})

const wildMessage: fc.Arbitrary<NeutralMessage> = fc
  .tuple(anyMessage, fc.array(hostile, { minLength: 12, maxLength: 12 }), fc.uint8Array({ maxLength: 300 }))
  .map(([m, h, octets]) => {
    let n = 0
    const next = (): string => h[n++ % h.length] ?? ''
    const named = m.recipients.map((r) => ({ ...r, party: { ...r.party, name: '' } }))
    const passThrough = [
      { name: 'Comments', value: next() },
      { name: `X-${next()}`, value: next() },
      // No reader takes a name that another one becomes when it is cleaned.
      { name: `Y-${next()}`, value: next() },
    ]
    return {
      ...(wild({ ...m, recipients: named, sender: { name: '', ...m.sender } }, next) as NeutralMessage),
      passThrough,
      content: octets.length % 3 === 0 ? wildPicture(h, octets) : wildContent(h, octets),
    }
  })

/** Names of the fields of a header, found by splitting lines and not by the scanner under test. */
const fieldNames = (mail: Buffer): string[] =>
  (mail.toString('latin1').split('\r\n\r\n')[0] ?? '')
    .split('\r\n')
    .filter((line) => !/^[ \t]/.test(line))
    .map((line) => line.slice(0, line.indexOf(':')).toLowerCase())

const ofMail =
  /^(received|date|from|sender|to|cc|subject|message-id|importance|precedence|auto-submitted|disposition-notification-to|sensitivity|comments|resent-(date|from|sender|to|cc|message-id)|x-mms-message-(class|id)|mime-version|content-[a-z-]+)$/
const ofMm4 =
  /^(received|date|from|sender|to|cc|subject|message-id|comments|mime-version|content-[a-z-]+|x-mms-[a-z0-9/-]+)$/

/** Fields that a hostile value made: more than those that pass through, each one field whatever its name holds. */
function foreign(mail: Buffer, own: RegExp, m: NeutralMessage): string[] {
  const others = fieldNames(mail).filter((name) => !own.test(name))
  return others.length > m.passThrough.length - 1 || others.includes('bcc') ? others : []
}

describe('what leaves is valid, whatever a value holds', () => {
  test(
    'mail (MAP-001, SEC-010, SC-17)',
    () => {
      fc.assert(
        fc.property(wildMessage, (m) => {
          const out = writeMail(m, all(m), { extensions }, context())
          if (isRefusal(out)) return
          const octets = Buffer.concat(out.octets)
          expect(mailDefects(octets)).toEqual([])
          expect(foreign(octets, ofMail, m)).toEqual([])
          for (const { path, params } of [out.envelope.mailFrom, ...out.envelope.rcptTo])
            expect([path ?? '', ...Object.entries(params).flat()].join()).not.toMatch(/[\r\n\0 ]/)
        }),
        runs(300),
      )
    },
    lawTimeout,
  )

  test(
    'MM4_forward.REQ (SEC-010, MAP-205)',
    () => {
      fc.assert(
        fc.property(wildMessage, (m) => {
          const out = writeMm4Forward(m, all(m), { peerKey: 'opb', peer: opb }, undefined, context())
          if (isRefusal(out)) return
          expect(out.utf8).toBe(false)
          const octets = Buffer.concat(out.octets)
          expect(mailDefects(octets)).toEqual([])
          expect(foreign(octets, ofMm4, m)).toEqual([])
          for (const { path } of [out.envelope.mailFrom, ...out.envelope.rcptTo])
            expect(path).not.toMatch(/[\r\n\0 <>]/)
          const envelope = { ...out.envelope, session, receivedAt: nowSeconds }
          const back = readMm4Forward(octets, envelope, { queueId: 'Q', peer: 'opb' }, context())
          if (isRefusal(back)) throw new Error(back.text)
          // Whom it is for and from is as it was.
          expect(back.sender.value).toBe(m.sender.value)
          expect(new Set(back.recipients.map((r) => r.party.value))).toEqual(
            new Set(m.recipients.map((r) => r.party.value)),
          )
        }),
        runs(300),
      )
    },
    lawTimeout,
  )

  test.each(['mm7-submit', 'mm7-deliver'] as const)(
    'MM7 %s: well-formed, parts found again, addresses as they were (MM7-019, SEC-010)',
    (kind) => {
      const [peerKey, peer] = kind === 'mm7-submit' ? ['mmsc', mmsc] : ['vasp1', vasp1]
      fc.assert(
        fc.property(wildMessage, (m) => {
          const draft = writeMm7Request(m, all(m), { kind, peerKey, peer }, context())
          if (isRefusal(draft)) return
          const out = writeMm7(draft)
          expect(out.contentType).toMatch(/^[ -~]+$/)
          const request = readMm7(out.contentType, Buffer.concat(out.body))
          expect(request.content).toBeDefined()
          expect(request.danglingHref).toBeUndefined()
          const back = readMm7Message(
            request,
            { peer: 'mmsc', ip: '', queueId: 'Q', receivedAt: now },
            context(),
          )
          if (isRefusal(back)) throw new Error(back.text)
          expect(back.sender.value).toBe(m.sender.value)
          expect(back.recipients.map((r) => r.party.value).sort()).toEqual(
            m.recipients.map((r) => r.party.value).sort(),
          )
          // And on from there, as mail.
          const mail = writeMail(back, all(back), { extensions }, context())
          if (!isRefusal(mail)) expect(mailDefects(Buffer.concat(mail.octets))).toEqual([])
        }),
        runs(200),
      )
    },
    lawTimeout,
  )

  test(
    'MM1: decoded again, and then valid mail (MAP-220)',
    () => {
      fc.assert(
        fc.property(
          wildMessage,
          fc.constantFrom('m-send-req' as const, 'm-retrieve-conf' as const),
          (m, type) => {
            const pdu = encodeMm1(m, type, all(m), context())
            if (isRefusal(pdu)) return
            const back = decodeMm1(pdu, { queueId: 'Q', receivedAt: nowSeconds }, context())
            if (isRefusal(back) || back.kind !== 'message') throw new Error(JSON.stringify(back))
            expect(back.sender.value).toBe(m.sender.value)
            const mail = writeMail(back, all(back), { extensions }, context())
            if (!isRefusal(mail)) expect(mailDefects(Buffer.concat(mail.octets))).toEqual([])
          },
        ),
        runs(200),
      )
    },
    lawTimeout,
  )
})

const wildReport: fc.Arbitrary<NeutralReport> = fc
  .record({
    kind: fc.constantFrom('delivery-report' as const, 'read-report' as const),
    status: fc.constantFrom(
      ...(['expired', 'retrieved', 'rejected', 'deferred', 'unrecognised', 'indeterminate'] as const),
      ...(['forwarded', 'unreachable', 'delivery-condition-not-met'] as const),
    ),
    read: fc.constantFrom('read' as const, 'deleted' as const, 'indeterminate' as const),
    by: fc.constantFrom('recipient' as const, 'other-rs' as const, undefined),
    recipient: party,
    destination: party,
    epoch: fc.integer({ min: 0, max: 4_000_000_000 }),
    h: fc.array(hostile, { minLength: 5, maxLength: 5 }),
  })
  .map(({ kind, status, read, by, recipient, destination, epoch, h }) => ({
    kind,
    source: 'mm4',
    receivedAt: nowSeconds,
    transactionId: h[0],
    originalMmsId: h[1],
    recipient: { ...recipient, name: h[2] },
    destination: { ...destination, name: h[2] },
    at: { epoch, offsetMinutes: 0 },
    text: h[3],
    reportingHost: h[4],
    ...(kind === 'delivery-report'
      ? { delivery: { status, raw: h[0] ?? '', by } }
      : { read: { status: read, raw: h[0] ?? '' } }),
  }))

describe('reports', () => {
  test(
    'RPT-021 to RPT-028, RPT-040: DSN and MDN are valid mail whatever the report, ORCPT and the original hold',
    () => {
      fc.assert(
        fc.property(
          wildReport,
          fc.array(hostile, { minLength: 5, maxLength: 5 }),
          fc.boolean(),
          (report, h, isFull) => {
            const address = 'alice@example.org'
            const header = Buffer.from(
              `From: a@example.org\r\nSubject: ${h[0]}\r\n${h[1]}\r\nX-${h[2]}: ${h[3]}\r\n`,
              'utf8',
            ).toString('latin1')
            const origin = {
              kind: 'mail' as const,
              returnPath: address,
              envid: h[1]?.replace(/[^ -~]/g, ''),
              ret: isFull ? ('full' as const) : ('hdrs' as const),
              dispositionTo: [address],
              header,
              size: 100,
            }
            const recipient = {
              index: 0,
              address: '+12025550123@mms.example.net',
              party: report.recipient,
              orcpt: { type: 'rfc822', address: h[4] ?? '' },
              blind: false,
              target: 'mm7-submit:mmsc',
              reports: [],
            }
            const original = {
              origin,
              messageId: '<a@example.org>',
              acceptedAt: now,
              octets: Buffer.from(`${header}\r\n${h[2]}`, 'latin1'),
            }
            const verdict = { action: 'failed' as const, status: '5.7.1' }
            const trace = 'from x by y; Tue, 5 Mar 2024 10:15:30 +0000'
            const outcome = {
              index: 0,
              state: 'failed' as const,
              status: { code: '5.7.1', text: h[0] ?? '' },
              diagnostic: { type: 'smtp' as const, text: h[3] ?? '' },
            }
            const made = [
              translatedDsn(original, recipient, report, verdict, trace, context()),
              ownDsn(original, [{ recipient, verdict, text: h[3] ?? '', outcome }], now, context()),
              translatedMdn(original, recipient, report, trace, context()),
            ]
            for (const mail of made) {
              if (!mail) continue
              const octets = Buffer.concat(mail.octets)
              expect(mailDefects(octets, { eightBit: mail.eightBit || mail.utf8 })).toEqual([])
              const own =
                /^(received|date|from|to|subject|message-id|in-reply-to|references|auto-submitted|mime-version|content-(type|transfer-encoding))$/
              expect(fieldNames(octets).filter((name) => !own.test(name))).toEqual([])
            }
          },
        ),
        runs(300),
      )
    },
    lawTimeout,
  )

  test(
    'MAP-206, MAP-170: reports on MM4, MM7 and MM1 are read again as what they are',
    () => {
      fc.assert(
        fc.property(wildReport, (report) => {
          const mm4 = writeMm4Report(report, { peerKey: 'opb', peer: opb }, undefined, context())
          if (!isRefusal(mm4) && !mm4.utf8) {
            const octets = Buffer.concat(mm4.octets)
            expect(fieldNames(octets).filter((name) => !ofMm4.test(name))).toEqual([])
            expect(octets.toString('latin1')).not.toMatch(/\0|(?<!\r)\n|\r(?!\n)/)
            const back = readMm4Report(octets, { peer: 'opb', receivedAt: nowSeconds }, context())
            if (!isRefusal(back)) {
              expect(back.recipient.value).toBe(report.recipient.value)
              expect(back.kind).toBe(report.kind)
            }
          }
          const mm7 = writeMm7Report(report, vasp1, context())
          if (!isRefusal(mm7)) {
            const out = writeMm7(mm7)
            const request = readMm7(out.contentType, Buffer.concat(out.body))
            const back = readMm7Report(request, { peer: 'vasp1', receivedAt: now }, context())
            if (!isRefusal(back)) expect(back.recipient.value).toBe(report.recipient.value)
          }
          const mm1 = encodeMm1Report(report)
          if (!isRefusal(mm1)) decodeMm1(mm1, { queueId: 'Q', receivedAt: nowSeconds }, context())
        }),
        runs(300),
      )
    },
    lawTimeout,
  )
})

/** Octets cut, doubled, overwritten: what a bad network or a bad peer makes of them. */
const damage = fc.array(
  fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    length: fc.integer({ min: 0, max: 12 }),
    put: fc.oneof(
      fc.uint8Array({ maxLength: 6 }),
      fc.constantFrom('\r\n', '\r\n\r\n', '--', '<', '"', '\0', '=?', ';', ':').map((s) => Buffer.from(s)),
    ),
  }),
  { minLength: 1, maxLength: 5 },
)
const damaged = (
  octets: Buffer,
  changes: readonly { at: number; length: number; put: Uint8Array }[],
): Buffer =>
  changes.reduce((now, { at, length, put }) => {
    const begin = Math.floor(at * now.length)
    return Buffer.concat([now.subarray(0, begin), put, now.subarray(begin + length)])
  }, octets)

describe('GEN-013: damaged octets are read or refused; what is read is valid on every way out', () => {
  const goOn = (m: NeutralMessage): void => {
    const mail = writeMail(m, all(m), { extensions }, context())
    if (!isRefusal(mail)) expect(mailDefects(Buffer.concat(mail.octets))).toEqual([])
    const mm4 = writeMm4Forward(m, all(m), { peerKey: 'opb', peer: opb }, undefined, context())
    if (!isRefusal(mm4)) expect(mailDefects(Buffer.concat(mm4.octets), { eightBit: mm4.utf8 })).toEqual([])
    const mm7 = writeMm7Request(m, all(m), { kind: 'mm7-submit', peerKey: 'mmsc', peer: mmsc }, context())
    if (!isRefusal(mm7)) {
      const out = writeMm7(mm7)
      readMm7(out.contentType, Buffer.concat(out.body))
    }
    encodeMm1(m, 'm-retrieve-conf', all(m), context())
  }

  test(
    'mail, MM4, MM7, MM1',
    () => {
      fc.assert(
        fc.property(wildMessage, damage, (m, changes) => {
          const mail = writeMail(m, all(m), { extensions }, context())
          if (!isRefusal(mail)) {
            const octets = damaged(Buffer.concat(mail.octets), changes)
            const read = readMail(
              octets,
              { ...mail.envelope, session, receivedAt: nowSeconds },
              { queueId: 'Q' },
              context(),
            )
            if (!isRefusal(read)) goOn(read)
          }
          const mm4 = writeMm4Forward(m, all(m), { peerKey: 'opb', peer: opb }, undefined, context())
          if (!isRefusal(mm4)) {
            const octets = damaged(Buffer.concat(mm4.octets), changes)
            const envelope = { ...mm4.envelope, session, receivedAt: nowSeconds }
            const read = readMm4Forward(octets, envelope, { queueId: 'Q', peer: 'opb' }, context())
            if (!isRefusal(read)) goOn(read)
          }
          const draft = writeMm7Request(
            m,
            all(m),
            { kind: 'mm7-submit', peerKey: 'mmsc', peer: mmsc },
            context(),
          )
          if (!isRefusal(draft)) {
            const out = writeMm7(draft)
            try {
              const request = readMm7(out.contentType, damaged(Buffer.concat(out.body), changes))
              const read = readMm7Message(
                request,
                { peer: 'mmsc', ip: '', queueId: 'Q', receivedAt: now },
                context(),
              )
              if (!isRefusal(read)) goOn(read)
            } catch (error) {
              if (!(error instanceof Mm7Refusal || error instanceof Fault)) throw error
            }
          }
          const pdu = encodeMm1(m, 'm-send-req', all(m), context())
          if (isRefusal(pdu)) return
          const read = decodeMm1(
            damaged(Buffer.from(pdu), changes),
            { queueId: 'Q', receivedAt: nowSeconds },
            context(),
          )
          if (!isRefusal(read) && read.kind === 'message') goOn(read)
        }),
        runs(150),
      )
    },
    lawTimeout,
  )
})
