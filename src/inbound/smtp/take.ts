/** The whole content is there: it is handed over, and the reply says that it is on disk (QUE-001, SU-23). */
import { isRefusal } from '../../model/refusal.ts'
import { isLined } from '../../wire/mime/lined.ts'
import { allFields, scanMessage } from '../../wire/mime/scan.ts'
import { isFramed } from '../../wire/mime/transfer.ts'
import { type Reply, reply, replyToRefusal } from '../../wire/smtp/replies.ts'
import type { Conversation } from './conversation.ts'
import type { Open } from './transaction.ts'

/** By DATA: lines of text. */
export const take = (
  { from, to }: Paths,
  pieces: readonly Uint8Array[],
  conversation: Conversation,
): Promise<Reply> => handOver({ from, to }, joined(pieces), false, conversation)

/** By BDAT or BURL: a body may hold anything, a header and what stands between parts only whole lines (SC-13). */
export async function takeMixed(
  { from, to }: Paths,
  pieces: readonly Uint8Array[],
  conversation: Conversation,
): Promise<Reply> {
  const octets = joined(pieces)
  const binary = !isLined(octets)
  if (binary && !isFramed(octets))
    return reply(554, '5.6.0', 'The header, or what parts the bodies, holds a bare CR, a bare LF or a NUL')
  return handOver(
    { from, to },
    octets,
    binary || from.params.BODY?.toUpperCase() === 'BINARYMIME',
    conversation,
  )
}

type Paths = Pick<Open, 'from' | 'to'>

const joined = (pieces: readonly Uint8Array[]): Uint8Array =>
  pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces)

async function handOver(
  { from, to }: Paths,
  octets: Uint8Array,
  binary: boolean,
  { options, session }: Conversation,
): Promise<Reply> {
  if (receivedFieldsOf(octets) > options.limits.receivedFields)
    return reply(554, '5.4.6', `More than ${options.limits.receivedFields} Received fields: a loop`)
  const receivedAt = Math.floor(options.now() / 1000)
  const accepted = await options.accept(
    { session, mailFrom: from, rcptTo: to, receivedAt, ...(binary ? { binary } : {}) },
    [octets],
  )
  return isRefusal(accepted) ? replyToRefusal(accepted) : reply(250, '2.6.0', `Queued as ${accepted.queueId}`)
}

/** Of the top-level header only: its first 256 KiB at the most (SEC-021). */
function receivedFieldsOf(octets: Uint8Array): number {
  const head = Buffer.from(octets.buffer, octets.byteOffset, Math.min(octets.length, 262_144))
  const end = head.indexOf('\r\n\r\n')
  const header = end < 0 ? head : head.subarray(0, end + 2)
  return allFields(header, scanMessage(header, { depth: 0, parts: 0 }), 'Received').length
}
