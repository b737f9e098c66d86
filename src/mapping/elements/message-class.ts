import type { MessageClass } from '../../model/neutral.ts'
import { type Element, oneLine } from '../element.ts'

const classes = new Map<string, Exclude<MessageClass, object>>([
  ['personal', 'personal'],
  ['advertisement', 'advertisement'],
  ['informational', 'informational'],
  ['auto', 'auto'],
])

const read = (text: string | undefined): MessageClass | undefined =>
  text === undefined ? undefined : (classes.get(text.toLowerCase()) ?? { token: oneLine(text) })

const spelt = (value: MessageClass): string =>
  typeof value === 'object' ? value.token : value.charAt(0).toUpperCase() + value.slice(1)

/** Kept as X-Mms-Message-Class; Auto and Advertisement are bulk (MAP-063 to MAP-065). From mail: by the reverse-path (MAP-131). */
export const messageClass: Element = {
  name: 'Message class',
  source: 'RFC 4356 §2.1.3.2, §2.1.3.3',
  mail: {
    owns: ['Auto-Submitted', 'Precedence'],
    read(mail, mm) {
      mm.class = mail.envelope.mailFrom.path === null ? 'auto' : 'personal'
    },
    write(mm, mail) {
      if (mm.class === undefined) return
      mail.add('X-Mms-Message-Class', spelt(mm.class))
      if (mm.class === 'auto' || mm.class === 'advertisement') mail.add('Precedence', 'bulk')
      if (mm.class === 'auto') {
        const answers = mm.passThrough.some((f) => f.name.toLowerCase() === 'in-reply-to')
        mail.add('Auto-Submitted', answers ? 'auto-replied' : 'auto-generated')
      }
    },
  },
  mm7: {
    read(request, mm) {
      mm.class = read(request.text('MessageClass'))
    },
    write(mm, request) {
      // A token class has no place in the schema's list.
      if (request.operation === 'SubmitReq' && typeof mm.class === 'string')
        request.set('MessageClass', spelt(mm.class))
    },
  },
  mm4: {
    owns: ['Auto-Submitted', 'Precedence'],
    read(mail, mm) {
      mm.class = read(mail.field('X-Mms-Message-Class')?.trim() || undefined)
    },
    write(mm, mail) {
      if (mm.class !== undefined) mail.add('X-Mms-Message-Class', spelt(mm.class))
    },
  },
}
