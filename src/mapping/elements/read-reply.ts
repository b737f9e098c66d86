import { parseAddressList } from '../../wire/mime/addresses.ts'
import { utf8Of } from '../../wire/mime/utf8.ts'
import { booleanOf, type Element, yesNo } from '../element.ts'

/** ReadReply as Disposition-Notification-To, equal to the reverse-path, and back (MAP-096, MAP-139, AMB-22). */
export const readReply: Element = {
  name: 'Read reply',
  source: 'RFC 4356 §2.1.3.2, §2.1.3.3; RFC 8098 §2.1',
  mail: {
    owns: ['Disposition-Notification-To', 'Disposition-Notification-Options'],
    read(mail, mm, ctx) {
      const value = mail.field('Disposition-Notification-To')
      if (value === undefined) return
      const targets = parseAddressList(value).flatMap((i) => {
        const address = i.kind === 'mailbox' ? utf8Of(`${i.local}@${i.domain}`) : undefined
        return address ?? []
      })
      mm.dispositionTo = targets
      const path = mail.envelope.mailFrom.path
      // Another address than the reverse-path would need the user's consent, which cannot be asked.
      if (path === null || targets.length !== 1) return
      if (targets[0]?.toLowerCase() === path.toLowerCase() || ctx.settings.mdn?.allowForeignTarget)
        mm.readReply = true
    },
    write(mm, mail) {
      if (mm.readReply && mail.reversePath !== null) mail.add('Disposition-Notification-To', mail.reversePath)
    },
  },
  mm7: {
    read(request, mm) {
      mm.readReply = booleanOf(request.text('ReadReply'))
    },
    write(mm, request) {
      if (mm.readReply !== undefined && request.operation === 'SubmitReq')
        request.set('ReadReply', String(mm.readReply))
    },
  },
  mm4: {
    owns: ['Disposition-Notification-To', 'Disposition-Notification-Options'],
    read(mail, mm) {
      // Two names in use (AMB-25).
      mm.readReply = booleanOf((mail.field('X-Mms-Read-Reply') ?? mail.field('X-Mms-Read-Report'))?.trim())
    },
    write(mm, mail) {
      if (mm.readReply !== undefined) mail.add('X-Mms-Read-Reply', yesNo(mm.readReply))
    },
  },
}
