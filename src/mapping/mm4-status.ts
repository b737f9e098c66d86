/** X-Mms-Request-Status-Code (TS 23.140 §8.4; MAP-203, MAP-168, QUE-011): what we answer, and what an answer means. */
import type { RefusalReason } from '../model/refusal.ts'

export type Mm4Status =
  | 'Ok'
  | 'Error-unspecified'
  | 'Error-service-denied'
  | 'Error-message-format-corrupt'
  | 'Error-sending-address-unresolved'
  | 'Error-message-not-found'
  | 'Error-network-problem'
  | 'Error-content-not-accepted'
  | 'Error-unsupported-message'

export const mm4StatusOf: Readonly<Record<RefusalReason, Mm4Status>> = {
  malformed: 'Error-message-format-corrupt',
  'bad-recipient': 'Error-sending-address-unresolved',
  'unknown-recipient': 'Error-sending-address-unresolved',
  'bad-sender': 'Error-sending-address-unresolved',
  'non-ascii-address': 'Error-sending-address-unresolved',
  'utf8-header': 'Error-content-not-accepted',
  'sender-hiding': 'Error-service-denied',
  'reply-charging': 'Error-service-denied',
  'content-refused': 'Error-content-not-accepted',
  unconvertible: 'Error-content-not-accepted',
  'too-large': 'Error-content-not-accepted',
  'adaptation-denied': 'Error-content-not-accepted',
  privacy: 'Error-service-denied',
  'not-authorised': 'Error-service-denied',
  identity: 'Error-service-denied',
  'not-capable': 'Error-service-denied',
  'operation-denied': 'Error-service-denied',
  loop: 'Error-service-denied',
  expired: 'Ok',
  'mailbox-full': 'Error-network-problem',
  'too-many': 'Error-network-problem',
  temporary: 'Error-network-problem',
}

export interface Mm4Verdict {
  /** 'few' = tried again twice, then final. */
  readonly retry: 'done' | 'yes' | 'few' | 'no'
  /** DSN Status (RFC 3463). */
  readonly dsnStatus: string
}

const verdicts: Readonly<Record<Mm4Status, Mm4Verdict>> = {
  Ok: { retry: 'done', dsnStatus: '2.0.0' },
  'Error-unspecified': { retry: 'few', dsnStatus: '5.0.0' },
  'Error-service-denied': { retry: 'no', dsnStatus: '5.7.1' },
  'Error-message-format-corrupt': { retry: 'no', dsnStatus: '5.6.0' },
  'Error-sending-address-unresolved': { retry: 'no', dsnStatus: '5.1.1' },
  'Error-message-not-found': { retry: 'no', dsnStatus: '5.5.0' },
  'Error-network-problem': { retry: 'yes', dsnStatus: '4.4.0' },
  'Error-content-not-accepted': { retry: 'no', dsnStatus: '5.6.1' },
  'Error-unsupported-message': { retry: 'no', dsnStatus: '5.3.3' },
}

export const mm4Verdict = (status: Mm4Status): Mm4Verdict => verdicts[status]

const byName = new Map(Object.keys(verdicts).map((name) => [name.toLowerCase(), name as Mm4Status]))

/** What a peer wrote, any case; an unknown value is Error-unspecified (MAP-203). */
export const readMm4Status = (text: string | undefined): Mm4Status =>
  byName.get(
    (text ?? '')
      .trim()
      .toLowerCase()
      .replace(/[\s_]+/g, '-'),
  ) ?? 'Error-unspecified'
