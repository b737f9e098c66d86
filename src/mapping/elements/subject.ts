import { decodeWords } from '../../wire/mime/encoded-words.ts'
import { type Element, oneLine } from '../element.ts'

/** The same Unicode text on both sides; absent stays absent, empty stays empty (MAP-097, MAP-140, SEC-010). */
export const subject: Element = {
  name: 'Subject',
  source: 'RFC 4356 §2.1.3.2, §2.1.3.3',
  mail: {
    owns: ['Subject'],
    read(mail, mm) {
      const value = mail.field('Subject')
      mm.subject = value === undefined ? undefined : oneLine(decodeWords(value))
    },
    write(mm, mail) {
      if (mm.subject !== undefined) mail.add('Subject', oneLine(mm.subject))
    },
  },
  mm7: {
    read(request, mm) {
      const element = request.child('Subject')
      mm.subject = element === undefined ? undefined : oneLine(element.text)
    },
    write(mm, request) {
      if (mm.subject !== undefined && mm.subject !== '') request.set('Subject', mm.subject)
    },
  },
  mm4: {
    owns: ['Subject'],
    read(mail, mm) {
      const value = mail.field('Subject')
      mm.subject = value === undefined ? undefined : oneLine(decodeWords(value))
    },
    write(mm, mail) {
      if (mm.subject !== undefined) mail.add('Subject', oneLine(mm.subject))
    },
  },
}
