/**
 * What the outcomes of an attempt call for: a DSN to the sender of a mail, a delivery report to the sender of an MM
 * (RPT-012 to RPT-015, RPT-030, RPT-050 to RPT-054; RFC 3461 §5.2, §6.1; RFC 2852 §4.1.4).
 */
import { type DsnRecipient, ownDsn } from '../mapping/reports/dsn.ts'
import { mailMessageId, mailOrigin } from '../mapping/reports/original.ts'
import { type DsnVerdict, isWanted } from '../mapping/reports/tables.ts'
import type { NeutralMessage, NeutralReport } from '../model/neutral.ts'
import type { IdSource } from '../model/providers.ts'
import type { DeliveryRecord, NewQueueEntry, NewReportMark, Outcome } from '../model/queue.ts'
import { isRefusal } from '../model/refusal.ts'
import type { Settings } from '../model/settings.ts'
import type { SmtpEnvelope } from '../model/smtp-envelope.ts'
import type { EpochMs } from '../model/units.ts'
import type { Correlation } from '../queue/correlation.ts'
import type { ReportInput, Reports } from '../queue/outcome-reports.ts'
import { releaseAt } from '../wire/smtp/future-release.ts'
import type { Acceptor } from './accept.ts'
import { mmsReportEntry, ownMailEntry } from './report-entries.ts'
import { type MailFacts, type MmsFacts, mailFacts, mmsFacts } from './report-facts.ts'
import { peerOfTarget } from './routes.ts'

/** A message that waits longer than this is late, and so again a day later (RPT-015). Milliseconds. */
const lateMs = 4 * 3_600_000
const lateAgainMs = 86_400_000

const none: Reports = { entries: [], delayReported: [] }

export function createReporter(options: {
  readonly settings: Settings
  readonly ids: IdSource
  readonly acceptor: Acceptor
  readonly originals: Pick<Correlation, 'byQueueId'>
  readonly log: (
    level: 'info' | 'warn' | 'error',
    message: string,
    fields?: Readonly<Record<string, unknown>>,
  ) => void
}): (input: ReportInput) => Promise<Reports> {
  const { settings, ids } = options

  return async (input) => {
    const { origin } = input.delivery.entry
    const isOwn = origin.carrier === 'report' || (origin.carrier === 'mail' && origin.own === true)
    if (isOwn) return failedReports(input)
    if (origin.carrier === 'mail' && !mayNeedDsn(input, origin.envelope)) return none
    const message = await read(input)
    if (!message) return unreadable(input)
    return origin.carrier === 'mail' && message.source === 'mm3'
      ? dsns(input, message, origin.envelope)
      : { entries: deliveryReports(input, message), delayReported: [] }
  }

  /** undefined: it cannot be read any more. @throws when nothing final has become of it: then there is time */
  async function read(input: ReportInput): Promise<NeutralMessage | undefined> {
    try {
      const message = await input.message()
      return isRefusal(message) ? undefined : message
    } catch (error) {
      if (!input.outcomes.some(isFailure)) throw error
      return undefined
    }
  }

  /** Its failures, from what is known without it. */
  async function unreadable(input: ReportInput): Promise<Reports> {
    const { entry } = input.delivery
    const failures = input.outcomes.filter(isFailure)
    options.log('error', 'a message cannot be read again', { queueId: entry.queueId })
    if (failures.length === 0) return none
    const told = { ...input, outcomes: failures }
    if (entry.origin.carrier === 'mail') {
      const octets = (): Promise<Uint8Array> => input.octets().catch(() => new Uint8Array(0))
      const { envelope } = entry.origin
      return dsns({ ...told, octets }, mailFacts(envelope, settings), envelope)
    }
    const facts = await mmsFacts(entry, options.originals)
    return facts ? { entries: deliveryReports(told, facts), delayReported: [] } : none
  }

  /** RPT-056: a report that cannot be delivered is logged, and that is all. */
  function failedReports({ delivery, outcomes }: ReportInput): Reports {
    for (const outcome of outcomes)
      if (outcome.state === 'failed' || outcome.state === 'expired')
        options.log('warn', 'a report could not be delivered', {
          queueId: delivery.entry.queueId,
          target: delivery.target,
          text: outcome.status.text,
        })
    return none
  }

  /** One DSN for each Action; a blind recipient has one of its own (RPT-029, SEC-040). */
  async function dsns(input: ReportInput, message: MailFacts, envelope: SmtpEnvelope): Promise<Reports> {
    const { delivery, now } = input
    const concerned = input.outcomes.flatMap((outcome) => {
      const recipient = message.recipients[outcome.index]
      const verdict = recipient && verdictOf(outcome, recipient.notify, input, message)
      if (!recipient || !verdict) return []
      const { party, orcpt, field } = recipient
      const one: DsnRecipient = {
        recipient: { address: party.raw, party, orcpt },
        verdict,
        text: textOf(outcome, verdict),
        outcome: verdict.action === 'failed' || verdict.action === 'delayed' ? outcome : undefined,
        willRetryUntil: delivery.expiresAt,
      }
      return [{ one, index: outcome.index, blind: field === 'bcc' }]
    })
    if (concerned.length === 0) return none
    const { queueId } = delivery.entry
    if (envelope.mailFrom.path === null) {
      // RPT-010: the operator's log is the only witness.
      options.log('warn', 'nobody can be told of it: the reverse-path is null', { queueId })
      return none
    }
    const octets = await input.octets()
    const original = {
      origin: mailOrigin(message, envelope, octets),
      messageId: mailMessageId(message, octets),
      acceptedAt: envelope.receivedAt * 1000,
      octets,
    }
    const groups = new Map<string, typeof concerned>()
    for (const c of concerned) {
      const key = c.blind ? `blind ${c.index}` : c.one.verdict.action
      groups.set(key, [...(groups.get(key) ?? []), c])
    }
    const entries: NewQueueEntry[] = []
    for (const group of groups.values()) {
      const reportId = ids.queueId()
      const ctx = { settings, ids: ids.of(reportId, ''), now }
      const recipients = group.map((c) => c.one)
      const mail = ownDsn(original, recipients, now, ctx)
      const marks = group.map((c) => markOf(delivery, c.index, c.one.verdict.action, now))
      const entry = mail && (await ownMailEntry(mail, reportId, now, settings, options.acceptor.ways, marks))
      if (entry) entries.push(entry)
      else options.log('warn', 'a report cannot be delivered', { queueId, sender: envelope.mailFrom.path })
    }
    const delayReported = concerned.filter((c) => c.one.verdict.action === 'delayed').map((c) => c.index)
    return { entries, delayReported }
  }

  /** undefined: the sender is not told of it. */
  function verdictOf(
    outcome: Outcome,
    notify: Parameters<typeof isWanted>[0],
    { delivery, now }: ReportInput,
    message: MailFacts,
  ): DsnVerdict | undefined {
    const { deliverBy } = message
    switch (outcome.state) {
      case 'failed':
      case 'expired':
        return isWanted(notify, 'failure')
          ? { action: 'failed', status: outcome.status.code.replace(/^[24]/, '5') }
          : undefined
      case 'delivered':
        return isWanted(notify, 'success') ? { action: 'delivered', status: outcome.status.code } : undefined
      case 'relayed': {
        const silent = !reportsBack(delivery.target, outcome)
        const leavesDeliverBy =
          deliverBy !== undefined &&
          (deliverBy.trace || (deliverBy.mode === 'N' && outcome.hop?.deliverBy !== true))
        const told = (silent && isWanted(notify, 'success')) || (leavesDeliverBy && notify !== 'never')
        return told ? { action: 'relayed', status: '2.0.0' } : undefined
      }
      case 'deferred': {
        const told = delivery.recipients.find((r) => r.index === outcome.index)?.delayReportedAt
        // RPT-030: the time of mode N has passed, delivery goes on.
        const deadline = deliverBy?.mode === 'N' ? deliverBy.deadline * 1000 : Number.POSITIVE_INFINITY
        if (now >= deadline && (told ?? 0) < deadline && (notify === undefined || isWanted(notify, 'delay')))
          return { action: 'delayed', status: '4.4.7' }
        const late = now - dueSince(delivery) >= lateMs && (told === undefined || now - told >= lateAgainMs)
        return late && isWanted(notify, 'delay')
          ? { action: 'delayed', status: outcome.status.code.replace(/^[25]/, '4') }
          : undefined
      }
    }
  }

  /** Whether the next hop reports on its own what becomes of the message (RPT-014, RPT-052). */
  function reportsBack(target: string, outcome: Outcome): boolean {
    const peer = settings.peers[peerOfTarget(target) ?? '']
    if (!target.startsWith('mm')) return outcome.hop === undefined || outcome.hop.dsn
    // DeliverReq has no element to ask for a report with.
    return peer?.supportsDeliveryReport ?? (peer?.interface === 'mm4' || peer?.role === 'rs')
  }

  /** RPT-050, RPT-052, RPT-053: only where the sender asked for it (AMB-40). */
  function deliveryReports({ delivery, outcomes, now }: ReportInput, message: MmsFacts): NewQueueEntry[] {
    const { peer } = message
    if (peer === undefined) return []
    const marks: NewReportMark[] = []
    const reports = outcomes.flatMap((outcome) => {
      const recipient = message.recipients[outcome.index]
      const status = mmsStatusOf(delivery.target, outcome)
      if (!recipient || !status || message.deliveryReport !== true) return []
      marks.push(markOf(delivery, outcome.index, markWords[status], now))
      const report: NeutralReport = {
        kind: 'delivery-report',
        source: message.source,
        receivedAt: Math.floor(now / 1000),
        originalMmsId: message.mmsMessageId,
        originalMessageId: message.messageId,
        recipient: recipient.party,
        destination: message.sender,
        at: { epoch: Math.floor(now / 1000), offsetMinutes: 0 },
        delivery: {
          status,
          raw: outcome.state,
          enhanced: outcome.status.code,
          ...(status === 'unreachable' ? { by: 'other-rs' as const } : {}),
        },
        text: outcome.diagnostic?.text ?? outcome.status.text,
      }
      return [{ report, peer }]
    })
    return reports.length === 0
      ? []
      : [mmsReportEntry(reports, ids.queueId(), now, settings, undefined, marks)]
  }

  function mmsStatusOf(target: string, outcome: Outcome) {
    switch (outcome.state) {
      case 'failed':
        return 'unreachable'
      case 'expired':
        return 'expired'
      case 'delivered':
        return 'retrieved'
      case 'relayed':
        return reportsBack(target, outcome) ? undefined : 'forwarded'
      case 'deferred':
        return undefined
    }
  }
}

/** What its sender asked to be held is late from its release on (FR-15). */
function dueSince({ entry: { origin, receivedAt } }: DeliveryRecord): EpochMs {
  const held = origin.carrier === 'mail' ? releaseAt(origin.envelope.mailFrom.params, receivedAt) : undefined
  return Math.max(receivedAt, held ?? 0)
}

const isFailure = ({ state }: Outcome): boolean => state === 'failed' || state === 'expired'

const markOf = (delivery: DeliveryRecord, index: number, outcome: string, at: EpochMs): NewReportMark => ({
  queueId: delivery.entry.queueId,
  index,
  report: 'delivery',
  outcome,
  at,
})

const markWords = {
  unreachable: 'failed',
  expired: 'failed',
  retrieved: 'delivered',
  forwarded: 'relayed',
} as const

/** Cheap enough for every attempt: whether the envelope asks for anything that the outcomes could call for. */
function mayNeedDsn({ outcomes, delivery, now }: ReportInput, envelope: SmtpEnvelope): boolean {
  const { BY } = envelope.mailFrom.params
  const wants = (word: string): boolean =>
    envelope.rcptTo.some((r) => r.params.NOTIFY?.toUpperCase().includes(word) === true)
  return outcomes.some((outcome) => {
    if (outcome.state === 'failed' || outcome.state === 'expired') return true
    if (outcome.state === 'deferred')
      return BY !== undefined || (now - dueSince(delivery) >= lateMs && wants('DELAY'))
    return BY !== undefined || wants('SUCCESS')
  })
}

/** What people read: the words of the next hop where it said any. */
const textOf = (outcome: Outcome, verdict: DsnVerdict): string =>
  verdict.action === 'relayed'
    ? 'handed on to the next system'
    : outcome.diagnostic?.text || outcome.status.text
