/** The mailboxes that sessions have selected, one SharedMailbox each, fed by one watch an account. */
import type { AccountChange, AccountId, MailboxId, MailStore } from '../../store/store.ts'
import { SharedMailbox } from './shared-mailbox.ts'

/** Mailboxes kept after their last session left, so that a phone that comes back finds them warm. */
const keptIdle = 1000

interface Watched {
  readonly mailboxes: Map<MailboxId, SharedMailbox>
  readonly listeners: Set<(change: AccountChange) => void>
  readonly stop: () => void
  /** Mailboxes that are being opened: they, too, must be told of every change. */
  opening: number
}

export class Mailboxes {
  readonly #store: MailStore
  readonly #accounts = new Map<AccountId, Watched>()
  readonly #opening = new Map<string, Promise<SharedMailbox | undefined>>()
  readonly #idle = new Map<string, SharedMailbox>()

  constructor(store: MailStore) {
    this.#store = store
  }

  #watched(account: AccountId): Watched {
    let watched = this.#accounts.get(account)
    if (!watched) {
      const mailboxes = new Map<MailboxId, SharedMailbox>()
      const listeners = new Set<(change: AccountChange) => void>()
      const stop = this.#store.watch(account, (change) => {
        for (const id of change.mailboxes) mailboxes.get(id)?.touched(change)
        for (const tell of listeners) tell(change)
      })
      watched = { mailboxes, listeners, stop, opening: 0 }
      this.#accounts.set(account, watched)
    }
    return watched
  }

  #release(account: AccountId): void {
    const watched = this.#accounts.get(account)
    if (!watched) return
    if (watched.mailboxes.size > 0 || watched.listeners.size > 0 || watched.opening > 0) return
    watched.stop()
    this.#accounts.delete(account)
  }

  /** Calls back after every commit of the account, until the returned function is called. */
  listen(account: AccountId, onChange: (change: AccountChange) => void): () => void {
    const { listeners } = this.#watched(account)
    listeners.add(onChange)
    return () => {
      listeners.delete(onChange)
      this.#release(account)
    }
  }

  /** undefined: there is no such mailbox, or it cannot be selected. Every open() has its close(). */
  async open(account: AccountId, id: MailboxId): Promise<SharedMailbox | undefined> {
    const watched = this.#watched(account)
    watched.opening += 1
    try {
      const shared = watched.mailboxes.get(id) ?? (await this.#loadOnce(account, id))
      if (!shared) return undefined
      shared.users += 1
      const opened = await shared.refresh().then(
        () => !shared.gone,
        (error: unknown) => {
          this.close(shared)
          throw error
        },
      )
      if (opened) return shared
      this.close(shared)
      return undefined
    } finally {
      watched.opening -= 1
      this.#release(account)
    }
  }

  /** One read for all that ask at once. */
  #loadOnce(account: AccountId, id: MailboxId): Promise<SharedMailbox | undefined> {
    const key = `${account}/${id}`
    let opening = this.#opening.get(key)
    if (!opening) {
      opening = this.#load(account, id, key).finally(() => this.#opening.delete(key))
      this.#opening.set(key, opening)
    }
    return opening
  }

  async #load(account: AccountId, id: MailboxId, key: string): Promise<SharedMailbox | undefined> {
    const warm = this.#idle.get(key)
    this.#idle.delete(key)
    const { mailboxes } = this.#watched(account)
    if (warm) {
      // Registered first: a change that comes while it is brought up to date is not missed.
      mailboxes.set(id, warm)
      warm.suspect()
      await warm.refresh().catch((error: unknown) => {
        if (mailboxes.get(id) === warm) mailboxes.delete(id)
        throw error
      })
      if (!warm.gone) return warm
      mailboxes.delete(id)
    }
    const shared = await SharedMailbox.open(this.#store, account, id)
    if (shared) {
      mailboxes.set(id, shared)
      shared.suspect()
    }
    return shared
  }

  close(shared: SharedMailbox): void {
    shared.users -= 1
    if (shared.users > 0) return
    const { account, id } = shared
    const watched = this.#accounts.get(account)
    if (watched?.mailboxes.get(id) === shared) watched.mailboxes.delete(id)
    this.#release(account)
    if (shared.gone) return
    const key = `${account}/${id}`
    this.#idle.delete(key)
    this.#idle.set(key, shared)
    for (const oldest of this.#idle.keys()) {
      if (this.#idle.size <= keptIdle) return
      this.#idle.delete(oldest)
    }
  }

  /** The shared state of a mailbox that some session has selected now. */
  selected(account: AccountId, id: MailboxId): SharedMailbox | undefined {
    return this.#accounts.get(account)?.mailboxes.get(id)
  }
}
