/** One client's session: reads its commands, runs them one after the other, tells what changed (RFC 3501 §3, §5). */
import { type Channel as AuthChannel, channelOf } from '../auth/channel.ts'
import type { Account } from '../auth/credentials.ts'
import type { Login, SaslContext } from '../auth/sasl.ts'
import type { TokenEntries } from '../auth/token-entries.ts'
import { asFault, Fault } from '../model/fault.ts'
import type { EpochMs } from '../model/units.ts'
import type { OperationResult, StoreOperation } from '../store/store.ts'
import { type Collation, unicodeCasemap } from '../wire/imap/collation.ts'
import {
  CommandFraming,
  type CommandPart,
  type FramingEvent,
  type ReceivedPart,
  tagOf,
} from '../wire/imap/framing.ts'
import { CommandInput } from '../wire/imap/tokens.ts'
import type { Channel } from './channel.ts'
import { bad, type Command, no, ok, type Reply, type State } from './command.ts'
import { withoutLarge } from './literals.ts'
import type { MetadataNews } from './metadata-news.ts'
import type { Notify } from './notify/notify.ts'
import { Out } from './out.ts'
import { responseFor } from './response-for.ts'
import type { Services } from './services.ts'
import { ownWrite, sync, tellHeldBack } from './sync.ts'
import { Unasked } from './unasked.ts'
import type { Selected } from './view/selected.ts'

/** Limits before login (8.5, IR-07): the response of a SASL mechanism must fit in a line. */
const beforeLogin = { lineOctets: 16_384, literalOctets: 8192, messageOctets: 0 }
const literalOctets = 1_048_576
/** Octets read ahead of the command that runs before the client has to wait. */
const readAhead = 1_048_576
const badBeforeLogin = 5
/** Nobody needs more of them to log in; floods of ID or NOOP end here (SC-41). */
const commandsBeforeLogin = 100
const badAfterLogin = 50

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
  /** Tag of the command under way. */
  tag = '*'
  /** What is told between commands. */
  readonly unasked = new Unasked(this)
  #running = false
  #ended = false
  #bad = 0
  /** Commands since the session was last somebody's (SC-41). */
  #early = 0
  #line: ((text: string | undefined) => void) | undefined
  /** Run when the session leaves its mailbox, its account, or ends. */
  readonly #onDeselect = new Set<() => void>()
  readonly #onLogout = new Set<() => void>()

  constructor(services: Services, channel: (session: Session) => Channel, ip: string) {
    this.services = services
    this.origin = services.newOrigin()
    this.ip = ip
    this.framing = new CommandFraming(beforeLogin, services.literals)
    this.framing.onDrained = () => this.#readOn()
    this.channel = channel(this)
    this.out = new Out(this.channel, services.outgoing)
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
    this.#bad = 0
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
    this.framing.push(octets)
    if (this.#line) this.#offerLine()
    else if (!this.#running) void this.#run()
    if (this.framing.queued > readAhead) this.channel.throttle(true)
  }

  #readOn(): void {
    if (this.framing.queued <= readAhead) this.channel.throttle(false)
  }

  async #run(): Promise<void> {
    this.#running = true
    try {
      await this.unasked.pause()
      while (!this.#ended) {
        const event = this.framing.next()
        if (event) {
          this.#readOn()
          await this.#handle(event)
        } else if (this.unasked.isDue) await this.unasked.tellPending()
        else break
      }
      this.out.flush()
    } catch (error) {
      this.broken(error)
    } finally {
      this.#running = false
    }
  }

  /** Commands are under way. */
  get isRunning(): boolean {
    return this.#running
  }

  /** What went wrong between commands ends the session. */
  broken(error: unknown): void {
    if (this.channel.gone) return
    if (error instanceof Fault && error.kind === 'unavailable') {
      this.bye(error.message)
      return
    }
    this.services.log('error', 'an IMAP session failed', { error: String((error as Error)?.stack ?? error) })
    this.bye('internal error', 'SERVERBUG')
  }

  /** The next line of the client that is no command: the answer to a challenge, DONE. undefined: the client is gone. */
  readLine(): Promise<string | undefined> {
    this.out.flush()
    return new Promise((resolve) => {
      this.#line = resolve
      this.#offerLine()
    })
  }

  #offerLine(): void {
    const event = this.framing.next('line')
    if (!event) return
    const resolve = this.#line
    this.#line = undefined
    resolve?.(event.kind === 'line' ? event.text : '')
  }

  async #handle(event: FramingEvent): Promise<void> {
    switch (event.kind) {
      case 'literal': {
        const refused = await this.#refusesLiteral(event.parts)
        if (refused) {
          this.framing.refuse()
          this.#answer(tagOf(event.parts[0] ?? '') ?? '*', refused)
        } else {
          this.framing.accept()
          this.out.continuation('go ahead')
        }
        return
      }
      case 'bad':
        this.#answer(
          event.tag ?? '*',
          event.why === 'literal-too-large'
            ? no('the literal is too large', 'TOOBIG')
            : bad(reasons[event.why]),
        )
        if (event.fatal) this.bye('the next command cannot be found')
        return
      case 'line':
        return
      case 'command':
        try {
          await this.services.literals.loaded(event.parts, (parts) => this.#command(parts))
        } catch (error) {
          // Nothing of the command was run.
          if (!(error instanceof Fault)) throw error
          this.#answer(tagOf(event.parts[0] ?? '') ?? '*', responseFor(error))
        }
    }
  }

  /** A literal that is not wanted is refused before it is sent (SY-03, AP-11). */
  async #refusesLiteral(parts: readonly ReceivedPart[]): Promise<Reply | undefined> {
    try {
      const input = this.#input(withoutLarge(parts))
      input.tag()
      const found = this.#find(input.sp())
      if (!('command' in found)) return found
      return await found.command.refusesLiteral?.(input, this)
    } catch (error) {
      const fault = asFault(error)
      // The arguments are not there yet: what is wrong with them shows when they are.
      return fault.kind === 'malformed' ? undefined : responseFor(fault)
    }
  }

  #input(parts: readonly CommandPart[]): CommandInput {
    return new CommandInput(parts, this.utf8)
  }

  #find(input: CommandInput): { command: Command; uid: boolean } | Reply {
    const word = input.word()
    const uid = word === 'UID'
    const name = uid ? input.sp().word() : word
    const command = this.services.registry.command(name, uid)
    if (!command) return bad('unknown command')
    if (command.states && !command.states.includes(this.state))
      return bad(
        this.account
          ? this.selected
            ? 'not while a mailbox is selected'
            : 'select a mailbox first'
          : 'log in first',
      )
    if (command.writes && this.selected?.readOnly) return no('the mailbox is open for reading only')
    return { command, uid }
  }

  async #command(parts: readonly CommandPart[]): Promise<void> {
    if (!this.account && ++this.#early > commandsBeforeLogin) {
      this.bye('log in first')
      return
    }
    const input = this.#input(parts)
    try {
      this.tag = input.tag()
    } catch {
      this.#answer('*', bad('a command begins with a tag'))
      return
    }
    let reply: Reply
    try {
      const found = this.#find(input.sp())
      reply = 'command' in found ? await this.#perform(found.command, found.uid, input) : found
    } catch (error) {
      if (error instanceof Fault && error.kind !== 'bug') reply = responseFor(error)
      else if (this.channel.gone) return
      else {
        this.services.log('error', 'a command failed', { error: String((error as Error)?.stack ?? error) })
        reply = responseFor(asFault(error))
      }
    }
    if (this.account) this.deadline = this.services.now() + this.services.limits.idleMs
    this.#answer(this.tag, reply)
    this.tag = '*'
    this.#after?.()
    this.#after = undefined
  }

  #after: (() => void) | undefined

  /** Runs once, when the tagged answer of the command under way has been written: a change of layers, the end. */
  afterAnswer(run: () => void): void {
    this.#after = run
  }

  async #perform(command: Command, uid: boolean, input: CommandInput): Promise<Reply> {
    this.#holds = false
    const run = command.prepare(input, this, uid)
    // Growth and flags first: what a command on messages then says of them, the client can understand (UR-06, UR-07).
    if (this.selected && command.uid && !this.selected.isCurrent(false)) await this.sync(false)
    const reply = await run()
    const expunges = command.expunges ?? 'always'
    await this.sync(!this.#holds && (expunges === 'always' || (expunges === 'uid-form' && uid)))
    tellHeldBack(this)
    await this.metadataNews?.tell()
    return reply
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

  /** This command's arguments hold MSNs after all: no EXPUNGE before its answer (UR-03). */
  holdExpunges(): void {
    this.#holds = true
  }

  get holdsExpunges(): boolean {
    return this.#holds
  }

  #holds = false

  #answer(tag: string, reply: Reply): void {
    if (this.#ended) return
    this.out.status(tag, reply)
    if (reply.status === 'BAD') {
      this.#bad += 1
      if (this.#bad >= (this.account ? badAfterLogin : badBeforeLogin)) this.bye('too many bad commands')
    } else if (reply.status === 'OK') this.#bad = 0
    if (this.framing.queued === 0) this.out.flush()
  }

  loggedIn(account: Account, login: Login): void {
    this.account = account
    this.login = login
    this.#early = 0
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
  }

  onLogout(run: () => void): void {
    this.#onLogout.add(run)
  }

  select(selected: Selected): void {
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

  onDeselect(run: () => void): void {
    this.#onDeselect.add(run)
  }

  /** `* BYE`, and the end. */
  bye(text: string, code?: string): void {
    if (this.#ended) return
    this.out.text(`* BYE ${code === undefined ? '' : `[${code}] `}${text}\r\n`)
    this.end()
  }

  end(): void {
    if (this.#ended) return
    this.out.flush()
    this.#close()
    this.channel.end()
  }

  /** The client is gone. */
  closed(): void {
    if (this.#ended) return
    this.#close()
    this.channel.destroy()
  }

  #close(): void {
    this.#ended = true
    this.#line?.(undefined)
    this.#line = undefined
    this.framing.discard()
    this.out.uncount()
    this.loggedOut()
  }

  get ended(): boolean {
    return this.#ended
  }
}

const reasons = {
  'line-too-long': 'the line is too long',
  'literal-too-large': 'the literal is too large',
  'literal-size': 'the size of the literal cannot be',
} as const
