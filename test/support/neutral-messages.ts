/** Random neutral messages with every information element of the carriage table (mapping.md 1.7), for laws. */
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { fixtureIds } from '../../src/cli/conform/fixture-ids.ts'
import { bodyFrom } from '../../src/mapping/content/read-content.ts'
import type { MappingContext } from '../../src/mapping/context.ts'
import type { NeutralMessage, Part, When } from '../../src/model/neutral.ts'
import type { Settings } from '../../src/model/settings.ts'

export const settings = JSON.parse(
  readFileSync(new URL('../../fixtures/rfc4356/defaults.json', import.meta.url), 'utf8'),
) as Settings
export const now = Date.parse('2024-03-05T10:15:30Z')
export const nowSeconds = now / 1000
export const context = (): MappingContext => ({
  settings,
  ids: fixtureIds(settings.gateway.host).of('Q-0001', ''),
  now,
})

/** How often a law is tried: LAW_RUNS, or what the law says. */
export const runs = (usual: number): { readonly numRuns: number } => ({
  numRuns: Number(process.env.LAW_RUNS ?? usual),
})

/** Of a test with a law, ms. */
export const lawTimeout = process.env.LAW_RUNS === undefined ? 20_000 : 1_200_000

/** Any text, much of it such as could do harm. */
export const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.string({ unit: 'grapheme', maxLength: 60 }),
  fc
    .array(
      fc.constantFrom(
        ...['\r\n', '\r', '\n', '\0', '\t', ' ', '\x7f', '\x85', '\u2028', '\ufeff', '\ud800', '\ud83d'],
        ...['Bcc: x@y', '<', '>', '"', ',', ';', ':', '(', ')', '@', '&amp;', ']]>', '<!--', '%0d%0a'],
        ...['=?utf-8?Q?a?=', '=?utf-8?Q?=0D=0ABcc:x?=', '=?', '?=', 'ä', '😀', '=', '\\', '--', '/TYPE=PLMN'],
        'a'.repeat(400),
      ),
      { maxLength: 12 },
    )
    .map((parts) => parts.join('')),
)

/** Text without what no field can hold: what comes back must be the same. */
export const lineText = fc.string({ unit: 'grapheme', maxLength: 80 }).map((s) =>
  s
    .toWellFormed()
    .replace(/[\u0000-\u001f\u007f-\u009f\ufffe\uffff]/g, '')
    .trim(),
)
const filled = lineText.filter((s) => s !== '')
const token = fc.stringMatching(/^[A-Za-z][A-Za-z0-9.-]{0,20}$/)
const optional = <T>(arb: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(arb, { nil: undefined })

const number = fc
  .integer({ min: 2_000_000_000, max: 9_999_999_999 })
  .map((n) => ({ kind: 'number', value: `+1${n}`, raw: `+1${n}` }) as const)
const shortcode = fc
  .integer({ min: 100, max: 999_999 })
  .map((n) => ({ kind: 'shortcode', value: String(n), raw: String(n) }) as const)
const mailbox = fc
  .tuple(fc.stringMatching(/^[a-z][a-z0-9+_-]{0,20}$/), fc.constantFrom('example.org', 'example.com'))
  .map(([l, d]) => ({ kind: 'mail', value: `${l}@${d}`, raw: `${l}@${d}` }) as const)
export const party = fc.oneof(number, mailbox, shortcode)

const epoch = fc.integer({ min: 0, max: 4_000_000_000 })
const instant = fc.record({
  epoch,
  offsetMinutes: fc.option(fc.integer({ min: -14 * 60, max: 14 * 60 }), { nil: null }),
})
const when = (min: number, max: number): fc.Arbitrary<When> =>
  fc.oneof(
    fc.integer({ min, max }).map((seconds): When => ({ kind: 'relative', seconds })),
    fc.integer({ min, max }).map(
      (seconds): When => ({
        kind: 'absolute',
        at: { epoch: nowSeconds + seconds, offsetMinutes: 0 },
      }),
    ),
  )

export const text = (body: string): Part & { kind: 'leaf' } => ({
  kind: 'leaf',
  type: 'text/plain',
  params: [{ name: 'charset', value: 'utf-8' }],
  headers: [],
  charset: 'utf-8',
  body: bodyFrom(Buffer.from(body)),
})

const yesOrNo = optional(fc.boolean())
const vas = fc.record({
  vaspId: optional(filled),
  vasId: optional(filled),
  serviceCode: optional(filled),
  linkedId: optional(filled),
  relayServerId: optional(filled),
  senderSpi: optional(filled),
  recipientSpi: optional(filled),
  chargedParty: optional(
    fc.constantFrom(
      'Sender' as const,
      'Recipient' as const,
      'Both' as const,
      'Neither' as const,
      'ThirdParty' as const,
    ),
  ),
  chargedPartyId: optional(filled),
  distributionIndicator: yesOrNo,
  deliveryCondition: optional(fc.array(fc.integer({ min: 1, max: 99 }), { minLength: 1, maxLength: 3 })),
  applicId: optional(filled),
  replyApplicId: optional(filled),
  auxApplicInfo: optional(filled),
  contentClass: optional(
    fc.constantFrom(
      ...(['text', 'image-basic', 'image-rich', 'video-basic'] as const),
      ...(['video-rich', 'megapixel', 'content-basic', 'content-rich'] as const),
    ),
  ),
  drmContent: yesOrNo,
  adaptationAllowed: yesOrNo,
  uaCapabilities: optional(fc.record({ uaProf: optional(filled), timeStamp: optional(when(0, 4_000_000)) })),
})

/** A message from MMS with whatever the table names; times and steps are such as a reader takes. */
export const anyMessage: fc.Arbitrary<NeutralMessage> = fc
  .record({
    source: fc.constantFrom('mm7-submit' as const, 'mm7-deliver' as const, 'mm4' as const, 'mm1' as const),
    sender: fc.tuple(party, optional(filled)),
    recipients: fc.uniqueArray(
      fc.record({
        party,
        field: fc.constantFrom('to' as const, 'cc' as const, 'bcc' as const),
        serve: fc.constant(true),
      }),
      { minLength: 1, maxLength: 6, selector: (r) => r.party.value },
    ),
    mmsMessageId: optional(filled),
    subject: optional(lineText),
    date: instant,
    class: optional(
      fc.oneof(
        fc.constantFrom(
          'personal' as const,
          'advertisement' as const,
          'informational' as const,
          'auto' as const,
        ),
        token.map((t) => ({ token: `x${t}` })),
      ),
    ),
    priority: optional(fc.constantFrom('low' as const, 'normal' as const, 'high' as const)),
    expiry: optional(when(8 * 86_400, 900_000_000)),
    earliestDelivery: optional(when(60, 7 * 86_400)),
    deliveryReport: yesOrNo,
    originatorRsReport: yesOrNo,
    readReply: yesOrNo,
    senderVisibility: optional(fc.constant('show' as const)),
    replyCharging: optional(
      fc.record({
        state: fc.constantFrom('requested' as const, 'requested-text-only' as const),
        deadline: optional(when(60, 90_000_000)),
        size: optional(fc.integer({ min: 0, max: 300_000 })),
        id: optional(token),
      }),
    ),
    previous: fc.array(fc.record({ by: fc.array(party, { minLength: 1, maxLength: 3 }), at: instant }), {
      maxLength: 4,
    }),
    forwardCounter: optional(fc.integer({ min: 1, max: 999 })),
    vas,
    body: lineText,
  })
  .map(
    ({ body, sender: [from, name], previous, ...m }): NeutralMessage => ({
      ...m,
      kind: 'message',
      peer: 'mmsc',
      receivedAt: nowSeconds,
      queueId: 'Q-0001',
      messageId: '<M-0001@gw.mms.example.net>',
      sender: name === undefined ? from : { ...from, name },
      previous: previous.map((step, index) => ({ index, ...step })),
      passThrough: [],
      trace: [],
      content: text(body),
    }),
  )

export const all = (m: NeutralMessage): number[] => m.recipients.map((_, i) => i)
