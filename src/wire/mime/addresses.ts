/** Address lists of header fields (RFC 5322 §3.4), tolerant: never throws, linear, keeps what it cannot read as a local part. */

export type AddressItem =
  | {
      readonly kind: 'mailbox'
      /** Display name as an octet string, quotes and comments removed, encoded words left encoded. */
      readonly name?: string
      /** Local part without quotes. */
      readonly local: string
      /** '' when the address had none. */
      readonly domain: string
      /** Obsolete source route, '@a,@b'. */
      readonly route?: string
    }
  | { readonly kind: 'group-start'; readonly name: string }
  | { readonly kind: 'group-end' }

/** More than this in one field is not read (SEC-021). */
const maxItems = 10_000

type Token = {
  readonly kind: 'special' | 'atom' | 'quoted' | 'literal' | 'comment'
  readonly text: string
  readonly spaced: boolean
}

export function parseAddressList(value: string): AddressItem[] {
  const items: AddressItem[] = []
  let pending: Token[] = []
  let inGroup = false
  const flush = (): void => {
    const mailbox = mailboxOf(pending)
    if (mailbox) items.push(mailbox)
    pending = []
  }
  let angle = false
  for (const token of tokens(value)) {
    if (items.length >= maxItems) break
    const special = token.kind === 'special' ? token.text : ''
    if (special === '<') angle = true
    if (special === '>') angle = false
    // Inside < > a comma or colon belongs to a source route.
    if (angle) pending.push(token)
    else if (special === ',') flush()
    else if (special === ':' && !inGroup && !pending.some((t) => t.kind === 'special' && t.text === '@')) {
      items.push({ kind: 'group-start', name: words(pending) })
      pending = []
      inGroup = true
    } else if (special === ';') {
      flush()
      if (inGroup) items.push({ kind: 'group-end' })
      inGroup = false
    } else pending.push(token)
  }
  flush()
  if (inGroup) items.push({ kind: 'group-end' })
  return items
}

function mailboxOf(list: readonly Token[]): AddressItem | undefined {
  const open = list.findIndex((t) => t.kind === 'special' && t.text === '<')
  const comment = list.find((t) => t.kind === 'comment')?.text
  if (open < 0) {
    const address = list.filter((t) => t.kind !== 'comment')
    if (address.length === 0) return undefined
    // The old form `user@host (Name)`: the comment is the name.
    return { ...addrSpec(address), ...(comment ? { name: comment } : {}) }
  }
  const close = list.findIndex((t, i) => i > open && t.kind === 'special' && t.text === '>')
  let inner = list.slice(open + 1, close < 0 ? list.length : close).filter((t) => t.kind !== 'comment')
  let route: string | undefined
  const colon = inner.findIndex((t) => t.kind === 'special' && t.text === ':')
  if (colon > 0 && inner[0]?.text === '@') {
    route = inner
      .slice(0, colon)
      .map((t) => t.text)
      .join('')
    inner = inner.slice(colon + 1)
  }
  const name = words(list.slice(0, open))
  return { ...addrSpec(inner), ...(name ? { name } : {}), ...(route ? { route } : {}) }
}

function addrSpec(list: readonly Token[]): { kind: 'mailbox'; local: string; domain: string } {
  // The last @: a local part that holds another one was meant to be quoted.
  const at = list.findLastIndex((t) => t.kind === 'special' && t.text === '@')
  const text = (part: readonly Token[]): string =>
    part.map((t, i) => (t.spaced && i > 0 ? ` ${t.text}` : t.text)).join('')
  if (at < 0) return { kind: 'mailbox', local: text(list), domain: '' }
  const local = list.slice(0, at)
  return {
    kind: 'mailbox',
    // Blanks round dots are obsolete syntax and mean nothing.
    local: local.some((t) => t.kind === 'quoted')
      ? local.map((t) => t.text).join('')
      : text(local).replace(/ ?\. ?/g, '.'),
    domain: list
      .slice(at + 1)
      .map((t) => t.text)
      .join(''),
  }
}

const words = (list: readonly Token[]): string =>
  list
    .filter((t) => t.kind !== 'comment')
    .map((t, i) => (t.spaced && i > 0 ? ` ${t.text}` : t.text))
    .join('')
    .trim()

function* tokens(value: string): Generator<Token> {
  let i = 0
  let spaced = false
  while (i < value.length) {
    const c = value.charAt(i)
    if (c === ' ' || c === '\t' || c === '\r' || c === '\n') {
      spaced = true
      i++
      continue
    }
    if (c === '"' || c === '(' || c === '[') {
      const { text, end } = delimited(value, i, c)
      yield { kind: c === '"' ? 'quoted' : c === '(' ? 'comment' : 'literal', text, spaced }
      i = end
    } else if ('<>,:;@'.includes(c)) {
      yield { kind: 'special', text: c, spaced }
      i++
    } else {
      let j = i + 1
      while (j < value.length && !' \t\r\n"([<>,:;@'.includes(value.charAt(j))) j++
      yield { kind: 'atom', text: value.slice(i, j), spaced }
      i = j
    }
    spaced = false
  }
}

/** Quoted string and comment lose their delimiters and quoted pairs; a domain literal keeps its brackets. */
function delimited(value: string, start: number, opening: string): { text: string; end: number } {
  const closing = opening === '"' ? '"' : opening === '(' ? ')' : ']'
  let text = ''
  let depth = 1
  let i = start + 1
  for (; i < value.length; i++) {
    const c = value.charAt(i)
    if (c === '\\' && i + 1 < value.length) {
      i++
      text += value.charAt(i)
      continue
    }
    if (opening === '(' && c === '(') depth++
    if (c === closing && --depth === 0) break
    text += c
  }
  return { text: opening === '[' ? `[${text}]` : text, end: i + 1 }
}
