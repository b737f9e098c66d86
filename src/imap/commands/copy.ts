/** COPY, MOVE and their UID forms (RFC 3501 §6.4.7, RFC 4315, RFC 6851). */

import type { Copied, Mailbox } from '../../store/store.ts'
import { pairedSets } from '../../wire/imap/encode.ts'
import { type Command, command, no, ok, type Reply } from '../command.ts'
import { isCreatable } from '../mailbox-names.ts'
import type { Session } from '../session.ts'
import { syncExpunged } from '../sync.ts'

/** The mailbox that is to receive, or why it cannot (AP-06). */
export async function targetOf(session: Session, name: string): Promise<Mailbox | Reply> {
  const mailbox = await session.services.store.read(session.user.id, (view) => view.mailbox(name))
  if (!mailbox)
    return isCreatable(name)
      ? no('there is no such mailbox', 'TRYCREATE')
      : no('no mailbox can have that name', 'CANNOT')
  if (!mailbox.selectable) return no('the name only holds other mailboxes', 'CANNOT')
  return mailbox
}

const copyUid = (copied: Copied): string =>
  `COPYUID ${copied.uidValidity} ${pairedSets(copied.source, copied.target).join(' ')}`

const transfer = (name: 'COPY' | 'MOVE'): Command =>
  command({
    name,
    source: name === 'COPY' ? 'RFC 3501 §6.4.7' : 'RFC 6851 §3',
    states: ['selected'],
    uid: 'too',
    writes: name === 'MOVE',
    parse: (input) => ({ messages: input.sp().messages(), to: input.sp().mailbox() }),
    async run({ messages, to }, session, uid) {
      const { view, out } = session
      // Which messages are meant is settled before anything is told (UR-12).
      const uids = view.resolve(messages, uid)
      const target = await targetOf(session, to)
      if ('status' in target) return target
      if (uids.length === 0) return ok(`${name} completed`)
      const [result] = await session.write([
        { op: name === 'COPY' ? 'copy' : 'move', from: view.shared.id, uids, to: target.id },
      ])
      if (result?.op !== 'copy' && result?.op !== 'move') return ok(`${name} completed`)
      const { copied } = result
      if (copied.source.length === 0) return ok(`${name} completed`)
      if (name === 'COPY') return ok('COPY completed', copyUid(copied))
      // Untagged and first: the new UIDs are known before the EXPUNGEs come (MV-01).
      out.untagged(`OK [${copyUid(copied)}] Moved`)
      await syncExpunged(session, copied.source)
      return ok('MOVE completed', `HIGHESTMODSEQ ${view.highestModSeq}`)
    },
  })

export const copy = transfer('COPY')
export const move = transfer('MOVE')
