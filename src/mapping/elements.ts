/** RFC 4356 Table 1 as a table, in the RFC's order. A rule may read anything and writes only what it owns. */
import type { Element } from './element.ts'
import { date } from './elements/date.ts'
import { deliveryReport } from './elements/delivery-report.ts'
import { deliveryTime } from './elements/delivery-time.ts'
import { expiry } from './elements/expiry.ts'
import { history } from './elements/history.ts'
import { importance } from './elements/importance.ts'
import { messageClass } from './elements/message-class.ts'
import { messageId } from './elements/message-id.ts'
import { readReply } from './elements/read-reply.ts'
import { recipients } from './elements/recipients.ts'
import { replyCharging } from './elements/reply-charging.ts'
import { sender } from './elements/sender.ts'
import { senderVisibility } from './elements/sender-visibility.ts'
import { sensitivity } from './elements/sensitivity.ts'
import { subject } from './elements/subject.ts'
import { vas } from './elements/vas.ts'

export const elements: readonly Element[] = [
  // Resent blocks stand before the fields of the original.
  history,
  date,
  sender,
  senderVisibility,
  recipients,
  subject,
  messageId,
  messageClass,
  expiry,
  deliveryTime,
  deliveryReport,
  importance,
  readReply,
  replyCharging,
  sensitivity,
  vas,
]
