/**
 * Loops through the MMS side, which has no trace fields: what goes round crosses here again and again, both ways (QUE-042).
 * Kept in memory, for an hour: a loop that outlives a restart is met again after a few more rounds.
 */
import { createHash } from 'node:crypto'
import { addressKey } from '../mapping/addresses.ts'
import { bodyLength } from '../mapping/content/part-size.ts'
import { textOf } from '../mapping/content/text.ts'
import type { NeutralMessage, Part, Party } from '../model/neutral.ts'
import { type Refusal, refusal } from '../model/refusal.ts'
import type { EpochMs } from '../model/units.ts'
import { subjectParts } from '../wire/mime/base-subject.ts'

const windowMs = 3_600_000
/** So often a message may cross with the same sender and recipient within the window. */
const maxCrossings = 5
const maxKeys = 20_000
/** Of a text so much tells one message from another, characters. */
const maxText = 2000

type Direction = 'to-mms' | 'to-mail'

export interface Hops {
  /** Counts a crossing. A refusal: the message goes round. */
  crossing(message: NeutralMessage, recipient: Party, target: string, now: EpochMs): Refusal | undefined
}

export function createHops(): Hops {
  /** When the last few of a kind came, oldest first; the kinds in the order of their last use. */
  const seen = new Map<string, readonly EpochMs[]>()
  const recent = (key: string, now: EpochMs): readonly EpochMs[] =>
    (seen.get(key) ?? []).filter((at) => Math.abs(now - at) < windowMs)
  const note = (key: string, now: EpochMs): void => {
    const times = [...recent(key, now), now].slice(-maxCrossings)
    seen.delete(key)
    seen.set(key, times)
    for (const oldest of seen.keys()) {
      if (seen.size <= maxKeys) break
      seen.delete(oldest)
    }
  }
  const prints = new WeakMap<NeutralMessage, string>()
  const printOf = (message: NeutralMessage): string => {
    const known = prints.get(message) ?? fingerprint(message)
    prints.set(message, known)
    return known
  }

  return {
    crossing(message, recipient, target, now) {
      const way = directionOf(message, target)
      if (way === undefined) return undefined
      const print = printOf(message)
      const back: Direction = way === 'to-mms' ? 'to-mail' : 'to-mms'
      const own = `${print} ${way} ${addressKey(message.sender)} ${addressKey(recipient)}`
      const often = recent(own, now).length >= maxCrossings
      // An alarm that repeats itself crosses one way alone, and is no loop.
      const comesBack = recent(`${print} ${back}`, now).length >= maxCrossings
      note(own, now)
      note(`${print} ${way}`, now)
      return often && comesBack
        ? refusal(
            'loop',
            `this message crossed here more than ${maxCrossings} times both ways`,
            recipient.raw,
          )
        : undefined
    },
  }
}

/** undefined: it stays on its side, or ends in a mailbox, which sends nothing on. */
function directionOf(message: NeutralMessage, target: string): Direction | undefined {
  const isToMms = target.startsWith('mm')
  if (message.source === 'mm3') return isToMms ? 'to-mms' : undefined
  return isToMms || target === 'store' ? undefined : 'to-mail'
}

/** What stays of a message on its way round: subject without "Re:", its texts, kinds and sizes of its media. */
function fingerprint(message: NeutralMessage): string {
  const hash = createHash('sha256').update(subjectParts(message.subject ?? '').base)
  const visit = (part: Part): void => {
    if (part.kind === 'multi') {
      for (const one of part.parts) visit(one)
      return
    }
    if (part.kind === 'leaf' && part.type === 'application/smil') return
    if (part.kind === 'leaf' && part.type === 'text/plain')
      hash.update(`\n${textOf(part).slice(0, maxText).replace(/\s+/g, ' ').trim()}`)
    else hash.update(`\n${part.type} ${bodyLength(part)}`)
  }
  if (message.content) visit(message.content)
  return hash.digest('base64url').slice(0, 22)
}
