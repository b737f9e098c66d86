/** Reports as queue entries: DSN and MDN as mail of our own, reports towards MMS with one delivery each (RPT-021, RPT-036). */
import type { OwnMail } from '../mapping/reports/report-mail.ts'
import type { NeutralReport } from '../model/neutral.ts'
import type { NewQueueEntry, NewReportMark } from '../model/queue.ts'
import type { Settings } from '../model/settings.ts'
import type { SmtpEnvelope, SmtpSession } from '../model/smtp-envelope.ts'
import type { EpochMs } from '../model/units.ts'
import { giveUpMs } from '../queue/schedule.ts'
import type { Ways } from './ways.ts'

/** undefined: no way leads to the address, or none by mail: a handset is not sent reports on mail (backscatter). */
export async function ownMailEntry(
  mail: OwnMail,
  queueId: string,
  now: EpochMs,
  settings: Settings,
  ways: Ways,
  marks: readonly NewReportMark[],
): Promise<NewQueueEntry | undefined> {
  const deliveries = await ways.own(mail.to, now)
  if (deliveries.length === 0 || deliveries.some((d) => d.target.startsWith('mm'))) return undefined
  const session: SmtpSession = {
    peer: null,
    ehlo: settings.gateway.host,
    ip: '127.0.0.1',
    port: 0,
    auth: null,
    tls: false,
    esmtp: true,
  }
  return {
    queueId,
    receivedAt: now,
    origin: {
      carrier: 'mail',
      own: true,
      envelope: {
        session,
        // RPT-021, RPT-056: a report is never answered with one.
        mailFrom: {
          path: null,
          params: {
            ...(mail.eightBit ? { BODY: '8BITMIME' } : {}),
            ...(mail.utf8 ? { SMTPUTF8: '' } : {}),
          },
        },
        rcptTo: [{ path: mail.to, params: { NOTIFY: 'NEVER' } }],
        receivedAt: Math.floor(now / 1000),
      },
    },
    octets: mail.octets,
    sender: '',
    deliveries,
    marks,
  }
}

export interface MmsReport {
  readonly report: NeutralReport
  /** Key of Settings.peers. */
  readonly peer: string
}

/** `mail`: the DSN or MDN that the reports were made from. */
export function mmsReportEntry(
  reports: readonly MmsReport[],
  queueId: string,
  now: EpochMs,
  settings: Settings,
  mail: { readonly envelope: SmtpEnvelope; readonly octets: Uint8Array } | undefined,
  marks: readonly NewReportMark[],
): NewQueueEntry {
  return {
    queueId,
    receivedAt: now,
    origin: {
      carrier: 'report',
      reports: reports.map((r) => r.report),
      ...(mail ? { envelope: mail.envelope } : {}),
    },
    octets: [mail?.octets ?? new Uint8Array(0)],
    sender: mail?.envelope.mailFrom.path ?? '',
    deliveries: reports.map(({ report, peer }, index) => ({
      target: targetOfPeer(peer, settings),
      recipients: [{ index, address: report.destination?.value ?? '' }],
      dueAt: now,
      expiresAt: now + giveUpMs,
    })),
    marks,
  }
}

/** How reports reach a peer. */
export function targetOfPeer(peer: string, settings: Settings): string {
  const known = settings.peers[peer]
  if (known?.interface === 'mm4') return `mm4:${peer}`
  return known?.role === 'vasp' ? `mm7-deliver:${peer}` : `mm7-submit:${peer}`
}
