/**
 * How much may be under way, and how much may be taken out of the spool for it, so that peers which are down hold up no
 * others (QUE-053). A target of the configuration is one peer. The domains that are reached through their MX are targets
 * without number: each has its own limit, and all together have a share of the places.
 */
import type { Room } from './spool.ts'
import { Tally } from './tally.ts'

/** Targets of this beginning are mail domains. */
export const domainTarget = 'mx:'
export const isDomain = (target: string): boolean => target.startsWith(domainTarget)

/** What a target may have leased, in multiples of what it may have under way: the next ones are at hand when one ends. */
const aheadOfTarget = 3

export interface Concurrency {
  readonly total: number
  readonly perTarget: number
}

export class Places {
  readonly #total: number
  readonly #perTarget: number
  /** Of all domains together: never less than the one, never more than the other. */
  readonly #domainsLeast: number
  readonly #domainsMost: number
  readonly #running = new Tally()
  #runs = 0
  #domainRuns = 0
  /** What each target has leased here: on its way into the queue, waiting, or under way. */
  readonly #leased = new Tally()
  #domainLeases = 0

  constructor({ total, perTarget }: Concurrency) {
    this.#total = total
    this.#perTarget = perTarget
    this.#domainsLeast = Math.max(1, Math.floor(total / 4))
    this.#domainsMost = Math.max(1, Math.floor((total * 3) / 4))
  }

  get #each(): number {
    return this.#perTarget * aheadOfTarget
  }

  get #domainsEach(): number {
    return this.#domainsMost * aheadOfTarget
  }

  /** A configured target with nothing under way may always start one: those that hang must not take every place. */
  mayStart(target: string): boolean {
    const busy = this.#running.of(target)
    if (!isDomain(target)) return busy === 0 || (this.#runs < this.#total && busy < this.#perTarget)
    if (busy >= this.#perTarget || this.#domainRuns >= this.#domainsMost) return false
    return this.#domainRuns < this.#domainsLeast || this.#runs < this.#total
  }

  start(target: string): void {
    this.#run(target, 1)
  }

  end(target: string): void {
    this.#run(target, -1)
  }

  #run(target: string, by: number): void {
    this.#running.add(target, by)
    this.#runs += by
    if (isDomain(target)) this.#domainRuns += by
  }

  lease(target: string, by = 1): void {
    this.#leased.add(target, by)
    if (isDomain(target)) this.#domainLeases += by
  }

  /** Something of it is leased here, whose end makes room. */
  has(target: string): boolean {
    return isDomain(target) ? this.#domainLeases > 0 : this.#leased.of(target) > 0
  }

  /** Whether it has not more leased than it may. */
  mayLease(target: string): boolean {
    return (
      this.#leased.of(target) <= this.#each && (!isDomain(target) || this.#domainLeases <= this.#domainsEach)
    )
  }

  /** Whether more is to be looked for in the spool now that one of `ended` is over; `waiting`: leased, not under way. */
  isHungry(ended: string | undefined, atOnce: number): boolean {
    const waiting = this.#leased.total - this.#domainLeases - (this.#runs - this.#domainRuns)
    if (ended !== undefined && !isDomain(ended) && this.#running.of(ended) === 0) return true
    if (ended !== undefined && isDomain(ended) && this.#domainLeases < this.#domainsMost * 2) return true
    return waiting < atOnce && this.#runs < this.#total
  }

  get room(): Room {
    return {
      each: this.#each,
      leased: this.#leased.counts,
      family: { prefix: domainTarget, left: Math.max(0, this.#domainsEach - this.#domainLeases) },
    }
  }

  /** What has no room, and need not be waited for by the clock. */
  get full(): { readonly targets: readonly string[]; readonly prefix?: string } {
    const targets = [...this.#leased.counts].filter(([, n]) => n >= this.#each).map(([target]) => target)
    return this.#domainLeases >= this.#domainsEach ? { targets, prefix: domainTarget } : { targets }
  }
}
