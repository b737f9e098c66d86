import { refusal } from '../../model/refusal.ts'
import type { Element } from '../element.ts'
import { resolved, toMailDate, toXmlDateTime, whenFromMm4, whenFromXml } from '../times.ts'

/** RFC 2852 §4: nine digits at most. */
const maxBy = 999_999_999

/** Remaining lifetime as BY on MAIL FROM and back (MAP-080 to MAP-084, MAP-132, MAP-133). */
export const expiry: Element = {
  name: 'Expiry',
  source: 'RFC 4356 §2.1.3.2, §2.1.3.3; RFC 2852 §4',
  mail: {
    owns: ['Expires', 'Expiry-Date'],
    read(mail, mm) {
      const match = /^([+-]?\d{1,9});([RN])(T?)$/i.exec(mail.envelope.mailFrom.params.BY ?? '')
      if (!match) return
      const deadline = mail.receivedAt + Number(match[1])
      const mode = match[2]?.toUpperCase() === 'R' ? 'R' : 'N'
      mm.deliverBy = { mode, trace: match[3] !== '', deadline }
      if (mode === 'R') mm.expiry = { kind: 'absolute', at: { epoch: deadline, offsetMinutes: 0 } }
    },
    write(mm, mail, ctx) {
      if (mm.expiry === undefined || !mail.extensions.has('DELIVERBY')) return
      const remaining = resolved(mm.expiry, mm.receivedAt) - Math.floor(ctx.now / 1000)
      const minimum = Number(mail.extensions.get('DELIVERBY') || 0)
      // No BY: the lifetime is then kept by the gateway's own queue (AMB-18).
      if (remaining > 0 && remaining <= maxBy && remaining >= minimum) mail.mailParams.BY = `${remaining};R`
    },
  },
  mm7: {
    read(request, mm) {
      const text = request.text('ExpiryDate')
      if (text === undefined) return
      const when = whenFromXml(text)
      if (!when) return refusal('malformed', `ExpiryDate ${text.slice(0, 40)} is no date and no duration`)
      mm.expiry = when
    },
    write(mm, request) {
      if (mm.expiry === undefined || request.operation !== 'SubmitReq') return
      request.set(
        'ExpiryDate',
        toXmlDateTime({ epoch: resolved(mm.expiry, mm.receivedAt), offsetMinutes: 0 }),
      )
    },
  },
  mm4: {
    read(mail, mm) {
      const text = mail.field('X-Mms-Expiry')?.trim()
      if (text === undefined || text === '') return
      const when = whenFromMm4(text)
      if (!when)
        return refusal('malformed', `X-Mms-Expiry ${text.slice(0, 40)} is no date and no number of seconds`)
      mm.expiry = when
    },
    write(mm, mail) {
      if (mm.expiry === undefined) return
      const epoch = resolved(mm.expiry, mm.receivedAt)
      mail.add('X-Mms-Expiry', toMailDate({ epoch, offsetMinutes: 0 }))
    },
  },
}
