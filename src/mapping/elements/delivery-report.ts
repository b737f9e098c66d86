import type { NeutralMessage } from '../../model/neutral.ts'
import type { Peer } from '../../model/settings.ts'
import { isAscii } from '../../wire/mime/utf8.ts'
import { booleanOf, type Element, yesNo } from '../element.ts'
import { toUtf8Xtext } from '../utf8-address.ts'
import { fromXtext, toXtext } from '../xtext.ts'

/**
 * DeliveryReport as NOTIFY, ORCPT, ENVID and RET, and back by the served group's NOTIFY (MAP-087 to MAP-093, MAP-135,
 * MAP-136, AMB-01, AMB-29).
 */
export const deliveryReport: Element = {
  name: 'Delivery report',
  source: 'RFC 4356 §2.1.3.2, §2.1.3.3; RFC 3461 §4',
  mail: {
    owns: ['Return-Receipt-To', 'Generate-Delivery-Report'],
    read(mail, mm) {
      const { ENVID, RET } = mail.envelope.mailFrom.params
      if (ENVID !== undefined) mm.envid = fromXtext(ENVID)
      if (RET !== undefined) mm.ret = RET.toUpperCase() === 'FULL' ? 'full' : 'hdrs'
    },
    write(mm, mail) {
      if (mm.deliveryReport === undefined || mail.reversePath === null || !mail.extensions.has('DSN')) return
      mail.mailParams.RET = 'HDRS'
      mail.mailParams.ENVID = toXtext(mm.queueId)
      for (const recipient of mail.rcptTo) {
        recipient.params.NOTIFY = mm.deliveryReport ? 'SUCCESS,FAILURE' : 'NEVER'
        const raw = mm.recipients[recipient.index]?.party.raw ?? recipient.path
        recipient.params.ORCPT = isAscii(raw) ? `rfc822;${toXtext(raw)}` : `utf-8;${toUtf8Xtext(raw)}`
      }
    },
  },
  mm7: {
    read(request, mm) {
      mm.deliveryReport = booleanOf(request.text('DeliveryReport'))
    },
    write(mm, request) {
      if (request.operation !== 'SubmitReq') return
      const wanted = wantedBy(mm, request.serve, request.peer)
      if (wanted !== undefined) request.set('DeliveryReport', String(wanted))
    },
  },
  mm4: {
    read(mail, mm) {
      mm.deliveryReport = booleanOf(mail.field('X-Mms-Delivery-Report'))
      mm.originatorRsReport = booleanOf(mail.field('X-Mms-Originator-R/S-Delivery-Report'))
    },
    write(mm, mail) {
      const wanted = wantedBy(mm, mail.serve, mail.peer)
      if (wanted !== undefined) mail.add('X-Mms-Delivery-Report', yesNo(wanted))
      if (mm.originatorRsReport !== undefined)
        mail.add('X-Mms-Originator-R/S-Delivery-Report', yesNo(mm.originatorRsReport))
    },
  },
}

/**
 * What the served group asks for: of a mail by its NOTIFY, which the whole group shares (AMB-29). With `askFailures` also
 * where failures alone are wanted; Table 4 keeps the success from those who did not ask for it (AMB-41, RPT-013).
 */
function wantedBy(mm: NeutralMessage, serve: ReadonlySet<number>, peer: Peer): boolean | undefined {
  if (mm.source !== 'mm3') return mm.deliveryReport
  const [first] = serve
  const notify = first === undefined ? undefined : mm.recipients[first]?.notify
  if (notify === 'never') return false
  return notify?.success || (peer.askFailures && (notify === undefined || notify.failure)) ? true : undefined
}
