/** One client's session: its account, its mailbox and what is told of them, from greeting to BYE (RFC 3501 §3, §5). */
import { type Channel as AuthChannel, channelOf } from '../auth/channel.ts'
import type { Account } from '../auth/credentials.ts'
import type { Login, SaslContext } from '../auth/sasl.ts'
import type { TokenEntries } from '../auth/token-entries.ts'
import { Fault } from '../model/fault.ts'
import type { EpochMs } from '../model/units.ts'
import type { OperationResult, StoreOperation } from '../store/store.ts'
import { type Collation, unicodeCasemap } from '../wire/imap/collation.ts'
import { CommandFraming } from '../wire/imap/framing.ts'
import type { Channel } from './channel.ts'
import { ok, type State } from './command.ts'
import { CommandLoop } from './command-loop.ts'
import type { MetadataNews } from './metadata-news.ts'
import type { Notify } from './notify/notify.ts'
import { Out } from './out.ts'
import type { Services } from './services.ts'
import { ownWrite, sync } from './sync.ts'
import { Unasked } from './unasked.ts'
import type { Selected } from './view/selected.ts'

/** Limits before login (8.5, IR-07): the response of a SASL mechanism must fit in a line. */
const beforeLogin = { lineOctets: 24_576, literalOctets: 8192, messageOctets: 0 }
const literalOctets = 1_048_576

export class Session {
  readonly services: Services
  readonly channel: Channel
  readonly out: Out
  readonly ip: string
  /** Tells this session's changes from those of others (NT-30). */
  readonly origin: number
  readonly framing: CommandFraming
  account: Account | undefined
  /** How the account was authenticated. */
  login: Login | undefined
  selected: Selected | undefined
  /** What NOTIFY asked for; undefined before the first time (NO-05). */
  notify: Notify | undefined
  metadataNews: MetadataNews | undefined
  /** Session tokens asked for and not yet read. */
  tokenEntries: TokenEntries | undefined
  /** How SEARCH, SORT and THREAD compare text (RFC 5255 §4). */
  comparator: Collation = unicodeCasemap
  /** What ENABLE switched on, by its registered name. */
  readonly enabled = new Set<string>()
  /** Some command has shown that the client knows mod-sequences (QR-05). */
  condstore = false
  /** Instant after which the client is taken to be gone. */
  deadline: number
  /** What is told between commands. */
  readonly unasked = new Unasked(this)
  readonly #commands = new CommandLoop(this)
  #ended = false
  /** Run when the session leaves its mailbox, its account, or ends. */
  readonly #onDeselect = new Set<() => void>()
  readonly #onLogout = new Set<() => void>()

  constructor(services: Services, channel: (session: Session) => Channel, ip: string) {
    this.services = services
    this.origin = services.newOrigin()
    this.ip = ip
    this.framing = new CommandFraming(beforeLogin, services.literals)
    this.framing.onDrained = () => this.#commands.readOn()
    this.channel = channel(this)
    this.out = new Out(this.channel, services.outgoing, () => this.stillHere())
    this.deadline = services.now() + services.limits.preAuthMs
  }

  get state(): State {
    return this.selected ? 'selected' : this.account ? 'authenticated' : 'not-authenticated'
  }

  /** Mailbox names and quoted strings may be UTF-8 (RFC 6855, RFC 9051). */
  get utf8(): boolean {
    return this.enabled.has('UTF8=ACCEPT') || this.rev2
  }

  get rev2(): boolean {
    return this.enabled.has('IMAP4rev2')
  }

  get qresync(): boolean {
    return this.enabled.has('QRESYNC')
  }

  /** What SASL needs to know of this connection; made anew when TLS begins. */
  saslContext(): SaslContext {
    this.#auth ??= channelOf(this.channel.socket, this.services.allowPlaintext)
    return { ...this.services.sasl, channel: this.#auth }
  }

  #auth: AuthChannel | undefined

  /** TLS began: nothing that was learnt in the clear counts (TL-03, SC-04). */
  newChannel(): void {
    this.#auth = undefined
    this.#commands.forgiveBad()
  }

  /** The account of a session that the registry let through. */
  get user(): Account {
    if (!this.account) throw new Fault('bug', 'no account')
    return this.account
  }

  get view(): Selected {
    if (!this.selected) throw new Fault('bug', 'nothing is selected')
    return this.selected
  }

  capabilities(): string {
    return this.services.registry.capabilities(this).join(' ')
  }

  greet(): void {
    this.out.status('*', ok(`${this.services.host} ready`, `CAPABILITY ${this.capabilities()}`))
    this.out.flush()
  }

  /** Octets from the client. */
  feed(octets: Buffer): void {
    if (this.#ended) return
    // A literal that comes over a slow link is no silence, however long it takes.
    if (this.framing.halfway) this.stillHere()
    this.#commands.feed(octets)
  }

  /** The client sends nothing more. What it sent gets its answers (RFC 3501 §5.5). */
  inputEnded(): void {
    if (!this.#ended) this.#commands.inputEnded()
  }

  /** Tag of the command under way. */
  get tag(): string {
    return this.#commands.tag
  }

  /** Commands are under way. */
  get isRunning(): boolean {
    return this.#commands.isRunning
  }

  /** The next line of the client that is no command: the answer to a challenge, DONE. undefined: the client is gone. */
  readLine(): Promise<string | undefined> {
    return this.#commands.readLine()
  }

  /** Runs once, when the tagged OK of the command under way has been written: a change of layers, the end. */
  afterAnswer(run: () => void): void {
    this.#commands.afterAnswer(run)
  }

  /** This command's arguments hold MSNs after all: no EXPUNGE before its answer (UR-03). */
  holdExpunges(): void {
    this.#commands.holdExpunges()
  }

  get holdsExpunges(): boolean {
    return this.#commands.holdsExpunges
  }

  /** The client did something, or took some of a long answer: an APPEND or a FETCH over a slow link is no silence. */
  stillHere(): void {
    if (this.account) this.deadline = this.services.now() + this.services.limits.idleMs
  }

  /** What went wrong between commands ends the session. */
  broken(error: unknown): void {
    if (this.#ended || this.channel.gone) return
    if (error instanceof Fault && error.kind === 'unavailable') {
      this.bye(error.message)
      return
    }
    this.logFault('an IMAP session failed', error)
    this.bye('internal error', 'SERVERBUG')
  }

  logFault(what: string, error: unknown): void {
    this.services.log('error', what, { error: String((error as Error)?.stack ?? error) })
  }

  /** Moves the view to the store's state and tells what changed. */
  sync(mayExpunge: boolean): Promise<void> {
    return sync(this, mayExpunge)
  }

  /** A change that this session makes itself; it is not told back to it (NO-23). */
  write(operations: readonly StoreOperation[]): Promise<readonly OperationResult[]> {
    return ownWrite(this, operations)
  }

  /** From here on NOTIFY asks for this, and for nothing else (NO-03). */
  setNotify(notify: Notify): void {
    if (this.#ended) {
      notify.end()
      return
    }
    this.notify?.end()
    this.notify = notify
    this.unasked.listenAsNeeded()
  }

  /** Called about once a second. */
  tick(now: EpochMs): void {
    this.channel.tick()
    this.out.count()
    this.unasked.tick(now)
  }

  loggedIn(account: Account, login: Login): void {
    if (this.#ended) {
      // The client went while its password was looked at; nobody else would count the session out.
      this.services.leave(account)
      return
    }
    this.account = account
    this.login = login
    const { limits, now } = this.services
    this.framing.limits = {
      lineOctets: limits.lineOctets,
      literalOctets,
      messageOctets: limits.messageOctets,
    }
    this.deadline = now() + limits.idleMs
  }

  /** Back to the state before login (UNAUTHENTICATE), or the end. */
  loggedOut(): void {
    this.deselect()
    this.notify?.end()
    this.notify = undefined
    for (const run of this.#onLogout) run()
    this.#onLogout.clear()
    if (this.account) this.services.leave(this.account)
    this.account = undefined
    this.login = undefined
    this.tokenEntries = undefined
    this.comparator = unicodeCasemap
    this.metadataNews?.end()
    this.metadataNews = undefined
    this.enabled.clear()
    this.condstore = false
    this.framing.limits = beforeLogin
    this.deadline = this.services.now() + this.services.limits.preAuthMs
  }

  onLogout(run: () => void): void {
    if (this.account) this.#onLogout.add(run)
    else run()
  }

  select(selected: Selected): void {
    if (this.#ended) {
      // The client went while the mailbox was opened.
      this.services.mailboxes.close(selected.shared)
      throw new Fault('unavailable', 'the session has ended')
    }
    this.selected = selected
    this.unasked.listenAsNeeded()
  }

  deselect(): void {
    const { selected } = this
    if (!selected) return
    this.selected = undefined
    this.unasked.listenAsNeeded()
    for (const run of this.#onDeselect) run()
    this.#onDeselect.clear()
    this.services.mailboxes.close(selected.shared)
  }

  /** At once, when the session has left its mailbox already. */
  onDeselect(run: () => void): void {
    if (this.selected) this.#onDeselect.add(run)
    else run()
  }

  /** `* BYE`, and the end. In the middle of a response only the end: BYE would be taken for a piece of it. */
  bye(text: string, code?: string): void {
    if (this.#ended) return
    if (!this.out.halfway) this.out.status('*', { status: 'BYE', code, text })
    this.end()
  }

  /** Ends without a word: what was announced cannot be sent. */
  cut(): void {
    this.closed()
  }

  end(): void {
    if (this.#ended) return
    this.out.flush()
    this.#close()
    this.channel.end()
  }

  /** The client is gone. */
  closed(): void {
    if (!this.#ended) {
      this.#close()
      this.channel.destroy()
    }
    this.out.uncount()
  }

  #close(): void {
    this.#ended = true
    this.#commands.end()
    this.framing.discard()
    this.out.count()
    this.loggedOut()
  }

  get ended(): boolean {
    return this.#ended
  }
}
