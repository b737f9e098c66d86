/** IMAP4rev2 (RFC 9051) beside IMAP4rev1: until ENABLE the session speaks rev1 (DE-17). */
import { listLineOf } from '../commands/list.ts'
import type { Extension } from '../extension.ts'
import { statusItem } from '../status-item.ts'

export const rev2: Extension = {
  capability: 'IMAP4rev2',
  afterLogin: false,
  source: 'RFC 9051',
  enable: 'IMAP4rev2',
  // Of QUOTA=RES-MESSAGE too (RFC 9208 §4.1.4).
  statusItems: { DELETED: statusItem((m) => String(m.deleted)) },
  async onSelect(session, mailbox, { given }) {
    if (session.rev2) session.out.untagged(await listLineOf(session, mailbox.name, given))
  },
}
