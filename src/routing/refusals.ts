/** Refusals in MM7's own terms (mapping.md 1.4). */
import type { RefusalReason } from '../model/refusal.ts'

export const mm7StatusOf: Readonly<Record<RefusalReason, number>> = {
  malformed: 2007,
  'bad-recipient': 2002,
  'unknown-recipient': 2002,
  'bad-sender': 2002,
  'non-ascii-address': 2002,
  'utf8-header': 2004,
  'sender-hiding': 3002,
  'reply-charging': 3002,
  'content-refused': 2004,
  unconvertible: 2004,
  'not-capable': 3002,
  'too-large': 2004,
  'adaptation-denied': 2004,
  privacy: 3002,
  'mailbox-full': 4006,
  'not-authorised': 2001,
  identity: 4001,
  'operation-denied': 4007,
  loop: 3002,
  expired: 1000,
  'too-many': 4006,
  temporary: 4006,
}
