/** Content-Type and Content-Disposition values: tokens, quoted strings, comments, RFC 2231 (all lengths limited, SEC-021). */
import { decodeText, hasCharset } from './charset.ts'
import { decodeWords } from './encoded-words.ts'

export interface Parameter {
  /** Lower case. */
  readonly name: string
  /** Unicode. */
  readonly value: string
  readonly charset?: string
  readonly language?: string
}

const maxParameters = 100

/** undefined when there is no type/subtype to read: the caller falls back to text/plain (RFC 2045 §5.2). */
export function parseContentType(value: string): { type: string; params: Parameter[] } | undefined {
  const clean = withoutComments(value)
  const match = /^\s*([^\s/;"(),]+)\s*\/\s*([^\s/;"(),]+)/.exec(clean)
  if (!match) return undefined
  return {
    type: `${match[1]}/${match[2]}`.toLowerCase(),
    params: parseParameters(clean.slice(match[0].length)),
  }
}

/** 'attachment; filename=x': the disposition in lower case and its parameters. */
export function parseDisposition(value: string): { disposition: string; params: Parameter[] } {
  const clean = withoutComments(value)
  const match = /^\s*([^\s;"]*)/.exec(clean)
  return {
    disposition: (match?.[1] ?? '').toLowerCase(),
    params: parseParameters(clean.slice(match?.[0].length ?? 0)),
  }
}

/** Removes RFC 5322 comments outside of quoted strings; nested ones too. An unclosed comment runs to the end. */
export function withoutComments(value: string): string {
  if (!value.includes('(')) return value
  let out = ''
  let depth = 0
  let quoted = false
  for (let i = 0; i < value.length; i++) {
    const c = value.charAt(i)
    if (c === '\\' && (quoted || depth > 0)) {
      if (depth === 0) out += value.slice(i, i + 2)
      i++
      continue
    }
    if (depth === 0 && c === '"') quoted = !quoted
    if (!quoted && c === '(') depth++
    else if (!quoted && c === ')' && depth > 0) depth--
    else if (depth === 0) out += c
  }
  return out
}

function parseParameters(text: string): Parameter[] {
  const raw: [string, string][] = []
  const pattern =
    /;?\s*([^\s=;"]+)\s*=\s*(?:"((?:[^"\\]|\\[\s\S])*)"?|([^;\s]*(?:(?:[ \t]+[^;=\s]+)+(?=\s*(?:;|$)))?))/y
  let at = 0
  while (at < text.length && raw.length < maxParameters) {
    pattern.lastIndex = at
    const match = pattern.exec(text)
    if (!match) {
      // Not a parameter: go on after the next semicolon.
      const next = text.indexOf(';', at + 1)
      if (next < 0) break
      at = next
      continue
    }
    at = Math.max(pattern.lastIndex, at + 1)
    raw.push([(match[1] ?? '').toLowerCase(), match[2]?.replace(/\\([\s\S])/g, '$1') ?? match[3] ?? ''])
  }
  return assemble(raw)
}

/** Joins continuations and decodes extended values (RFC 2231 §3, §4); an extended name wins over the plain one. */
function assemble(raw: readonly (readonly [string, string])[]): Parameter[] {
  const plain = new Map<string, Parameter>()
  const segments = new Map<string, { index: number; extended: boolean; value: string }[]>()
  for (const [name, value] of raw) {
    const match = /^([^*]+)\*(?:(\d{1,3})(\*)?)?$/.exec(name)
    const base = match?.[1] ?? name
    if (!match) {
      if (!plain.has(name)) plain.set(name, { name, value: decodeWords(value) })
      continue
    }
    const list = segments.get(base) ?? []
    list.push({ index: Number(match[2] ?? 0), extended: match[2] === undefined || match[3] === '*', value })
    segments.set(base, list)
    if (!plain.has(base)) plain.set(base, { name: base, value: '' })
  }
  for (const [name, list] of segments) plain.set(name, joined(name, list))
  return [...plain.values()]
}

function joined(
  name: string,
  list: readonly { index: number; extended: boolean; value: string }[],
): Parameter {
  const sorted = [...list].sort((a, b) => a.index - b.index)
  const head = sorted[0]?.extended ? /^([^']*)'([^']*)'/.exec(sorted[0].value) : null
  const octets = sorted
    .map((s, i) => {
      const text = i === 0 && head ? s.value.slice(head[0].length) : s.value
      return s.extended
        ? text.replace(/%([0-9a-fA-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)))
        : text
    })
    .join('')
  const charset = head?.[1]
  const value = decodeText(
    Buffer.from(octets, 'latin1'),
    charset && hasCharset(charset) ? charset : undefined,
  )
  return {
    name,
    value,
    ...(charset ? { charset: charset.toLowerCase() } : {}),
    ...(head?.[2] ? { language: head[2] } : {}),
  }
}
