/** Reports from the MMS side: matched with their original, passed on to its sender (RPT-003, RPT-006, RPT-020, RPT-040). */
import { addressKey } from '../mapping/addresses.ts'
import { receivedFromPeer } from '../mapping/carriers/mail.ts'
import type { MappingContext } from '../mapping/context.ts'
import { translatedDsn } from '../mapping/reports/dsn.ts'
import { translatedMdn } from '../mapping/reports/mdn.ts'
import type { OwnMail } from '../mapping/reports/report-mail.ts'
import { actionOf, dsnVerdict } from '../mapping/reports/tables.ts'
import { asFault } from '../model/fault.ts'
import type { NeutralReport } from '../model/neutral.ts'
import type { MailOrigin, MmsOrigin, OriginalRecipient, OriginalRecord } from '../model/original.ts'
import type { NewQueueEntry, NewReportMark } from '../model/queue.ts'
import { mayFollow } from '../queue/correlation.ts'
import type { AcceptorOptions } from './accept.ts'
import { mmsReportEntry, ownMailEntry } from './report-entries.ts'
import { peerOfTarget } from './routes.ts'
import type { Ways } from './ways.ts'

export interface Matched {
  readonly original: OriginalRecord
  readonly recipient: OriginalRecipient
}

/** A report may come before the answer to the request that it is about; it is looked for once more then. Milliseconds. */
const answerMs = 500

/** 'unknown': the peer has no such message, or not to this recipient. 'taken': durable, whether anybody is told or not. */
export type MmsReportResult = 'taken' | 'unknown'

export type AcceptMmsReport = (
  report: NeutralReport,
  from: {
    readonly peer: string
    /** Of the incoming report, where it has one already. */
    readonly queueId?: string
    readonly duplicateKey?: NewQueueEntry['duplicateKey']
  },
) => Promise<MmsReportResult>

export function createMmsReports(
  options: AcceptorOptions,
  ways: Ways,
  context: (queueId: string, now: number) => MappingContext,
): AcceptMmsReport {
  const { settings, spool, ids } = options

  async function match(report: NeutralReport, peer: string): Promise<Matched | undefined> {
    const { originalMmsId, recipient } = report
    if (originalMmsId === undefined) return undefined
    const mine: Matched[] = []
    for (const original of await spool.originals.byPeerMessageId(peer, originalMmsId))
      for (const one of original.recipients)
        if (one.peerMessageId === originalMmsId && peerOfTarget(one.target) === peer)
          mine.push({ original, recipient: one })
    if (recipient.value === '') return mine.length === 1 ? mine[0] : undefined
    const key = addressKey(recipient)
    return mine.find((m) => addressKey(m.recipient.party) === key || m.recipient.party.raw === recipient.raw)
  }

  /** What goes back to a mail sender, and what is noted. */
  async function towardsMail(
    { original, recipient }: Matched,
    origin: MailOrigin,
    report: NeutralReport,
    ctx: MappingContext,
    peer: string,
    queueId: string,
  ): Promise<{ outcome: string; mail: OwnMail | undefined }> {
    const trace = receivedFromPeer(peer, report.receivedAt, queueId, ctx)
    if (report.read) {
      const outcome = readOutcome[report.read.status]
      return { outcome, mail: translatedMdn({ ...original, origin }, recipient, report, trace, ctx) }
    }
    const delivery = report.delivery ?? { status: 'indeterminate', raw: '' }
    const verdict = dsnVerdict(delivery, recipient.notify, settings)
    const outcome = verdict?.action ?? actionOf(delivery, settings)
    if (!verdict) return { outcome, mail: undefined }
    const octets =
      verdict.action === 'failed' && original.hasContent ? await spool.octets(original.queueId) : undefined
    return {
      outcome,
      mail: translatedDsn({ ...original, origin, octets }, recipient, report, verdict, trace, ctx),
    }
  }

  /** A report about an MM that came from another MMS peer: as it is, with the ids and names which that peer knows. */
  function towardsMms(origin: MmsOrigin, recipient: OriginalRecipient, report: NeutralReport) {
    const asked = report.read ? origin.readReply : origin.deliveryReport
    if (!asked) return undefined
    const { mmsMessageId, sender, peer } = origin
    if (report.read?.status === 'indeterminate' && settings.peers[peer]?.interface === 'mm4') return undefined
    return {
      peer,
      report: { ...report, originalMmsId: mmsMessageId, recipient: recipient.party, destination: sender },
    }
  }

  return async (report, from) => {
    const { peer } = from
    const now = options.now()
    let found = await match(report, peer)
    if (!found && (await spool.originals.isSending(peer))) {
      await new Promise((resolve) => setTimeout(resolve, answerMs))
      found = await match(report, peer)
    }
    const id = report.originalMmsId
    if (!found) {
      options.log('warn', 'a report about no message of ours', { peer, id })
      return 'unknown'
    }
    const { original, recipient } = found
    const { origin } = original
    const queueId = from.queueId ?? ids.queueId()
    const noted = (outcome: string): NewReportMark => ({
      queueId: original.queueId,
      index: recipient.index,
      report: report.read ? 'read' : 'delivery',
      outcome,
      at: now,
    })
    const said = {
      queueId: original.queueId,
      peer,
      recipient: recipient.address,
      status: report.delivery?.raw ?? report.read?.raw,
    }
    // Nothing can be told of it, and it must not stand in the way of a later one that says more.
    if (report.read?.status === 'indeterminate' && origin.kind === 'mail') {
      options.log('info', 'MMS report taken', said)
      return 'taken'
    }
    let entry: NewQueueEntry | undefined
    let mark: NewReportMark
    if (origin.kind === 'mail') {
      const ctx = context(queueId, now)
      const { outcome, mail } = await towardsMail(found, origin, report, ctx, peer, queueId)
      mark = noted(outcome)
      if (mail && mayFollow(recipient.reports, mark)) {
        entry = await ownMailEntry(mail, queueId, now, settings, ways, [mark])
        if (!entry) options.log('warn', 'a report cannot be delivered', { ...said, to: mail.to })
      }
    } else {
      const back = towardsMms(origin, recipient, report)
      mark = noted(
        report.delivery
          ? actionOf(report.delivery, settings)
          : readOutcome[report.read?.status ?? 'indeterminate'],
      )
      if (back && mayFollow(recipient.reports, mark))
        entry = mmsReportEntry([back], queueId, now, settings, undefined, [mark])
    }
    if (!entry) await spool.originals.mark([mark])
    else
      try {
        await spool.enqueue([{ ...entry, ...(from.duplicateKey ? { duplicateKey: from.duplicateKey } : {}) }])
        options.wake()
      } catch (error) {
        // Another report that ends the matter was faster (RPT-006): this one is answered, and goes no further.
        if (asFault(error).kind !== 'exists') throw error
      }
    options.log('info', 'MMS report taken', { ...said, reported: entry !== undefined })
    return 'taken'
  }
}

const readOutcome = { read: 'displayed', deleted: 'deleted', indeterminate: 'indeterminate' } as const
