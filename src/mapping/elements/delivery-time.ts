import type { NeutralDraft, When } from '../../model/neutral.ts'
import { type Refusal, refusal } from '../../model/refusal.ts'
import { releaseAt } from '../../wire/smtp/future-release.ts'
import type { Element } from '../element.ts'
import { resolved, toMailDate, toXmlDateTime, whenFromMm4, whenFromXml } from '../times.ts'

/** A hold longer than this is refused (QUE-020), seconds. */
export const maxHoldSeconds = 7 * 86_400

/**
 * Never said on a relay connection: the gateway holds the message itself (MAP-085, MAP-086, QUE-020). Set by FUTURERELEASE
 * of a user that was authenticated, and by nothing else of a mail (MAP-142).
 */
export const deliveryTime: Element = {
  name: 'Earliest delivery time',
  source: 'RFC 4356 §2.1.3.2',
  mail: {
    owns: ['Deferred-Delivery'],
    read(mail, mm) {
      const { session, mailFrom } = mail.envelope
      const at = session.auth === null ? undefined : releaseAt(mailFrom.params, (mail.receivedAt + 1) * 1000)
      // Counted from the end of the second in which it came: never too early.
      if (at === undefined) return
      mm.earliestDelivery = { kind: 'absolute', at: { epoch: Math.ceil(at / 1000), offsetMinutes: 0 } }
    },
  },
  mm7: {
    read(request, mm) {
      const text = request.text('EarliestDeliveryTime', 'EarlestDeliveryTime')
      if (text === undefined) return
      const when = whenFromXml(text)
      if (!when)
        return refusal('malformed', `EarliestDeliveryTime ${text.slice(0, 40)} is no date and no duration`)
      return hold(when, mm, request.receivedAt)
    },
    write(mm, request, ctx) {
      if (mm.earliestDelivery === undefined || request.operation !== 'SubmitReq') return
      const at = resolved(mm.earliestDelivery, mm.receivedAt)
      if (at > ctx.now / 1000)
        request.set('EarliestDeliveryTime', toXmlDateTime({ epoch: at, offsetMinutes: 0 }))
    },
  },
  mm4: {
    read(mail, mm) {
      const text = mail.field('X-Mms-Delivery-Time')?.trim()
      // 0 = at once (MAP-211).
      if (text === undefined || text === '' || text === '0') return
      const when = whenFromMm4(text)
      if (!when)
        return refusal(
          'malformed',
          `X-Mms-Delivery-Time ${text.slice(0, 40)} is no date and no number of seconds`,
        )
      return hold(when, mm, mail.receivedAt)
    },
    write(mm, mail, ctx) {
      if (mm.earliestDelivery === undefined) return
      const at = resolved(mm.earliestDelivery, mm.receivedAt)
      if (at > ctx.now / 1000) mail.add('X-Mms-Delivery-Time', toMailDate({ epoch: at, offsetMinutes: 0 }))
    },
  },
}

/** A hold that ends before the message does, and within the limit (QUE-020). */
export function hold(when: When, mm: NeutralDraft, receivedAt: number): Refusal | undefined {
  const until = resolved(when, receivedAt)
  if (until - receivedAt > maxHoldSeconds)
    return refusal('malformed', 'a message is held for 7 days at the most')
  if (mm.expiry && until > receivedAt && until >= resolved(mm.expiry, receivedAt))
    return refusal('malformed', 'the message would expire before its earliest delivery')
  mm.earliestDelivery = when
  return undefined
}
