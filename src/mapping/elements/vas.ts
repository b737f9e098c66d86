import type { VasInfo } from '../../model/neutral.ts'
import { booleanOf, type Element, type Mm7Source, oneLine } from '../element.ts'
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
}

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
