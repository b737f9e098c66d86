/** DSN and MDN that come in as mail about an MM: matched, and passed on to the MMS side (RPT-004, RPT-005, RPT-035 to RPT-047). */
import {
  deliveryReportFrom,
  type MmsOriginal,
  readReportFrom,
  recipientOf,
} from '../mapping/reports/from-mail.ts'
import { asFault } from '../model/fault.ts'
import type { OriginalRecord, ReportMark } from '../model/original.ts'
import type { NewQueueEntry, NewReportMark } from '../model/queue.ts'
import type { SmtpEnvelope } from '../model/smtp-envelope.ts'
import type { EpochMs } from '../model/units.ts'
import { mayFollow } from '../queue/correlation.ts'
import { type MailReport, readReport } from '../wire/mime/report.ts'
import { scanHeaderBlock } from '../wire/mime/scan.ts'
import type { AcceptorOptions } from './accept.ts'
import { type MmsReport, mmsReportEntry } from './report-entries.ts'
import type { Ways } from './ways.ts'

export interface MailReports {
  /** The queue id in a reverse-path of ours; undefined: the address is none (MAP-061). */
  reportAddress(path: string): string | undefined
  /** Whether such an address belongs to a message that is still remembered. */
  isAwaited(queueId: string): Promise<boolean>
  /**
   * Takes a report about an MM, or one that nobody waits for; `rest`: the mail for the recipients that it was not for.
   * undefined: the mail is no such report, and goes its way as any other.
   */
  accept(
    envelope: SmtpEnvelope,
    octets: Uint8Array,
    now: EpochMs,
  ): Promise<{ readonly queueId: string; readonly rest?: SmtpEnvelope } | undefined>
}

interface MailMatch {
  readonly original: MmsOriginal
  /** Nothing but a Message-ID led here: a recipient must be named (RPT-005). */
  readonly byMessageId: boolean
}

export function createMailReports(options: AcceptorOptions, ways: Ways): MailReports {
  const { settings, spool, ids } = options
  const { originals } = spool

  function reportAddress(path: string): string | undefined {
    const match = /^report\+([^@]+)@([^@]+)$/i.exec(path)
    return match?.[2]?.toLowerCase() === settings.gateway.mmsDomain.toLowerCase() ? match[1] : undefined
  }

  const isMms = (original: OriginalRecord | undefined): original is MmsOriginal =>
    original?.origin.kind === 'mms'

  /** A report counts where it comes to the reverse-path that was given out for the message; elsewhere it is hearsay. */
  const isAddressee = (original: MmsOriginal, path: string): boolean => {
    const { returnPath } = original.origin
    return returnPath !== null && sameAddress(returnPath, path)
  }

  async function match(report: MailReport, path: string): Promise<MailMatch | undefined> {
    const envid = report.kind === 'delivery-status' ? report.originalEnvelopeId : undefined
    for (const queueId of [envid, reportAddress(path)]) {
      if (queueId === undefined) continue
      const original = await originals.byQueueId(queueId)
      if (isMms(original) && isAddressee(original, path)) return { original, byMessageId: false }
    }
    const named =
      report.kind === 'disposition-notification'
        ? [report.originalMessageId, report.returnedMessageId]
        : [report.returnedMessageId]
    for (const messageId of named) {
      if (messageId === undefined) continue
      for (const original of await originals.byMessageId(messageId))
        if (isMms(original) && isAddressee(original, path) && names(report, original))
          return { original, byMessageId: true }
    }
    return undefined
  }

  const names = (report: MailReport, original: OriginalRecord): boolean =>
    report.kind === 'delivery-status'
      ? report.recipients.some((group) => recipientOf(original, group, true, settings) !== undefined)
      : report.kind === 'disposition-notification' &&
        recipientOf(original, report, true, settings) !== undefined

  /** The reports that a mail becomes, and the marks of all that it says. */
  function reportsOf(report: MailReport, { original, byMessageId }: MailMatch, now: EpochMs) {
    const { origin, queueId } = original
    const reports: MmsReport[] = []
    const marks: NewReportMark[] = []
    const before = new Map(original.recipients.map((r): [number, ReportMark[]] => [r.index, [...r.reports]]))
    const note = (index: number, kind: 'delivery' | 'read', outcome: string): boolean => {
      const mark: NewReportMark = { queueId, index, report: kind, outcome, at: now }
      const known = before.get(index) ?? []
      if (!mayFollow(known, mark)) return false
      known.push(mark)
      marks.push(mark)
      return true
    }
    if (report.kind === 'delivery-status')
      for (const group of report.recipients) {
        const recipient = recipientOf(original, group, byMessageId, settings)
        if (!recipient) {
          options.log('warn', 'a DSN names a recipient that the message did not have', { queueId })
          continue
        }
        const made = deliveryReportFrom(report, group, original, recipient, now)
        const outcome = group.action === 'expanded' ? 'relayed' : group.action
        if (made && note(recipient.index, 'delivery', outcome) && origin.deliveryReport)
          reports.push({ report: made, peer: origin.peer })
      }
    if (report.kind === 'disposition-notification') {
      const recipient = recipientOf(original, report, byMessageId, settings)
      const made = recipient && readReportFrom(report, original, recipient, now)
      const isMm4 = settings.peers[origin.peer]?.interface === 'mm4'
      const status = made?.read?.status
      if (recipient && made && status !== undefined && !(status === 'indeterminate' && isMm4)) {
        const outcome = { read: 'displayed', deleted: 'deleted', indeterminate: 'indeterminate' }[status]
        if (note(recipient.index, 'read', outcome) && origin.readReply)
          reports.push({ report: made, peer: origin.peer })
      }
    }
    return { reports, marks }
  }

  async function take(
    report: MailReport,
    matched: MailMatch,
    envelope: SmtpEnvelope,
    octets: Uint8Array,
    now: EpochMs,
  ): Promise<{ queueId: string }> {
    const queueId = ids.queueId()
    const { reports, marks } = reportsOf(report, matched, now)
    const entry = mmsReportEntry(reports, queueId, now, settings, { envelope, octets }, marks)
    options.log('info', 'mail report taken', {
      queueId,
      original: matched.original.queueId,
      kind: report.kind,
      reports: reports.length,
    })
    await spool.enqueue([entry])
    options.wake()
    return { queueId }
  }

  async function matchedAndTaken(
    report: MailReport,
    path: string,
    envelope: SmtpEnvelope,
    octets: Uint8Array,
    now: EpochMs,
  ): Promise<{ queueId: string } | undefined> {
    for (let tries = 0; ; tries++) {
      const matched = await match(report, path)
      if (!matched) return undefined
      try {
        return await take(report, matched, envelope, octets, now)
      } catch (error) {
        // Another report was faster: what is left of this one is worked out from what is known now.
        if (asFault(error).kind !== 'exists' || tries > 0) throw error
      }
    }
  }

  /** For the operator to look at: in the mailbox of postmaster, or in the queue's history (RPT-063). */
  async function keep(
    report: MailReport,
    envelope: SmtpEnvelope,
    octets: Uint8Array,
    now: EpochMs,
  ): Promise<{ queueId: string }> {
    const queueId = ids.queueId()
    const to = envelope.rcptTo.map((r) => r.path)
    options.log('warn', 'a report about no message of ours', { queueId, kind: report.kind, to: to.join(' ') })
    const isForged =
      report.kind === 'disposition-notification' && (await Promise.all(to.map(isGivenOut))).some(Boolean)
    const entry: NewQueueEntry = {
      queueId,
      receivedAt: now,
      origin: {
        carrier: 'mail',
        own: true,
        envelope: {
          ...envelope,
          rcptTo: [{ path: settings.gateway.postmaster, params: { NOTIFY: 'NEVER' } }],
        },
      },
      octets: [octets],
      sender: envelope.mailFrom.path ?? '',
      // RPT-047: a read report that was asked for under another name than ours to give is not shown to anybody.
      deliveries: isForged ? [] : await ways.operator(now),
    }
    await spool.enqueue([entry])
    options.wake()
    return { queueId }
  }

  /** Read reports are asked for at the reverse-path (MAP-096). */
  const isGivenOut = async (path: string): Promise<boolean> =>
    reportAddress(path) !== undefined || (await originals.isReturnPath(path))

  return {
    reportAddress,
    isAwaited: async (queueId) => isMms(await originals.byQueueId(queueId)),
    async accept(envelope, octets, now) {
      const header = scanHeaderBlock(octets)
      const isCandidate =
        header.type === 'multipart'
          ? header.subtype === 'report' || envelope.mailFrom.path === null
          : header.type === 'message'
      if (!isCandidate) return undefined
      const report = readReport(octets)
      if (!report) return undefined
      for (const { path } of envelope.rcptTo) {
        const taken = await matchedAndTaken(report, path, envelope, octets, now)
        if (!taken) continue
        const others = envelope.rcptTo.filter((r) => r.path !== path && reportAddress(r.path) === undefined)
        return others.length === 0 ? taken : { ...taken, rest: { ...envelope, rcptTo: others } }
      }
      const toNumber = await Promise.all(envelope.rcptTo.map((r) => isForMms(r.path)))
      const usable =
        report.kind !== 'other' || /^(delivery-status|disposition-notification|)$/.test(report.reportType)
      const isUnwanted = toNumber.every(Boolean) && usable && !settings.reports.deliverUnmatched
      const isOurs = envelope.rcptTo.some((r) => reportAddress(r.path) !== undefined)
      if (isOurs ? report.kind !== 'other' : isUnwanted) return keep(report, envelope, octets, now)
      return undefined
    },
  }

  /** A report for nobody's mailbox: to a number, or to an address that stands for one. */
  async function isForMms(path: string): Promise<boolean> {
    const deliveries = await ways.own(path, 0)
    return deliveries.length === 0 || deliveries.some((d) => d.target.startsWith('mm'))
  }
}

function sameAddress(a: string, b: string): boolean {
  const [at, other] = [a.lastIndexOf('@'), b.lastIndexOf('@')]
  return a.slice(0, at) === b.slice(0, other) && a.slice(at).toLowerCase() === b.slice(other).toLowerCase()
}
