import { refusal } from '../../model/refusal.ts'
import type { Element } from '../element.ts'
import { quoted, unquoted } from '../mm4-ids.ts'
import { resolved, toMailDate, whenFromMm4, whenFromXml } from '../times.ts'

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
  mm4: {
    read(mail, mm) {
      const state = mail
        .field('X-Mms-Reply-Charging')
        ?.trim()
        .toLowerCase()
        .replace(/[\s-]+/g, ' ')
      const id = mail.field('X-Mms-Reply-Charging-ID')?.trim()
      const requested = state === 'requested' || state === 'requested text only'
      // A lone id is a use as well (MAP-072); so is what cannot be understood.
      if ((state !== undefined && state !== '' && !requested) || (id !== undefined && !requested))
        return refusal('reply-charging', 'reply charging cannot be used towards Internet mail')
      if (!requested) return
      const size = Number(mail.field('X-Mms-Reply-Charging-Size') ?? Number.NaN)
      mm.replyCharging = {
        state: state === 'requested' ? 'requested' : 'requested-text-only',
        deadline: whenFromMm4(mail.field('X-Mms-Reply-Charging-Deadline') ?? ''),
        size: Number.isSafeInteger(size) && size >= 0 ? size : undefined,
        id: id === undefined ? undefined : unquoted(id),
      }
    },
    write(mm, mail) {
      const charging = mm.replyCharging
      if (charging?.state !== 'requested' && charging?.state !== 'requested-text-only') return
      mail.add('X-Mms-Reply-Charging', charging.state === 'requested' ? 'Requested' : 'Requested text only')
      if (charging.deadline) {
        const epoch = resolved(charging.deadline, mm.receivedAt)
        mail.add('X-Mms-Reply-Charging-Deadline', toMailDate({ epoch, offsetMinutes: 0 }))
      }
      if (charging.size !== undefined) mail.add('X-Mms-Reply-Charging-Size', String(charging.size))
      if (charging.id !== undefined) mail.add('X-Mms-Reply-Charging-ID', quoted(charging.id))
    },
  },
}
