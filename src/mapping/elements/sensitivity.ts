import type { NeutralMessage } from '../../model/neutral.ts'
import type { Refusal } from '../../model/refusal.ts'
import { privacyRefusal } from '../content/for-mms.ts'
import { type Element, oneLine } from '../element.ts'

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
    },
    // A mail that stays mail keeps what it said.
    write(mm, mail) {
      if (mm.sensitivity !== undefined) mail.add('Sensitivity', oneLine(mm.sensitivity))
    },
  },
  mm7: { write: refused },
  mm4: { write: refused },
}

function refused(mm: NeutralMessage): Refusal | undefined {
  return mm.sensitivity === undefined ? undefined : privacyRefusal()
}
