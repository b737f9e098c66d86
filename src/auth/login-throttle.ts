/**
 * Back-off after failed logins, per address and per account (SA-17, RFC 3501 §11.2). Delay, never refusal: a right
 * password is always taken, at the latest after the cap. Who logged in from an address before (a handset behind its
 * carrier's address translation) is held up neither by strangers at that address nor by attacks on its account.
 */
import { createHash } from 'node:crypto'

export interface LoginThrottle {
  /** How long the attempt must wait before it is checked, milliseconds. `user` may be empty (not known yet). */
  delayMs(peer: string, user: string): number
  failed(peer: string, user: string): void
  succeeded(peer: string, user: string): void
}

export interface ThrottleOptions {
  readonly now: () => number
  /** Addresses, accounts and pairs remembered at the most, each. */
  readonly entries?: number
}

interface Pace {
  /** Failures that cost nothing yet. */
  readonly free: number
  readonly capMs: number
}

const firstDelayMs = 250
/** Thousands of handsets share an address: more is free, and the cap is higher. */
const ofAddress: Pace = { free: 5, capMs: 15_000 }
const ofAccount: Pace = { free: 1, capMs: 8_000 }
/** One failure is forgotten in this time. */
const forgetMs = 60_000
/** More failures are not counted: an attack is forgotten within this many times forgetMs. */
const maxFailures = 20
/** A pair that fails this often is a stranger again. */
const maxPairFailures = 8

export function createLoginThrottle({ now, entries = 10_000 }: ThrottleOptions): LoginThrottle {
  const addresses = new Failures(entries, now)
  const accounts = new Failures(entries, now)
  const pairs = new Failures(entries, now)

  return {
    delayMs(peer, user) {
      const pair = pairOf(peer, user)
      if (pairs.has(pair)) return delay(pairs.count(pair), ofAccount)
      return Math.max(
        delay(addresses.count(networkOf(peer)), ofAddress),
        user === '' ? 0 : delay(accounts.count(shortOf(user)), ofAccount),
      )
    },
    failed(peer, user) {
      const pair = pairOf(peer, user)
      if (pairs.has(pair)) {
        pairs.add(pair)
        if (pairs.count(pair) >= maxPairFailures) pairs.delete(pair)
        return
      }
      addresses.add(networkOf(peer))
      if (user !== '') accounts.add(shortOf(user))
    },
    succeeded(peer, user) {
      // Not the counters: an attacker with an account of his own would clear them with it.
      pairs.reset(pairOf(peer, user))
    },
  }
}

function delay(failures: number, { free, capMs }: Pace): number {
  return failures <= free ? 0 : Math.min(capMs, firstDelayMs * 2 ** (failures - free - 1))
}

/** One IPv6 subscriber has a whole /64. */
export function networkOf(peer: string): string {
  const address = peer.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '')
  if (!address.includes(':')) return address
  const [head = '', tail] = address.toLowerCase().split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length)
  return [...left, ...new Array<string>(zeros).fill('0'), ...right]
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')
}

/** A name of any length takes the same room. */
const shortOf = (user: string): string => createHash('sha256').update(user).digest('base64').slice(0, 22)
const pairOf = (peer: string, user: string): string => `${networkOf(peer)} ${shortOf(user)}`

/** Counters that decay; the ones not touched for longest go when there are too many. */
class Failures {
  readonly #entries: number
  readonly #now: () => number
  readonly #counters = new Map<string, { count: number; at: number }>()

  constructor(entries: number, now: () => number) {
    this.#entries = entries
    this.#now = now
  }

  has(key: string): boolean {
    return this.#counters.has(key)
  }

  count(key: string): number {
    const counter = this.#counters.get(key)
    if (!counter) return 0
    // A clock that was set back makes nobody a stranger.
    const elapsed = Math.max(0, this.#now() - counter.at)
    return Math.max(0, counter.count - Math.floor(elapsed / forgetMs))
  }

  add(key: string): void {
    this.#set(key, Math.min(maxFailures, this.count(key) + 1))
  }

  reset(key: string): void {
    this.#set(key, 0)
  }

  delete(key: string): void {
    this.#counters.delete(key)
  }

  #set(key: string, count: number): void {
    this.#counters.delete(key)
    this.#counters.set(key, { count, at: this.#now() })
    if (this.#counters.size <= this.#entries) return
    const [oldest] = this.#counters.keys()
    if (oldest !== undefined) this.#counters.delete(oldest)
  }
}
