/** Content in pieces, by BDAT and BURL in any mix (RFC 3030 §2, RFC 4468 §3.2). */
import { type Reply, reply } from '../../wire/smtp/replies.ts'
import type { Conversation } from './conversation.ts'
import { Gathered } from './gathered.ts'
import { takeMixed } from './take.ts'
import { idle, isOpen, noSources, type Open } from './transaction.ts'

/** Why there can be no piece now; undefined: there can. */
export function contentRefused({ transaction }: Conversation): Reply | undefined {
  if (isOpen(transaction)) return undefined
  return transaction.phase === 'mail'
    ? reply(554, '5.5.1', 'There is no valid recipient')
    : reply(503, '5.5.1', transaction.phase === 'idle' ? 'MAIL comes first' : 'A piece was refused: RSET')
}

/** The transaction is dead, and until its last piece has come it stays so (BD-05). */
export function contentFailed(conversation: Conversation, isLast: boolean): void {
  if (isLast) conversation.transaction = idle
  else if (conversation.transaction.phase !== 'idle') conversation.transaction = { phase: 'failed' }
}

export const tooLarge = ({ options }: Conversation): Reply =>
  reply(552, '5.3.4', `A message may have ${options.limits.messageOctets} octets`)

/** How many octets the message may still get. */
export const roomFor = ({ transaction, options }: Conversation): number =>
  options.limits.messageOctets - (transaction.phase === 'content' ? transaction.content.octets : 0)

/** Puts a piece behind what there is; with the last one the message is handed over. `more`: the reply to others. */
export async function addContent(
  conversation: Conversation,
  open: Open,
  pieces: Iterable<Uint8Array>,
  isLast: boolean,
  more: Reply,
  from?: { readonly converted: boolean; readonly url: string },
): Promise<Reply> {
  const { content, sources: before } =
    open.phase === 'content' ? open : { content: new Gathered(), sources: noSources }
  const sources = from
    ? { converted: before.converted || from.converted, urls: [...before.urls, from.url].slice(-maxUrls) }
    : before
  for (const piece of pieces) content.add(piece)
  if (!isLast) {
    conversation.transaction = { phase: 'content', from: open.from, to: open.to, content, sources }
    return more
  }
  conversation.transaction = idle
  return takeMixed(open, content.take(), conversation, sources)
}

/** Digests that a message remembers for the log. */
const maxUrls = 100
