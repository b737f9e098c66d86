/** APPEND, of one message or several at once (RFC 3501 §6.3.11, RFC 3502, RFC 4315). */
import type { NewMessage } from '../../model/queue.ts'
import type { Mailbox } from '../../store/store.ts'
import { numberSet } from '../../wire/imap/encode.ts'
import type { CommandInput } from '../../wire/imap/tokens.ts'
import { digestMessage } from '../../wire/mime/digest.ts'
import { command, no, ok, type Reply } from '../command.ts'
import type { Session } from '../session.ts'
import { targetOf } from './copy.ts'

/** Where the octets of one message come from; run once the whole command is parsed. */
export type AppendData = (session: Session, target: Mailbox) => Promise<readonly Uint8Array[] | Reply>

interface Appended {
  readonly flags: readonly string[]
  readonly date: number | undefined
  readonly data: AppendData
}

/** [flags SP] [date-time SP] data; data is a literal or an extension's form. */
function appended(input: CommandInput, session: Session): Appended {
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
function refusedHeader(octets: Uint8Array, bodyStart: number): boolean {
  for (let i = 0; i < bodyStart; i++) if ((octets[i] ?? 0) >= 0x80) return true
  return false
}

export const append = command({
  name: 'APPEND',
  source: 'RFC 3501 §6.3.11',
  states: ['authenticated', 'selected'],
  async refusesLiteral(input, session) {
    if (session.state === 'not-authenticated') return undefined
    const target = await targetOf(session, input.sp().mailbox())
    return 'status' in target ? target : undefined
  },
  parse(input, session) {
    const name = input.sp().mailbox()
    const messages: Appended[] = []
    while (input.try(' ')) messages.push(appended(input, session))
    if (messages.length === 0) input.fail('a message')
    return { name, messages }
  },
  async run({ name, messages }, session) {
    const target = await targetOf(session, name)
    if ('status' in target) return target
    const { services } = session
    const ready: NewMessage[] = []
    for (const { flags, date, data } of messages) {
      const octets = await data(session, target)
      if ('status' in octets) return octets
      const size = octets.reduce((sum, piece) => sum + piece.length, 0)
      if (size > services.limits.messageOctets) return no('the message is too large', 'TOOBIG')
      // The client's way to call it off (MA-03).
      if (size === 0) return no('a message without octets is not kept', 'CANNOT')
      const whole = octets.length === 1 && octets[0] ? octets[0] : Buffer.concat(octets)
      const digest = digestMessage(whole)
      if (!session.utf8 && refusedHeader(whole, digest.structure.bodyStart))
        return no('8-bit header fields need ENABLE UTF8=ACCEPT', 'CANNOT')
      ready.push({ octets: [whole], digest, internalDate: date ?? services.now(), flags })
    }
    const [result] = await services.store.write(session.user.id, [
      { op: 'append', mailbox: target.id, messages: ready },
    ])
    if (result?.op !== 'append') return ok('APPEND completed')
    return ok('APPEND completed', `APPENDUID ${result.uidValidity} ${numberSet(result.uids)}`)
  },
})
