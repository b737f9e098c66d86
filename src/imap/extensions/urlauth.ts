/** URLAUTH (RFC 4467, with the access identifiers of RFC 5593) and URLAUTH=BINARY (RFC 5524). */
import type { AccountChange } from '../../store/store.ts'
import { internal } from '../../urlauth/urlauth.ts'
import { genUrlAuth } from '../commands/genurlauth.ts'
import { mayTellMechanisms, resetKey } from '../commands/resetkey.ts'
import { urlFetch } from '../commands/urlfetch.ts'
import type { Extension } from '../extension.ts'

const urlMech = `OK [URLMECH ${internal}] Mechanisms`

export const urlauth: Extension = {
  capability: 'URLAUTH',
  source: 'RFC 4467',
  commands: [genUrlAuth, resetKey, urlFetch],
  async onSelect(session, mailbox) {
    if (!mayTellMechanisms(session)) return
    const { store } = session.services
    // Only where URLAUTH is in use: SELECT is short for all others (RC-21).
    if (await store.read(session.user.id, (view) => view.accessKey(mailbox.id))) session.out.untagged(urlMech)
    // Another session reset the key (UA-32); the one that did has its answer.
    const hear = ({ events, origin }: AccountChange): void => {
      if (origin === session.origin) return
      if (events.some((e) => e.kind === 'access-keys' && (e.mailbox ?? mailbox.id) === mailbox.id))
        session.unasked.note(urlMech)
    }
    session.onDeselect(session.services.mailboxes.listen(session.user.id, hear))
    session.onDeselect(() => session.unasked.forgetNotes())
  },
}

export const urlauthBinary: Extension = { capability: 'URLAUTH=BINARY', source: 'RFC 5524' }
