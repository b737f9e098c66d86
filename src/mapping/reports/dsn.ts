/** Delivery status notifications that the gateway makes itself (RFC 3461 §6, RFC 3464; RPT-021 to RPT-028, RPT-054). */
import type { DeliveryRecord, Outcome } from '../../model/queue.ts'
import type { EpochMs } from '../../model/units.ts'
import { scanMessage } from '../../wire/mime/scan.ts'
import { encodeUnstructured, writeField } from '../../wire/mime/write-header.ts'
import type { MappingContext } from '../context.ts'
import { notifyOf, orcptOf } from '../elements/recipients.ts'
import { toMailDate } from '../times.ts'
import { fromXtext } from '../xtext.ts'

export interface OwnReport {
  /** Reverse-path of the original: where the report goes. */
  readonly to: string
  readonly octets: Uint8Array
}

/** Of an original of this size or less the whole is returned when RET was not given (RPT-027). */
const returnWhole = 50 * 1024

/**
 * The DSN for a mail whose recipients failed; undefined when none is to be sent: nobody failed, the reverse-path is
 * null, or the sender did not want it (RPT-010 to RPT-012, RPT-056).
 */
export function failureReport(
  delivery: DeliveryRecord,
  outcomes: readonly Outcome[],
  original: Uint8Array,
  now: EpochMs,
  ctx: MappingContext,
): OwnReport | undefined {
  const { origin } = delivery.entry
  if (origin.carrier !== 'mail' || origin.own) return undefined
  const { envelope } = origin
  const to = envelope.mailFrom.path
  if (to === null) return undefined
  const concerned = outcomes.flatMap((outcome) => {
    if (outcome.state !== 'failed' && outcome.state !== 'expired') return []
    const address = delivery.recipients.find((r) => r.index === outcome.index)?.address
    const rcpt = envelope.rcptTo.find((r) => r.path === address)
    if (address === undefined) return []
    const notify = notifyOf(rcpt?.params.NOTIFY)
    if (notify === 'never' || (notify !== undefined && !notify.failure)) return []
    return [{ address, outcome, orcpt: orcptOf(rcpt?.params.ORCPT) }]
  })
  if (concerned.length === 0) return undefined

  const { host, postmaster } = ctx.settings.gateway
  const boundary = ctx.ids.boundary()
  const at = toMailDate({ epoch: Math.floor(now / 1000), offsetMinutes: 0 })
  const messageId = headerOf(original, 'Message-ID')
  const field = (name: string, value: string): string => writeField(name, encodeUnstructured(value))
  const header = [
    writeField('From', `Mail gateway <${postmaster}>`),
    writeField('To', to),
    writeField('Date', at),
    writeField('Subject', 'Delivery failed'),
    writeField('Message-ID', ctx.ids.messageId()),
    writeField('Auto-Submitted', 'auto-replied'),
    ...(messageId ? [writeField('In-Reply-To', messageId), writeField('References', messageId)] : []),
    writeField('MIME-Version', '1.0'),
    writeField('Content-Type', `multipart/report; report-type=delivery-status; boundary="${boundary}"`),
  ]
  const text = [
    'The message could not be delivered to:',
    '',
    ...concerned.map(({ address, outcome }) => `  ${address}: ${outcome.status.text}`),
    '',
    `Reported by ${host}.`,
  ]
  const { ENVID } = envelope.mailFrom.params
  const perMessage = [
    ...(ENVID === undefined ? [] : [field('Original-Envelope-Id', fromXtext(ENVID))]),
    field('Reporting-MTA', `dns; ${host}`),
    field('Arrival-Date', toMailDate({ epoch: envelope.receivedAt, offsetMinutes: 0 })),
  ]
  const perRecipient = concerned.map(({ address, outcome, orcpt }) =>
    [
      ...(orcpt ? [field('Original-Recipient', `${orcpt.type}; ${orcpt.address}`)] : []),
      field('Final-Recipient', `rfc822; ${address}`),
      field('Action', 'failed'),
      field('Status', outcome.status.code.replace(/^4/, '5')),
      ...(outcome.remoteMta === undefined ? [] : [field('Remote-MTA', `dns; ${outcome.remoteMta}`)]),
      ...(outcome.diagnostic
        ? [field('Diagnostic-Code', `${outcome.diagnostic.type}; ${outcome.diagnostic.text}`)]
        : []),
      field('Last-Attempt-Date', at),
    ].join(''),
  )
  const ret = envelope.mailFrom.params.RET?.toUpperCase()
  const whole = ret === 'FULL' || (ret === undefined && original.length <= returnWhole)
  const node = scanMessage(original)
  const third = whole ? original : original.subarray(0, node.bodyStart)
  const eightBit = third.some((o) => o > 127)
  const pieces = [
    ...header,
    '\r\n',
    `--${boundary}\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n`,
    text.map((line) => line.replace(/[^\x20-\x7e]+/g, '?')).join('\r\n'),
    `\r\n--${boundary}\r\nContent-Type: message/delivery-status\r\n\r\n`,
    [perMessage.join(''), ...perRecipient].join('\r\n'),
    `\r\n--${boundary}\r\nContent-Type: ${whole ? 'message/rfc822' : 'text/rfc822-headers'}\r\n`,
    ...(eightBit ? ['Content-Transfer-Encoding: 8bit\r\n'] : []),
    '\r\n',
  ]
  return {
    to,
    octets: Buffer.concat([
      Buffer.from(pieces.join(''), 'latin1'),
      third,
      Buffer.from(`\r\n--${boundary}--\r\n`, 'latin1'),
    ]),
  }
}

function headerOf(octets: Uint8Array, name: string): string | undefined {
  const node = scanMessage(octets)
  const range = node.fields.find((f) => f.name.toLowerCase() === name.toLowerCase())
  if (!range) return undefined
  const value = Buffer.from(octets.subarray(range.valueStart, range.end)).toString('latin1').trim()
  return /^<[\x21-\x7e]+>$/.test(value) ? value : undefined
}
