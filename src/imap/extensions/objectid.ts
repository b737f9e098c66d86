/** OBJECTID (RFC 8474): ids that outlive UIDs and names. */
import type { Extension } from '../extension.ts'
import { textItem } from '../fetch/item.ts'
import { statusItem } from '../status-item.ts'

export const objectId: Extension = {
  capability: 'OBJECTID',
  source: 'RFC 8474',
  fetchItems: {
    EMAILID: () => ({ ...textItem('EMAILID', (m) => `(${m.emailId})`), whole: true }),
    THREADID: () => ({ ...textItem('THREADID', (m) => `(${m.threadId})`), threadId: true }),
  },
  statusItems: { MAILBOXID: statusItem((m) => `(${m.objectId})`) },
  onSelect(session, mailbox) {
    session.out.untagged(`OK [MAILBOXID (${mailbox.objectId})] Id`)
  },
}
