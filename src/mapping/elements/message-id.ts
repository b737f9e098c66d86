import { type Element, oneLine } from '../element.ts'
import { firstSend } from '../history.ts'
import { unquoted } from '../mm4-ids.ts'

/** RFC 5322 §3.6.4, no controls or blanks, at most 250 octets (MAP-026). */
const usable = (value: string): boolean =>
  /^<[^<>@\s\x00-\x1f\x7f-\uffff]+@[^<>@\s\x00-\x1f\x7f-\uffff]+>$/.test(value) && value.length <= 250

/** Retained from mail (MAP-123); MM7 carries none, so one is made (MAP-023). */
export const messageId: Element = {
  name: 'Message-ID',
  source: 'RFC 4356 §2.1.3.2, §2.1.3.3',
  mail: {
    owns: ['Message-ID'],
    read(mail, mm, ctx) {
      // Of a mail that was resent, the newest id that its resenders gave (MAP-148).
      const resent = mail.resent.map((block) => block.get('message-id')).find((id) => id !== undefined)
      const given = (resent ?? mail.field('Message-ID'))?.trim()
      mm.messageId = given !== undefined && usable(given) ? given : ctx.ids.messageId()
    },
    write(mm, mail, ctx) {
      // The id of the original is lost; the MM's own is that of the last resending (MAP-102, MAP-104).
      mail.add('Message-ID', firstSend(mm) ? ctx.ids.messageId() : mm.messageId)
    },
  },
  mm7: {
    read(_request, mm, ctx) {
      mm.messageId = ctx.ids.messageId()
    },
  },
  mm4: {
    owns: ['Message-ID'],
    read(mail, mm, ctx) {
      const given = mail.field('Message-ID')?.trim()
      mm.messageId = given !== undefined && usable(given) ? given : ctx.ids.messageId()
      const written = mail.field('X-Mms-Message-ID')?.trim()
      if (written === undefined || written === '') return
      mm.mmsMessageId = unquoted(written)
      // Kept as received, for a message that may return to MMS (MAP-025).
      mm.passThrough = [...(mm.passThrough ?? []), { name: 'X-Mms-Message-ID', value: oneLine(written) }]
    },
    write(mm, mail) {
      mail.add('Message-ID', mm.messageId)
    },
  },
}
