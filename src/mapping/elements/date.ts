import type { Element } from '../element.ts'
import { firstSend } from '../history.ts'
import { fromMailDate, fromXmlDateTime, toMailDate, toXmlDateTime } from '../times.ts'

/** Submission time: same instant, same offset (MAP-066, MAP-141); absent or invalid = time of receipt in UTC. */
export const date: Element = {
  name: 'Date',
  source: 'RFC 4356 Table 1',
  mail: {
    owns: ['Date'],
    read(mail, mm) {
      mm.date = fromMailDate(mail.resent[0]?.get('date') ?? mail.field('Date') ?? '') ?? {
        epoch: mail.receivedAt,
        offsetMinutes: 0,
      }
    },
    write(mm, mail) {
      mail.add('Date', toMailDate(firstSend(mm)?.at ?? mm.date))
    },
  },
  mm7: {
    read(request, mm) {
      mm.date = fromXmlDateTime(request.text('TimeStamp') ?? '') ?? {
        epoch: request.receivedAt,
        offsetMinutes: 0,
      }
    },
    write(mm, request) {
      request.set('TimeStamp', toXmlDateTime(mm.date))
    },
  },
  mm4: {
    owns: ['Date'],
    read(mail, mm) {
      mm.date = fromMailDate(mail.field('Date') ?? '') ?? { epoch: mail.receivedAt, offsetMinutes: 0 }
    },
    write(mm, mail) {
      mail.add('Date', toMailDate(mm.date))
    },
  },
}
