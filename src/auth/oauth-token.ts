/** Access tokens that are JWTs (RFC 7519, RFC 9068), checked against the issuer's key set (RFC 7515, RFC 7517). */
import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { request } from 'undici'
import { Fault } from '../model/fault.ts'

export interface OAuthSettings {
  /** A file, or an https URL: the JSON Web Key Set. */
  readonly jwks: string
  readonly issuer: string
  readonly audience: string
  /** The claim that holds the account's address; default `email`. */
  readonly claim?: string | undefined
  /** A scope the token must have; told to clients in the error. */
  readonly scope?: string | undefined
  /** URL, told to clients in the error (RFC 7628 §3.2.2). */
  readonly openidConfiguration?: string | undefined
  /** How far the issuer's clock may be off; default 60. */
  readonly clockSkewSeconds?: number | undefined
}

export interface OAuthVerifier {
  /** `refused` is for the log. @throws Fault 'unavailable' when the key set cannot be had */
  verify(
    token: string,
    now: number,
  ): Promise<{ readonly user: string; readonly expiresAt: number } | { readonly refused: string }>
  errorResponse(): Readonly<Record<string, string>>
}

/** What each algorithm asks of its key; nothing else is accepted, `none` and HMAC least of all (RFC 8725 §3.1). */
const algorithms: Readonly<Record<string, { fits(key: KeyObject): boolean; hash: string | null }>> = {
  RS256: {
    fits: (key) => key.asymmetricKeyType === 'rsa' && (key.asymmetricKeyDetails?.modulusLength ?? 0) >= 2048,
    hash: 'sha256',
  },
  ES256: {
    fits: (key) => key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1',
    hash: 'sha256',
  },
  EdDSA: { fits: (key) => key.asymmetricKeyType === 'ed25519', hash: null },
}

export function createOAuthVerifier(settings: OAuthSettings, now: () => number): OAuthVerifier {
  const keys = new KeySet(settings.jwks, now)
  const skewMs = (settings.clockSkewSeconds ?? 60) * 1000
  const refuse = (refused: string) => ({ refused })

  return {
    async verify(token, at) {
      const [head = '', body = '', signature = '', more] = token.split('.')
      const header = jsonObject(head)
      const claims = jsonObject(body)
      if (!header || !claims || more !== undefined || !base64url.test(signature))
        return refuse('not a signed JWT')
      const algorithm = Object.hasOwn(algorithms, String(header.alg))
        ? algorithms[String(header.alg)]
        : undefined
      if (!algorithm) return refuse('an algorithm other than RS256, ES256, EdDSA')
      // RFC 7515 §4.1.11: an extension that must be understood, and is not.
      if ('crit' in header) return refuse('a critical header parameter')
      const kid = typeof header.kid === 'string' ? header.kid : undefined
      const signed = Buffer.from(`${head}.${body}`)
      const octets = Buffer.from(signature, 'base64url')
      const genuine = (await keys.candidates(kid)).some(
        (key) =>
          algorithm.fits(key) && verify(algorithm.hash, signed, { key, dsaEncoding: 'ieee-p1363' }, octets),
      )
      if (!genuine) return refuse('no key of the key set made the signature')
      return judge(claims, at)
    },
    errorResponse: () => ({
      status: 'invalid_token',
      ...(settings.scope === undefined ? {} : { scope: settings.scope }),
      ...(settings.openidConfiguration === undefined
        ? {}
        : { 'openid-configuration': settings.openidConfiguration }),
    }),
  }

  /** RFC 7519 §4.1. */
  function judge(claims: Record<string, unknown>, at: number): Awaited<ReturnType<OAuthVerifier['verify']>> {
    const { iss, aud, exp, nbf, scope } = claims
    if (iss !== settings.issuer) return refuse('another issuer')
    if (aud !== settings.audience && !(Array.isArray(aud) && aud.includes(settings.audience)))
      return refuse('for another audience')
    if (typeof exp !== 'number' || exp * 1000 + skewMs <= at) return refuse('expired, or without exp')
    if (nbf !== undefined && !(typeof nbf === 'number' && nbf * 1000 - skewMs <= at))
      return refuse('not valid yet')
    if (
      settings.scope !== undefined &&
      !String(scope ?? '')
        .split(' ')
        .includes(settings.scope)
    )
      return refuse('without the scope')
    const claim = settings.claim ?? 'email'
    const user = claims[claim]
    if (typeof user !== 'string' || user === '') return refuse(`without the claim ${claim}`)
    // OpenID Connect Core §5.1: an address that anybody could have typed in proves nothing.
    if (claim === 'email' && String(claims.email_verified ?? true) !== 'true')
      return refuse('its address is not verified')
    return { user, expiresAt: exp * 1000 }
  }
}

const base64url = /^[A-Za-z0-9_-]+$/

function jsonObject(part: string): Record<string, unknown> | undefined {
  if (!base64url.test(part)) return undefined
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'))
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}

const freshMs = 600_000
/** An unknown key id asks for the set again, but a flood of them does not. */
const retryMs = 30_000
const timeoutMs = 5_000
const maxSetOctets = 262_144
const maxKeys = 50

interface NamedKey {
  readonly kid: string | undefined
  readonly key: KeyObject
}

/** The issuer's keys, read again every ten minutes; the last good set serves while the issuer is away. */
class KeySet {
  readonly #source: string
  readonly #now: () => number
  #keys: readonly NamedKey[] | undefined
  #readAt = Number.NEGATIVE_INFINITY
  #triedAt = Number.NEGATIVE_INFINITY
  #reading: Promise<void> | undefined

  constructor(source: string, now: () => number) {
    this.#source = source
    this.#now = now
  }

  /** @throws Fault 'unavailable' */
  async candidates(kid: string | undefined): Promise<readonly KeyObject[]> {
    const find = () => (this.#keys ?? []).filter((known) => kid === undefined || known.kid === kid)
    const age = this.#now() - this.#readAt
    if (age >= freshMs || find().length === 0) await this.#refresh()
    if (!this.#keys) throw new Fault('unavailable', `the key set ${this.#source} cannot be read`)
    return find().map(({ key }) => key)
  }

  /** One at a time; never throws. */
  #refresh(): Promise<void> {
    if (!this.#reading && this.#now() - this.#triedAt < retryMs) return Promise.resolve()
    this.#reading ??= this.#read()
      .then(
        (keys) => {
          this.#keys = keys
          this.#readAt = this.#now()
        },
        () => {},
      )
      .finally(() => {
        this.#reading = undefined
      })
    this.#triedAt = this.#now()
    return this.#reading
  }

  async #read(): Promise<readonly NamedKey[]> {
    const text = /^https?:\/\//.test(this.#source)
      ? await download(this.#source)
      : await readFile(this.#source, 'utf8')
    const { keys } = JSON.parse(text) as { keys?: unknown }
    if (!Array.isArray(keys)) throw new Error('not a JWK Set')
    return keys.slice(0, maxKeys).flatMap((jwk: Record<string, unknown>) => {
      // RFC 7517 §4.2, §4.3: keys for encryption sign nothing; kinds we do not know are passed over (§5).
      if (jwk.use !== undefined && jwk.use !== 'sig') return []
      try {
        const key = createPublicKey({ key: jwk, format: 'jwk' })
        return [{ kid: typeof jwk.kid === 'string' ? jwk.kid : undefined, key }]
      } catch {
        return []
      }
    })
  }
}

async function download(url: string): Promise<string> {
  const { statusCode, body } = await request(url, { signal: AbortSignal.timeout(timeoutMs) })
  const chunks: Buffer[] = []
  let octets = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    octets += chunk.length
    if (octets > maxSetOctets) throw new Error('the key set is too large')
    chunks.push(chunk)
  }
  if (statusCode !== 200) throw new Error(`status ${statusCode}`)
  return Buffer.concat(chunks).toString('utf8')
}
