/** The whole content is there: it is handed over, and the reply says that it is on disk (QUE-001, SU-23). */
import { isRefusal } from '../../model/refusal.ts'
import { isLined } from '../../wire/mime/lined.ts'
import { allFields, scanMessage } from '../../wire/mime/scan.ts'
import { isFramed } from '../../wire/mime/transfer.ts'
import { type Reply, reply, replyToRefusal } from '../../wire/smtp/replies.ts'
import type { Conversation } from './conversation.ts'
import { withAsciiHeaders } from './eight-bit-headers.ts'
import { type ContentSources, noSources, type Open } from './transaction.ts'

/** By DATA: lines of text. */
export const take = (
  paths: Paths,
  pieces: readonly Uint8Array[],
  conversation: Conversation,
): Promise<Reply> => handOver(paths, joined(pieces), false, conversation, noSources)

/** By BDAT or BURL: a body may hold anything, a header and what stands between parts only whole lines (SC-13). */
export async function takeMixed(
  paths: Paths,
  pieces: readonly Uint8Array[],
  conversation: Conversation,
  sources: ContentSources,
): Promise<Reply> {
  const octets = joined(pieces)
  const lined = isLined(octets)
  if (!lined && !isFramed(octets))
    return reply(554, '5.6.0', 'The header, or what parts the bodies, holds a bare CR, a bare LF or a NUL')
  return handOver(paths, octets, !lined || saysBinary(octets), conversation, sources)
}

type Paths = Pick<Open, 'from' | 'to'>

const joined = (pieces: readonly Uint8Array[]): Uint8Array =>
  pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces)

/** Anywhere, be it only text that looks so: then each body is looked at before the message leaves. */
const saysBinary = (octets: Uint8Array): boolean =>
  /content-transfer-encoding[ \t]*:\s*binary/i.test(
    Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString('latin1'),
  )

async function handOver(
  { from, to }: Paths,
  given: Uint8Array,
  binary: boolean,
  { options, session }: Conversation,
  sources: ContentSources,
): Promise<Reply> {
  if (receivedFieldsOf(given) > options.limits.receivedFields)
    return reply(554, '5.4.6', `More than ${options.limits.receivedFields} Received fields: a loop`)
  const octets =
    options.submission && !Object.hasOwn(from.params, 'SMTPUTF8') ? withAsciiHeaders(given) : given
  if ('code' in octets) return octets
  const receivedAt = Math.floor(options.now() / 1000)
  const accepted = await options.accept(
    { session, mailFrom: from, rcptTo: to, receivedAt, ...(binary ? { binary } : {}) },
    [octets],
  )
  if (isRefusal(accepted)) return replyToRefusal(accepted)
  const { queueId } = accepted
  if (sources.urls.length > 0)
    options.log('info', 'content by BURL', { queueId, user: session.auth, urls: sources.urls })
  const converted = sources.converted || octets !== given
  return reply(250, converted ? '2.6.4' : '2.6.0', `Queued as ${queueId}`)
}

/** Of the top-level header only: its first 256 KiB at the most (SEC-021). */
function receivedFieldsOf(octets: Uint8Array): number {
  const head = Buffer.from(octets.buffer, octets.byteOffset, Math.min(octets.length, 262_144))
  const end = head.indexOf('\r\n\r\n')
  const header = end < 0 ? head : head.subarray(0, end + 2)
  return allFields(header, scanMessage(header, { depth: 0, parts: 0 }), 'Received').length
}
