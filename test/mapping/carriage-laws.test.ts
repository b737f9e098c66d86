/**
 * The carriage table (mapping.md 1.7) as a law: for every carrier, what is written and read again is what the table says
 * that the carrier keeps, and where it says "-" nothing is there (MAP-176, MAP-177, MAP-180, MAP-181).
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readMail, writeMail } from '../../src/mapping/carriers/mail.ts'
import { decodeMm1 } from '../../src/mapping/carriers/mm1.ts'
import { encodeMm1 } from '../../src/mapping/carriers/mm1-write.ts'
import { readMm4Forward, writeMm4Forward } from '../../src/mapping/carriers/mm4.ts'
import { readMm7Message, writeMm7Request } from '../../src/mapping/carriers/mm7.ts'
import { resolved } from '../../src/mapping/times.ts'
import type { NeutralMessage, Party, When } from '../../src/model/neutral.ts'
import { isRefusal, type Refusal } from '../../src/model/refusal.ts'
import type { Peer } from '../../src/model/settings.ts'
import { readMm7 } from '../../src/wire/mm7/read.ts'
import { writeMm7 } from '../../src/wire/mm7/write.ts'
import {
  all,
  anyMessage,
  context,
  lawTimeout,
  now,
  nowSeconds,
  runs,
  settings,
} from '../support/neutral-messages.ts'

const { vaspIds: _vaspIds, senders: _senders, ...vasp1 } = settings.peers.vasp1!
const { maxSize: _maxSize, ...mmsc } = settings.peers.mmsc!
const opb = settings.peers.opb!
/** Nothing of a peer's own limits. */
const ctx = () => ({
  ...context(),
  settings: { ...settings, peers: { ...settings.peers, mmsc, vasp1, opb } },
})

const taken = <T>(value: T): Exclude<T, Refusal> => {
  if (isRefusal(value as Refusal)) throw new Error(`refused: ${(value as Refusal).text}`)
  return value as Exclude<T, Refusal>
}

function overMm7(m: NeutralMessage, kind: 'mm7-submit' | 'mm7-deliver'): NeutralMessage {
  const [peerKey, peer]: [string, Peer] = kind === 'mm7-submit' ? ['mmsc', mmsc] : ['vasp1', vasp1]
  const out = writeMm7(taken(writeMm7Request(m, all(m), { kind, peerKey, peer }, ctx())))
  return taken(
    readMm7Message(
      readMm7(out.contentType, Buffer.concat(out.body)),
      { peer: peerKey, ip: '', queueId: 'Q', receivedAt: now },
      ctx(),
    ),
  )
}

function overMm4(m: NeutralMessage): NeutralMessage {
  const out = taken(writeMm4Forward(m, all(m), { peerKey: 'opb', peer: opb }, undefined, ctx()))
  const session = { peer: 'opb', ehlo: 'x', ip: '', port: 25, auth: null, tls: false, esmtp: true }
  const envelope = { ...out.envelope, session, receivedAt: nowSeconds }
  return taken(readMm4Forward(Buffer.concat(out.octets), envelope, { queueId: 'Q', peer: 'opb' }, ctx()))
}

function overMm1(m: NeutralMessage, type: 'm-send-req' | 'm-retrieve-conf'): NeutralMessage {
  const pdu = taken(encodeMm1(m, type, all(m), ctx()))
  const read = decodeMm1(pdu, { queueId: 'Q', receivedAt: nowSeconds }, ctx())
  if (isRefusal(read) || read.kind !== 'message') throw new Error(JSON.stringify(read))
  return read
}

function overMail(m: NeutralMessage): NeutralMessage {
  const extensions = new Map(['8BITMIME', 'DSN', 'DELIVERBY'].map((k) => [k, '']))
  const out = taken(writeMail(m, all(m), { extensions }, ctx()))
  const session = { peer: null, ehlo: 'x', ip: '', port: 25, auth: null, tls: false, esmtp: true }
  const envelope = { ...out.envelope, session, receivedAt: nowSeconds }
  return taken(readMail(Buffer.concat(out.octets), envelope, { queueId: 'Q' }, ctx()))
}

const at = (when: When | undefined): number | undefined => when && resolved(when, nowSeconds)
const shown = (p: Party): string => `${p.kind}:${p.value}`
/** What an element of text holds where no blank is left of it. */
const kept = (value: string | undefined): string | undefined => (value?.trim() ? value : undefined)

/** One message as the table's rows; names only where they cross. */
function rows(m: NeutralMessage, { names = true } = {}): Record<string, unknown> {
  const inField = (field: string) => m.recipients.filter((r) => r.field === field).map((r) => shown(r.party))
  return {
    sender: shown(m.sender),
    name: names ? m.sender.name : undefined,
    to: inField('to'),
    cc: inField('cc'),
    bcc: inField('bcc'),
    served: m.recipients.flatMap((r) => (r.serve ? [shown(r.party)] : [])).sort(),
    subject: m.subject,
    date: m.date.epoch,
    offset: m.date.offsetMinutes,
    class: m.class,
    priority: m.priority,
    expiry: at(m.expiry),
    earliestDelivery: at(m.earliestDelivery),
    deliveryReport: m.deliveryReport,
    originatorRsReport: m.originatorRsReport,
    readReply: m.readReply,
    senderVisibility: m.senderVisibility,
    charging: m.replyCharging && {
      state: m.replyCharging.state,
      deadline: at(m.replyCharging.deadline),
      size: m.replyCharging.size,
      id: m.replyCharging.id,
    },
    previous: m.previous.map(({ index, by, at }) => ({ index, by: by.map(shown), at: at?.epoch })),
    forwardCounter: m.forwardCounter,
    ...Object.fromEntries(vasKeys.map((key) => [key, m.vas[key]])),
    uaProf: m.vas.uaCapabilities?.uaProf,
    uaTime: at(m.vas.uaCapabilities?.timeStamp),
    // A mail ends with a line end, whether the text did or not.
    text:
      m.content?.kind === 'leaf'
        ? Buffer.from(m.content.body.octets()).toString('utf8').replace(/\r\n$/, '')
        : undefined,
  }
}

const vasKeys = [
  ...(['vaspId', 'vasId', 'serviceCode', 'linkedId', 'relayServerId', 'senderSpi', 'recipientSpi'] as const),
  ...(['chargedParty', 'chargedPartyId', 'distributionIndicator', 'deliveryCondition', 'applicId'] as const),
  ...(['replyApplicId', 'auxApplicInfo', 'contentClass', 'drmContent', 'adaptationAllowed'] as const),
]

/** `keys` of a message that a carrier has no place for. */
const without = (m: Record<string, unknown>, ...keys: string[]): Record<string, unknown> => ({
  ...m,
  ...Object.fromEntries(keys.map((key) => [key, key === 'previous' ? [] : undefined])),
})

const notOnSubmit = ['name', 'originatorRsReport', 'senderVisibility', 'previous', 'forwardCounter']
const onlyDeliver = ['senderSpi', 'recipientSpi', 'uaProf', 'uaTime']
const onlySubmit = [
  ...['class', 'expiry', 'earliestDelivery', 'deliveryReport', 'readReply', 'charging', 'serviceCode'],
  ...[
    'chargedParty',
    'chargedPartyId',
    'distributionIndicator',
    'deliveryCondition',
    'contentClass',
    'drmContent',
  ],
]
const notOnMm1 = [
  ...['originatorRsReport', 'forwardCounter', 'vaspId', 'vasId', 'serviceCode', 'linkedId', 'relayServerId'],
  ...['chargedParty', 'chargedPartyId', 'deliveryCondition', ...onlyDeliver],
]

/** Steps of the history as a carrier that names one address a step has them. */
const firstOfEach = (m: NeutralMessage): unknown =>
  m.previous.map(({ index, by, at }) => ({ index, by: by.slice(0, 1).map(shown), at: at?.epoch }))

describe('MAP-180: the carriage table', () => {
  test(
    'mail, as RFC 4356 has it (MAP-022 to MAP-108, MAP-120 to MAP-152)',
    () => {
      fc.assert(
        fc.property(anyMessage, (m) => {
          const back = overMail(m)
          const isAuto = m.class === 'auto'
          const shownTo = m.recipients.filter((r) => r.field !== 'bcc')
          // Whom nobody is shown, one alone is (MAP-127).
          const alone = m.recipients.length === 1 && shownTo.length === 0
          const remaining = at(m.expiry) === undefined ? 0 : at(m.expiry)! - nowSeconds
          expect(rows(back)).toEqual({
            ...without(rows(m), ...vasKeys, 'uaProf', 'uaTime', 'charging', 'earliestDelivery'),
            ...without({}, 'deliveryReport', 'originatorRsReport', 'senderVisibility'),
            ...(alone ? { to: [shown(m.recipients[0]!.party)], bcc: [] } : {}),
            offset: m.date.offsetMinutes,
            // From mail it is the reverse-path that tells (MAP-131).
            class: isAuto ? 'auto' : 'personal',
            priority: m.priority === 'normal' ? undefined : m.priority,
            expiry: remaining > 0 ? at(m.expiry) : undefined,
            readReply: m.readReply && !isAuto ? true : undefined,
            forwardCounter: m.previous.length > 0 ? m.previous.length : undefined,
          })
          expect(back.messageId).toBe(m.messageId)
          const notify = isAuto || m.deliveryReport === undefined ? undefined : m.deliveryReport
          for (const { notify: asked } of back.recipients.filter((r) => r.serve))
            expect(asked).toEqual(
              notify === undefined
                ? undefined
                : notify
                  ? { success: true, failure: true, delay: false }
                  : 'never',
            )
        }),
        runs(200),
      )
    },
    lawTimeout,
  )

  test(
    'MM7 SubmitReq (MAP-185, MAP-190, MAP-191)',
    () => {
      fc.assert(
        fc.property(anyMessage, (m) => {
          const charging = m.replyCharging?.state === 'requested' ? m.replyCharging : undefined
          expect(rows(overMm7(m, 'mm7-submit'))).toEqual({
            ...without(rows(m), ...notOnSubmit, ...onlyDeliver, 'relayServerId'),
            subject: kept(m.subject),
            class: typeof m.class === 'string' ? m.class : undefined,
            offset: m.date.offsetMinutes ?? expect.anything(),
            charging: charging && { ...(rows(m).charging as object), id: undefined },
            vaspId: mmsc.vaspId,
            vasId: mmsc.vasId,
            adaptationAllowed: m.vas.adaptationAllowed ?? true,
          })
        }),
        runs(200),
      )
    },
    lawTimeout,
  )

  test(
    'MM7 DeliverReq (MAP-181, MAP-108)',
    () => {
      fc.assert(
        fc.property(anyMessage, (m) => {
          expect(rows(overMm7(m, 'mm7-deliver'))).toEqual({
            ...without(
              rows(m),
              ...onlySubmit,
              'name',
              'originatorRsReport',
              'senderVisibility',
              'forwardCounter',
            ),
            subject: kept(m.subject),
            offset: m.date.offsetMinutes ?? expect.anything(),
            previous: firstOfEach(m),
            vaspId: undefined,
            vasId: undefined,
            relayServerId: settings.gateway.host,
            linkedId: m.mmsMessageId ?? expect.any(String),
            adaptationAllowed: m.vas.adaptationAllowed ?? true,
          })
        }),
        runs(200),
      )
    },
    lawTimeout,
  )

  test(
    'MM4_forward.REQ (MAP-200 to MAP-211)',
    () => {
      fc.assert(
        fc.property(anyMessage, (m) => {
          const back = overMm4(m)
          const blind = m.recipients.filter((r) => r.field === 'bcc')
          // The only recipient there is may be shown (MAP-127).
          const alone = m.recipients.length === 1 && blind.length === 1
          expect(rows(back)).toEqual({
            ...without(rows(m), ...onlyDeliver, 'distributionIndicator', 'deliveryCondition'),
            ...(alone ? { to: blind.map((r) => shown(r.party)), bcc: [] } : {}),
            relayServerId: settings.gateway.mm4System,
          })
          expect(back.messageId).toBe(m.messageId)
          if (m.mmsMessageId !== undefined && /^[ -~]+$/.test(m.mmsMessageId))
            expect(back.mmsMessageId).toBe(m.mmsMessageId)
          else expect(back.mmsMessageId).toBe('MMS-0001')
        }),
        runs(200),
      )
    },
    lawTimeout,
  )

  test(
    'MM1 m-send-req and m-retrieve-conf (MAP-220 to MAP-230)',
    () => {
      fc.assert(
        fc.property(anyMessage, (m) => {
          const auto = m.class === 'auto' ? { deliveryReport: undefined, readReply: undefined } : {}
          const common = {
            ...without(rows(m), ...notOnMm1),
            ...auto,
            name: m.sender.kind === 'mail' ? m.sender.name : undefined,
            offset: 0,
          }
          expect(rows(overMm1(m, 'm-send-req'))).toEqual({ ...common, previous: [] })
          // Blind recipients are named to nobody who retrieves it.
          const named = m.recipients.filter((r) => r.field !== 'bcc')
          expect(rows(overMm1(m, 'm-retrieve-conf'))).toEqual({
            ...without(common, 'expiry', 'earliestDelivery', 'senderVisibility'),
            bcc: [],
            served: named.map((r) => shown(r.party)).sort(),
            previous: firstOfEach(m),
          })
        }),
        runs(200),
      )
    },
    lawTimeout,
  )
})
