/** What a comparison of one outgoing item knows beside the two items, and how single texts are compared (rules 4, 6). */

export class Comparison {
  /** What differs, a line each. */
  readonly out: string[] = []
  /** Header fields of body parts that are not compared, in lower case. */
  readonly ignore: ReadonlySet<string>
  /** Fields of message/delivery-status that may be there or not, in lower case. */
  readonly ignoreDsn: ReadonlySet<string>
  readonly #renamed = new Map<string, string>()
  readonly #back = new Map<string, string>()

  constructor(ignore: readonly string[] = [], ignoreDsn: readonly string[] = []) {
    this.ignore = new Set(ignore.map((name) => name.toLowerCase()))
    this.ignoreDsn = new Set(ignoreDsn.map((name) => name.toLowerCase()))
  }

  differ(where: string, expected: string, actual: string): void {
    this.out.push(`${where}: expected ${shown(expected)}, got ${shown(actual)}`)
  }

  text(where: string, expected: string, actual: string): void {
    if (!this.same(expected, actual)) this.differ(where, expected, actual)
  }

  /** Two Received fields, unfolded. */
  received(expected: string, actual: string): boolean {
    return this.same(expected, actual)
  }

  /** Whether a text holds another, without case. */
  holds(text: string, wanted: string): boolean {
    return text.toLowerCase().includes(wanted.toLowerCase())
  }

  /** Equal up to one one-to-one renaming of generated Content-IDs; `free text` is any text. */
  same(expected: string, actual: string): boolean {
    if (expected.trim() === 'free text') return actual.trim() !== ''
    const [want, got] = [pieces(expected), pieces(actual)]
    if (want.length !== got.length) return false
    return want.every((piece, i) => {
      const other = got[i] ?? ''
      return i % 2 === 0 ? piece === other : this.#rename(piece, other)
    })
  }

  #rename(expected: string, actual: string): boolean {
    const known = this.#renamed.get(expected)
    const back = this.#back.get(actual)
    if (known === undefined && back === undefined) {
      this.#renamed.set(expected, actual)
      this.#back.set(actual, expected)
      return true
    }
    return known === actual && back === expected
  }
}

/** Texts and, at odd places, generated Content-IDs. */
const pieces = (text: string): string[] => text.split(/(P-\d{4}@[A-Za-z0-9.-]+)/)

const shown = (text: string): string => {
  const clean = text.replace(/\r\n/g, '\\n').replace(/[\r\n]/g, '\\n')
  return JSON.stringify(clean.length > 300 ? `${clean.slice(0, 300)}...` : clean)
}
