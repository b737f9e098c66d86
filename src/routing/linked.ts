/** The LinkedID that an answer by mail carries back to the MMSC (MM7-067). */
import type { NeutralMessage } from '../model/neutral.ts'
import type { Correlation } from '../queue/correlation.ts'
import { peerOfTarget } from './routes.ts'

/** msg-ids of In-Reply-To that are looked up. */
const maxIds = 5

/** Of the MM that the mail answers, where it goes back to the peer which that came from. */
export async function linkedIdFor(
  message: NeutralMessage,
  targets: readonly string[],
  originals: Correlation,
): Promise<string | undefined> {
  const peers = targets.filter((t) => t.startsWith('mm7-submit:')).map(peerOfTarget)
  if (peers.length === 0) return undefined
  const field = message.passThrough.find((f) => f.name.toLowerCase() === 'in-reply-to')?.value ?? ''
  for (const [messageId] of [...field.matchAll(/<[^<>\s]{1,998}>/g)].slice(0, maxIds))
    for (const { origin } of await originals.byMessageId(messageId))
      if (origin.kind === 'mms' && origin.linkedId !== undefined && peers.includes(origin.peer))
        return origin.linkedId
  return undefined
}

export const linked = (message: NeutralMessage, linkedId: string | undefined): NeutralMessage =>
  linkedId === undefined ? message : { ...message, vas: { ...message.vas, linkedId } }
