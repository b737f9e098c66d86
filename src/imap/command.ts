/** What a command file declares, and what the session does with it. */
import type { CommandInput } from '../wire/imap/tokens.ts'
import type { Session } from './session.ts'

export type State = 'not-authenticated' | 'authenticated' | 'selected'

/** A tagged answer. `code` stands in brackets before the text. */
export interface Reply {
  readonly status: 'OK' | 'NO' | 'BAD'
  readonly code?: string | undefined
  readonly text: string
}

export const ok = (text: string, code?: string): Reply => ({ status: 'OK', text, code })
export const no = (text: string, code?: string): Reply => ({ status: 'NO', text, code })
export const bad = (text: string, code?: string): Reply => ({ status: 'BAD', text, code })

/**
 * When EXPUNGE and VANISHED may be told before the tagged answer (RFC 3501 §7.4.1, UR-01, UR-03): 'uid-form' only when
 * called as UID ..., since its arguments then hold no MSNs.
 */
export type Expunges = 'always' | 'uid-form' | 'never'

interface Definition<A> {
  readonly name: string
  readonly source: string
  /** States in which it is legal; absent: in each. */
  readonly states?: readonly State[]
  /** Also callable as UID <name>, or only so. */
  readonly uid?: 'too' | 'only'
  /** Refused where the mailbox was opened by EXAMINE (SE-05). */
  readonly writes?: boolean
  readonly expunges?: Expunges
  /** A synchronising literal is announced: why it is not wanted, if so (AP-11). Sees what stands before it. */
  readonly refusesLiteral?: (input: CommandInput, session: Session) => Promise<Reply | undefined>
  /** @throws Fault 'malformed' */
  readonly parse: (input: CommandInput, session: Session, uid: boolean) => A
  readonly run: (args: A, session: Session, uid: boolean) => Promise<Reply> | Reply
}

export interface Command extends Omit<Definition<never>, 'parse' | 'run'> {
  /** Reads the arguments to the end of the command; what it returns does the work. */
  readonly prepare: (input: CommandInput, session: Session, uid: boolean) => () => Promise<Reply> | Reply
}

export function command<A>({ parse, run, ...rest }: Definition<A>): Command {
  return {
    ...rest,
    prepare(input, session, uid) {
      const args = parse(input, session, uid)
      input.end()
      return () => run(args, session, uid)
    },
  }
}

/** For commands without arguments. */
export const noArguments = (): undefined => undefined
