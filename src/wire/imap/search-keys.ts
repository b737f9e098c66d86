/** The criteria of SEARCH (RFC 3501 §6.4.4) as a tree. Strings stay octets: the charset comes into play later. */
import type { OctetString } from '../../model/units.ts'
import type { CommandInput, NumberSet } from './tokens.ts'

export type SearchKey =
  | { readonly key: 'all' | 'recent' }
  /** `$`: what SEARCH saved (RFC 5182 §2.1). */
  | { readonly key: 'result' }
  | { readonly key: 'and' | 'or'; readonly keys: readonly SearchKey[] }
  | { readonly key: 'not'; readonly inner: SearchKey }
  | { readonly key: 'flag'; readonly flag: string }
  | { readonly key: 'msn' | 'uid'; readonly set: NumberSet }
  | {
      readonly key: DateKey
      /** Midnight UTC of the date. */
      readonly date: number
    }
  /** Seconds before now (RFC 5032). */
  | { readonly key: 'older' | 'younger'; readonly seconds: number }
  | { readonly key: 'larger' | 'smaller'; readonly octets: number }
  | { readonly key: 'modseq'; readonly modSeq: number }
  /** A stored criterion (RFC 5466). */
  | { readonly key: 'filter'; readonly name: string }
  | { readonly key: 'emailid' | 'threadid'; readonly id: string }
  | { readonly key: 'header'; readonly field: OctetString; readonly text: OctetString }
  | { readonly key: 'body' | 'text'; readonly text: OctetString }

export type DateKey =
  | 'before'
  | 'on'
  | 'since'
  | 'sentbefore'
  | 'senton'
  | 'sentsince'
  | 'savedbefore'
  | 'savedon'
  | 'savedsince'

/** Whether any key of the tree is of that kind. */
export function usesKey(search: SearchKey, key: SearchKey['key']): boolean {
  if (search.key === key) return true
  if (search.key === 'not') return usesKey(search.inner, key)
  return 'keys' in search && search.keys.some((each) => usesKey(each, key))
}

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
  if (input.try('$')) return { key: 'result' }
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
    case 'UID': {
      const set = input.sp().messages()
      return set === '$' ? { key: 'result' } : { key: 'uid', set }
    }
    case 'MODSEQ':
      return modSeqKey(input.sp())
    case 'OLDER':
    case 'YOUNGER':
      return { key: word.toLowerCase() as 'older', seconds: input.sp().nzNumber() }
    case 'EMAILID':
    case 'THREADID':
      return { key: word.toLowerCase() as 'emailid', id: objectId(input.sp()) }
    case 'FILTER': {
      const name = input.sp().atom()
      if (name.includes('/')) input.fail('the name of a filter')
      return { key: 'filter', name }
    }
    case 'SAVEDATESUPPORTED':
      return { key: 'all' }
    case 'BEFORE':
    case 'ON':
    case 'SINCE':
    case 'SENTBEFORE':
    case 'SENTON':
    case 'SENTSINCE':
    case 'SAVEDBEFORE':
    case 'SAVEDON':
    case 'SAVEDSINCE':
      return { key: word.toLowerCase() as DateKey, date: input.sp().date() }
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

/** [entry-name type] mod-sequence; single flags have no mod-sequence of their own here, so both are passed over (QR-21). */
function modSeqKey(input: CommandInput): SearchKey {
  if (input.peek() === '"') {
    const entry = input.string()
    if (!entry.toLowerCase().startsWith('/flags/')) input.fail('an entry name that begins with /flags/')
    const type = input.sp().word()
    if (type !== 'ALL' && type !== 'PRIV' && type !== 'SHARED') input.fail('all, priv or shared')
    input.sp()
  }
  const modSeq = Number(input.digits())
  if (modSeq > Number.MAX_SAFE_INTEGER) return { key: 'modseq', modSeq: Number.MAX_SAFE_INTEGER }
  return { key: 'modseq', modSeq }
}

const objectId = (input: CommandInput): string => {
  const id = input.astring()
  if (!/^[A-Za-z0-9_-]{1,255}$/.test(id)) input.fail('an object id')
  return id
}
