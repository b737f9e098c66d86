/** Flags as they are stored: text, separated by blanks, in the spelling of their first use (SE-16). */
import { Fault } from '../../model/fault.ts'
import { maxKeywordOctets, maxKeywords } from '../../store/store.ts'
import type { Box } from './account-write.ts'

/** Flags of one message, at the most (SE-18). */
export const maxFlags = 256

const systemFlags = new Map(
  ['\\Seen', '\\Answered', '\\Flagged', '\\Deleted', '\\Draft'].map((flag) => [flag.toLowerCase(), flag]),
)

export const isSeen = (flags: string): boolean => flags.includes('\\Seen')
export const isDeleted = (flags: string): boolean => flags.includes('\\Deleted')

const lists = new Map<string, readonly string[]>()

/** The same text gives the same list: mailboxes hold few different sets of flags. */
export function flagList(flags: string): readonly string[] {
  const known = lists.get(flags)
  if (known) return known
  const list = flags === '' ? [] : flags.split(' ')
  if (lists.size > 1000) lists.clear()
  lists.set(flags, list)
  return list
}

/** Flags in the mailbox's spelling; \Recent is nobody's to set. With `learn`, new keywords become the mailbox's (SE-18). */
export function spelt(box: Box, flags: readonly string[], learn: boolean): string[] {
  const wanted = new Map<string, string>()
  for (const flag of flags) {
    const lower = flag.toLowerCase()
    if (lower !== '\\recent') wanted.set(lower, systemFlags.get(lower) ?? flag)
  }
  if (wanted.size > maxFlags) throw new Fault('limit', `more than ${maxFlags} flags`)
  let known: Map<string, string> | undefined
  for (const [lower, flag] of wanted) {
    if (flag.length > maxKeywordOctets)
      throw new Fault('limit', `a flag of more than ${maxKeywordOctets} octets`)
    if (flag.startsWith('\\')) continue
    known ??= new Map(box.keywords.map((keyword) => [keyword.toLowerCase(), keyword]))
    const spelling = known.get(lower)
    if (spelling !== undefined) wanted.set(lower, spelling)
    else if (learn) {
      if (box.keywords.length >= maxKeywords)
        throw new Fault('limit', `more than ${maxKeywords} keywords in one mailbox`)
      box.keywords.push(flag)
      known.set(lower, flag)
    }
  }
  return [...wanted.values()]
}
