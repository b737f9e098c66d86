/** Responses of an IMAP server as values, read strictly: what RFC 3501 §9 does not allow is an error. */

export type Value =
  | { readonly kind: 'atom'; readonly text: string }
  | { readonly kind: 'string'; readonly text: string; readonly form: 'quoted' | 'literal' | 'literal8' }
  | { readonly kind: 'list'; readonly items: readonly Value[] }

export interface Response {
  /** Tag, '*' or '+'. */
  readonly tag: string
  /** 'OK', 'NO', 'BAD', 'BYE', 'PREAUTH' of a status response; undefined of data and of '+'. */
  readonly status: string | undefined
  /** Of data: its values. Of a status response: those of its response code, [] when it has none. */
  readonly values: readonly Value[]
  /** Human text of a status response, and what '+' says. */
  readonly text: string
  /** The octets, for messages. */
  readonly raw: string
}

/** A line cut at its literals. */
export type ResponsePart = string | { readonly octets: string; readonly form: 'literal' | 'literal8' }

/** What a pattern may have besides: escapes \r \n \0 \xHH in strings, 8-bit text as UTF-8, "~" before a string. */
export interface ReadOptions {
  readonly pattern?: boolean
  /** Quoted strings may hold UTF-8 (RFC 6855, RFC 9051). */
  readonly utf8?: boolean
}

const statuses = new Set(['OK', 'NO', 'BAD', 'BYE', 'PREAUTH'])

export function readResponse(parts: readonly ResponsePart[], options: ReadOptions = {}): Response {
  const raw = parts.map((p) => (typeof p === 'string' ? p : `${p.octets}`)).join('')
  const first = typeof parts[0] === 'string' ? parts[0] : ''
  const space = first.indexOf(' ')
  const tag = space < 0 ? first : first.slice(0, space)
  if (tag === '+') return { tag, status: undefined, values: [], text: first.slice(2), raw }
  if (!options.pattern && (space < 0 || !/^(?:\*|[^\x00-\x20(){%*"\\+\x7f-\xff]+)$/.test(tag)))
    throw new Error(`no tag: ${raw.slice(0, 200)}`)
  const rest = [first.slice(space + 1), ...parts.slice(1)]
  const word = /^[A-Za-z]+/.exec(first.slice(space + 1))?.[0].toUpperCase() ?? ''
  if (!statuses.has(word)) {
    const reader = new ValueReader(rest, options)
    const values = reader.values('')
    return { tag, status: undefined, values, text: '', raw }
  }
  const reader = new ValueReader(rest, options)
  reader.skip(word.length)
  if (!reader.try(' ')) {
    if (!options.pattern) throw new Error(`no text behind ${word}: ${raw}`)
    return { tag, status: word, values: [], text: '', raw }
  }
  let values: readonly Value[] = []
  if (reader.try('[')) {
    values = reader.values(']')
    reader.expect(']')
    if (!reader.try(' ') && !options.pattern) throw new Error(`no space behind the response code: ${raw}`)
  }
  const text = reader.remaining()
  if (!options.pattern && (text === '' || /[^\x20-\x7e]/.test(options.utf8 ? '' : text)))
    throw new Error(`text of a status response: ${raw}`)
  return { tag, status: word, values, text, raw }
}

export function readValues(text: string, options: ReadOptions = {}): Value[] {
  return new ValueReader([text], options).values('')
}

class ValueReader {
  readonly #parts: ResponsePart[]
  readonly #options: ReadOptions
  #at = 0

  constructor(parts: readonly ResponsePart[], options: ReadOptions) {
    this.#parts = [...parts]
    this.#options = options
  }

  get #text(): string {
    const [part] = this.#parts
    return typeof part === 'string' ? part : ''
  }

  #fail(what: string): never {
    throw new Error(`${what} at ${this.#at} of ${this.#text.slice(0, 500)}`)
  }

  skip(count: number): void {
    this.#at += count
  }

  try(character: string): boolean {
    if (this.#text[this.#at] !== character) return false
    this.#at += 1
    return true
  }

  expect(character: string): void {
    if (!this.try(character)) this.#fail(`expected ${character}`)
  }

  remaining(): string {
    if (this.#parts.length > 1) this.#fail('a literal in text')
    return this.#text.slice(this.#at)
  }

  /** Up to the closing character, or to the end of the response. */
  values(closing: string): Value[] {
    const items: Value[] = []
    for (;;) {
      const next = this.#text[this.#at]
      if (next === undefined && this.#parts.length === 1) {
        if (closing !== '') this.#fail(`no ${closing}`)
        return items
      }
      if (next === closing) return items
      if (items.length > 0) {
        const adjacent = next === '(' && items.at(-1)?.kind === 'list'
        if (!adjacent) this.expect(' ')
      }
      items.push(this.#value())
    }
  }

  #value(): Value {
    if (this.try('(')) {
      const items = this.values(')')
      this.expect(')')
      return { kind: 'list', items }
    }
    if (this.#at >= this.#text.length) {
      const literal = this.#parts[1]
      if (!literal || typeof literal === 'string') return this.#fail('a value expected')
      this.#parts.splice(0, 2)
      this.#at = 0
      return { kind: 'string', text: literal.octets, form: literal.form }
    }
    const literal8 = this.#options.pattern === true && this.#text.startsWith('~"', this.#at)
    if (literal8) this.#at += 1
    if (this.try('"')) return { kind: 'string', text: this.#quoted(), form: literal8 ? 'literal8' : 'quoted' }
    return { kind: 'atom', text: this.#atom() }
  }

  #quoted(): string {
    let text = ''
    for (;;) {
      const next = this.#text[this.#at]
      if (next === undefined) return this.#fail('no end of a quoted string')
      this.#at += 1
      if (next === '"') break
      if (next !== '\\') {
        text += next
        continue
      }
      const escaped = this.#text[this.#at] ?? ''
      this.#at += 1
      if (escaped === '"' || escaped === '\\') text += escaped
      else if (this.#options.pattern && 'rn0t'.includes(escaped))
        text += { r: '\r', n: '\n', '0': '\0', t: '\t' }[escaped as 'r' | 'n' | '0' | 't']
      else if (this.#options.pattern && escaped === 'x') {
        text += String.fromCharCode(Number.parseInt(this.#text.slice(this.#at, this.#at + 2), 16))
        this.#at += 2
      } else this.#fail('a backslash in a quoted string')
    }
    if (!this.#options.pattern && !this.#options.utf8 && /[\x00\r\n\x80-\xff]/.test(text))
      this.#fail('an octet that no quoted string may hold')
    return text
  }

  /** An atom, flag or number; of BODY[...]<n> with all that is in the brackets. */
  #atom(): string {
    const start = this.#at
    if (this.#text.startsWith('...', start)) {
      this.#at += 3
      return '...'
    }
    if (this.#text[this.#at] === '\\') this.#at += this.#text[this.#at + 1] === '*' ? 2 : 1
    for (;;) {
      const next = this.#text[this.#at]
      if (next === '[') {
        this.#brackets()
        continue
      }
      if (next === undefined || /[\x00-\x20(){"\\\x7f-\xff\]]/.test(next)) break
      if (!this.#options.pattern && /[%*]/.test(next)) this.#fail('a wildcard in an atom')
      this.#at += 1
    }
    if (this.#at === start) this.#fail('a value expected')
    return this.#text.slice(start, this.#at)
  }

  #brackets(): void {
    for (let quoted = false; ; ) {
      const next = this.#text[this.#at]
      if (next === undefined) this.#fail('no end of a section')
      this.#at += 1
      if (next === '"') quoted = !quoted
      else if (next === ']' && !quoted) return
    }
  }
}
