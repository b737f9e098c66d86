/**
 * Comparison with what a live gateway sent: its ids, its clock and its peers' hosts are its own. Ids that the cases
 * count (GEN-002) stand for any id, one for one; a time stands for one as far from the gateway's now as it is from the
 * case's clock; the gateway's own Received must be there and be dated.
 */
import type { EpochMs } from '../../../model/units.ts'
import { Comparison } from '../comparison.ts'

export interface LiveContext {
  /** The clock of the case, and when its input was sent. */
  readonly clock: EpochMs
  readonly sentAt: EpochMs
  /** How far a time may be off. */
  readonly toleranceMs: number
  /** Our name in the case's configuration, and the names of its next hops. */
  readonly host: string
  readonly peerHosts: readonly string[]
}

/** What an id of the case is called by the gateway; one for all items of a case, but for Content-IDs (rule 4). */
export class Renaming {
  readonly #names: Map<string, string>

  constructor(names: ReadonlyMap<string, string> = new Map()) {
    this.#names = new Map(names)
  }

  /** For the next item. */
  copy(): Renaming {
    return new Renaming(new Map([...this.#names].filter(([expected]) => !expected.startsWith('P-'))))
  }

  /** Whether `expected` is `actual` here: as before, or both new. */
  is(expected: string, actual: string): boolean {
    const known = this.#names.get(expected)
    if (known !== undefined) return known === actual
    if ([...this.#names.values()].includes(actual)) return false
    this.#names.set(expected, actual)
    return true
  }
}

const ids = '\\b(?:[PM]-\\d{4}(?:@[A-Za-z0-9.-]+)?|Q-\\d{4}|(?:TX|MMS)-\\d{4}|PEER-\\d+)\\b'
const mailTime =
  '(?:[A-Z][a-z]{2}, )?\\d{1,2} [A-Z][a-z]{2} \\d{4} \\d\\d:\\d\\d:\\d\\d (?:[+-]\\d{4}|GMT)(?: \\([A-Z]+\\))?'
const isoTime = '\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(?:\\.\\d+)?(?:Z|[+-]\\d\\d:\\d\\d)'
const seconds = 'BY=\\d+'
const anyId = '[^\\s<>;,()"\']+'
const anyHost = '[A-Za-z0-9.:\\[\\]-]+'

type Kind = 'id' | 'time' | 'seconds' | 'host'

export class LiveComparison extends Comparison {
  readonly renaming: Renaming
  readonly #context: LiveContext
  readonly #tokens: RegExp

  constructor(
    context: LiveContext,
    renaming: Renaming,
    ignore: readonly string[] = [],
    ignoreDsn: readonly string[] = [],
  ) {
    super(ignore, ignoreDsn)
    this.#context = context
    this.renaming = renaming
    const hosts = context.peerHosts.map(literal).join('|') || '(?!)'
    this.#tokens = new RegExp(
      `(?<id>${ids})|(?<time>${mailTime}|${isoTime})|(?<seconds>${seconds})|(?<host>\\b(?:${hosts})\\b)`,
      'g',
    )
  }

  override same(expected: string, actual: string): boolean {
    if (expected === actual) return true
    if (expected.trim() === 'free text') return actual.trim() !== ''
    const { pattern, tokens } = this.#pattern(expected)
    if (tokens.length === 0) return false
    const found = new RegExp(`^${pattern}$`).exec(actual)
    return found !== null && tokens.every((token, i) => this.#isToken(token, found[i + 1] ?? ''))
  }

  override received(expected: string, actual: string): boolean {
    if (!new RegExp(`\\bby ${literal(this.#context.host)}\\b`).test(expected))
      return this.same(expected, actual)
    const time = actual.slice(actual.lastIndexOf(';') + 1).trim()
    return Math.abs(Date.parse(time) - this.#context.sentAt) <= this.#context.toleranceMs
  }

  override holds(text: string, wanted: string): boolean {
    return super.holds(text, wanted) || new RegExp(this.#pattern(wanted).pattern, 'i').test(text)
  }

  /** The text with a group for each id, time and host. */
  #pattern(expected: string): {
    readonly pattern: string
    readonly tokens: readonly { readonly kind: Kind; readonly text: string }[]
  } {
    const tokens: { kind: Kind; text: string }[] = []
    let pattern = ''
    let at = 0
    for (const match of expected.matchAll(this.#tokens)) {
      const kind = (['id', 'time', 'seconds', 'host'] as const).find((k) => match.groups?.[k] !== undefined)
      if (!kind) continue
      tokens.push({ kind, text: match[0] })
      const group = { id: anyId, time: `${mailTime}|${isoTime}`, seconds, host: anyHost }[kind]
      pattern += `${literal(expected.slice(at, match.index))}(${group})`
      at = match.index + match[0].length
    }
    return { pattern: pattern + literal(expected.slice(at)), tokens }
  }

  #isToken({ kind, text }: { readonly kind: Kind; readonly text: string }, actual: string): boolean {
    const { clock, sentAt, toleranceMs } = this.#context
    if (kind === 'id') return this.renaming.is(text, actual)
    if (kind === 'host') return true
    if (kind === 'seconds')
      return Math.abs(Number(text.slice(3)) - Number(actual.slice(3))) * 1000 <= toleranceMs
    const [want, got] = [Date.parse(text), Date.parse(actual)]
    return want === got || Math.abs(want - clock - (got - sentAt)) <= toleranceMs
  }
}

const literal = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
