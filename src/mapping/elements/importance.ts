import type { Priority } from '../../model/neutral.ts'
import type { Element } from '../element.ts'

const table2 = { high: 'High', low: 'Low' } as const
const table3 = new Map<string, Priority>([
  ['1', 'high'],
  ['2', 'high'],
  ['high', 'high'],
  ['4', 'low'],
  ['5', 'low'],
  ['low', 'low'],
])

const firstWord = (value: string): string => /^\s*([a-z]+|\d)/i.exec(value)?.[1]?.toLowerCase() ?? ''

/** `Normal` crosses as the absence of the field, in both directions (MAP-094, MAP-137). */
export const importance: Element = {
  name: 'Priority',
  source: 'RFC 4356 §2.1.3.2.1 (Table 2), §2.1.3.3.1 (Table 3)',
  mail: {
    owns: ['Importance', 'X-Priority', 'X-MSMail-Priority'],
    read(mail, mm) {
      // Both given: Importance alone decides, whatever it says (AMB-36).
      const value = mail.field('Importance') ?? mail.field('X-Priority')
      mm.priority = value === undefined ? undefined : table3.get(firstWord(value))
    },
    write(mm, mail) {
      if (mm.priority === 'high' || mm.priority === 'low') mail.add('Importance', table2[mm.priority])
    },
  },
  mm7: {
    read(request, mm) {
      const value = request.text('Priority')?.toLowerCase()
      mm.priority = value === undefined ? undefined : value === 'high' || value === 'low' ? value : 'normal'
    },
    write(mm, request) {
      // From mail Normal never comes (MAP-137); what MMS said is kept (MAP-177).
      if (mm.priority === 'normal') request.set('Priority', 'Normal')
      else if (mm.priority) request.set('Priority', table2[mm.priority])
    },
  },
  mm4: {
    read(mail, mm) {
      const value = mail.field('X-Mms-Priority')?.trim().toLowerCase()
      if (value === undefined || value === '') return
      mm.priority = value === 'high' || value === 'low' ? value : 'normal'
      // What a mail client said once is void where MMS says it (MAP-095).
      mm.passThrough =
        mm.passThrough?.filter((f) => !/^(importance|x-priority|x-msmail-priority)$/i.test(f.name)) ?? []
    },
    write(mm, mail) {
      if (mm.priority !== undefined)
        mail.add('X-Mms-Priority', mm.priority === 'normal' ? 'Normal' : table2[mm.priority])
    },
  },
}
