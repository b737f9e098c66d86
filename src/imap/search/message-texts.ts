/** The texts of one message that SEARCH looks through, and what was found out of them: with pauses, as texts may be long. */
import { casemap } from '../../model/casemap.ts'
import type { Message } from '../../store/store.ts'
import { folded, type SearchableText, searchableText } from '../../wire/mime/search-text.ts'
import type { Session } from '../session.ts'
import type { Paced } from '../turns.ts'

export class MessageText {
  readonly plain: SearchableText
  #header: string | undefined
  #body: string | undefined

  constructor(plain: SearchableText) {
    this.plain = plain
  }

  /** Whether it holds the needle by the default comparator; folded once, however many criteria ask. */
  *holds(scope: 'text' | 'body', needle: string): Paced<boolean> {
    const wanted = casemap(needle)
    this.#body ??= yield* folded(this.plain.body)
    if (this.#body.includes(wanted)) return true
    if (scope === 'body') return false
    this.#header ??= yield* folded(this.plain.header)
    return this.#header.includes(wanted)
  }
}

/** Several criteria may ask for the text of one message. */
const read = new WeakMap<Message, Promise<MessageText>>()

export function textOf(session: Session, message: Message): Promise<MessageText> {
  const known = read.get(message)
  if (known) return known
  const text = session.services.store
    .readBlob(message.blob)
    .then((octets) => new MessageText(searchableText(octets)))
  read.set(message, text)
  return text
}

/** Answers to the text criteria of a search for one message, by their numbers: found out one by one, as they are asked for. */
export class TextAnswers {
  readonly #answers = new Map<number, boolean>()
  #missing: number | undefined

  /** undefined: not known yet. */
  of(criterion: number): boolean | undefined {
    const answer = this.#answers.get(criterion)
    if (answer === undefined) this.#missing ??= criterion
    return answer
  }

  set(criterion: number, answer: boolean): void {
    this.#answers.set(criterion, answer)
    this.#missing = undefined
  }

  /** The first criterion that was asked for in vain. */
  get missing(): number | undefined {
    return this.#missing
  }
}
