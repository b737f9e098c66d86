/** accept(): reads the message, refuses what must be refused, finds each recipient's way out; then enqueues, once. */
import type { Directory } from '../auth/credentials.ts'
import { mailParty } from '../mapping/addresses.ts'
import { readMail } from '../mapping/carriers/mail.ts'
import { readMm4Forward } from '../mapping/carriers/mm4.ts'
import { readMm7Message } from '../mapping/carriers/mm7.ts'
import { refusedTowards } from '../mapping/content/for-mms.ts'
import type { MappingContext } from '../mapping/context.ts'
import { mm4PathParty } from '../mapping/mm4-address.ts'
import { readMm7Report } from '../mapping/reports/mm7-report.ts'
import { originalOf } from '../mapping/reports/original.ts'
import { resolved } from '../mapping/times.ts'
import type { NeutralMessage } from '../model/neutral.ts'
import type { IdSource } from '../model/providers.ts'
import type { AcceptedMessage, NewDelivery, NewQueueEntry, QueueEntry } from '../model/queue.ts'
import { isRefusal, type Refusal, refusal } from '../model/refusal.ts'
import type { Settings } from '../model/settings.ts'
import type { SmtpEnvelope, SmtpSession } from '../model/smtp-envelope.ts'
import type { EpochMs } from '../model/units.ts'
import { keepUntil } from '../queue/correlation.ts'
import { Mm4Answers } from '../queue/mm4-answers.ts'
import { giveUpMs } from '../queue/schedule.ts'
import type { Spool } from '../queue/spool.ts'
import type { Mm7Message } from '../wire/mm7/message.ts'
import { readMm7 } from '../wire/mm7/read.ts'
import { createChanges } from './changes.ts'
import { groupsOf, type Routed } from './groups.ts'
import { createHops } from './hops.ts'
import { linked, linkedIdFor } from './linked.ts'
import { createMailReports } from './mail-reports.ts'
import { createMm4Acceptor } from './mm4.ts'
import { type AcceptMmsReport, createMmsReports } from './mms-reports.ts'
import { type RateLimits, Rates } from './rates.ts'
import { mm7StatusOf } from './refusals.ts'
import { peerOfTarget } from './routes.ts'
import { createWays, sourceOf, type Ways } from './ways.ts'

export interface AcceptorOptions {
  readonly settings: Settings
  /** Its enqueue() tells the queue (Runner.enqueue). */
  readonly spool: Spool
  readonly ids: IdSource
  readonly now: () => EpochMs
  readonly directory: Directory
  readonly maxRecipients: number
  readonly rates?: RateLimits | undefined
  readonly remember: (queueId: string, octets: Uint8Array, message: AcceptedMessage | undefined) => void
  readonly wake: () => void
  /** Answers to our MM4 requests, shared with the adapter that waits for them; and Runner.idle. */
  readonly mm4Answers?: Mm4Answers | undefined
  readonly idle?: ((deliveryId: number) => Promise<void>) | undefined
  readonly log: (
    level: 'info' | 'warn' | 'error',
    message: string,
    fields?: Readonly<Record<string, unknown>>,
  ) => void
}

export interface Mm7Context {
  readonly peer: string
  readonly ip: string
  readonly octets: Uint8Array
  readonly contentType: string
  readonly receivedAt: EpochMs
  readonly duplicateKey?: { readonly key: string; readonly hash: string } | undefined
}

export interface Mm7Result {
  readonly status: number
  readonly details?: string
  readonly messageId?: string
}

export interface Acceptor {
  /** Whether mail for the address is taken at RCPT time (SEC-037, SEC-060). */
  recipient(
    address: string,
    session: SmtpSession,
    mailFrom: string | null,
  ): Promise<{ readonly ok: true } | Refusal>
  /** Resolves when the message is durable. */
  mail(envelope: SmtpEnvelope, octets: readonly Uint8Array[]): Promise<{ readonly queueId: string } | Refusal>
  mm7(request: Mm7Message, context: Mm7Context): Promise<Mm7Result>
  /** Reads an accepted message again. */
  read(entry: QueueEntry, octets: Uint8Array): AcceptedMessage | Refusal
  /** A delivery or read report of an MMS peer; resolves when it is durable (RPT-003). */
  readonly mmsReport: AcceptMmsReport
  readonly ways: Ways
}

export function createAcceptor(options: AcceptorOptions): Acceptor {
  const { settings, spool, ids } = options
  const ways = createWays(settings, options.directory)

  const context = (queueId: string, now: EpochMs): MappingContext => ({
    settings,
    ids: ids.of(queueId, ''),
    now,
    log: (level, message, fields) => options.log(level, message, { queueId, ...fields }),
  })

  const limitOf = (target: string): number => {
    const peer = peerOfTarget(target)
    return (peer === undefined ? undefined : settings.peers[peer]?.maxRecipients) ?? options.maxRecipients
  }

  function deliveriesOf(message: NeutralMessage, routed: readonly Routed[], now: EpochMs): NewDelivery[] {
    const lifetime = message.expiry
      ? resolved(message.expiry, message.receivedAt) * 1000
      : Number.POSITIVE_INFINITY
    const hold = message.earliestDelivery ? resolved(message.earliestDelivery, message.receivedAt) * 1000 : 0
    return groupsOf(message, routed, limitOf).map((group) => ({
      target: group.target,
      recipients: group.members.map((m) => ({
        index: m.index,
        address: m.recipient.party.raw,
        ...(m.account === undefined ? {} : { account: m.account }),
      })),
      dueAt: Math.max(now, hold),
      // What is held is tried for as long as anything else, from its time on (FR-15).
      expiresAt: Math.min(lifetime, Math.max(now, hold) + giveUpMs),
    }))
  }

  /** The copies, and what reports about them will be matched with: written at once (RPT-001). */
  function copies(
    message: NeutralMessage,
    routed: readonly Routed[],
    now: EpochMs,
    mail: { readonly envelope: SmtpEnvelope; readonly octets: Uint8Array } | undefined,
  ): Pick<NewQueueEntry, 'deliveries' | 'original'> {
    const deliveries = deliveriesOf(message, routed, now)
    const expiresAt = Math.max(...deliveries.map((d) => d.expiresAt))
    const until = keepUntil(now, expiresAt, message.readReply === true, settings.reports)
    const original = originalOf(message, routed, mail, until, context(message.queueId, now))
    return { deliveries, ...(original ? { original } : {}) }
  }

  /** A mail that no way out can take is refused at once; where one can, the others are told by DSN (CNT-074, MAP-157). */
  function refusedByAll(
    message: NeutralMessage,
    routed: readonly Routed[],
    ctx: MappingContext,
  ): Refusal | undefined {
    let first: Refusal | undefined
    for (const target of new Set(routed.map((r) => r.target))) {
      const peer = target.startsWith('mm') ? settings.peers[peerOfTarget(target) ?? ''] : undefined
      if (!peer) return undefined
      const refused = refusedTowards(message, { peer, expose: peer.interface === 'mm7' }, ctx)
      if (!refused) return undefined
      first ??= refused
    }
    return first
  }

  async function enqueue(entry: NewQueueEntry, octets: Uint8Array, message: AcceptedMessage): Promise<void> {
    // Before the write: a delivery may be claimed as soon as it is on disk.
    if (entry.deliveries.some(({ dueAt }) => dueAt <= options.now()))
      options.remember(entry.queueId, octets, message)
    await spool.enqueue([entry])
  }

  const hops = createHops()
  const mmsReport = createMmsReports(options, ways, context)
  const mm4 = createMm4Acceptor({
    ...options,
    answers: options.mm4Answers ?? new Mm4Answers(),
    idle: options.idle ?? (async () => {}),
    context,
    wayOf: ways.of,
    hops,
    copies: (message, routed, now) => copies(message, routed, now, undefined),
    report: mmsReport,
  })
  const mailReports = createMailReports(options, ways)
  const changes = createChanges(options, context)
  const rates = new Rates(options.rates ?? {})

  return {
    ways,
    mmsReport,
    async recipient(address, session, mailFrom) {
      if (address.toLowerCase() === 'postmaster') return { ok: true }
      const peer = session.peer === null ? undefined : settings.peers[session.peer]
      if (peer?.interface === 'mm4') {
        // Whom it serves is said by the answer to the MM (MAP-202); ordinary mail is judged after its data.
        const party = mm4PathParty(address, peer, settings)
        return isRefusal(party) ? party : { ok: true }
      }
      const awaited = mailReports.reportAddress(address)
      if (awaited !== undefined)
        return (await mailReports.isAwaited(awaited)) ? { ok: true } : nobodyAt(address)
      const party = mailParty(address, settings)
      if (isRefusal(party)) return party
      const way = await ways.of(party, sourceOf(session, settings))
      if (!isRefusal(way)) return rates.mail(session, mailFrom, party, options.now()) ?? { ok: true }
      // The sender of an MM need not be reachable by mail for reports about it to come back.
      return mailFrom === null && (await spool.originals.isReturnPath(address)) ? { ok: true } : way
    },

    async mail(envelope, octets) {
      const now = options.now()
      const whole = octets.length === 1 && octets[0] ? octets[0] : Buffer.concat(octets)
      const taken = await mm4.accept(envelope, whole)
      if (taken) return taken
      const domain = settings.gateway.servedDomains[0] ?? settings.gateway.mmsDomain
      const rcptTo = envelope.rcptTo.map((r) =>
        r.path.toLowerCase() === 'postmaster' ? { ...r, path: `postmaster@${domain}` } : r,
      )
      const report = await mailReports.accept({ ...envelope, rcptTo }, whole, now)
      if (report && !report.rest) return report
      const qualified: SmtpEnvelope = report?.rest ?? { ...envelope, rcptTo }
      const isReportOnly = qualified.rcptTo.find((r) => mailReports.reportAddress(r.path) !== undefined)
      if (isReportOnly) return nobodyAt(isReportOnly.path)
      const queueId = ids.queueId()
      const read = readMail(whole, qualified, { queueId }, context(queueId, now))
      if (isRefusal(read)) return read
      const routed: Routed[] = []
      for (const [index, recipient] of read.recipients.entries()) {
        if (!recipient.serve) continue
        const way = await ways.of(recipient.party, sourceOf(envelope.session, settings))
        if (isRefusal(way)) return way
        const loop = hops.crossing(read, recipient.party, way.target, now)
        if (loop) return loop
        routed.push({ index, recipient, ...way })
      }
      const refused = refusedByAll(read, routed, context(queueId, now))
      if (refused) return refused
      const targets = routed.map((r) => r.target)
      const linkedId = await linkedIdFor(read, targets, spool.originals)
      const message = linked(read, linkedId)
      const entry: NewQueueEntry = {
        queueId,
        receivedAt: now,
        origin: { carrier: 'mail', envelope: qualified, ...(linkedId === undefined ? {} : { linkedId }) },
        octets: [whole],
        sender: envelope.mailFrom.path ?? '',
        ...senderHold(envelope, message),
        ...copies(message, routed, now, { envelope: qualified, octets: whole }),
      }
      await enqueue(entry, whole, message)
      options.log('info', 'mail accepted', { queueId, sender: entry.sender, octets: whole.length })
      return { queueId }
    },

    async mm7(request, from) {
      switch (request.operation) {
        case 'SubmitReq':
        case 'DeliverReq':
          break
        case 'DeliveryReportReq':
        case 'ReadReplyReq':
          return mm7Report(request, from)
        case 'CancelReq':
        case 'extendedCancelReq':
          return changes.cancel(request, from)
        case 'ReplaceReq':
        case 'extendedReplaceReq':
          return changes.replace(request, from)
        default:
          return { status: 4003, details: `${request.operation} is not enabled` }
      }
      const queueId = ids.queueId()
      const message = readMm7Message(request, { ...from, queueId }, context(queueId, from.receivedAt))
      if (isRefusal(message)) return { status: mm7StatusOf[message.refused], details: message.text }
      const unlinked = await unknownLink(message, from.peer)
      if (unlinked) return unlinked
      const served = [...message.recipients.entries()].filter(([, r]) => r.serve)
      if (served.length === 0) return { status: 2002, details: 'no recipient is to be served' }
      if (served.length > options.maxRecipients) return { status: 2002, details: 'too many recipients' }
      const mayRelay = settings.peers[from.peer]?.mailOut === true
      const routed: Routed[] = []
      const refused: Refusal[] = []
      for (const [index, recipient] of served) {
        const way = await ways.of(recipient.party, { peer: from.peer, relay: mayRelay })
        const found = isRefusal(way)
          ? way
          : (rates.mms(message.sender, recipient.party, from.receivedAt) ??
            hops.crossing(message, recipient.party, way.target, from.receivedAt) ??
            way)
        if (isRefusal(found)) refused.push({ ...found, address: recipient.party.raw })
        else routed.push({ index, recipient, ...found })
      }
      if (routed.length === 0) {
        const codes = new Set(refused.map((r) => mm7StatusOf[r.refused]))
        const [only] = codes
        return { status: codes.size === 1 && only !== undefined ? only : 2002, details: details(refused) }
      }
      const messageId = message.mmsMessageId
      const answer: Mm7Result = {
        status: refused.length > 0 ? 1100 : 1000,
        ...(refused.length > 0 ? { details: details(refused) } : {}),
        ...(messageId === undefined || request.operation !== 'SubmitReq' ? {} : { messageId }),
      }
      await enqueue(
        {
          queueId,
          receivedAt: from.receivedAt,
          origin: {
            carrier: 'mm7',
            peer: from.peer,
            ip: from.ip,
            contentType: from.contentType,
            operation: request.operation,
            receivedAt: from.receivedAt,
          },
          octets: [from.octets],
          sender: message.sender.value,
          mmsMessageId: messageId,
          ...copies(message, routed, from.receivedAt, undefined),
          ...(from.duplicateKey
            ? { duplicateKey: { ...from.duplicateKey, response: JSON.stringify(answer) } }
            : {}),
        },
        from.octets,
        message,
      )
      options.log('info', 'MM accepted', {
        queueId,
        peer: from.peer,
        sender: message.sender.value,
        octets: from.octets.length,
      })
      return answer
    },

    read(entry, octets) {
      const { origin, queueId } = entry
      const ctx = context(queueId, entry.receivedAt)
      if (origin.carrier === 'mail') {
        const message = readMail(octets, origin.envelope, { queueId }, ctx)
        return isRefusal(message) ? message : linked(message, origin.linkedId)
      }
      if (origin.carrier === 'mm4')
        return readMm4Forward(octets, origin.envelope, { queueId, peer: origin.peer }, ctx)
      if (origin.carrier === 'report') return refusal('malformed', 'a report is no message')
      const request = readMm7(origin.contentType, octets)
      return readMm7Message(
        request,
        { peer: origin.peer, ip: origin.ip, queueId, receivedAt: origin.receivedAt },
        ctx,
      )
    },
  }

  async function mm7Report(request: Mm7Message, from: Mm7Context): Promise<Mm7Result> {
    const report = readMm7Report(request, from, context('', from.receivedAt))
    if (isRefusal(report)) return { status: mm7StatusOf[report.refused], details: report.text }
    const answer: Mm7Result = { status: 1000 }
    const key = from.duplicateKey && { ...from.duplicateKey, response: JSON.stringify(answer) }
    const result = await mmsReport(report, { peer: from.peer, duplicateKey: key })
    return result === 'taken'
      ? answer
      : { status: 2005, details: 'no message to this recipient has this MessageID' }
  }

  /** MM7-066: where the peer is held to it, a LinkedID names what was delivered to that peer. */
  async function unknownLink(message: NeutralMessage, peer: string): Promise<Mm7Result | undefined> {
    const { linkedId } = message.vas
    if (linkedId === undefined || !settings.peers[peer]?.strictLinkedId) return undefined
    if ((await spool.originals.byPeerMessageId(peer, linkedId)).length > 0) return undefined
    // Its answer to our request may still be on the way to the disk.
    return (await spool.originals.isSending(peer))
      ? { status: 4006, details: 'a message to you is being delivered: try again' }
      : { status: 2006, details: 'no message with this id was delivered to you' }
  }
}

/** FUTURERELEASE (RFC 4865). */
function senderHold(
  { session, mailFrom }: SmtpEnvelope,
  { earliestDelivery, receivedAt }: NeutralMessage,
): Pick<NewQueueEntry, 'hold'> {
  if (session.auth === null || !earliestDelivery) return {}
  const releaseAt = resolved(earliestDelivery, receivedAt) * 1000
  const until = mailFrom.params.HOLDUNTIL === undefined ? undefined : releaseAt
  return { hold: { submitter: session.auth, releaseAt, until } }
}

const nobodyAt = (address: string): Refusal =>
  refusal('unknown-recipient', 'nobody is served at this address', address)

/** Each refused address with its code, as the peer wrote it (MM7-050). */
const details = (refused: readonly Refusal[]): string =>
  refused.map((r) => `${mm7StatusOf[r.refused]} ${r.address ?? ''}`.trim()).join(', ')
