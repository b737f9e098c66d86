/** APPEND, of one message or several at once (RFC 3501 §6.3.11, RFC 3502, RFC 4315). */
import type { NewMessage } from '../../model/queue.ts'
import type { Mailbox, OperationResult } from '../../store/store.ts'
import { numberSet } from '../../wire/imap/encode.ts'
import type { CommandInput } from '../../wire/imap/tokens.ts'
import { digestMessage } from '../../wire/mime/digest.ts'
import { textSafe } from '../../wire/mime/text-safe.ts'
import { command, no, ok, type Reply } from '../command.ts'
import type { Session } from '../session.ts'
import { targetOf } from './copy.ts'
import { tellNormalised } from './list.ts'

/** Where the octets of one message come from; run once the whole command is parsed. */
export type AppendData = (session: Session, target: Mailbox) => Promise<readonly Uint8Array[] | Reply>

export interface Appended {
  readonly flags: readonly string[]
  readonly date: ReturnType<CommandInput['dateTime']> | undefined
  readonly data: AppendData
}

/** [flags SP] [date-time SP] data; data is a literal or an extension's form. */
export function appendedMessage(input: CommandInput, session: Session): Appended {
  let flags: string[] = []
  if (input.peek() === '(') {
    flags = input.flagList()
    input.sp()
  }
  const date = input.peek() === '"' ? input.dateTime() : undefined
  if (date !== undefined) input.sp()
  if (input.atLiteral || input.peek() === '~') {
    const { octets } = input.literal8()
    return { flags, date, data: async () => [octets] }
  }
  const form = session.services.registry.appendData.get(input.word())
  if (!form) return input.fail('a literal')
  return { flags, date, data: form(input.sp(), session) }
}

/** 8-bit header fields are for those who said that they know them (U8-04). */
function hasEightBit(octets: Uint8Array, bodyStart: number): boolean {
  for (let i = 0; i < bodyStart; i++) if ((octets[i] ?? 0) >= 0x80) return true
  return false
}

/** A sync literal need not be sent to a mailbox that is not there (AP-11). */
export const targetRefuses = async (session: Session, name: string): Promise<Reply | undefined> => {
  if (!session.account) return undefined
  const target = await targetOf(session, name)
  return 'status' in target ? target : undefined
}

/** The message as it will be kept, or why it is not. */
export async function prepared(
  { flags, date, data }: Appended,
  session: Session,
  target: Mailbox,
): Promise<NewMessage | Reply> {
  const { limits, now } = session.services
  const octets = await data(session, target)
  if ('status' in octets) return octets
  const size = octets.reduce((sum, piece) => sum + piece.length, 0)
  if (size > limits.messageOctets) return no('the message is too large', 'TOOBIG')
  // The client's way to call it off (MA-03).
  if (size === 0) return no('a message without octets is not kept', 'CANNOT')
  const shown = textSafe(octets.length === 1 && octets[0] ? octets[0] : Buffer.concat(octets))
  const digest = digestMessage(shown)
  if (!session.utf8 && hasEightBit(shown, digest.structure.bodyStart))
    return no('8-bit header fields need ENABLE UTF8=ACCEPT', 'CANNOT')
  return {
    octets: [shown],
    digest,
    internalDate: date?.epochMs ?? now(),
    internalOffsetMinutes: date?.offsetMinutes,
    flags,
  }
}

export const append = command({
  name: 'APPEND',
  source: 'RFC 3501 §6.3.11',
  states: ['authenticated', 'selected'],
  refusesLiteral: (input, session) => targetRefuses(session, input.sp().mailbox()),
  parse(input, session) {
    const name = input.sp().mailbox()
    const messages: Appended[] = []
    while (input.try(' ')) messages.push(appendedMessage(input, session))
    if (messages.length === 0) input.fail('a message')
    return { name, given: input.givenName(name), messages }
  },
  async run({ name, given, messages }, session) {
    const target = await targetOf(session, name)
    if ('status' in target) return target
    const ready: NewMessage[] = []
    let octets = 0
    for (const message of messages) {
      const made = await prepared(message, session, target)
      if ('status' in made) return made
      // URLs make much of little: together they may be what literals may be, and no more (CA-09).
      octets += made.octets.reduce((sum, piece) => sum + piece.length, 0)
      if (octets > session.framing.limits.messageOctets + session.framing.limits.literalOctets)
        return no('the messages are too large together', 'TOOBIG')
      ready.push(made)
    }
    const [result] = await session.write([{ op: 'append', mailbox: target.id, messages: ready }])
    await tellNormalised(session, name, given)
    return ok('APPEND completed', appendUid(result))
  },
})

export const appendUid = (result: OperationResult | undefined): string | undefined =>
  result?.op === 'append' ? `APPENDUID ${result.uidValidity} ${numberSet(result.uids)}` : undefined
