import { refusal } from '../../model/refusal.ts'
import type { Element } from '../element.ts'

/** A mail marked private is never sent to MMS, which cannot keep the promise (MAP-157, AMB-17). */
export const sensitivity: Element = {
  name: 'Sensitivity',
  source: 'RFC 4356 §2.1.3.3; RFC 3801 §4.2.13',
  mail: {
    owns: ['Sensitivity'],
    read(mail, mm) {
      const value = mail.field('Sensitivity')?.trim()
      if (value === undefined || value === '' || value.toLowerCase() === 'normal') return
      mm.sensitivity = value
      return refusal('privacy', 'the message asks for privacy, which MMS cannot ensure')
    },
  },
}
