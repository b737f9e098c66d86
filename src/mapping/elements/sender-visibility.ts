import { refusal } from '../../model/refusal.ts'
import type { Element } from '../element.ts'

/** Hiding is refused rather than broken; Show needs no field in a mail, and none is made from one (MAP-074, MAP-075, MAP-138, SEC-043). */
export const senderVisibility: Element = {
  name: 'Sender visibility',
  source: 'RFC 4356 §2.1.3.2',
  mail: { owns: [] },
  mm4: {
    read(mail, mm) {
      const value = mail.field('X-Mms-Sender-Visibility')?.trim().toLowerCase()
      if (value === 'hide')
        return refusal('sender-hiding', 'the sender is hidden, and a mail must have one that can be answered')
      if (value === 'show') mm.senderVisibility = 'show'
    },
    write(mm, mail) {
      if (mm.senderVisibility === 'show') mail.add('X-Mms-Sender-Visibility', 'Show')
    },
  },
}
