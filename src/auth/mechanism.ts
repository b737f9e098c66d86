/** A SASL mechanism (RFC 4422 §5): one file each, read from top to bottom as its exchange runs. */
import type { BindingType } from './channel.ts'
import type { Account } from './credentials.ts'
import type { Login, SaslContext, SaslFailure } from './sasl.ts'

export interface Mechanism {
  readonly name: string
  readonly source: string
  /** Can succeed on this channel now. */
  usable(context: SaslContext): boolean
  /** Begins with the client's first message; yields challenges and is given the responses. */
  run(initial: Uint8Array, context: SaslContext): AsyncGenerator<Uint8Array, Outcome, Uint8Array>
}

export type Outcome =
  | {
      readonly account: Account
      /** As the client sent it; empty: none. */
      readonly authzid: string
      readonly binding?: BindingType | undefined
      readonly login?: Partial<Login>
    }
  | {
      readonly failed: SaslFailure
      readonly reason: string
      readonly user?: string | undefined
      /** The back-off knows of it. */
      readonly counted?: boolean
    }

/** A mechanism whose one message says it all. */
export const oneMessage = (
  judge: (initial: Uint8Array, context: SaslContext) => Promise<Outcome>,
): Mechanism['run'] =>
  // biome-ignore lint/correctness/useYield: there is no challenge
  async function* (initial, context) {
    return await judge(initial, context)
  }

/** Wrong credentials, or a message that is none of this mechanism's: the peer hears the same of all (SA-17). */
export const wrong = (reason: string, user?: string): Outcome => ({ failed: 'credentials', reason, user })

/** Waits as long as earlier failures ask, before the secret is looked at. */
export async function admit(context: SaslContext, user: string): Promise<void> {
  const ms = context.throttle.delayMs(context.channel.peer, user)
  if (ms > 0) await context.sleep(ms)
}

/** RFC 5801 §4 as RFC 5802 §7 and RFC 7628 §3.1 use it. */
export interface Gs2Header {
  /** `n`, `y`, or the channel binding type after `p=`. */
  readonly flag: { readonly kind: 'n' | 'y' } | { readonly kind: 'p'; readonly type: string }
  readonly authzid: string
  /** With its last comma, as sent. */
  readonly text: string
}

/** undefined: malformed (SA-06). */
export function parseGs2Header(message: string): Gs2Header | undefined {
  const match = /^(?:(n|y)|p=([A-Za-z0-9.-]+)),(?:a=([^,]+))?,/.exec(message)
  if (!match) return undefined
  const authzid = match[3] === undefined ? '' : saslname(match[3])
  if (authzid === undefined) return undefined
  const flag =
    match[2] === undefined ? { kind: match[1] as 'n' | 'y' } : { kind: 'p' as const, type: match[2] }
  return { flag, authzid, text: match[0] }
}

/** RFC 5802 §5.1: `=2C` is a comma, `=3D` an equals sign, any other `=` an error (SA-07). */
export function saslname(encoded: string): string | undefined {
  if (encoded === '' || encoded.includes('\0') || /=(?!2C|3D)/.test(encoded)) return undefined
  return encoded.replaceAll('=2C', ',').replaceAll('=3D', '=')
}
