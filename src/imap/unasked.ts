/**
 * What a session tells without being asked: in IDLE, with NOTIFY, with contexts. Commands and this never interleave: one of
 * the two is under way at a time.
 */
import type { EpochMs } from '../model/units.ts'
import type { Session } from './session.ts'
import { mayTellSelected, tellHighestModSeq } from './sync.ts'
import { tell } from './tell.ts'
import type { SharedMailbox } from './view/shared-mailbox.ts'

export class Unasked {
  readonly #session: Session
  #telling: Promise<void> | undefined
  /** Something may have to be told, and could not yet. */
  #pending = false
  #idling = false
  /** Whole responses that wait to be told. */
  readonly #notes: string[] = []
  /** The mailbox whose changes wake this session. */
  #heard: SharedMailbox | undefined
  readonly #onChange = (): void => this.wake()

  constructor(session: Session) {
    this.#session = session
  }

  /** Resolves when nothing is being told; while commands run nothing begins. */
  async pause(): Promise<void> {
    while (this.#telling) await this.#telling
  }

  /** Something is to be told now that no command is under way; not while one waits for its literal (UR-02). */
  get isDue(): boolean {
    return this.#pending && !this.#session.framing.halfway
  }

  /** Hears of the selected mailbox as long as something of it is to be told unasked. */
  listenAsNeeded(): void {
    const { selected, notify } = this.#session
    const unasked = this.#idling || notify?.selected.messages || selected?.contexts?.size
    const shared = unasked ? selected?.shared : undefined
    if (shared === this.#heard) return
    this.#heard?.listeners.delete(this.#onChange)
    shared?.listeners.add(this.#onChange)
    this.#heard = shared
  }

  /** Something may have to be told: at once where nothing else is under way, else behind it. */
  wake(): void {
    const session = this.#session
    if (session.ended) return
    if (this.#telling || (session.isRunning && !this.#idling) || session.framing.halfway) {
      this.#pending = true
      return
    }
    try {
      if (this.#tellAtOnce()) return
    } catch (error) {
      // Whoever made the change, and others that watch it, are not concerned (SC-37).
      session.broken(error)
      return
    }
    this.#telling = this.tellPending().finally(() => {
      this.#telling = undefined
    })
  }

  /** An untagged response that no command asked for; it goes out as soon as nothing else is under way. */
  note(response: string): void {
    this.#notes.push(response)
    this.wake()
  }

  /** The session left its mailbox: what was to be said of it is void. */
  forgetNotes(): void {
    this.#notes.length = 0
  }

  /** Expunges may be told although no command asks (NO-25, IL-01). */
  get #mayExpunge(): boolean {
    return this.#idling || this.#session.notify?.selected.delayed === false
  }

  /** The usual case, without waiting for anything: thousands of sessions may be told of one delivery (IL-09). */
  #tellAtOnce(): boolean {
    const session = this.#session
    const { selected, notify, out } = session
    if (this.#notes.length > 0) return false
    if (!selected || selected.contexts?.size || (notify && !notify.isPlain)) return false
    if (!this.#mayExpunge || out.full) return false
    const change = selected.takeNow(true)
    if (change === 'later') return false
    if (change) {
      tell(session, selected, change)
      out.flush()
    }
    return true
  }

  async tellPending(): Promise<void> {
    const session = this.#session
    try {
      do {
        this.#pending = false
        for (const response of this.#notes.splice(0)) session.out.untagged(response)
        await this.#tellSelected()
        await session.notify?.tell()
        await session.metadataNews?.tell()
        session.out.flush()
        // A client that does not read must not have its changes heaped up for it (SC-39).
        await session.out.ready()
      } while (this.#pending && !session.ended && (this.#idling || session.framing.queued === 0))
    } catch (error) {
      session.broken(error)
    }
  }

  async #tellSelected(): Promise<void> {
    const session = this.#session
    const { selected } = session
    if (!selected) return
    const before = selected.modSeq
    await session.sync(this.#mayExpunge)
    const told = selected.owesModSeq && selected.heldBack.length === 0
    if (told || selected.modSeq !== before) tellHighestModSeq(session)
    const now = session.services.now()
    if (mayTellSelected(session) && selected.contexts?.isDue(now))
      for (const line of await selected.contexts.age(session, now)) session.out.untagged(line)
  }

  /** Called about once a second. */
  tick(now: EpochMs): void {
    if (this.#session.selected?.contexts?.isDue(now)) this.wake()
  }

  /** IDLE: from here on everything is told as it happens, until the returned function is awaited. */
  asItHappens(): () => Promise<void> {
    this.#idling = true
    this.listenAsNeeded()
    // What came while the last change was told, before anybody listened.
    const { selected } = this.#session
    if (this.#pending || (selected && !selected.isCurrent(true))) this.wake()
    return async () => {
      // Not by pause(): between its end and the next line something new could begin.
      while (this.#telling) await this.#telling
      this.#idling = false
      this.listenAsNeeded()
    }
  }
}
