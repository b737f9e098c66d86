import { refusal } from '../../model/refusal.ts'
import type { Element } from '../element.ts'
import { whenFromXml } from '../times.ts'

/** A permission is dropped, a use of one refused; none is ever made from mail (MAP-070 to MAP-073). */
export const replyCharging: Element = {
  name: 'Reply charging',
  source: 'RFC 4356 §1.1, §2.1.3.2',
  mail: { owns: [] },
  mm7: {
    read(request, mm) {
      const id = request.text('ReplyChargingID', 'ReplayChargingID')
      if (id !== undefined)
        return refusal('reply-charging', 'reply charging cannot be used towards Internet mail')
      const element = request.child('ReplyCharging')
      if (!element) return
      const { replyDeadline, replyChargingSize } = element.attributes
      mm.replyCharging = {
        state: 'requested',
        deadline: replyDeadline === undefined ? undefined : whenFromXml(replyDeadline),
        size: replyChargingSize === undefined ? undefined : Number(replyChargingSize),
      }
    },
  },
}
