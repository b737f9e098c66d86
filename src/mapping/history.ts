/** Who sent a message before, and when: Resent blocks of mail, Previously-Sent of MMS (RFC 4356 §2.1.3.2, §2.1.3.3). */
import type { NeutralMessage, PreviousSend } from '../model/neutral.ts'

/** The fields of one resending, top first; a field that repeats begins the next block (RFC 5322 §3.6.6, MAP-151). */
export type ResentBlock = ReadonlyMap<string, string>

/** More blocks than this are not read (SEC-021). */
const maxBlocks = 100

/** Blocks of adjacent Resent-* fields, top first; keys in lower case without the prefix. */
export function resentBlocks(
  header: readonly { readonly name: string; readonly value: string }[],
): ResentBlock[] {
  const blocks: Map<string, string>[] = []
  let block: Map<string, string> | undefined
  for (const { name, value } of header) {
    const part = /^resent-(date|from|sender|to|cc|bcc|message-id|reply-to)$/i.exec(name)?.[1]?.toLowerCase()
    if (part === undefined) {
      block = undefined
      continue
    }
    if (!block || block.has(part)) {
      if (blocks.length >= maxBlocks) return blocks
      block = new Map()
      blocks.push(block)
    }
    block.set(part, value)
  }
  return blocks
}

/** A step of the history that can be written: who and when are both known. */
export type CompleteSend = PreviousSend & { readonly at: NonNullable<PreviousSend['at']> }

/**
 * The history without its defects (MAP-106): steps that lack a date or an address are dropped, the last of equal
 * numbers wins, gaps close up, and the lowest number is the first sending.
 */
export function sendHistory(message: Pick<NeutralMessage, 'previous'>): readonly CompleteSend[] {
  const byIndex = new Map<number, CompleteSend>()
  for (const step of message.previous)
    if (step.at !== undefined && step.by.length > 0) byIndex.set(step.index, { ...step, at: step.at })
  return [...byIndex.values()].sort((a, b) => a.index - b.index)
}

/** The original sending of a message that was resent; undefined when it was not. */
export const firstSend = (message: Pick<NeutralMessage, 'previous'>): CompleteSend | undefined =>
  sendHistory(message)[0]
