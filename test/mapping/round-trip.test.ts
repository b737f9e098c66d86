/**
 * GEN-013: what a case's input becomes, fed back through the opposite mapper, gives the neutral message again, but for
 * ids, trace and class. What a carrier has no place for is left out of the comparison by rule; what a single case loses
 * besides stands in its table with the rule that takes it, and nothing else may be lost.
 */
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { type Case, findCases } from '../../src/cli/conform/case-folder.ts'
import { fixtureIds } from '../../src/cli/conform/fixture-ids.ts'
import { accept, findSource } from '../../src/cli/translate/input.ts'
import { addressKey } from '../../src/mapping/addresses.ts'
import { readMail, writeMail } from '../../src/mapping/carriers/mail.ts'
import { decodeMm1 } from '../../src/mapping/carriers/mm1.ts'
import { encodeMm1 } from '../../src/mapping/carriers/mm1-write.ts'
import { readMm4Forward, writeMm4Forward } from '../../src/mapping/carriers/mm4.ts'
import { readMm7Message, writeMm7Request } from '../../src/mapping/carriers/mm7.ts'
import { contentForMms } from '../../src/mapping/content/for-mms.ts'
import type { MappingContext } from '../../src/mapping/context.ts'
import { sendHistory } from '../../src/mapping/history.ts'
import { resolved } from '../../src/mapping/times.ts'
import { Fault } from '../../src/model/fault.ts'
import type { NeutralMessage, Part, Party, When } from '../../src/model/neutral.ts'
import { isRefusal } from '../../src/model/refusal.ts'
import type { EnvelopePath } from '../../src/model/smtp-envelope.ts'
import { groupsOf } from '../../src/routing/groups.ts'
import { decodeText } from '../../src/wire/mime/charset.ts'
import { readMm7 } from '../../src/wire/mm7/read.ts'
import { Mm7Refusal } from '../../src/wire/mm7/refusal.ts'
import { writeMm7 } from '../../src/wire/mm7/write.ts'

const fixtures = fileURLToPath(new URL('../../fixtures/', import.meta.url))
const cases = findCases([`${fixtures}rfc4356`, `${fixtures}rfc4356-more`])

type Carrier = 'mail' | 'mm7-submit' | 'mm7-deliver' | 'mm4' | 'mm1'
type Kept = Record<string, unknown>

const contextOf = (one: Case): MappingContext => ({
  settings: one.settings,
  ids: fixtureIds(one.settings.gateway.host).of('Q-0001', ''),
  now: one.clock,
})

/** The message that the case's input is; undefined: it is none, or it is refused. */
function messageOf(one: Case): NeutralMessage | undefined {
  if (one.json.matrix || !['input.http', 'input.eml', 'input.hex'].some((f) => one.has(f))) return undefined
  try {
    const { message } = accept(findSource(one.folder, undefined), 'Q-0001', contextOf(one))
    return isRefusal(message) ? undefined : message
  } catch (error) {
    if (error instanceof Fault || error instanceof Mm7Refusal) return undefined
    throw error
  }
}

/** There and back; undefined: it cannot be written for this carrier. */
function thereAndBack(one: Case, message: NeutralMessage, serve: readonly number[], carrier: Carrier) {
  const ctx = contextOf(one)
  const session = { peer: null, ehlo: 'x', ip: '', port: 25, auth: null, tls: false, esmtp: true }
  const back = { queueId: 'Q-0001', peer: 'back', ip: '', receivedAt: message.receivedAt * 1000 }
  const enveloped = (written: {
    readonly envelope: {
      readonly mailFrom: EnvelopePath
      readonly rcptTo: readonly (EnvelopePath & { path: string })[]
    }
    readonly octets: readonly Uint8Array[]
  }) => ({
    octets: Buffer.concat(written.octets),
    envelope: { session, ...written.envelope, receivedAt: message.receivedAt },
  })
  const peers = { ...one.settings.peers, back: { interface: 'mm7', host: 'back.example' } as const }
  const opposite: MappingContext = { ...ctx, settings: { ...one.settings, peers } }
  switch (carrier) {
    case 'mail': {
      const extensions = new Map(['8BITMIME', 'DSN', 'DELIVERBY'].map((k) => [k, '']))
      // No time passes between receipt and sending, so that BY says all of the lifetime.
      const written = writeMail(message, serve, { extensions }, { ...ctx, now: message.receivedAt * 1000 })
      if (isRefusal(written)) return undefined
      const { octets, envelope } = enveloped(written)
      return readMail(octets, envelope, back, opposite)
    }
    case 'mm7-submit':
    case 'mm7-deliver': {
      const target = { kind: carrier, peerKey: 'back', peer: peers.back }
      const written = writeMm7Request(message, serve, target, ctx)
      if (isRefusal(written)) return undefined
      const http = writeMm7(written)
      return readMm7Message(readMm7(http.contentType, Buffer.concat(http.body)), back, opposite)
    }
    case 'mm4': {
      const peer = { interface: 'mm4', host: 'back.example' } as const
      const written = writeMm4Forward(message, serve, { peerKey: 'back', peer }, undefined, ctx)
      if (isRefusal(written)) return undefined
      const { octets, envelope } = enveloped(written)
      return readMm4Forward(octets, envelope, back, opposite)
    }
    case 'mm1': {
      const written = encodeMm1(message, 'm-retrieve-conf', serve, ctx)
      if (isRefusal(written)) return undefined
      const read = decodeMm1(written, { queueId: 'Q-0001', receivedAt: message.receivedAt }, opposite)
      return isRefusal(read) || read.kind === 'message' ? read : undefined
    }
  }
}

/** What of a message is compared, in words that do not depend on how it was written. */
function keptOf(message: NeutralMessage, serve: readonly number[], carrier: Carrier): Kept {
  const at = (when: When | undefined) => when && resolved(when, message.receivedAt)
  // Addresses of MM7 are addr-spec alone (ADR-031), numbers of MM1 numbers alone (MAP-227).
  const named = (p: Party): boolean => !carrier.startsWith('mm7') && !(carrier === 'mm1' && p.kind !== 'mail')
  const party = (p: Party): string => `${addressKey(p)}${named(p) && p.name ? ` (${p.name})` : ''}`
  const isMail = message.source === 'mm3'
  const group = serve[0] === undefined ? undefined : message.recipients[serve[0]]?.notify
  return {
    sender: party(message.sender),
    from: (message.from ?? [message.sender]).map(party),
    recipients: message.recipients
      // A blind one is told to nobody but who serves it, a handset of none (MAP-126).
      .filter(
        (r, i) =>
          r.party.kind !== 'unknown' && (r.field !== 'bcc' || (carrier !== 'mm1' && serve.includes(i))),
      )
      .map((r) => `${r.field} ${party(r.party)}`),
    subject: message.subject || undefined,
    // MM1 counts seconds (mapping.md 1.7).
    date: [message.date.epoch, carrier === 'mm1' ? 0 : message.date.offsetMinutes],
    messageId: message.messageId,
    // Table 2: Normal is the absence of the field.
    priority: message.priority === 'normal' ? undefined : message.priority,
    expiry: at(message.expiry),
    deliveryReport: isMail
      ? group === 'never'
        ? false
        : group?.success
          ? true
          : undefined
      : message.deliveryReport,
    readReply: message.readReply || undefined,
    history: sendHistory(message).map((s) => ({ index: s.index, by: s.by.map(party), at: s.at.epoch })),
    fields: message.passThrough
      .filter((f) => !/^x-mms-message-id$/i.test(f.name))
      .map((f) => `${f.name}: ${f.value}`),
    content: message.content && contentOf(message.content, true),
  }
}

/** The parts with what they hold: of text the characters, of all else the octets; where they are in the tree. */
function contentOf(part: Part, isWhole = false): unknown {
  if (part.kind === 'multi') return { [part.subtype]: part.parts.map((p) => contentOf(p)) }
  const octets = Buffer.from(part.body.octets())
  const header = (name: string) => part.headers.find((h) => h.name.toLowerCase() === name)?.value
  const isText = part.kind === 'leaf' && (part.type.startsWith('text/') || part.type === 'application/smil')
  return {
    type: part.type,
    // That of the whole belongs to its packaging (CNT-012).
    id: isWhole ? undefined : header('content-id')?.replace(/^<|>$/g, ''),
    // The line end that closes a message was the delimiter's before.
    body: isText
      ? decodeText(octets, part.charset)
          .replace(/\r\n|\r|\n/g, '\n')
          .replace(/\n+$/, '')
      : octets.toString('latin1').replace(/\r\n$/, ''),
  }
}

/** What the carriage table (mapping.md 1.7) has no column for, with the rule; of mail what Table 1 takes away. */
const noPlace: Readonly<Record<Carrier, Readonly<Record<string, string>>>> = {
  mail: {},
  'mm7-submit': {
    messageId: 'MAP-123',
    history: 'MAP-152',
    fields: 'MAP-003',
    from: 'MAP-129',
  },
  'mm7-deliver': {
    messageId: 'MAP-123',
    fields: 'MAP-003',
    from: 'MAP-129',
    expiry: 'MAP-181',
    deliveryReport: 'MAP-181',
    readReply: 'MAP-181',
  },
  mm4: {},
  mm1: { fields: 'MAP-003', from: 'MAP-129', expiry: 'MAP-180' },
}

/** What a single case loses besides: field and rule. */
const lost: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  // Class Auto has a null return path, and nobody that a read report could go to.
  'S03 mail': { deliveryReport: 'MAP-093', readReply: 'MAP-093' },
  // Over before it was sent; further away than BY can say.
  'S15 mail': { expiry: 'MAP-081' },
  'N47 mail': { expiry: 'MAP-082' },
  'S21 mail': { content: 'CNT-002' },
  'N50 mail': { content: 'CNT-041' },
  'N55 mail': { content: 'CNT-006' },
  'N61 mail': { content: 'CNT-067' },
  // A gap in the numbers closes; of several senders the first is the MM4 sender.
  'N68 mail': { history: 'MAP-106' },
  'N28 mm4': { sender: 'MAP-060' },
  // A blind recipient alone in its copy is the only one that the next system sees.
  'N78 mm4': { recipients: 'MAP-127' },
}

describe('GEN-013: there and back', () => {
  let whole = 0
  for (const one of cases) {
    const message = messageOf(one)
    if (!message) continue
    const carriers: readonly Carrier[] =
      message.source === 'mm3' ? ['mm7-submit', 'mm7-deliver', 'mm4', 'mm1'] : ['mail']
    for (const carrier of carriers)
      test(`${one.json.id} by ${carrier}`, () => {
        const routed = [...message.recipients.entries()]
          .filter(([, recipient]) => recipient.serve)
          .map(([index, recipient]) => ({ index, recipient, target: carrier }))
        const different = new Map<string, unknown>()
        for (const { members } of groupsOf(message, routed, () => 100)) {
          const serve = members.map((m) => m.index)
          const back = thereAndBack(one, message, serve, carrier)
          if (back === undefined) continue
          if (isRefusal(back)) throw new Error(back.text)
          const served = [...back.recipients.keys()].filter((i) => back.recipients[i]?.serve)
          const [before, after] = [keptOf(message, serve, carrier), keptOf(back, served, carrier)]
          const differs = Object.keys(before).filter(
            (key) =>
              noPlace[carrier][key] === undefined &&
              JSON.stringify(before[key]) !== JSON.stringify(after[key]) &&
              // What a handset cannot show was adapted before it was written (mapping.md 4.2): that comes back.
              !(key === 'content' && JSON.stringify(after[key]) === adapted(one, message, carrier)),
          )
          for (const key of differs) different.set(key, [before[key], after[key]])
          whole++
        }
        const known = Object.keys(lost[`${one.json.id} ${carrier}`] ?? {})
        expect([...different]).toEqual(known.map((key) => [key, different.get(key)]))
      })
  }
  test('it was done with most of the cases', () => expect(whole).toBeGreaterThan(150))
})

function adapted(one: Case, message: NeutralMessage, carrier: Carrier): string | undefined {
  if (carrier === 'mail') return undefined
  const peer = { interface: carrier === 'mm4' ? 'mm4' : 'mm7' } as const
  const content = contentForMms(message, { peer, expose: carrier !== 'mm4' }, contextOf(one))
  return isRefusal(content) ? undefined : JSON.stringify(contentOf(content, true))
}
