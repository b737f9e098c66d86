/** Delivery status notifications to the sender of a mail (RFC 3461 §6, RFC 3464; RPT-021 to RPT-028). */
import type { Instant, NeutralReport } from '../../model/neutral.ts'
import type { MailOrigin, OriginalRecipient } from '../../model/original.ts'
import type { Outcome } from '../../model/queue.ts'
import { isRefusal } from '../../model/refusal.ts'
import type { EpochMs } from '../../model/units.ts'
import { isLined } from '../../wire/mime/lined.ts'
import { returnedHeader, writeReport } from '../../wire/mime/report-write.ts'
import { scanHeaderBlock } from '../../wire/mime/scan.ts'
import { isAscii } from '../../wire/mime/utf8.ts'
import { mailAddressOf } from '../addresses.ts'
import type { MappingContext } from '../context.ts'
import { oneLine } from '../element.ts'
import { toMailDate } from '../times.ts'
import { typedAddress } from '../utf8-address.ts'
import { type OwnMail, reportHeader } from './report-mail.ts'
import type { DsnVerdict } from './tables.ts'

/** Of an original of this size or less the whole is returned when RET was not given (RPT-027), octets. */
export const returnWhole = 50 * 1024

/** The mail that a DSN is about. */
export interface DsnOriginal {
  readonly origin: MailOrigin
  readonly messageId: string | null
  readonly acceptedAt: EpochMs
  /** All its octets, where they are still there. */
  readonly octets?: Uint8Array | undefined
}

export interface DsnRecipient {
  readonly recipient: Pick<OriginalRecipient, 'address' | 'orcpt' | 'party'>
  readonly verdict: DsnVerdict
  /** One line for people. */
  readonly text: string
  /** Of a failure that this gateway met itself. */
  readonly outcome?: Outcome | undefined
  readonly willRetryUntil?: EpochMs | undefined
}

/** A DSN made from a report of the MMS side about one recipient. */
export function translatedDsn(
  original: DsnOriginal,
  recipient: OriginalRecipient,
  report: NeutralReport,
  verdict: DsnVerdict,
  trace: string,
  ctx: MappingContext,
): OwnMail | undefined {
  const address = mailAddressOf(recipient.party, ctx.settings)
  const said = report.text === undefined ? '' : oneLine(report.text)
  const raw = report.delivery?.raw ?? ''
  const subject = said === '' ? words(verdict, report) : `${words(verdict, report)}: ${said}`
  return compose(
    original,
    [{ recipient, verdict, text: subject }],
    {
      trace,
      from: isRefusal(address) ? ctx.settings.gateway.postmaster : address,
      at: report.at,
      reportingMta: reportingMta(report.reportingHost, ctx),
      isTranslated: true,
      closing: `This report was made from an MMS delivery report (${raw}).`,
      last: [
        { name: 'X-MMS-Status', value: raw },
        ...(said === '' ? [] : [{ name: 'X-MMS-Status-Text', value: said }]),
      ],
    },
    ctx,
  )
}

/** A DSN about what this gateway met itself. */
export function ownDsn(
  original: DsnOriginal,
  recipients: readonly DsnRecipient[],
  now: EpochMs,
  ctx: MappingContext,
): OwnMail | undefined {
  const { host, postmaster } = ctx.settings.gateway
  return compose(
    original,
    recipients,
    {
      from: postmaster,
      at: { epoch: Math.floor(now / 1000), offsetMinutes: 0 },
      reportingMta: `dns; ${host}`,
      isTranslated: false,
      closing: `Reported by ${host}.`,
      last: [],
    },
    ctx,
  )
}

/** What became of it, in words: a refused message is told so, whatever the Action (AMB-02, RPT-028). */
function words(verdict: DsnVerdict, report: NeutralReport): string {
  switch (report.delivery?.status) {
    case 'rejected':
      return report.delivery.by === 'other-rs'
        ? 'rejected by another MMS system'
        : 'rejected by the recipient, not read'
    case 'retrieved':
      return 'retrieved by the recipient'
    case 'expired':
      return 'expired before it was retrieved'
    case 'unreachable':
      return 'the recipient could not be reached'
    case 'unrecognised':
      return 'the MMS system could not use the message'
    case 'delivery-condition-not-met':
      return 'a condition for delivery was not met'
    case 'deferred':
      return 'delayed, not yet retrieved'
    case 'forwarded':
      return 'forwarded to another address or system, which may not report on it'
    default:
      return `${verdict.action}; what became of it then is not known`
  }
}

/** A host name, or an id that is none (RPT-025). */
function reportingMta(host: string | undefined, ctx: MappingContext): string {
  if (host === undefined) return `dns; ${ctx.settings.gateway.host}`
  return /^[a-z0-9-]+(\.[a-z0-9-]+)+$/i.test(host) ? `dns; ${host}` : `x-local-hostname; ${oneLine(host)}`
}

interface Kind {
  readonly trace?: string
  readonly from: string
  readonly at: Instant
  readonly reportingMta: string
  readonly isTranslated: boolean
  readonly closing: string
  readonly last: readonly { readonly name: string; readonly value: string }[]
}

const opening: Readonly<Record<DsnVerdict['action'], string>> = {
  delivered: 'Your message was delivered to:',
  failed: 'Your message could not be delivered to:',
  delayed: 'Your message is delayed; nothing needs to be done. Delivery goes on to:',
  relayed: 'Your message was passed on, and no further report may come, to:',
}

/** undefined: there is no reverse-path to report to (RPT-010). */
function compose(
  original: DsnOriginal,
  recipients: readonly DsnRecipient[],
  kind: Kind,
  ctx: MappingContext,
): OwnMail | undefined {
  const { origin, messageId, acceptedAt } = original
  const [first] = recipients
  if (origin.returnPath === null || !first) return undefined
  const at = toMailDate(kind.at)
  const { action } = first.verdict
  const field = (name: string, value: string | undefined) => (value === undefined ? [] : [{ name, value }])
  const utc = (epoch: number) => toMailDate({ epoch, offsetMinutes: 0 })
  const isAttempt = kind.isTranslated || action !== 'relayed'
  const returned = returnedOf(original, recipients)
  const written = writeReport(
    {
      header: reportHeader(
        {
          trace: kind.trace,
          date: at,
          from: kind.from,
          to: origin.returnPath,
          subject: `Delivery status (${action})`,
          original: messageId,
        },
        ctx,
      ),
      reportType: 'delivery-status',
      text: [
        opening[action],
        '',
        ...recipients.map((r) => `  ${r.recipient.address}: ${oneLine(r.text)}`),
        '',
        kind.closing,
      ],
      groups: [
        [
          ...field('Original-Envelope-Id', origin.envid),
          { name: 'Reporting-MTA', value: kind.reportingMta },
          ...field('DSN-Gateway', kind.isTranslated ? `dns; ${ctx.settings.gateway.host}` : undefined),
          { name: 'Arrival-Date', value: utc(Math.floor(acceptedAt / 1000)) },
          ...field('Deliver-By-Date', origin.deliverBy === undefined ? undefined : utc(origin.deliverBy)),
          ...field('Future-Release-Request', origin.futureRelease),
        ],
        ...recipients.map(({ recipient, verdict, outcome, willRetryUntil }) => [
          ...field(
            'Original-Recipient',
            recipient.orcpt && typedAddress(recipient.orcpt.type, recipient.orcpt.address),
          ),
          { name: 'Final-Recipient', value: typedAddress('rfc822', recipient.address) },
          { name: 'Action', value: verdict.action },
          { name: 'Status', value: verdict.status },
          ...field('Remote-MTA', outcome?.remoteMta === undefined ? undefined : `dns; ${outcome.remoteMta}`),
          ...field(
            'Diagnostic-Code',
            outcome?.diagnostic && `${outcome.diagnostic.type}; ${oneLine(outcome.diagnostic.text)}`,
          ),
          ...field('Last-Attempt-Date', isAttempt ? at : undefined),
          ...field(
            'Will-Retry-Until',
            verdict.action === 'delayed' && willRetryUntil !== undefined
              ? utc(Math.floor(willRetryUntil / 1000))
              : undefined,
          ),
          ...kind.last,
        ]),
      ],
      returned,
    },
    () => ctx.ids.boundary(),
  )
  return { to: origin.returnPath, ...written, utf8: written.utf8 || !isAscii(origin.returnPath) }
}

/** The whole original comes back with a failure, as RET or its size allow; else its header block (RPT-027). */
function returnedOf(
  { origin, octets }: DsnOriginal,
  recipients: readonly DsnRecipient[],
): { readonly form: 'message' | 'header'; readonly octets: Uint8Array } {
  const isFailure = recipients.some((r) => r.verdict.action === 'failed')
  const mayReturn = origin.ret === 'full' || (origin.ret === undefined && origin.size <= returnWhole)
  const header = returnedHeader(Buffer.from(origin.header, 'latin1'))
  // Binary content does not fit the report (RFC 3030 §3).
  if (!isFailure || !mayReturn || octets === undefined || !isLined(octets))
    return { form: 'header', octets: header }
  const { bodyStart } = scanHeaderBlock(octets)
  return {
    form: 'message',
    octets: Buffer.concat([header, Buffer.from('\r\n'), octets.subarray(bodyStart)]),
  }
}
