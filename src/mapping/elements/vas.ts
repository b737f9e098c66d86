import type { ContentClass, VasInfo } from '../../model/neutral.ts'
import { decodeWords } from '../../wire/mime/encoded-words.ts'
import { booleanOf, type Element, type Mm7Source, oneLine, yesNo } from '../element.ts'
import { resolved, toXmlDateTime, whenFromXml } from '../times.ts'

const texts: readonly (readonly [keyof VasInfo, string])[] = [
  ['serviceCode', 'ServiceCode'],
  ['linkedId', 'LinkedID'],
  ['relayServerId', 'MMSRelayServerID'],
  ['senderSpi', 'SenderSPI'],
  ['recipientSpi', 'RecipientSPI'],
  ['chargedPartyId', 'ChargedPartyID'],
  ['applicId', 'ApplicID'],
  ['replyApplicId', 'ReplyApplicID'],
  ['auxApplicInfo', 'AuxApplicInfo'],
]

type TextRow = readonly [keyof VasInfo, string]
/** Written as they came, on the operation that has them (mapping.md 1.7). */
const bothTexts: readonly TextRow[] = [
  ['applicId', 'ApplicID'],
  ['replyApplicId', 'ReplyApplicID'],
  ['auxApplicInfo', 'AuxApplicInfo'],
]
const submitTexts: readonly TextRow[] = [
  ['serviceCode', 'ServiceCode'],
  ['linkedId', 'LinkedID'],
  ['chargedParty', 'ChargedParty'],
  ['chargedPartyId', 'ChargedPartyID'],
  ['contentClass', 'ContentClass'],
]
const deliverTexts: readonly TextRow[] = [
  ['senderSpi', 'SenderSPI'],
  ['recipientSpi', 'RecipientSPI'],
]

/** Names on MM4, those that are plain text (mapping.md 1.7). */
const mm4Texts: readonly (readonly [keyof VasInfo, string])[] = [
  ['vaspId', 'X-Mms-VASP-ID'],
  ['vasId', 'X-Mms-VAS-ID'],
  ['serviceCode', 'X-Mms-Service-Code'],
  ['linkedId', 'X-Mms-Linked-ID'],
  ['chargedPartyId', 'X-Mms-Charged-Party-ID'],
  ['applicId', 'X-Mms-Applic-ID'],
  ['replyApplicId', 'X-Mms-Reply-Applic-ID'],
  ['auxApplicInfo', 'X-Mms-Aux-Applic-Info'],
]

const contentClasses: readonly ContentClass[] = [
  'text',
  'image-basic',
  'image-rich',
  'video-basic',
  'video-rich',
  'megapixel',
  'content-basic',
  'content-rich',
]

/** VAS data: kept in the neutral message and the records, never in a mail (MAP-014, SEC-041, SEC-044). */
export const vas: Element = {
  name: 'VAS information',
  source: 'TS 23.140 §8.7; mapping.md 1.7',
  mail: { owns: [] },
  mm7: {
    read(request, mm) {
      const values: Record<string, unknown> = {}
      for (const [key, name] of texts) values[key] = cleaned(request.text(name))
      const party = request.child('SenderIdentification') ?? request.body
      const inside = (name: string): string | undefined =>
        cleaned(party.children.find((c) => c.name.toLowerCase() === name.toLowerCase())?.text)
      mm.vas = {
        ...(values as VasInfo),
        vaspId: inside('VASPID'),
        vasId: inside('VASID'),
        chargedParty: oneOf(chargedParties, request.text('ChargedParty')),
        contentClass: oneOf(contentClasses, request.text('ContentClass')),
        distributionIndicator: booleanOf(request.text('DistributionIndicator')),
        drmContent: booleanOf(request.text('DRMContent')),
        adaptationAllowed: booleanOf(request.child('Content')?.attributes.allowAdaptations),
        deliveryCondition: conditions(request),
        uaCapabilities: capabilities(request),
      }
    },
    write(mm, request, ctx) {
      const { vas: info } = mm
      for (const [key, name] of bothTexts) request.set(name, written(info[key]))
      if (request.operation === 'SubmitReq') {
        for (const [key, name] of submitTexts) request.set(name, written(info[key]))
        request.set('DistributionIndicator', written(info.distributionIndicator))
        request.set('DRMContent', written(info.drmContent))
        request.set(
          'DeliveryCondition',
          info.deliveryCondition?.map((n) => ({ ...empty, name: 'DC', text: String(n) })),
        )
        return
      }
      // So that an answer can be linked to the message it answers (MM7-077).
      request.set('MMSRelayServerID', ctx.settings.gateway.host)
      request.set('LinkedID', mm.mmsMessageId ?? ctx.ids.mmsMessageId())
      for (const [key, name] of deliverTexts) request.set(name, written(info[key]))
      const { uaCapabilities: ua } = info
      if (ua)
        request.set('UACapabilities', [], {
          ...(ua.uaProf === undefined ? {} : { UAProf: ua.uaProf }),
          ...(ua.timeStamp === undefined
            ? {}
            : {
                TimeStamp: toXmlDateTime({ epoch: resolved(ua.timeStamp, mm.receivedAt), offsetMinutes: 0 }),
              }),
        })
    },
  },
  mm4: {
    read(mail, mm) {
      const values: Record<string, unknown> = {}
      for (const [key, name] of mm4Texts) values[key] = cleaned(decodeWords(mail.field(name) ?? ''))
      const party = cleaned(mail.field('X-Mms-Charged-Party'))?.toLowerCase()
      const content = cleaned(mail.field('X-Mms-Content-Class'))?.toLowerCase()
      mm.vas = {
        ...(values as VasInfo),
        relayServerId: cleaned(mail.field('X-Mms-Originator-System')),
        chargedParty: chargedParties.find((name) => name.toLowerCase() === party),
        contentClass: contentClasses.find((name) => name === content),
        drmContent: booleanOf(mail.field('X-Mms-DRM-Content')?.trim()),
        adaptationAllowed: booleanOf(mail.field('X-Mms-Adaptation-Allowed')?.trim()),
      }
    },
    write(mm, mail) {
      for (const [key, name] of mm4Texts) {
        const value = mm.vas[key]
        if (typeof value === 'string') mail.add(name, oneLine(value))
      }
      const { chargedParty, contentClass, drmContent, adaptationAllowed } = mm.vas
      if (chargedParty !== undefined) mail.add('X-Mms-Charged-Party', chargedParty)
      if (contentClass !== undefined) mail.add('X-Mms-Content-Class', contentClass)
      if (drmContent !== undefined) mail.add('X-Mms-DRM-Content', yesNo(drmContent))
      if (adaptationAllowed !== undefined) mail.add('X-Mms-Adaptation-Allowed', yesNo(adaptationAllowed))
    },
  },
}

const empty = { namespace: '', attributes: {}, children: [] }

const written = (value: unknown): string | undefined =>
  typeof value === 'string' || typeof value === 'boolean' ? String(value) : undefined

const chargedParties = ['Sender', 'Recipient', 'Both', 'Neither', 'ThirdParty'] as const

/** The value of the list that is meant, in whatever case; others are not passed on. */
const oneOf = <T extends string>(list: readonly T[], text: string | undefined): T | undefined =>
  list.find((value) => value.toLowerCase() === text?.trim().toLowerCase())

const cleaned = (text: string | undefined): string | undefined =>
  text === undefined ? undefined : oneLine(text) || undefined

function conditions(request: Mm7Source): readonly number[] | undefined {
  const list = request
    .child('DeliveryCondition')
    ?.children.map((c) => Number(c.text))
    .filter((n) => Number.isInteger(n))
  return list && list.length > 0 ? list : undefined
}

function capabilities(request: Mm7Source): VasInfo['uaCapabilities'] {
  const element = request.child('UACapabilities')
  if (!element) return undefined
  const { UAProf, TimeStamp } = element.attributes
  return { uaProf: UAProf, timeStamp: TimeStamp === undefined ? undefined : whenFromXml(TimeStamp) }
}
