/** accept(): reads the message, refuses what must be refused, finds each recipient's way out; then enqueues, once. */
import type { Directory } from '../auth/credentials.ts'
import { mailParty } from '../mapping/addresses.ts'
import { readMail } from '../mapping/carriers/mail.ts'
import { readMm4Forward } from '../mapping/carriers/mm4.ts'
import { readMm7Message } from '../mapping/carriers/mm7.ts'
import type { MappingContext } from '../mapping/context.ts'
import { mm4PathParty } from '../mapping/mm4-address.ts'
import { resolved } from '../mapping/times.ts'
import type { NeutralMessage, Party } from '../model/neutral.ts'
import type { IdSource } from '../model/providers.ts'
import type { AcceptedMessage, NewDelivery, NewQueueEntry, QueueEntry } from '../model/queue.ts'
import { isRefusal, type Refusal, refusal } from '../model/refusal.ts'
import type { Settings } from '../model/settings.ts'
import type { SmtpEnvelope, SmtpSession } from '../model/smtp-envelope.ts'
import type { EpochMs } from '../model/units.ts'
import { Mm4Answers } from '../queue/mm4-answers.ts'
import { giveUpMs } from '../queue/schedule.ts'
import type { Spool } from '../queue/spool.ts'
import type { Mm7Message } from '../wire/mm7/message.ts'
import { readMm7 } from '../wire/mm7/read.ts'
import { groupsOf, type Routed } from './groups.ts'
import { createMm4Acceptor } from './mm4.ts'
import { mm7StatusOf } from './refusals.ts'
import { peerOfTarget, routeOf } from './routes.ts'

export interface AcceptorOptions {
  readonly settings: Settings
  readonly spool: Spool
  readonly ids: IdSource
  readonly now: () => EpochMs
  readonly directory: Directory
  readonly maxRecipients: number
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
  /** Deliveries for a message that this gateway made itself, such as a DSN. */
  ownDeliveries(to: string, now: EpochMs): Promise<readonly NewDelivery[]>
}

/** Without a lifetime of its own an MM is kept as long as a mail. */
const unroutable = (address: string): Refusal =>
  refusal('unknown-recipient', 'nobody is served at this address', address)

export function createAcceptor(options: AcceptorOptions): Acceptor {
  const { settings, spool, ids } = options

  const context = (queueId: string, now: EpochMs): MappingContext => ({
    settings,
    ids: ids.of(queueId, ''),
    now,
    log: (level, message, fields) => options.log(level, message, { queueId, ...fields }),
  })

  /** Target and account of a party; a local account needs no route to `store` of its own number. */
  async function wayOf(
    party: Party,
    source: { readonly peer: string | null; readonly relay: boolean },
  ): Promise<{ target: string; account?: string } | Refusal> {
    if (party.kind === 'unknown' || party.kind === 'ip')
      return refusal('bad-recipient', 'the address cannot be resolved', party.raw)
    if (party.kind === 'mail') {
      const account = await localAccount(party.value)
      if (account !== undefined) return { target: 'store', account }
    }
    const target = routeOf(party, settings)
    if (target === undefined) return unroutable(party.raw)
    if (target.startsWith('reject'))
      return refusal('not-authorised', 'mail for this address is not taken', party.raw)
    if (target === 'store') return unroutable(party.raw)
    // Mail from anywhere goes to what is served here, not on to the Internet (SEC-060).
    if (!source.relay && (target === 'mx' || target.startsWith('smtp:')))
      return refusal('not-authorised', 'relaying is not allowed', party.raw)
    if (source.peer !== null && peerOfTarget(target) === source.peer)
      return refusal('loop', 'the way leads back to where the message came from', party.raw)
    return { target }
  }

  /** postmaster of every served domain is the operator's mailbox (ADR-028). */
  async function localAccount(addrSpec: string): Promise<string | undefined> {
    const found = await options.directory.find(addrSpec)
    if (found) return found.address
    const at = addrSpec.lastIndexOf('@')
    const isPostmaster = addrSpec.slice(0, at < 0 ? undefined : at).toLowerCase() === 'postmaster'
    const served =
      at < 0 ||
      settings.gateway.servedDomains.some((d) => d.toLowerCase() === addrSpec.slice(at + 1).toLowerCase())
    if (!isPostmaster || !served) return undefined
    return (
      (await options.directory.find(settings.gateway.postmaster))?.address ??
      (await options.directory.list())[0]?.address
    )
  }

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
      expiresAt: Math.min(lifetime, now + giveUpMs),
    }))
  }

  async function enqueue(entry: NewQueueEntry, octets: Uint8Array, message: AcceptedMessage): Promise<void> {
    // Before the write: a delivery may be claimed as soon as it is on disk.
    options.remember(entry.queueId, octets, message)
    await spool.enqueue([entry])
    options.wake()
  }

  const mm4 = createMm4Acceptor({
    ...options,
    answers: options.mm4Answers ?? new Mm4Answers(),
    idle: options.idle ?? (async () => {}),
    context,
    wayOf,
    deliveriesOf,
  })

  return {
    async recipient(address, session, _mailFrom) {
      if (address.toLowerCase() === 'postmaster') return { ok: true }
      const peer = session.peer === null ? undefined : settings.peers[session.peer]
      if (peer?.interface === 'mm4') {
        // Whom it serves is said by the answer to the MM (MAP-202); ordinary mail is judged after its data.
        const party = mm4PathParty(address, peer, settings)
        return isRefusal(party) ? party : { ok: true }
      }
      const party = mailParty(address, settings)
      if (isRefusal(party)) return party
      const way = await wayOf(party, sourceOf(session.peer))
      return isRefusal(way) ? way : { ok: true }
    },

    async mail(envelope, octets) {
      const now = options.now()
      const whole = octets.length === 1 && octets[0] ? octets[0] : Buffer.concat(octets)
      const taken = await mm4.accept(envelope, whole)
      if (taken) return taken
      const queueId = ids.queueId()
      const domain = settings.gateway.servedDomains[0] ?? settings.gateway.mmsDomain
      const rcptTo = envelope.rcptTo.map((r) =>
        r.path.toLowerCase() === 'postmaster' ? { ...r, path: `postmaster@${domain}` } : r,
      )
      const qualified: SmtpEnvelope = { ...envelope, rcptTo }
      const message = readMail(whole, qualified, { queueId }, context(queueId, now))
      if (isRefusal(message)) return message
      const routed: Routed[] = []
      for (const [index, recipient] of message.recipients.entries()) {
        if (!recipient.serve) continue
        const way = await wayOf(recipient.party, sourceOf(envelope.session.peer))
        if (isRefusal(way)) return way
        routed.push({ index, recipient, ...way })
      }
      // Privacy was promised to the sender only where the message leaves mail (MAP-157).
      const entry: NewQueueEntry = {
        queueId,
        receivedAt: now,
        origin: { carrier: 'mail', envelope: qualified },
        octets: [whole],
        sender: envelope.mailFrom.path ?? '',
        deliveries: deliveriesOf(message, routed, now),
      }
      await enqueue(entry, whole, message)
      options.log('info', 'mail accepted', { queueId, sender: entry.sender, octets: whole.length })
      return { queueId }
    },

    async mm7(request, from) {
      const queueId = ids.queueId()
      const message = readMm7Message(request, { ...from, queueId }, context(queueId, from.receivedAt))
      if (isRefusal(message)) return { status: mm7StatusOf[message.refused], details: message.text }
      const served = [...message.recipients.entries()].filter(([, r]) => r.serve)
      if (served.length === 0) return { status: 2002, details: 'no recipient is to be served' }
      if (served.length > options.maxRecipients) return { status: 2002, details: 'too many recipients' }
      const mayRelay = settings.peers[from.peer]?.mailOut === true
      const routed: Routed[] = []
      const refused: Refusal[] = []
      for (const [index, recipient] of served) {
        const way = await wayOf(recipient.party, { peer: from.peer, relay: mayRelay })
        if (isRefusal(way)) refused.push({ ...way, address: recipient.party.raw })
        else routed.push({ index, recipient, ...way })
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
          deliveries: deliveriesOf(message, routed, from.receivedAt),
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
      if (origin.carrier === 'mail') return readMail(octets, origin.envelope, { queueId }, ctx)
      if (origin.carrier === 'mm4')
        return readMm4Forward(octets, origin.envelope, { queueId, peer: origin.peer }, ctx)
      const request = readMm7(origin.contentType, octets)
      return readMm7Message(
        request,
        { peer: origin.peer, ip: origin.ip, queueId, receivedAt: origin.receivedAt },
        ctx,
      )
    },

    async ownDeliveries(to, now) {
      const party = mailParty(to, settings)
      if (isRefusal(party)) return []
      const way = await wayOf(party, { peer: null, relay: true })
      if (isRefusal(way)) return []
      return [
        {
          target: way.target,
          recipients: [
            { index: 0, address: to, ...(way.account === undefined ? {} : { account: way.account }) },
          ],
          dueAt: now,
          expiresAt: now + giveUpMs,
        },
      ]
    },
  }

  function sourceOf(peer: string | null): { peer: string | null; relay: boolean } {
    return { peer, relay: peer !== null && settings.peers[peer]?.mailOut === true }
  }
}

/** Each refused address with its code, as the peer wrote it (MM7-050). */
const details = (refused: readonly Refusal[]): string =>
  refused.map((r) => `${mm7StatusOf[r.refused]} ${r.address ?? ''}`.trim()).join(', ')
