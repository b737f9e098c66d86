/**
 * What the store knows of one text criterion without reading messages, asked once for a whole search. The text of a message
 * never changes (SE-12), so an answer stays right; of messages that came after it was given it says nothing.
 */
import type { AccountId, MailboxId, MailStore, SearchTerm, Uid, UidSet } from '../../store/store.ts'
import { uidSetOf } from '../view/uid-list.ts'

export class TextHits {
  readonly term: SearchTerm
  #matches: Uint32Array = new Uint32Array(0)
  #maybe: Uint32Array = new Uint32Array(0)
  /** UIDs below it were there when the store was asked. */
  #uidNext = 0

  constructor(term: SearchTerm) {
    this.term = term
  }

  async ask(store: MailStore, account: AccountId, mailbox: MailboxId): Promise<void> {
    await store.read(account, async (view) => {
      const { matches, maybe } = await view.search(mailbox, this.term)
      this.#uidNext = (await view.mailboxById(mailbox))?.uidNext ?? 0
      this.#matches = matches
      this.#maybe = maybe
    })
  }

  /** undefined: the text has to be looked into. */
  known(uid: Uid): boolean | undefined {
    if (uid >= this.#uidNext) return undefined
    if (holds(this.#matches, uid)) return true
    return holds(this.#maybe, uid) ? undefined : false
  }

  /** UIDs of which it does not say no. */
  candidates(): UidSet {
    const all = new Uint32Array(this.#matches.length + this.#maybe.length)
    all.set(this.#matches)
    all.set(this.#maybe, this.#matches.length)
    return [...uidSetOf(all.sort()), { from: Math.max(this.#uidNext, 1), to: 4_294_967_295 }]
  }
}

function holds(ascending: Uint32Array, uid: Uid): boolean {
  let low = 0
  let high = ascending.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((ascending[middle] ?? 0) < uid) low = middle + 1
    else high = middle
  }
  return ascending[low] === uid
}
