/** The criteria of SEARCH (RFC 3501 §6.4.4) as a tree. Strings stay octets: the charset comes into play later. */
import type { OctetString } from '../../model/units.ts'
import type { CommandInput, NumberSet } from './tokens.ts'

export type SearchKey =
  | { readonly key: 'all' | 'recent' }
  | { readonly key: 'and' | 'or'; readonly keys: readonly SearchKey[] }
  | { readonly key: 'not'; readonly inner: SearchKey }
  | { readonly key: 'flag'; readonly flag: string }
  | { readonly key: 'msn' | 'uid'; readonly set: NumberSet }
  | {
      readonly key: 'before' | 'on' | 'since' | 'sentbefore' | 'senton' | 'sentsince'
      /** Midnight UTC of the date. */
      readonly date: number
    }
  | { readonly key: 'larger' | 'smaller'; readonly octets: number }
  | { readonly key: 'header'; readonly field: OctetString; readonly text: OctetString }
  | { readonly key: 'body' | 'text'; readonly text: OctetString }

/** SC-35: nested parentheses, NOT and OR. */
const maxDepth = 50

const flags: Readonly<Record<string, string>> = {
  ANSWERED: '\\Answered',
  DELETED: '\\Deleted',
  DRAFT: '\\Draft',
  FLAGGED: '\\Flagged',
  SEEN: '\\Seen',
}
const not = (inner: SearchKey): SearchKey => ({ key: 'not', inner })
const recent: SearchKey = { key: 'recent' }

/** search-key *(SP search-key), all of which must hold. */
export function searchKeys(input: CommandInput, depth = 0): SearchKey {
  const keys = [searchKey(input, depth)]
  while (input.try(' ')) keys.push(searchKey(input, depth))
  const [only] = keys
  return keys.length === 1 && only ? only : { key: 'and', keys }
}

function searchKey(input: CommandInput, depth: number): SearchKey {
  if (depth > maxDepth) input.fail(`criteria nested at most ${maxDepth} deep`)
  if (input.try('(')) {
    const inner = searchKeys(input, depth + 1)
    input.expect(')')
    return inner
  }
  if (/[0-9*]/.test(input.peek())) return { key: 'msn', set: input.numberSet() }
  const word = input.word()
  const flag = flags[word] ?? (word.startsWith('UN') ? flags[word.slice(2)] : undefined)
  if (flag !== undefined) return word.startsWith('UN') ? not({ key: 'flag', flag }) : { key: 'flag', flag }
  switch (word) {
    case 'ALL':
      return { key: 'all' }
    case 'RECENT':
      return recent
    case 'OLD':
      return not(recent)
    case 'NEW':
      return { key: 'and', keys: [recent, not({ key: 'flag', flag: '\\Seen' })] }
    case 'KEYWORD':
      return { key: 'flag', flag: input.sp().atom() }
    case 'UNKEYWORD':
      return not({ key: 'flag', flag: input.sp().atom() })
    case 'NOT':
      return not(searchKey(input.sp(), depth + 1))
    case 'OR': {
      const left = searchKey(input.sp(), depth + 1)
      return { key: 'or', keys: [left, searchKey(input.sp(), depth + 1)] }
    }
    case 'UID':
      return { key: 'uid', set: input.sp().numberSet() }
    case 'BEFORE':
    case 'ON':
    case 'SINCE':
    case 'SENTBEFORE':
    case 'SENTON':
    case 'SENTSINCE':
      return { key: word.toLowerCase() as 'before', date: input.sp().date() }
    case 'LARGER':
    case 'SMALLER':
      return { key: word.toLowerCase() as 'larger', octets: input.sp().number() }
    case 'FROM':
    case 'TO':
    case 'CC':
    case 'BCC':
    case 'SUBJECT':
      return { key: 'header', field: word, text: input.sp().astring() }
    case 'HEADER': {
      const field = input.sp().astring()
      return { key: 'header', field, text: input.sp().astring() }
    }
    case 'BODY':
    case 'TEXT':
      return { key: word.toLowerCase() as 'body', text: input.sp().astring() }
    default:
      return input.fail('a search key')
  }
}
