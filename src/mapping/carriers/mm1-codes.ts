/** Codes of MM1 and what they mean in the neutral model (OMA MMS ENC §7.2; MAP-222, MAP-225). */
import type { ContentClass, DeliveryStatus, Priority, ReplyCharging } from '../../model/neutral.ts'
import type { RefusalReason } from '../../model/refusal.ts'
import { formatCorrupt } from '../../wire/mm1/fault.ts'

/** X-Mms-Response-Status of a refusal (mapping.md 1.4). */
export const mm1StatusOf: Readonly<Record<RefusalReason, number>> = {
  malformed: formatCorrupt,
  'bad-recipient': 0xe3,
  'unknown-recipient': 0xe3,
  'bad-sender': 0xe3,
  'non-ascii-address': 0xe3,
  'utf8-header': 0xe5,
  'sender-hiding': 0xea,
  'reply-charging': 0xe7,
  'content-refused': 0xe5,
  unconvertible: 0xe5,
  'too-large': 0xe5,
  'adaptation-denied': 0xe5,
  privacy: 0xe0,
  'not-authorised': 0xe1,
  identity: 0xe1,
  'not-capable': 0xe1,
  'operation-denied': 0xe1,
  loop: 0xe0,
  expired: 0x80,
  'mailbox-full': 0xc3,
  'too-many': 0xc3,
  temporary: 0xc3,
}

export const yes = 0x80
export const no = 0x81
/** In the order of their codes from 0x80, like all lists here. */
export const classes = ['personal', 'advertisement', 'informational', 'auto'] as const
export const priorities: readonly Priority[] = ['low', 'normal', 'high']
export const chargingStates: readonly ReplyCharging['state'][] = [
  'requested',
  'requested-text-only',
  'accepted',
  'accepted-text-only',
]
export const statuses: readonly DeliveryStatus[] = [
  'expired',
  'retrieved',
  'rejected',
  'deferred',
  'unrecognised',
  'indeterminate',
  'forwarded',
  'unreachable',
]

export const contentClasses: readonly ContentClass[] = [
  'text',
  'image-basic',
  'image-rich',
  'video-basic',
  'video-rich',
  'megapixel',
  'content-basic',
  'content-rich',
]

/** Only what is there: absent and default are different states (MAP-177). */
export const given = <T extends object>(values: T): T =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as T
