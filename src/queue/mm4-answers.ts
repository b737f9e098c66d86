/**
 * Answers to our MM4 requests (MM4_*.RES) on their way from the listener to the delivery that waits for them (MAP-202,
 * MAP-210). What must survive a restart stands in the recipients' status; only a request whose SMTP conversation is still
 * open is kept here, because its answer may be faster than the reply to its data.
 */
import type { RecipientRecord } from '../model/queue.ts'

/** As a peer answered; the status is one that we know (mapping/mm4-status.ts). */
export interface Mm4Reply {
  readonly status: string
  readonly text: string
}

/** Where a delivery stands between its transmissions. */
export type Mm4Waiting =
  /** `sent`: how often it was sent; `unanswered`: how often in a row no answer came before this time. */
  | { readonly state: 'awaited'; readonly sent: number; readonly unanswered: number }
  | { readonly state: 'answered'; readonly sent: number; readonly reply: Mm4Reply }
  | { readonly state: 'later'; readonly sent: number }
  | { readonly state: 'new'; readonly sent: 0 }

export const awaitedText = (sent: number, unanswered: number): string =>
  `MM4 request sent ${sent} times, ${unanswered} times without an answer: an answer is awaited`
export const answeredText = (sent: number, { status, text }: Mm4Reply): string =>
  `MM4 request sent ${sent} times, answered: ${status} ${text}`.trim()
export const laterText = (sent: number, { status, text }: Mm4Reply): string =>
  `MM4 request sent ${sent} times, refused for now: ${status} ${text}`.trim()

/** Reads back what the functions above wrote into a recipient's status. */
export function waitingOf(recipient: Pick<RecipientRecord, 'state' | 'status'>): Mm4Waiting {
  const text = recipient.state === 'deferred' ? (recipient.status?.text ?? '') : ''
  const match =
    /^MM4 request sent (\d{1,6}) times, (?:(\d{1,6}) times without|(answered|refused for now): (\S+) ?(.*)$)/s.exec(
      text,
    )
  if (!match) return { state: 'new', sent: 0 }
  const sent = Number(match[1])
  if (match[2] !== undefined) return { state: 'awaited', sent, unanswered: Number(match[2]) }
  if (match[3] === 'answered')
    return { state: 'answered', sent, reply: { status: match[4] ?? '', text: match[5] ?? '' } }
  return { state: 'later', sent }
}

interface Flight {
  readonly queueId: string
  readonly number: number
  open: boolean
  reply?: Mm4Reply
}

/** More are not remembered once they are closed; the oldest go first. */
const maxFlights = 10_000

export class Mm4Answers {
  readonly #flights = new Map<string, Flight>()

  /** A request goes out now. */
  begin(
    peer: string,
    transactionId: string,
    delivery: { readonly queueId: string; readonly number: number },
  ): void {
    const key = keyOf(peer, transactionId)
    this.#flights.delete(key)
    this.#flights.set(key, { ...delivery, open: true })
    for (const [oldest, flight] of this.#flights) {
      if (this.#flights.size <= maxFlights) return
      if (!flight.open) this.#flights.delete(oldest)
    }
  }

  /** The conversation is over. The answer, if it came meanwhile. */
  end(peer: string, transactionId: string): Mm4Reply | undefined {
    const flight = this.#flights.get(keyOf(peer, transactionId))
    if (!flight) return undefined
    flight.open = false
    return flight.reply
  }

  /** Hands an answer to a request whose conversation is open. False: there is none. */
  offer(peer: string, transactionId: string, reply: Mm4Reply): boolean {
    const flight = this.#flights.get(keyOf(peer, transactionId))
    if (!flight?.open) return false
    flight.reply = reply
    return true
  }

  /** Which delivery a transaction of this process belongs to. */
  find(
    peer: string,
    transactionId: string,
  ): { readonly queueId: string; readonly number: number } | undefined {
    return this.#flights.get(keyOf(peer, transactionId))
  }
}

const keyOf = (peer: string, transactionId: string): string => `${peer}\n${transactionId}`
