/**
 * The server side of SASL (RFC 4422), in terms no protocol owns: IMAP AUTHENTICATE and SMTP AUTH put base64 and their
 * own replies round it. Neither can send data with success, so what a mechanism adds to it is a last challenge that the
 * client answers with an empty response (RFC 4422 §5, SA-12).
 */
import { Fault } from '../model/fault.ts'
import type { Channel } from './channel.ts'
import type { Account, Credentials, Directory, ScramVerifiers } from './credentials.ts'
import type { LoginThrottle } from './login-throttle.ts'
import type { Mechanism, Outcome } from './mechanism.ts'
import type { OAuthVerifier } from './oauth-token.ts'
import { external } from './sasl-external.ts'
import { htSha256Endp, htSha256Expr, htSha256None } from './sasl-ht.ts'
import { oauthBearer } from './sasl-oauthbearer.ts'
import { plain } from './sasl-plain.ts'
import { scramSha256, scramSha256Plus } from './sasl-scram.ts'
import { prepareUser } from './saslprep.ts'
import type { SessionTokens } from './session-tokens.ts'

/**
 * Why an exchange failed, for the protocol's own answer. Which of name and password was wrong is never told (SA-17).
 *
 * | kind | IMAP | SMTP |
 * |---|---|---|
 * | credentials | NO [AUTHENTICATIONFAILED] | 535 5.7.8 |
 * | authorization | NO [AUTHORIZATIONFAILED] | 535 5.7.8 |
 * | encryption-needed | NO [PRIVACYREQUIRED] | 504 5.5.4 |
 * | too-long | BAD | 500 5.5.6 |
 * | unavailable | NO [UNAVAILABLE] | 454 4.7.0 |
 */
export type SaslFailure = 'credentials' | 'authorization' | 'encryption-needed' | 'too-long' | 'unavailable'

/** How the account was authenticated. */
export interface Login {
  readonly mechanism: string
  /** Whose credentials they were; differs from the account when one acts for another. */
  readonly authenticated: Account
  /** When the password, certificate or access token was shown: now, or for a session token when it was asked for. */
  readonly fullLoginAt: number
  /** What was shown is good until then; nothing that is issued for it may outlive it. */
  readonly validUntil?: number | undefined
  /** The client id of the session token that was used. */
  readonly client?: string | undefined
}

export type SaslStep =
  | { readonly challenge: Uint8Array }
  /** `done.address` is the authorization id, for IMAP and Submit alike (SA-18). */
  | { readonly done: Account; readonly login: Login }
  /** `reason` is for the log: it may tell what the peer must not know. */
  | { readonly failed: SaslFailure; readonly reason: string; readonly user?: string | undefined }

export interface SaslExchange {
  readonly mechanism: string
  /**
   * One message of the client, decoded. undefined: none was sent with the command (all our mechanisms are client-first,
   * so the answer is an empty challenge); an empty array is an empty response. After `done` or `failed` the exchange is
   * over. An exchange that the client cancels is just dropped.
   */
  step(response: Uint8Array | undefined): Promise<SaslStep>
}

/** What all exchanges of a process share. What is absent is not offered. */
export interface SaslServices {
  readonly credentials: Credentials
  readonly directory: Pick<Directory, 'find'>
  readonly scram?: ScramVerifiers | undefined
  readonly tokens?: SessionTokens | undefined
  readonly oauth?: OAuthVerifier | undefined
  /** Certificate name to account address, where they differ; present: EXTERNAL is offered. */
  readonly external?: ReadonlyMap<string, string> | undefined
  /** The account that `account` may act as under this name (prepared, lower case). Absent: nobody acts for another. */
  readonly actAs?: ((account: Account, authzid: string) => Promise<Account | undefined>) | undefined
  readonly throttle: LoginThrottle
  /** Of this installation, 32 octets: fake salts rest on it. */
  readonly secret: Uint8Array
  readonly now: () => number
  /** The server's part of a SCRAM nonce, never the same twice: printable ASCII without commas (RFC 5802 §5.1 r). */
  readonly nonce: () => string
  readonly sleep: (ms: number) => Promise<void>
}

export interface SaslContext extends SaslServices {
  readonly channel: Channel
}

/** One response, octets: an OAuth access token fits, and RFC 4954 §4 asks for 12288 characters of base64 (AU-09). */
export const maxResponseOctets = 16_384
/** No mechanism needs more than three. */
const maxSteps = 8

/** Strongest first; advertised in this order. */
const mechanisms: readonly Mechanism[] = [
  scramSha256Plus,
  scramSha256,
  htSha256Expr,
  htSha256Endp,
  htSha256None,
  external,
  oauthBearer,
  plain,
]

/** What can be used on this channel now, for CAPABILITY and EHLO. */
export const saslMechanisms = (context: SaslContext): readonly string[] =>
  mechanisms.filter((mechanism) => mechanism.usable(context)).map(({ name }) => name)

/**
 * A new exchange. 'unknown': no such mechanism here (IMAP NO, SMTP 504 5.5.4); 'encryption-needed': not without TLS.
 * Names are compared without case.
 */
export function startSasl(
  name: string,
  context: SaslContext,
): SaslExchange | 'unknown' | 'encryption-needed' {
  const wanted = name.toUpperCase()
  const mechanism = mechanisms.find((m) => m.name === wanted)
  if (!mechanism) return 'unknown'
  if (mechanism.usable(context)) return new Exchange(mechanism, context)
  const plaintext = mechanism === plain || (mechanism === oauthBearer && context.oauth !== undefined)
  return plaintext && !context.channel.confidential ? 'encryption-needed' : 'unknown'
}

/** The LOGIN command and its like: the same checks, delays and counters as PLAIN. */
export async function passwordLogin(user: string, password: string, context: SaslContext): Promise<SaslStep> {
  const exchange = startSasl('PLAIN', context)
  if (exchange === 'unknown' || exchange === 'encryption-needed')
    return { failed: 'encryption-needed', reason: 'password without TLS' }
  return exchange.step(Buffer.from(`\0${user}\0${password}`))
}

class Exchange implements SaslExchange {
  readonly #mechanism: Mechanism
  readonly #context: SaslContext
  #conversation: ReturnType<Mechanism['run']> | undefined
  #steps = 0
  #over = false

  constructor(mechanism: Mechanism, context: SaslContext) {
    this.#mechanism = mechanism
    this.#context = context
  }

  get mechanism(): string {
    return this.#mechanism.name
  }

  async step(response: Uint8Array | undefined): Promise<SaslStep> {
    if (this.#over || ++this.#steps > maxSteps)
      return this.#end({ failed: 'credentials', reason: 'the exchange is over' })
    if ((response?.length ?? 0) > maxResponseOctets)
      return this.#end({ failed: 'too-long', reason: `a response of more than ${maxResponseOctets} octets` })
    if (!this.#conversation && response === undefined) return { challenge: new Uint8Array() }
    try {
      const octets = response ?? new Uint8Array()
      let result: IteratorResult<Uint8Array, Outcome>
      if (this.#conversation) result = await this.#conversation.next(octets)
      else {
        this.#conversation = this.#mechanism.run(octets, this.#context)
        result = await this.#conversation.next()
      }
      return result.done ? await this.#conclude(result.value) : { challenge: result.value }
    } catch (error) {
      this.#over = true
      if (error instanceof Fault && error.kind === 'unavailable')
        return this.#end({ failed: 'unavailable', reason: error.message })
      throw error
    }
  }

  async #conclude(outcome: Outcome): Promise<SaslStep> {
    const { channel, throttle, now } = this.#context
    if ('failed' in outcome) {
      const { failed, reason, user, counted } = outcome
      if (failed === 'credentials' && !counted) throttle.failed(channel.peer, user ?? '')
      return this.#end({ failed, reason, user })
    }
    const { account, authzid, binding, login } = outcome
    throttle.succeeded(channel.peer, account.address)
    if (binding === 'tls-exporter') channel.spendExporter()
    const done = await actingAs(account, authzid, this.#context)
    if (!done) {
      const reason = `${account.address} may not act as another`
      return this.#end({ failed: 'authorization', reason, user: account.address })
    }
    this.#over = true
    return {
      done,
      login: { mechanism: this.#mechanism.name, authenticated: account, fullLoginAt: now(), ...login },
    }
  }

  #end(step: SaslStep): SaslStep {
    this.#over = true
    return step
  }
}

/** RFC 4422 §2: an empty authorization id is derived from who was authenticated (SA-02). */
async function actingAs(
  account: Account,
  authzid: string,
  context: SaslContext,
): Promise<Account | undefined> {
  if (authzid === '') return account
  const wanted = prepareUser(authzid)
  if (wanted === undefined) return undefined
  return wanted === account.address ? account : context.actAs?.(account, wanted)
}
