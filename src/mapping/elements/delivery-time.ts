import { refusal } from '../../model/refusal.ts'
import type { Element } from '../element.ts'
import { resolved, toXmlDateTime, whenFromXml } from '../times.ts'

/** A hold longer than this is refused (QUE-020), seconds. */
export const maxHoldSeconds = 7 * 86_400

/** Never said on a relay connection: the gateway holds the message itself (MAP-085, MAP-086, QUE-020). */
export const deliveryTime: Element = {
  name: 'Earliest delivery time',
  source: 'RFC 4356 §2.1.3.2',
  mail: { owns: ['Deferred-Delivery'] },
  mm7: {
    read(request, mm) {
      const text = request.text('EarliestDeliveryTime', 'EarlestDeliveryTime')
      if (text === undefined) return
      const when = whenFromXml(text)
      if (!when)
        return refusal('malformed', `EarliestDeliveryTime ${text.slice(0, 40)} is no date and no duration`)
      const hold = resolved(when, request.receivedAt)
      if (hold - request.receivedAt > maxHoldSeconds)
        return refusal('malformed', 'a message is held for 7 days at the most')
      if (mm.expiry && hold > request.receivedAt && hold >= resolved(mm.expiry, request.receivedAt))
        return refusal('malformed', 'the message would expire before its earliest delivery')
      mm.earliestDelivery = when
    },
    write(mm, request, ctx) {
      if (mm.earliestDelivery === undefined || request.operation !== 'SubmitReq') return
      const at = resolved(mm.earliestDelivery, mm.receivedAt)
      if (at > ctx.now / 1000)
        request.set('EarliestDeliveryTime', toXmlDateTime({ epoch: at, offsetMinutes: 0 }))
    },
  },
}
