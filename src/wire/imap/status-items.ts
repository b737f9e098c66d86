/** The data items of STATUS (RFC 3501 §6.3.10). */
import type { CommandInput } from './tokens.ts'

export const statusItems = ['MESSAGES', 'RECENT', 'UIDNEXT', 'UIDVALIDITY', 'UNSEEN'] as const
export type StatusItem = (typeof statusItems)[number]

export function statusItemList(input: CommandInput): StatusItem[] {
  input.expect('(')
  const items: StatusItem[] = []
  do {
    const word = input.word()
    items.push(statusItems.find((item) => item === word) ?? input.fail('a status item'))
  } while (input.try(' '))
  input.expect(')')
  return [...new Set(items)]
}
