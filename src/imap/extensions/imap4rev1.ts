/** The status items and fetch items of RFC 3501, in the form in which extensions add theirs. */
import { dateTime } from '../../wire/imap/encode.ts'
import type { Extension } from '../extension.ts'
import { flagsItem, uidItem } from '../fetch/basic-items.ts'
import { textItem } from '../fetch/item.ts'
import { bodyItem, bodyPeekItem, rfc822Items } from '../fetch/section-item.ts'
import { shownData, shownSize } from '../fetch/shown-form.ts'
import { statusItem } from '../status-item.ts'

export const imap4rev1: Extension = {
  capability: '',
  source: 'RFC 3501 §6.3.10, §6.4.5',
  statusItems: {
    MESSAGES: statusItem((m) => String(m.messages)),
    UIDNEXT: statusItem((m) => String(m.uidNext)),
    UIDVALIDITY: statusItem((m) => String(m.uidValidity)),
    UNSEEN: statusItem((m) => String(m.unseen)),
    // What a session has been told is nobody else's to be told as recent (SE-14, SE-15).
    RECENT: statusItem(async (m, view, session) => {
      const shared = session.services.mailboxes.selected(session.user.id, m.id)
      const from = Math.max(m.firstRecent, shared?.recentFrom ?? 0)
      return String(from >= m.uidNext ? 0 : await view.countFrom(m.id, from))
    }),
  },
  fetchItems: {
    UID: () => uidItem,
    FLAGS: () => flagsItem,
    INTERNALDATE: () => textItem('INTERNALDATE', (m) => dateTime(m.internalDate, m.internalOffsetMinutes)),
    'RFC822.SIZE': () => textItem('RFC822.SIZE', (m, session) => String(shownSize(m, session))),
    ENVELOPE: () =>
      textItem('ENVELOPE', (m, session) => shownData(m, session, 'envelope'), ['envelope', 'ascii']),
    BODYSTRUCTURE: () =>
      textItem('BODYSTRUCTURE', (m, session) => shownData(m, session, 'bodyStructure'), [
        'bodyStructure',
        'ascii',
      ]),
    BODY: bodyItem,
    'BODY.PEEK': bodyPeekItem,
    ...rfc822Items,
  },
}
