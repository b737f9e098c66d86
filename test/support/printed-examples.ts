/** Finds the dialogues that an RFC prints: lines that begin with "C:", "S:" and their like. */

export interface PrintedExample {
  /** '6.1.1'; 'A' for an appendix. */
  readonly section: string
  /** 1 for the first of its section. */
  readonly number: number
  readonly lines: readonly string[]
}

const spoken = /^\s*(?:(?:Examples?:\s+)?(?:[CSMI]\d?|[ABCD][CS]\d?)(?:\[[^\]]*\])?:)(?:\s|$)/
const heading = /^(?:Appendix )?([A-Z]|\d+(?:\.\d+)*|[A-Z]\.\d+(?:\.\d+)*|BASE\.[\d.]+[A-Z]+)\.?\s+[A-Za-z"]/
const page = /^(?:\S.*\[Page \d+\]|RFC \d+ .*\d{4})\s*$/

/** The text of an RFC as it is published. */
export function printedExamples(rfc: string): PrintedExample[] {
  const examples: { section: string; number: number; lines: string[] }[] = []
  const count = new Map<string, number>()
  let section = ''
  // Lines between two that are spoken: a long paragraph parts one example from the next.
  let prose = Number.POSITIVE_INFINITY
  for (const line of rfc.replaceAll('\f', '').split(/\r?\n/)) {
    if (page.test(line) || line.trim() === '') continue
    const head = heading.exec(line)
    if (head && !/\.{3}|(?:\. ){2}/.test(line)) {
      section = head[1] ?? ''
      prose = Number.POSITIVE_INFINITY
    } else if (!spoken.test(line)) prose += 1
    else {
      if (prose > 3 || /^\s*Examples?:/.test(line)) {
        const number = (count.get(section) ?? 0) + 1
        count.set(section, number)
        examples.push({ section, number, lines: [] })
      }
      examples.at(-1)?.lines.push(line.trim())
      prose = 0
    }
  }
  return examples
}
