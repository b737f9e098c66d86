/** Which form of a message with 8-bit header fields a session is shown (RFC 3501 §7.4.2, RFC 6855 §8; FE-25). */
import type { AsciiForm } from '../../model/message-digest.ts'
import type { OctetString, Octets } from '../../model/units.ts'
import type { Message } from '../../store/store.ts'
import type { Session } from '../session.ts'

/** undefined: as it is stored. The message must have been read with the part 'ascii' of its digest. */
export const shownForm = (message: Message, session: Session): AsciiForm | undefined =>
  session.utf8 || message.utf8Size === undefined ? undefined : message.digest.ascii

/** What was computed at delivery for such a session. The message must have been read with that part, and with 'ascii'. */
export function shownData(
  message: Message,
  session: Session,
  part: 'envelope' | 'bodyStructure' | 'body',
): OctetString {
  const { digest } = message
  if (message.utf8Size === undefined) return digest[part]
  return (session.utf8 ? digest.ascii?.utf8 : digest.ascii)?.[part] ?? digest[part]
}

export const shownSize = (message: Message, session: Session): Octets =>
  session.utf8 ? (message.utf8Size ?? message.size) : message.size
