/** Whether a response is what a transcript expects. The rules are in fixtures/imap/README.md. */
import { type Response, readResponse, type Value } from './imap-values.ts'

/** Captured values, as text. */
export type Captures = Map<string, string>

export const captureName = /^\$([a-z_][A-Za-z0-9_]*)$/

/** `${name}` in commands and patterns; an unknown name stays. */
export const substituted = (text: string, captures: Captures): string =>
  text.replace(/\$\{([a-z_][A-Za-z0-9_]*)\}/g, (whole, name: string) => captures.get(name) ?? whole)

/** A pattern line, octets: `* 3 EXISTS`, `OK [READ-ONLY]` (of the command under way), `+`. */
export function readPattern(line: string, tag: string, captures: Captures): Response {
  const octets = substituted(line, captures)
  const tagged = /^(?:OK|NO|BAD)\b/i.test(octets) ? `${tag} ${octets}` : octets
  return readResponse([tagged], { pattern: true })
}

/** undefined: it matches, and the captures were made. Else what differs. */
export function mismatch(pattern: Response, actual: Response, captures: Captures): string | undefined {
  const made = new Map(captures)
  const why = differs(pattern, actual, made)
  if (why !== undefined) return why
  for (const [name, value] of made) captures.set(name, value)
  return undefined
}

function differs(pattern: Response, actual: Response, captures: Captures): string | undefined {
  if (pattern.tag !== actual.tag) return `tag ${actual.tag} instead of ${pattern.tag}`
  if (pattern.tag === '+') return undefined
  if (pattern.status !== actual.status)
    return `${actual.status ?? 'data'} instead of ${pattern.status ?? 'data'}`
  // A status without a code in the pattern may have any; a text is never compared.
  if (pattern.status !== undefined && pattern.values.length === 0) return undefined
  const list = (values: readonly Value[]): Value => ({ kind: 'list', items: values })
  return matches(list(pattern.values), list(actual.values), captures, shapeOf(pattern))
    ? undefined
    : 'other values'
}

/** How the items of a list go together. */
type Shape =
  | 'ordered'
  /** In any order. */
  | 'set'
  /** Name, value, name, value; the pairs in any order. */
  | 'pairs'
  /** The items of a response, of which some lists are sets or pairs. */
  | { readonly response: string }

function shapeOf(pattern: Response): Shape {
  const [first, second] = pattern.values
  const word = first?.kind === 'atom' ? first.text.toUpperCase() : ''
  const later = second?.kind === 'atom' ? second.text.toUpperCase() : ''
  if (/^\d+$|^\$/.test(word) && later === 'FETCH') return { response: 'FETCH' }
  return { response: word }
}

/** Which shape the list at this place of a response has. */
function innerShape(response: string, index: number): Shape {
  switch (response) {
    case 'FETCH':
      return index === 2 ? 'pairs' : 'ordered'
    case 'STATUS':
    case 'METADATA':
      return index === 2 ? 'pairs' : 'ordered'
    case 'FLAGS':
    case 'PERMANENTFLAGS':
    case 'LIST':
    case 'LSUB':
      return index === 1 ? 'set' : 'ordered'
    default:
      return 'ordered'
  }
}

function matches(pattern: Value, actual: Value, captures: Captures, shape: Shape = 'ordered'): boolean {
  if (pattern.kind === 'atom') {
    const name = captureName.exec(pattern.text)?.[1]
    if (name !== undefined) return captured(name, actual, captures)
  }
  if (pattern.kind === 'list') {
    if (actual.kind !== 'list') return false
    if (typeof shape === 'object')
      return matchesResponse(pattern.items, actual.items, captures, shape.response)
    if (shape === 'set') return matchesSet(groups(pattern.items, 1), groups(actual.items, 1), captures)
    if (shape === 'pairs') return matchesSet(groups(pattern.items, 2), groups(actual.items, 2), captures)
    return matchesOrdered(pattern.items, actual.items, captures)
  }
  if (actual.kind === 'list') return false
  if (pattern.kind === 'string') {
    if ((pattern.form === 'literal8') !== (actual.kind === 'string' && actual.form === 'literal8'))
      return false
    return pattern.text === actual.text
  }
  if (/^nil$/i.test(pattern.text)) return actual.kind === 'atom' && /^nil$/i.test(actual.text)
  return expanded(pattern.text) === expanded(actual.text)
}

function captured(name: string, actual: Value, captures: Captures): boolean {
  if (name === '_') return true
  if (actual.kind === 'list') return false
  const known = captures.get(name)
  if (known !== undefined) return expanded(known) === expanded(actual.text)
  captures.set(name, actual.text)
  return true
}

const wild = (value: Value | undefined): boolean => value?.kind === 'atom' && value.text === '...'

function matchesResponse(
  pattern: readonly Value[],
  actual: readonly Value[],
  captures: Captures,
  response: string,
): boolean {
  if (response === 'CAPABILITY' || response === 'ENABLED')
    return matchesSet(groups(pattern, 1), groups(actual, 1), captures)
  if (response === 'ESEARCH') return matchesEsearch(pattern, actual, captures)
  return matchesOrdered(pattern, actual, captures, (index) => innerShape(response, index))
}

/** `...` stands for any number of items. */
function matchesOrdered(
  pattern: readonly Value[],
  actual: readonly Value[],
  captures: Captures,
  shape: (index: number) => Shape = () => 'ordered',
): boolean {
  const [first, ...rest] = pattern
  if (first === undefined) return actual.length === 0
  if (wild(first)) {
    for (let skipped = 0; skipped <= actual.length; skipped += 1) {
      const tried = new Map(captures)
      if (!matchesOrdered(rest, actual.slice(skipped), tried, (i) => shape(i + 1))) continue
      for (const [name, value] of tried) captures.set(name, value)
      return true
    }
    return false
  }
  const [given, ...more] = actual
  if (given === undefined || !matches(first, given, captures, shape(0))) return false
  return matchesOrdered(rest, more, captures, (i) => shape(i + 1))
}

/** What is left over is allowed where the pattern has `...`. */
function matchesSet(
  pattern: readonly (readonly Value[])[],
  actual: readonly (readonly Value[])[],
  captures: Captures,
): boolean {
  const left = [...actual]
  const open = pattern.some((group) => wild(group[0]))
  for (const group of pattern) {
    if (wild(group[0])) continue
    const at = left.findIndex((other) => matchesGroup(group, other, captures))
    if (at < 0) return false
    left.splice(at, 1)
  }
  return open || left.length === 0
}

function matchesGroup(pattern: readonly Value[], actual: readonly Value[], captures: Captures): boolean {
  if (pattern.length !== actual.length) return false
  const [name] = pattern
  const word = name?.kind === 'atom' ? name.text.toUpperCase() : ''
  return pattern.every((value, i) =>
    matches(value, actual[i] as Value, captures, i === 1 && word === 'FLAGS' ? 'set' : 'ordered'),
  )
}

/** Items of `size` values; `...` is an item of its own. */
function groups(values: readonly Value[], size: number): Value[][] {
  const list: Value[][] = []
  for (let i = 0; i < values.length; ) {
    const step = wild(values[i]) ? 1 : size
    list.push(values.slice(i, i + step))
    i += step
  }
  return list
}

/** ESEARCH [correlator] [UID] and pairs (RFC 4466 §2.6.2). */
function matchesEsearch(pattern: readonly Value[], actual: readonly Value[], captures: Captures): boolean {
  const split = (values: readonly Value[]): { head: Value[]; pairs: Value[][] } => {
    let at = 1
    if (values[at]?.kind === 'list') at += 1
    const word = values[at]
    if (word?.kind === 'atom' && word.text.toUpperCase() === 'UID') at += 1
    return { head: values.slice(0, at), pairs: groups(values.slice(at), 2) }
  }
  const [wanted, given] = [split(pattern), split(actual)]
  return (
    matchesOrdered(wanted.head, given.head, captures, (i) => (i === 1 ? 'pairs' : 'ordered')) &&
    matchesSet(wanted.pairs, given.pairs, captures)
  )
}

/** Atoms have no case; a number set is the same however it is written. */
function expanded(text: string): string {
  if (!/^\d+(?:[:,]\d+)+$/.test(text)) return text.toUpperCase()
  const numbers: number[] = []
  for (const range of text.split(',')) {
    const [from = 0, to = from] = range.split(':').map(Number)
    const step = from <= to ? 1 : -1
    for (let n = from; n !== to && numbers.length < 10_000; n += step) numbers.push(n)
    numbers.push(to)
  }
  return numbers.join(',')
}
