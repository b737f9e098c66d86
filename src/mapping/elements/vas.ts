import type { ContentClass, VasInfo } from '../../model/neutral.ts'
import { booleanOf, type Element, type Mm7Source, oneLine, yesNo } from '../element.ts'
import { whenFromXml } from '../times.ts'

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
        chargedParty: request.text('ChargedParty') as VasInfo['chargedParty'],
        contentClass: request.text('ContentClass') as VasInfo['contentClass'],
        distributionIndicator: booleanOf(request.text('DistributionIndicator')),
        drmContent: booleanOf(request.text('DRMContent')),
        adaptationAllowed: booleanOf(request.child('Content')?.attributes.allowAdaptations),
        deliveryCondition: conditions(request),
        uaCapabilities: capabilities(request),
      }
    },
    write(mm, request, ctx) {
      if (request.operation !== 'DeliverReq') return
      // So that an answer can be linked to the message it answers (MM7-077).
      request.set('MMSRelayServerID', ctx.settings.gateway.host)
      request.set('LinkedID', mm.mmsMessageId)
    },
  },
  mm4: {
    read(mail, mm) {
      const values: Record<string, unknown> = {}
      for (const [key, name] of mm4Texts) values[key] = cleaned(mail.field(name))
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

const chargedParties = ['Sender', 'Recipient', 'Both', 'Neither', 'ThirdParty'] as const

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
