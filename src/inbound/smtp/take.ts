/** The whole content is there: it is handed over, and the reply says that it is on disk (QUE-001, SU-23). */
import { isRefusal } from '../../model/refusal.ts'
import { allFields, scanMessage } from '../../wire/mime/scan.ts'
import { type Reply, reply, replyToRefusal } from '../../wire/smtp/replies.ts'
import type { Conversation } from './conversation.ts'
import type { Open } from './transaction.ts'

export async function take(
  { from, to }: Pick<Open, 'from' | 'to'>,
  pieces: readonly Uint8Array[],
  { options, session }: Conversation,
): Promise<Reply> {
  const octets = pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces)
  if (receivedFieldsOf(octets) > options.limits.receivedFields)
    return reply(554, '5.4.6', `More than ${options.limits.receivedFields} Received fields: a loop`)
  const receivedAt = Math.floor(options.now() / 1000)
  const accepted = await options.accept({ session, mailFrom: from, rcptTo: to, receivedAt }, [octets])
  return isRefusal(accepted) ? replyToRefusal(accepted) : reply(250, '2.6.0', `Queued as ${accepted.queueId}`)
}

/** Of the top-level header only: its first 256 KiB at the most (SEC-021). */
function receivedFieldsOf(octets: Uint8Array): number {
  const head = Buffer.from(octets.buffer, octets.byteOffset, Math.min(octets.length, 262_144))
  const end = head.indexOf('\r\n\r\n')
  const header = end < 0 ? head : head.subarray(0, end + 2)
  return allFields(header, scanMessage(header, { depth: 0, parts: 0 }), 'Received').length
}
