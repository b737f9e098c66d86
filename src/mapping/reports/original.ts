/** What of an accepted message the correlation store keeps (RPT-001). */
import type { NeutralMessage } from '../../model/neutral.ts'
import type { MailOrigin, MmsOrigin, NewOriginal, OriginalRecipient } from '../../model/original.ts'
import { isRefusal } from '../../model/refusal.ts'
import type { SmtpEnvelope } from '../../model/smtp-envelope.ts'
import { fieldValue, scanHeaderBlock } from '../../wire/mime/scan.ts'
import { mailReversePath } from '../carriers/mail.ts'
import type { MappingContext } from '../context.ts'
import { returnWhole } from './dsn.ts'

interface RoutedRecipient {
  readonly index: number
  readonly target: string
}

/** A mail's own data; the header block is copied, since the octets go before the last report may come. */
export function mailOrigin(
  message: Pick<NeutralMessage, 'envid' | 'ret' | 'deliverBy' | 'dispositionTo'>,
  envelope: SmtpEnvelope,
  octets: Uint8Array,
): MailOrigin {
  const { bodyStart } = scanHeaderBlock(octets)
  const block = Buffer.from(octets.buffer, octets.byteOffset, bodyStart).toString('latin1')
  const { HOLDFOR, HOLDUNTIL } = envelope.mailFrom.params
  return {
    kind: 'mail',
    returnPath: envelope.mailFrom.path,
    envid: message.envid,
    ret: message.ret,
    deliverBy: message.deliverBy?.deadline,
    futureRelease:
      HOLDFOR !== undefined ? `for;${HOLDFOR}` : HOLDUNTIL !== undefined ? `until;${HOLDUNTIL}` : undefined,
    dispositionTo: message.dispositionTo,
    // Without the empty line that ends it.
    header: block.replace(/\r?\n\r?\n$/, '\r\n'),
    size: octets.length,
  }
}

/** The Message-ID as it stands in the mail; null: it had none, or one that could not be used (MAP-026). */
export function mailMessageId(message: Pick<NeutralMessage, 'messageId'>, octets: Uint8Array): string | null {
  const node = scanHeaderBlock(octets)
  return fieldValue(octets, node, 'Message-ID')?.trim() === message.messageId ? message.messageId : null
}

/** undefined: no report about it can come, or it would go nowhere. */
export function originalOf(
  message: NeutralMessage,
  routed: readonly RoutedRecipient[],
  mail: { readonly envelope: SmtpEnvelope; readonly octets: Uint8Array } | undefined,
  keepUntil: number,
  ctx: MappingContext,
): NewOriginal | undefined {
  const isMail = message.source === 'mm3'
  // Mail that stays mail is reported on by the next host, past this one (RFC 3461 §5.2.1).
  const concerned = isMail ? routed.filter((r) => r.target.startsWith('mm')) : routed
  if (concerned.length === 0) return undefined
  const recipients = concerned.flatMap(({ index, target }): OriginalRecipient[] => {
    const recipient = message.recipients[index]
    if (!recipient) return []
    const { party, field, notify, orcpt } = recipient
    return [
      {
        index,
        address: isMail ? party.raw : party.value,
        party,
        orcpt: isMail ? orcpt : { type: 'rfc822', address: party.raw },
        notify,
        blind: field === 'bcc',
        target,
        reports: [],
      },
    ]
  })
  if (isMail) {
    if (!mail) return undefined
    const origin = mailOrigin(message, mail.envelope, mail.octets)
    const mayReturn = origin.ret === 'full' || (origin.ret === undefined && origin.size <= returnWhole)
    const failuresWanted = recipients.some(
      (r) => r.notify === undefined || (r.notify !== 'never' && r.notify.failure),
    )
    return {
      messageId: mailMessageId(message, mail.octets),
      origin,
      recipients,
      keepContent: mayReturn && failuresWanted && origin.returnPath !== null,
      keepUntil,
    }
  }
  const origin = mmsOrigin(message, ctx)
  const leaves = concerned.some((r) => r.target !== 'store')
  if (!origin || !(leaves || origin.deliveryReport || origin.readReply || origin.linkedId !== undefined))
    return undefined
  return { messageId: message.messageId, origin, recipients, keepContent: false, keepUntil }
}

function mmsOrigin(message: NeutralMessage, ctx: MappingContext): MmsOrigin | undefined {
  const path = mailReversePath(message, ctx)
  if (message.peer === undefined) return undefined
  return {
    kind: 'mms',
    returnPath: isRefusal(path) ? null : path,
    peer: message.peer,
    sender: message.sender,
    mmsMessageId: message.mmsMessageId,
    deliveryReport: message.deliveryReport,
    readReply: message.readReply,
    linkedId: message.vas.linkedId,
  }
}
