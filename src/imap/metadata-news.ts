/** Annotations that others changed, told to a session that enabled METADATA: names, never values (RFC 5464 §4.4.2). */
import type { AccountChange, MailboxId } from '../store/store.ts'
import { astring, mailboxName } from '../wire/imap/encode.ts'
import type { Session } from './session.ts'

/** Names that wait for a client that does not read; it will ask for all of them anyway. */
const maxNames = 1000

export class MetadataNews {
  readonly #session: Session
  /** Annotations of mailboxes too, not only those of the account. */
  mailboxes = false
  #names = new Map<MailboxId | null, Set<string>>()
  #count = 0
  readonly #stop: () => void

  constructor(session: Session) {
    this.#session = session
    this.#stop = session.services.mailboxes.listen(session.user.id, (change) => this.#heard(change))
  }

  end(): void {
    this.#stop()
    this.#names.clear()
  }

  #heard({ origin, events }: AccountChange): void {
    // What a session did itself it knows (MD-06); after NOTIFY only that tells what it wants to hear (NO-02, NO-36).
    if (origin === this.#session.origin || this.#session.notify) return
    for (const event of events) {
      if (event.kind !== 'metadata' || (event.mailbox !== null && !this.mailboxes)) continue
      const names = this.#names.get(event.mailbox) ?? new Set()
      this.#names.set(event.mailbox, names)
      for (const entry of event.entries) {
        if (this.#count >= maxNames || names.has(entry)) continue
        names.add(entry)
        this.#count += 1
      }
    }
    if (this.#count > 0) this.#session.unasked.wake()
  }

  async tell(): Promise<void> {
    if (this.#count === 0) return
    const names = this.#names
    this.#names = new Map()
    this.#count = 0
    const { services, user, out, utf8 } = this.#session
    await services.store.read(user.id, async (view) => {
      for (const [id, entries] of names) {
        const name = id === null ? '' : (await view.mailboxById(id))?.name
        if (name === undefined || entries.size === 0) continue
        const mailbox = name === '' ? '""' : mailboxName(name, utf8)
        out.untagged(`METADATA ${mailbox} ${[...entries].map(astring).join(' ')}`)
      }
    })
  }
}
