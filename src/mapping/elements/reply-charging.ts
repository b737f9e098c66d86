import { refusal } from '../../model/refusal.ts'
import { isAscii } from '../../wire/mime/utf8.ts'
import type { Element } from '../element.ts'
import { quoted, unquoted } from '../mm4-ids.ts'
import { resolved, toMailDate, toXmlDateTime, whenFromMm4, whenFromXml } from '../times.ts'

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
        size: sizeOf(replyChargingSize),
      }
    },
    write(mm, request) {
      const charging = mm.replyCharging
      if (charging?.state !== 'requested' || request.operation !== 'SubmitReq') return
      const { deadline, size } = charging
      request.set('ReplyCharging', [], {
        ...(size === undefined ? {} : { replyChargingSize: String(size) }),
        ...(deadline === undefined
          ? {}
          : { replyDeadline: toXmlDateTime({ epoch: resolved(deadline, mm.receivedAt), offsetMinutes: 0 }) }),
      })
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
      mm.replyCharging = {
        state: state === 'requested' ? 'requested' : 'requested-text-only',
        deadline: whenFromMm4(mail.field('X-Mms-Reply-Charging-Deadline') ?? ''),
        size: sizeOf(mail.field('X-Mms-Reply-Charging-Size')),
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
      // An id that is not ASCII has no form in a quoted-string.
      if (charging.id !== undefined && isAscii(charging.id))
        mail.add('X-Mms-Reply-Charging-ID', quoted(charging.id))
    },
  },
}

/** Octets, a whole number; undefined: absent, or no number. */
const sizeOf = (text: string | undefined): number | undefined =>
  text !== undefined && /^\s*\d{1,15}\s*$/.test(text) ? Number(text) : undefined
