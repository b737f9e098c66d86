/** Takes a session's commands out of its octets, runs them one after the other, and answers them (RFC 3501 §3, §5.5). */
import { asFault, Fault } from '../model/fault.ts'
import { type CommandPart, type FramingEvent, type ReceivedPart, tagOf } from '../wire/imap/framing.ts'
import { CommandInput } from '../wire/imap/tokens.ts'
import { bad, type Command, no, type Reply } from './command.ts'
import { withoutLarge } from './literals.ts'
import { responseFor } from './response-for.ts'
import type { Session } from './session.ts'
import { tellHighestModSeq } from './sync.ts'

/** Octets read ahead of the command that runs before the client has to wait. */
const readAhead = 1_048_576
const badBeforeLogin = 5
/** Nobody needs more of them to log in; floods of ID or NOOP end here (SC-41). */
const commandsBeforeLogin = 100
const badAfterLogin = 50

/** What an account that acts for a submission server may do: fetch URLs, and keep its session up (RFC 4468 §8). */
const forSubmitServers = new Set([
  'CAPABILITY',
  'NOOP',
  'ID',
  'ENABLE',
  'COMPRESS',
  'LOGOUT',
  'UNAUTHENTICATE',
  'URLFETCH',
])

export class CommandLoop {
  /** Tag of the command under way. */
  tag = '*'
  readonly #session: Session
  #running = false
  #bad = 0
  /** Commands since the session was last somebody's (SC-41). */
  #early = 0
  #line: ((text: string | undefined) => void) | undefined
  #after: (() => void) | undefined
  #holds = false
  /** The client sends nothing more. */
  #last = false

  constructor(session: Session) {
    this.#session = session
  }

  /** Commands are under way. */
  get isRunning(): boolean {
    return this.#running
  }

  /** Octets from the client. */
  feed(octets: Buffer): void {
    const { framing, channel } = this.#session
    framing.push(octets)
    if (this.#line) this.#offerLine()
    else if (!this.#running) void this.#run()
    if (framing.queued > readAhead) channel.throttle(true)
  }

  /** The client sends nothing more: what it has sent is carried out and answered, and then the session ends. */
  inputEnded(): void {
    this.#last = true
    if (this.#line) this.#offerLine()
    else if (!this.#running) void this.#run()
  }

  /** What comes from here on is another layer's client: none of its commands was bad yet. */
  forgiveBad(): void {
    this.#bad = 0
  }

  /** The session has ended: nobody answers any more. */
  end(): void {
    this.#line?.(undefined)
    this.#line = undefined
  }

  async #run(): Promise<void> {
    const session = this.#session
    this.#running = true
    try {
      await session.unasked.pause()
      while (!session.ended) {
        const event = session.framing.next()
        this.readOn()
        if (event) await this.#handle(event)
        else if (session.unasked.isDue) await session.unasked.tellPending()
        else break
      }
      if (this.#last) session.end()
      session.out.flush()
    } catch (error) {
      session.broken(error)
    } finally {
      this.#running = false
    }
  }

  /** What was read ahead may have become part of a command that is not whole yet: the rest of it must come. */
  readOn(): void {
    const { framing, channel } = this.#session
    if (framing.queued <= readAhead) channel.throttle(false)
  }

  /** The next line of the client that is no command: the answer to a challenge, DONE. undefined: the client is gone. */
  readLine(): Promise<string | undefined> {
    if (this.#session.ended) return Promise.resolve(undefined)
    this.#session.out.flush()
    return new Promise((resolve) => {
      this.#line = resolve
      this.#offerLine()
    })
  }

  #offerLine(): void {
    const event = this.#session.framing.next('line')
    this.readOn()
    if (!event && !this.#last) return
    const resolve = this.#line
    this.#line = undefined
    resolve?.(event?.kind === 'line' ? event.text : event && '')
  }

  async #handle(event: FramingEvent): Promise<void> {
    const { framing, out } = this.#session
    switch (event.kind) {
      case 'literal': {
        const refused = await this.#refusesLiteral(event.parts)
        if (refused) {
          framing.refuse()
          this.#answer(tagOf(event.parts[0] ?? '') ?? '*', refused)
        } else {
          framing.accept()
          out.continuation('go ahead')
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
        if (event.fatal) this.#session.bye('the next command cannot be found')
        return
      case 'line':
        return
      case 'command':
        try {
          await this.#session.services.literals.loaded(event.parts, (parts) => this.#command(parts))
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
      return await found.command.refusesLiteral?.(input, this.#session)
    } catch (error) {
      const fault = asFault(error)
      // The arguments are not there yet: what is wrong with them shows when they are.
      return fault.kind === 'malformed' ? undefined : responseFor(fault)
    }
  }

  #input(parts: readonly CommandPart[]): CommandInput {
    return new CommandInput(parts, this.#session.utf8)
  }

  #find(input: CommandInput): { command: Command; uid: boolean } | Reply {
    const { services, state, account, selected } = this.#session
    const word = input.word()
    const uid = word === 'UID'
    const name = uid ? input.sp().word() : word
    const command = services.registry.command(name, uid)
    if (!command) return bad('unknown command')
    // OR-09: whoever fetches what users submit can do nothing else with their mail.
    if (account && services.urls.isSubmitServer(account.address) && !forSubmitServers.has(command.name))
      return no('this account is there to fetch URLs', 'NOPERM')
    if (command.states && !command.states.includes(state))
      return bad(
        account ? (selected ? 'not while a mailbox is selected' : 'select a mailbox first') : 'log in first',
      )
    if (command.writes && selected?.readOnly) return no('the mailbox is open for reading only')
    return { command, uid }
  }

  async #command(parts: readonly CommandPart[]): Promise<void> {
    const session = this.#session
    if (session.account) this.#early = 0
    else if (++this.#early > commandsBeforeLogin) {
      session.bye('log in first')
      return
    }
    const input = this.#input(parts)
    try {
      this.tag = input.tag()
    } catch {
      this.#answer('*', bad('a command begins with a tag'))
      return
    }
    this.#after = undefined
    let reply: Reply
    try {
      const found = this.#find(input.sp())
      reply = 'command' in found ? await this.#perform(found.command, found.uid, input) : found
    } catch (error) {
      // An end of the session in the middle of the command shows as all kinds of faults, and none of them is one.
      if (session.ended || session.channel.gone) return
      if (!(error instanceof Fault) || error.kind === 'bug') session.logFault('a command failed', error)
      if (session.out.halfway) {
        // Nothing that could be said now would be understood: it would be taken for the rest of the response.
        session.cut()
        return
      }
      reply = responseFor(asFault(error))
    }
    session.stillHere()
    this.#answer(this.tag, reply)
    this.tag = '*'
    const after = this.#takeAfter()
    // A command that came to nothing changes no layers, whatever it had planned.
    if (reply.status === 'OK' && !session.ended) after?.()
  }

  /** Runs once, when the tagged OK of the command under way has been written: a change of layers, the end. */
  afterAnswer(run: () => void): void {
    this.#after = run
  }

  #takeAfter(): (() => void) | undefined {
    const after = this.#after
    this.#after = undefined
    return after
  }

  async #perform(command: Command, uid: boolean, input: CommandInput): Promise<Reply> {
    const session = this.#session
    this.#holds = false
    const run = command.prepare(input, session, uid)
    // Growth and flags first: what a command on messages then says of them, the client can understand (UR-06, UR-07).
    if (session.selected && command.uid && !session.selected.isCurrent(false)) await session.sync(false)
    const reply = await run()
    const expunges = command.expunges ?? 'always'
    try {
      await session.sync(!this.#holds && (expunges === 'always' || (expunges === 'uid-form' && uid)))
      // The tagged answer of EXPUNGE and MOVE says it (QR-46, QR-48).
      if (session.selected && reply.code?.startsWith('HIGHESTMODSEQ')) session.selected.owesModSeq = false
      tellHighestModSeq(session)
      await session.metadataNews?.tell()
    } catch (error) {
      // What the command did stands, and so does its answer; what changed beside it is told with the next one.
      if (session.ended || session.out.halfway) throw error
      session.logFault('changes could not be told', error)
    }
    return reply
  }

  /** This command's arguments hold MSNs after all: no EXPUNGE before its answer (UR-03). */
  holdExpunges(): void {
    this.#holds = true
  }

  get holdsExpunges(): boolean {
    return this.#holds
  }

  #answer(tag: string, reply: Reply): void {
    const session = this.#session
    if (session.ended) return
    session.out.status(tag, reply)
    if (reply.status === 'BAD') {
      this.#bad += 1
      if (this.#bad >= (session.account ? badAfterLogin : badBeforeLogin))
        session.bye('too many bad commands')
    } else if (reply.status === 'OK') this.#bad = 0
    if (session.framing.queued === 0) session.out.flush()
  }
}

const reasons = {
  'line-too-long': 'the line is too long',
  'literal-too-large': 'the literal is too large',
  'literal-size': 'the size of the literal cannot be',
} as const
