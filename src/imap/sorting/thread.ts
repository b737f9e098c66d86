/** What THREAD works on and gives back (RFC 5256 §3, §4), and the THREAD response. No recursion: threads can be deep. */
import type { EpochMs, OctetString } from '../../model/units.ts'
import type { Paced } from '../turns.ts'
import { pacedSort } from './paced-sort.ts'

/** One searched message; a list of them is in the order of the mailbox. */
export interface ThreadMessage {
  /** Sequence number or UID, as the response will name it. */
  readonly number: number
  /** Sent date in UTC, or INTERNALDATE where there is none (RFC 5256 §2.2). */
  readonly sent: EpochMs
  /** Collation key of the base subject; '' where it is empty. */
  readonly subject: OctetString
  /** The subject is a reply or a forward. Only REFERENCES asks. */
  readonly isReply: boolean
  /** msg-ids without angle brackets. Only REFERENCES asks. */
  readonly messageId: string | null
  /** Of References, else the first of In-Reply-To; the parent last. */
  readonly references: readonly string[]
}

export interface Thread {
  /** undefined: a message that was not found holds these together; only at the top, with two children or more. */
  readonly message: ThreadMessage | undefined
  readonly children: readonly Thread[]
}

/** Between two pauses. */
export const messagesAtOnce = 1000

/** ORDEREDSUBJECT: by base subject and date, with one level of children (SO-11). */
export function* threadBySubject(messages: readonly ThreadMessage[]): Paced<Thread[]> {
  const groups = new Map<OctetString, ThreadMessage[]>()
  let done = 0
  for (const message of yield* pacedSort([...messages], (a, b) => a.sent - b.sent)) {
    if (++done % messagesAtOnce === 0) yield
    const group = groups.get(message.subject)
    if (group) group.push(message)
    else groups.set(message.subject, [message])
  }
  // The groups come in the order of their first messages, and those by date: nothing is left to sort.
  return [...groups.values()].map(([message, ...rest]) => ({
    message,
    children: rest.map((child) => ({ message: child, children: [] })),
  }))
}

/** The thread-lists of the THREAD response: `(166)(167)((3)(5))`; '' for none. */
export function* threadLists(threads: readonly Thread[]): Paced<string> {
  const out: string[] = []
  // What is still to be written, last first: a thread with its parentheses, or the closing of one.
  const work: (Thread | ')')[] = threads.toReversed()
  let done = 0
  for (let next = work.pop(); next !== undefined; next = work.pop()) {
    if (++done % messagesAtOnce === 0) yield
    if (next === ')') {
      out.push(')')
      continue
    }
    let node: Thread | undefined = next
    let separator = '('
    if (!node.message && node.children.length !== 1) out.push('(')
    // A chain of only children stays in one list.
    while (node) {
      if (node.message) {
        out.push(separator, String(node.message.number))
        separator = ' '
      }
      if (node.children.length !== 1) break
      node = node.children[0]
    }
    work.push(')')
    const children: readonly Thread[] = node?.children ?? []
    if (children.length > 0 && separator === ' ') out.push(' ')
    for (let i = children.length - 1; i >= 0; i -= 1) {
      const child = children[i]
      if (child) work.push(child)
    }
  }
  return out.join('')
}
