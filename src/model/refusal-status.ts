/** DSN Status of a refusal that is found after acceptance (mapping.md 1.4; RFC 3463). */
import type { RefusalReason } from './refusal.ts'

export const dsnStatusOf: Readonly<Record<RefusalReason, string>> = {
  malformed: '5.6.0',
  'bad-recipient': '5.1.3',
  'unknown-recipient': '5.1.1',
  'bad-sender': '5.1.7',
  'non-ascii-address': '5.6.7',
  'utf8-header': '5.6.9',
  'sender-hiding': '5.7.1',
  'reply-charging': '5.7.1',
  'content-refused': '5.6.1',
  unconvertible: '5.6.3',
  'not-capable': '5.3.3',
  'too-large': '5.3.4',
  'adaptation-denied': '5.6.2',
  privacy: '5.6.0',
  'mailbox-full': '5.2.2',
  'not-authorised': '5.7.1',
  identity: '5.7.1',
  'operation-denied': '5.7.1',
  loop: '5.4.6',
  expired: '5.4.7',
  'too-many': '4.7.1',
  temporary: '4.3.0',
}
