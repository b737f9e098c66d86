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

interface Rounds {
  /** When it crossed and had come back before, the last few, oldest first. */
  readonly times: readonly EpochMs[]
  /** Of its last crossing. */
  readonly order: number
}

/** The least recently used goes when there are too many. */
class Recent<T> {
  readonly #kept = new Map<string, T>()

  get(key: string): T | undefined {
    return this.#kept.get(key)
  }

  set(key: string, value: T): void {
    this.#kept.delete(key)
    this.#kept.set(key, value)
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= maxKeys) break
      this.#kept.delete(oldest)
    }
  }
}

export function createHops(): Hops {
  const rounds = new Recent<Rounds>()
  /** Order of the last crossing of a message in a direction. */
  const crossed = new Recent<number>()
  let order = 0
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
      const before = rounds.get(own)
      const times = (before?.times ?? []).filter((at) => Math.abs(now - at) < windowMs)
      // An alarm that repeats itself crosses one way alone, and makes no round.
      const isRound = before === undefined || (crossed.get(`${print} ${back}`) ?? 0) > before.order
      order++
      crossed.set(`${print} ${way}`, order)
      rounds.set(own, { times: isRound ? [...times, now].slice(-maxCrossings) : times, order })
      return isRound && times.length >= maxCrossings
        ? refusal(
            'loop',
            `this message went round through here more than ${maxCrossings} times`,
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
