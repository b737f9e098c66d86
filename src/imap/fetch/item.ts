/** One data item that FETCH was asked for. */
import type { DigestPart, Message, MessageQuery } from '../../store/store.ts'
import type { Session } from '../session.ts'

/** Name and value as text; a literal's octets follow it. */
export interface ItemValue {
  readonly text: string
  readonly octets?: Uint8Array
  /** Of a large one, at the pace of the client; `size` is what `text` announces. */
  readonly stream?: { readonly size: number; readonly content: AsyncIterable<Uint8Array> }
}

export interface FetchItem {
  /** Its name in the answer; two items of one label are one. */
  readonly label: string
  /** What it needs of what was computed at delivery. */
  readonly digest?: readonly DigestPart[]
  /** Needs more of a message than a list shows (MessageQuery.brief); what loads octets always does. */
  readonly whole?: boolean
  /** Needs Message.threadId. */
  readonly threadId?: boolean
  /** Setting \Seen is part of it (FE-23). */
  readonly seen?: boolean
  /** Asking for it makes the session aware of mod-sequences (QR-05). */
  readonly condstore?: boolean
  /** Name and value, when no octets of the message need be read. */
  readonly text?: (message: Message, session: Session) => string
  /**
   * Otherwise. A message that cannot be read is left out, and the answer is NO (FE-27).
   * @throws Fault 'unsupported' and the like, which is then the answer of the command
   */
  readonly load?: (message: Message, session: Session) => Promise<ItemValue>
}

/** An item that only needs what is stored beside the octets. */
export const textItem = (
  name: string,
  value: (message: Message, session: Session) => string,
  digest: readonly DigestPart[] = [],
): FetchItem => ({ label: name, digest, text: (message, session) => `${name} ${value(message, session)}` })

/** The columns that a list of items needs. */
export const queryOf = (
  items: readonly FetchItem[],
): Pick<MessageQuery, 'digest' | 'threadId' | 'brief'> => ({
  digest: [...new Set(items.flatMap((item) => item.digest ?? []))],
  threadId: items.some((item) => item.threadId),
  brief: !items.some((item) => item.whole || item.load),
})
