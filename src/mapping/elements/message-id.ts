import type { Element } from '../element.ts'

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
      const given = mail.field('Message-ID')?.trim()
      mm.messageId = given !== undefined && usable(given) ? given : ctx.ids.messageId()
    },
    write(mm, mail) {
      mail.add('Message-ID', mm.messageId)
    },
  },
  mm7: {
    read(_request, mm, ctx) {
      mm.messageId = ctx.ids.messageId()
    },
  },
}
