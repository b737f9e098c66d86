/** What NOTIFY SET asked of this session, and what is pending of it (RFC 5465). */
import type { AccountChange, AccountView, Mailbox, MailboxId, StoreEvent } from '../../store/store.ts'
import type { FetchItem } from '../fetch/item.ts'
import type { Session } from '../session.ts'
import { type EventGroup, type EventName, isSelected } from './event-groups.ts'
import { coversMailbox } from './mailbox-filter.ts'
import { tellNames } from './tell-names.ts'
import { type MailboxNews, newsItems, statusLine } from './tell-status.ts'

export interface SelectedEvents {
  /** MessageNew and MessageExpunge. */
  readonly messages: boolean
  /** FlagChange. */
  readonly flags: boolean
  /** Expunges wait for a command that allows them (NO-26). */
  readonly delayed: boolean
  /** Fetched of new messages (NO-24). */
  readonly items: readonly FetchItem[]
}

/** Names, subscriptions and annotations: what cannot be said in one line for many events. */
export type NameEvent = Extract<
  StoreEvent,
  { readonly kind: 'created' | 'deleted' | 'renamed' | 'subscription' | 'metadata' }
>

/** Events of that kind that wait for a client that does not read; then NOTIFICATIONOVERFLOW (NO-41). */
const maxNameEvents = 1000
/** Mailboxes that have news (8.5). */
export const maxWatched = 5000

const nothing: SelectedEvents = { messages: false, flags: false, delayed: true, items: [] }

export class Notify {
  readonly selected: SelectedEvents
  readonly #session: Session
  readonly #others: readonly EventGroup[]
  #news = new Map<MailboxId, MailboxNews>()
  #names: NameEvent[] = []
  #overflow = false
  #stop: (() => void) | undefined

  /** Without groups: NOTIFY NONE. */
  constructor(session: Session, groups: readonly EventGroup[]) {
    this.#session = session
    const selected = groups.find(isSelected)
    this.selected = selected?.events.size
      ? {
          messages: true,
          flags: selected.events.has('FlagChange'),
          delayed: selected.filter.kind === 'selected-delayed',
          items: selected.items ?? [],
        }
      : nothing
    this.#others = groups.filter((group) => !isSelected(group) && group.events.size > 0)
    if (this.#others.length > 0)
      this.#stop = session.services.mailboxes.listen(session.user.id, (change) => this.#heard(change))
  }

  /** The selected mailbox is told as in IDLE, and nothing else is pending. */
  get isPlain(): boolean {
    const { messages, flags, delayed, items } = this.selected
    return messages && flags && !delayed && items.length === 0 && !this.#pending
  }

  get #pending(): boolean {
    return this.#overflow || this.#news.size > 0 || this.#names.length > 0
  }

  end(): void {
    this.#stop?.()
    this.#stop = undefined
    this.#news.clear()
    this.#names = []
  }

  /** What is asked of a mailbox by all groups that it is in (NO-14). */
  eventsOf(name: string, subscribed: boolean): ReadonlySet<EventName> {
    const events = new Set<EventName>()
    for (const group of this.#others)
      if (coversMailbox(group.filter, name, subscribed)) for (const event of group.events) events.add(event)
    return events
  }

  #asksAny(...names: readonly EventName[]): boolean {
    return this.#others.some(({ events }) => names.some((name) => events.has(name)))
  }

  #heard(change: AccountChange): void {
    // What this session did itself it knows (NO-23).
    if (change.origin === this.#session.origin || this.#overflow) return
    for (const event of change.events) this.#take(event)
    if (this.#names.length > maxNameEvents || this.#news.size > maxWatched) {
      this.end()
      this.#overflow = true
    }
    if (this.#pending) this.#session.unasked.wake()
  }

  #take(event: StoreEvent): void {
    switch (event.kind) {
      case 'added':
      case 'expunged':
        if (this.#asksAny('MessageNew')) this.#newsOf(event.mailbox)[event.kind] = true
        return
      case 'flags':
        if (!this.#asksAny('FlagChange')) return
        this.#newsOf(event.mailbox).flags = true
        if (event.set.includes('\\Seen') || event.cleared.includes('\\Seen'))
          this.#newsOf(event.mailbox).seen = true
        return
      case 'created':
        // The name may have stood for another mailbox before (NO-31).
        if (this.#asksAny('FlagChange')) this.#newsOf(event.mailbox).uidValidity = true
        if (this.#asksAny('MailboxName')) this.#names.push(event)
        return
      case 'renamed':
        // Children are not told (NO-33).
        if (this.#asksAny('MailboxName') && !event.implied) this.#names.push(event)
        return
      case 'deleted':
        if (this.#asksAny('MailboxName')) this.#names.push(event)
        return
      case 'subscription':
        if (this.#asksAny('SubscriptionChange')) this.#names.push(event)
        return
      case 'metadata':
        if (this.#asksAny(event.mailbox === null ? 'ServerMetadataChange' : 'MailboxMetadataChange'))
          this.#names.push(event)
    }
  }

  #newsOf(mailbox: MailboxId): MailboxNews {
    let news = this.#news.get(mailbox)
    if (!news) {
      news = {}
      this.#news.set(mailbox, news)
    }
    return news
  }

  /** Tells what is pending of all mailboxes but the selected one. */
  async tell(): Promise<void> {
    const session = this.#session
    if (this.#overflow) {
      // From here on as after NOTIFY NONE (NO-22).
      session.out.untagged('OK [NOTIFICATIONOVERFLOW] Too much happens; ask again')
      session.setNotify(new Notify(session, []))
      return
    }
    if (!this.#pending) return
    const news = this.#news
    const names = this.#names
    this.#news = new Map()
    this.#names = []
    await session.services.store.read(session.user.id, async (view) => {
      const asked = names.length > 0 || this.#others.some(({ filter }) => filter.kind === 'subscribed')
      const subscribed = new Set(asked ? await view.subscriptions() : [])
      if (names.length > 0) await tellNames(session, this, view, subscribed, names)
      for (const [id, what] of news) await this.#tellNews(view, id, what, subscribed)
    })
  }

  async #tellNews(
    view: AccountView,
    id: MailboxId,
    news: MailboxNews,
    subscribed: ReadonlySet<string>,
  ): Promise<void> {
    const session = this.#session
    const mailbox = await this.#watched(view, id)
    if (!mailbox) return
    const items = newsItems(news, this.eventsOf(mailbox.name, subscribed.has(mailbox.name)), session)
    if (items.length > 0) session.out.untagged(await statusLine(session, view, mailbox, items))
  }

  /** Of the selected mailbox its own group tells, and no other (NO-14). */
  async #watched(view: AccountView, id: MailboxId): Promise<Mailbox | undefined> {
    if (this.#session.selected?.shared.id === id) return undefined
    const mailbox = await view.mailboxById(id)
    return mailbox?.selectable ? mailbox : undefined
  }
}
