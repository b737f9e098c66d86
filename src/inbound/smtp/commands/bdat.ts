/** BDAT (RFC 3030 §2): octets as they are, whatever they look like, and always as many as were announced. */
import { type Reply, reply } from '../../../wire/smtp/replies.ts'
import type { SmtpCommand, SmtpExtension } from '../command.ts'
import { addContent, contentFailed, contentRefused, roomFor, tooLarge } from '../content.ts'
import type { Conversation } from '../conversation.ts'
import { isOpen } from '../transaction.ts'

interface Chunk {
  readonly octets: number
  readonly isLast: boolean
  /** Something other than LAST follows the size. */
  readonly isOdd: boolean
}

/** undefined: the size cannot be told. */
function parseChunk(argument: string): Chunk | undefined {
  const [, digits, rest] = /^(\d{1,20})(?:[ \t]+(.*))?$/.exec(argument) ?? []
  if (digits === undefined) return undefined
  const isLast = rest !== undefined && /^last$/i.test(rest)
  return { octets: Number(digits), isLast, isOdd: rest !== undefined && !isLast }
}

/** Where the next command begins is not known: nothing that follows may be taken for one (BD-08). */
function lost({ line }: Conversation, last: Reply): undefined {
  line.leave(last)
  return undefined
}

function start(argument: string, conversation: Conversation, why?: Reply): undefined {
  const { line, transaction } = conversation
  const chunk = parseChunk(argument)
  if (!chunk) return lost(conversation, reply(501, '5.5.4', 'Expected a number of octets, and perhaps LAST'))
  if (!Number.isSafeInteger(chunk.octets)) return lost(conversation, tooLarge(conversation))
  const refused =
    why ??
    (chunk.isOdd ? reply(501, '5.5.4', 'LAST or nothing may follow the size') : undefined) ??
    contentRefused(conversation) ??
    (chunk.octets > roomFor(conversation) ? tooLarge(conversation) : undefined)
  // Refused octets are read all the same, and never taken for commands (BD-04, AU-17).
  line.expectChunk(chunk.octets, refused === undefined)
  conversation.next = async (input) => {
    if (input.kind !== 'chunk' || refused || !isOpen(transaction)) {
      contentFailed(conversation, chunk.isLast)
      return refused
    }
    const more = reply(250, '2.0.0', `${chunk.octets} octets`)
    return addContent(conversation, transaction, input.octets, chunk.isLast, more)
  }
  return undefined
}

const bdat: SmtpCommand = {
  verb: 'BDAT',
  source: 'RFC 3030 §2',
  run: (argument, conversation) => start(argument, conversation),
  refused: start,
}

export const chunking: SmtpExtension = {
  source: 'RFC 3030 §2',
  keyword: () => 'CHUNKING',
  commands: [bdat],
}

/** Only beside CHUNKING (RFC 3030 §3). */
export const binaryMime: SmtpExtension = { source: 'RFC 3030 §3', keyword: () => 'BINARYMIME' }
