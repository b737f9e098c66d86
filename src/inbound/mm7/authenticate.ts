/**
 * Which peer speaks (MM7-028, MM7-029, SEC-061; RFC 7616, RFC 7617): by Basic or Digest credentials, else by its client
 * certificate or its address. What a peer is restricted to, it must come with, whatever else it shows.
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
  /** Digests of user:password (RFC 7617 §2: no user holds a colon). */
  readonly #basics: readonly { readonly peer: string; readonly digest: Buffer }[]

  constructor(settings: Settings, plaintext: 'never' | 'loopback' | 'always', now: () => EpochMs) {
    this.#settings = settings
    this.#peers = Object.entries(settings.peers).filter(([, peer]) => peer.interface === 'mm7')
    this.#basics = this.#peers.flatMap(([peer, { auth }]) =>
      auth?.scheme === 'basic' && auth.password !== undefined && !auth.user.includes(':')
        ? [{ peer, digest: digestOf(`${auth.user}:${auth.password}`) }]
        : [],
    )
    this.#plaintext = plaintext
    this.#nonces = new Nonces(now)
  }

  identify(request: AuthRequest): Authenticated {
    const peers = this.#peers
    const { authorization } = request
    if (authorization !== undefined && authorization !== '') {
      const name = /^basic\s/i.test(authorization)
        ? this.#basic(request)
        : /^digest\s/i.test(authorization)
          ? this.#digest(request, peers)
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
      else
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

  #basic(request: AuthRequest): { readonly peer: string } | undefined {
    const loopback = /^(127\.|::1$)/.test(request.ip)
    const clearAllowed = this.#plaintext === 'always' || (this.#plaintext === 'loopback' && loopback)
    if (!request.tls && !clearAllowed) return undefined
    const encoded = /^basic\s+([A-Za-z0-9+/=]+)$/i.exec((request.authorization ?? '').trim())?.[1]
    if (encoded === undefined) return undefined
    const given = digestOf(Buffer.from(encoded, 'base64').toString('utf8'))
    const found = this.#basics.find(({ digest }) => timingSafeEqual(digest, given))
    return found && { peer: found.peer }
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
