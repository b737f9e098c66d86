/** Message disposition notifications made from MMS read reports (RFC 8098, RFC 4356 Table 6; RPT-040 to RPT-044). */
import type { NeutralReport } from '../../model/neutral.ts'
import type { MailOrigin, OriginalRecipient } from '../../model/original.ts'
import { isRefusal } from '../../model/refusal.ts'
import { returnedHeader, writeReport } from '../../wire/mime/report-write.ts'
import { mailAddressOf } from '../addresses.ts'
import type { MappingContext } from '../context.ts'
import { oneLine } from '../element.ts'
import { toMailDate } from '../times.ts'
import { typedAddress } from '../utf8-address.ts'
import { type OwnMail, reportHeader } from './report-mail.ts'
import { table6 } from './tables.ts'

/** undefined: none is to be sent (RPT-042, RPT-043). */
export function translatedMdn(
  original: { readonly origin: MailOrigin; readonly messageId: string | null },
  recipient: OriginalRecipient,
  report: NeutralReport,
  trace: string,
  ctx: MappingContext,
): OwnMail | undefined {
  const { origin, messageId } = original
  const disposition = report.read && table6[report.read.status]
  const [to, second] = origin.dispositionTo ?? []
  // Several targets were not asked of the MMS side at all (AMB-22).
  if (disposition === undefined || to === undefined || second !== undefined || origin.returnPath === null)
    return undefined
  const { host, postmaster } = ctx.settings.gateway
  const address = mailAddressOf(recipient.party, ctx.settings)
  const said = report.text === undefined ? [] : [oneLine(report.text)]
  const became =
    report.read?.status === 'read'
      ? 'was shown to the recipient'
      : 'was deleted without being read by the recipient'
  const written = writeReport(
    {
      header: reportHeader(
        {
          trace,
          date: toMailDate(report.at),
          from: isRefusal(address) ? postmaster : address,
          to,
          subject: report.read?.status === 'read' ? 'Read: your message' : 'Not read: your message',
          original: messageId,
        },
        ctx,
      ),
      reportType: 'disposition-notification',
      text: [
        `Your message to ${recipient.address} ${became}.`,
        ...said,
        '',
        'This report was made from an MMS read report. It does not say that the message was understood.',
      ],
      groups: [
        [
          { name: 'Reporting-UA', value: `${host}; MMS` },
          { name: 'MDN-Gateway', value: `dns; ${host}` },
          ...(recipient.orcpt
            ? [
                {
                  name: 'Original-Recipient',
                  value: typedAddress(recipient.orcpt.type, recipient.orcpt.address),
                },
              ]
            : []),
          { name: 'Final-Recipient', value: typedAddress('rfc822', recipient.address) },
          ...(messageId === null ? [] : [{ name: 'Original-Message-ID', value: messageId }]),
          { name: 'Disposition', value: disposition },
        ],
      ],
      returned: { form: 'header', octets: returnedHeader(Buffer.from(origin.header, 'latin1')) },
    },
    () => ctx.ids.boundary(),
  )
  return { to, ...written }
}
