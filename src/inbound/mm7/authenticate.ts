/**
 * Which peer speaks (MM7-028, MM7-029, SEC-061; RFC 7616, RFC 7617): by Basic or Digest credentials, by a Bearer token or
 * a login in the path where a peer has nothing else (QUIRKS 23), else by its client certificate or its address. What a peer is restricted to, it must come with, whatever else it shows.
 */
import { createHash, hash as oneShot, timingSafeEqual } from 'node:crypto'
import { isWithin, speaksFrom } from '../../model/network.ts'
import type { Peer, Settings } from '../../model/settings.ts'
import type { EpochMs } from '../../model/units.ts'
import { Nonces } from './nonces.ts'

export type Authenticated =
  | { readonly peer: string }
  | { readonly status: 401; readonly challenges: readonly string[] }
  | { readonly status: 403 }

export interface AuthRequest {
  readonly authorization: string | undefined
  readonly method: string
  readonly url: string
  readonly ip: string
  readonly tls: boolean
  /** SHA-256 fingerprint of the client's certificate. */
  readonly fingerprint?: string | undefined
}

const algorithms = { 'SHA-256': 'sha256', MD5: 'md5' } as const

export class Authenticator {
  readonly #settings: Settings
  readonly #plaintext: 'never' | 'loopback' | 'always'
  readonly #nonces: Nonces
  readonly #peers: readonly (readonly [string, Peer])[]
  /** Digests of user:password (RFC 7617 §2: no user holds a colon), of tokens, of user=password in a path. */
  readonly #basics: readonly Known[]
  readonly #bearers: readonly Known[]
  readonly #paths: readonly Known[]

  constructor(settings: Settings, plaintext: 'never' | 'loopback' | 'always', now: () => EpochMs) {
    this.#settings = settings
    this.#peers = Object.entries(settings.peers).filter(([, peer]) => peer.interface === 'mm7')
    // No user holds what stands between user and password: two could look alike.
    const known = (scheme: string, between: string | undefined): Known[] =>
      this.#peers.flatMap(([peer, { auth }]) => {
        if (auth?.scheme !== scheme || auth.password === undefined) return []
        if (between === undefined) return [{ peer, digest: digestOf(auth.password) }]
        const secret = `${auth.user}${between}${auth.password}`
        return auth.user.includes(between) ? [] : [{ peer, digest: digestOf(secret) }]
      })
    this.#basics = known('basic', ':')
    this.#bearers = known('bearer', undefined)
    this.#paths = known('url', '=')
    this.#plaintext = plaintext
    this.#nonces = new Nonces(now)
  }

  identify(request: AuthRequest): Authenticated {
    const peers = this.#peers
    const { authorization } = request
    const login = /^\/mm7\/([^/?]+)(?:\?|$)/.exec(request.url)?.[1]
    if (login !== undefined) {
      const found = this.#clear(request) ? knownAs(this.#paths, percentDecoded(login)) : undefined
      if (!found) return { status: 403 }
      const peer = this.#settings.peers[found.peer]
      return peer && mayCome(peer, request) ? found : { status: 403 }
    }
    if (authorization !== undefined && authorization !== '') {
      const name = /^basic\s/i.test(authorization)
        ? this.#basic(request)
        : /^digest\s/i.test(authorization)
          ? this.#digest(request, peers)
          : /^bearer\s/i.test(authorization)
            ? this.#bearer(request)
            : undefined
      if (name === undefined || name === 'stale')
        return this.#challenge(
          peers.map(([, peer]) => peer),
          name === 'stale',
        )
      const peer = this.#settings.peers[name.peer]
      return peer && mayCome(peer, request) ? name : { status: 403 }
    }
    // Known by its certificate or its address alone: only a peer that is not to log in.
    const byAddress = peers.filter(
      ([, peer]) =>
        (speaksFrom(peer, request.ip) || peer.certificate !== undefined) && mayCome(peer, request),
    )
    const [open] = byAddress.filter(([, peer]) => peer.auth === undefined)
    if (open) return { peer: open[0] }
    const asked = (byAddress.length > 0 ? byAddress : peers).filter(([, peer]) => peer.auth !== undefined)
    return asked.length > 0 ? this.#challenge(asked.map(([, peer]) => peer)) : { status: 403 }
  }

  #challenge(peers: readonly Peer[], stale = false): Authenticated {
    const challenges: string[] = []
    for (const { auth } of peers) {
      if (!auth) continue
      const realm = (auth.realm ?? this.#settings.gateway.host).replace(/["\\]/g, '')
      if (auth.scheme === 'basic') challenges.push(`Basic realm="${realm}", charset="UTF-8"`)
      else if (auth.scheme === 'bearer') challenges.push(`Bearer realm="${realm}"`)
      else if (auth.scheme === 'digest')
        for (const algorithm of Object.keys(algorithms))
          challenges.push(
            `Digest realm="${realm}", qop="auth", algorithm=${algorithm}, nonce="${this.#nonces.issue()}"${stale ? ', stale=true' : ''}`,
          )
    }
    const unique = [...new Set(challenges)]
    return {
      status: 401,
      challenges: unique.length > 0 ? unique : [`Basic realm="${this.#settings.gateway.host}"`],
    }
  }

  /** Whether a password may come as it is (MM7-029). */
  #clear({ tls, ip }: AuthRequest): boolean {
    const loopback = /^(127\.|::1$)/.test(ip)
    return tls || this.#plaintext === 'always' || (this.#plaintext === 'loopback' && loopback)
  }

  #bearer(request: AuthRequest): { readonly peer: string } | undefined {
    const token = /^bearer\s+([!-~]+)$/i.exec((request.authorization ?? '').trim())?.[1]
    return token !== undefined && this.#clear(request) ? knownAs(this.#bearers, token) : undefined
  }

  #basic(request: AuthRequest): { readonly peer: string } | undefined {
    if (!this.#clear(request)) return undefined
    const encoded = /^basic\s+([A-Za-z0-9+/=]+)$/i.exec((request.authorization ?? '').trim())?.[1]
    if (encoded === undefined) return undefined
    return knownAs(this.#basics, Buffer.from(encoded, 'base64').toString('utf8'))
  }

  /** 'stale': who knows the password, with a nonce that is too old, or with a count that was used before (RFC 7616 §3.3). */
  #digest(
    request: AuthRequest,
    peers: readonly (readonly [string, Peer])[],
  ): { readonly peer: string } | 'stale' | undefined {
    const given = digestParameters(request.authorization ?? '')
    const algorithm = (given.algorithm ?? 'MD5').toUpperCase()
    const hashName = algorithm === 'SHA-256' || algorithm === 'MD5' ? algorithms[algorithm] : undefined
    const { username, realm, nonce, uri, response, nc, cnonce, qop } = given
    if (
      !hashName ||
      !username ||
      realm === undefined ||
      !nonce ||
      !uri ||
      !response ||
      qop !== 'auth' ||
      !nc ||
      !cnonce
    )
      return undefined
    if (uri !== request.url || !this.#nonces.isOurs(nonce) || !/^[0-9a-f]{8}$/i.test(nc)) return undefined
    const hash = (text: string): string => createHash(hashName).update(text).digest('hex')
    const found = peers.find(([, { auth }]) => {
      if (auth?.scheme !== 'digest' || auth.password === undefined || !same(auth.user, username)) return false
      const ha1 = hash(`${username}:${realm}:${auth.password}`)
      const ha2 = hash(`${request.method}:${uri}`)
      return same(hash(`${ha1}:${nonce}:${nc}:${cnonce}:${qop}:${ha2}`), response.toLowerCase())
    })
    if (!found) return undefined
    return this.#nonces.use(nonce, Number.parseInt(nc, 16)) ? { peer: found[0] } : 'stale'
  }
}

/** SEC-061: what the peer is restricted to. */
const mayCome = ({ allow, certificate }: Peer, { ip, fingerprint }: AuthRequest): boolean =>
  (allow === undefined || isWithin(ip, allow)) &&
  (certificate === undefined ||
    (fingerprint !== undefined && same(certificate.toUpperCase(), fingerprint.toUpperCase())))

interface Known {
  readonly peer: string
  readonly digest: Buffer
}

function knownAs(known: readonly Known[], secret: string): { readonly peer: string } | undefined {
  const given = digestOf(secret)
  const found = known.find(({ digest }) => timingSafeEqual(digest, given))
  return found && { peer: found.peer }
}

const percentDecoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

const digestOf = (text: string): Buffer => oneShot('sha256', text, 'buffer')

/** Constant time in the content of equally long texts (SEC-062). */
const same = (a: string, b: string): boolean => timingSafeEqual(digestOf(a), digestOf(b))

function digestParameters(header: string): Record<string, string> {
  const params: Record<string, string> = {}
  for (const match of header
    .slice(7, 4000)
    .matchAll(/(?<![a-z0-9])([a-z0-9]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))/gi))
    params[(match[1] ?? '').toLowerCase()] = match[2]?.replace(/\\(.)/g, '$1') ?? match[3] ?? ''
  return params
}
