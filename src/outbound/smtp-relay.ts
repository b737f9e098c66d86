/** Delivery by SMTP: to a configured relay, or to the domain's own servers (ADR-042, QUE-011 to QUE-013). */
import { isAscii as isAsciiOctets } from 'node:buffer'
import { writeMail } from '../mapping/carriers/mail.ts'
import type { Outcome } from '../model/queue.ts'
import { isRefusal, type Refusal, type RefusalReason, refusal } from '../model/refusal.ts'
import type { Settings } from '../model/settings.ts'
import type { SmtpEnvelope } from '../model/smtp-envelope.ts'
import type { Adapter, DeliveryJob, DeliveryResult } from '../queue/adapter.ts'
import { transferable } from '../wire/mime/transfer.ts'
import { isAscii } from '../wire/mime/utf8.ts'
import type { MxAnswer } from './mx.ts'
import { allOf, refusedOutcomes } from './outcomes.ts'
import { keepsDeadline, passedEnvelope, traceField } from './pass-through.ts'
import type {
  OutgoingEnvelope,
  SmtpConversation,
  SmtpHop,
  SmtpReplyLine,
  SmtpTransport,
} from './transports.ts'
import { hasUtf8Header, isUtf8Mail, isUtf8Path } from './utf8-mail.ts'

/** Of a domain with more hosts no others are tried in one attempt: each may take its time to be silent. */
const maxHosts = 8

export function createSmtpRelayAdapter(
  settings: Settings,
  transport: SmtpTransport,
  resolveMx: (domain: string) => Promise<MxAnswer>,
): Adapter {
  return {
    kinds: ['smtp', 'mx'],
    async deliver(job, signal) {
      const [kind, peerKey = ''] = job.delivery.target.split(':')
      if (kind === 'smtp') {
        const peer = settings.peers[peerKey]
        if (!peer?.host)
          return {
            outcomes: allOf(job.serve, {
              state: 'deferred',
              status: { code: '4.3.5', text: `relay ${peerKey} is not configured` },
            }),
          }
        const hop: SmtpHop = { host: peer.host, port: peer.port, tls: peer.tls, login: peer.login }
        return attempt(job, job.serve, [hop], signal)
      }
      const outcomes: Outcome[] = []
      for (const [domain, serve] of byDomain(job)) {
        const found = await resolveMx(domain)
        if (found.kind === 'hosts') {
          const hops = found.hosts.slice(0, maxHosts).map((host): SmtpHop => ({ host }))
          outcomes.push(...(await attempt(job, serve, hops, signal)).outcomes)
        } else
          outcomes.push(
            ...allOf(serve, {
              state: found.kind === 'later' ? 'deferred' : 'failed',
              status: { code: found.status, text: found.text },
            }),
          )
      }
      return { outcomes }
    },
    close: () => transport.close(),
  }

  /**
   * The first hop that can be talked to decides; those that cannot are passed over (QUE-013), and those without SMTPUTF8
   * where it is needed, as long as there are others (RFC 6531 §3.2).
   */
  async function attempt(
    job: DeliveryJob,
    serve: readonly number[],
    hops: readonly SmtpHop[],
    signal: AbortSignal,
  ): Promise<DeliveryResult> {
    let last = 'no host to try'
    for (const [i, hop] of hops.entries()) {
      const isLast = i === hops.length - 1
      let conversation: SmtpConversation
      try {
        conversation = await transport.open(hop, signal)
      } catch (error) {
        last = `${hop.host}: ${error instanceof Error ? error.message : String(error)}`
        continue
      }
      try {
        const without = conversation.extensions.has('SMTPUTF8')
          ? []
          : serve.filter((index) => isUtf8Path(addressOf(job, index)))
        if (without.length > 0 && !isLast) continue
        const refused = refusedOutcomes(
          without,
          refusal('non-ascii-address', `${hop.host} takes no addresses that are not ASCII`),
        )
        const served = serve.filter((index) => !without.includes(index))
        if (served.length === 0) return { outcomes: refused }
        const mail = await mailFor(job, served, conversation)
        if (isRefusal(mail)) {
          if (otherHopMay.has(mail.refused) && !isLast) continue
          return { outcomes: [...refused, ...refusedOutcomes(served, mail)] }
        }
        const size = mail.octets.reduce((sum, piece) => sum + piece.length, 0)
        const limit = Number(conversation.extensions.get('SIZE') || 0)
        if (limit > 0 && size > limit)
          return {
            outcomes: [
              ...refused,
              ...allOf(served, {
                state: 'failed',
                status: { code: '5.3.4', text: `${hop.host} takes ${limit} octets` },
                remoteMta: hop.host,
              }),
            ],
          }
        const sent = await conversation.send(mail.envelope, mail.octets)
        const { extensions, remoteMta } = conversation
        const offered = { dsn: extensions.has('DSN'), deliverBy: extensions.has('DELIVERBY') }
        const outcomes = served.map((index) => ({
          ...judged(index, mail.pathOf.get(index), sent, remoteMta),
          hop: offered,
        }))
        return { outcomes: [...refused, ...outcomes] }
      } catch (error) {
        last = `${hop.host}: ${error instanceof Error ? error.message : String(error)}`
        // Lost after the message may have been taken: it is tried again, at least once is the rule (QUE-002).
        break
      } finally {
        conversation.quit()
      }
    }
    return { outcomes: allOf(serve, { state: 'deferred', status: { code: '4.4.1', text: last } }) }
  }

  async function mailFor(
    job: DeliveryJob,
    serve: readonly number[],
    hop: SmtpConversation,
  ): Promise<Prepared | Refusal> {
    const { origin } = job.delivery.entry
    if (origin.carrier === 'mail') {
      const addresses = serve.map((i) => addressOf(job, i))
      if (!keepsDeadline(origin.envelope, hop.extensions, job.now))
        return refusal('not-capable', `${hop.remoteMta} does not deliver within the time that is left`)
      const octets = sendable(await job.octets(), origin.envelope, hop)
      if (isRefusal(octets)) return octets
      const utf8 = isUtf8Mail(origin.envelope) && hasUtf8Header(octets)
      const envelope = passedEnvelope(origin.envelope, addresses, hop.extensions, job.now, utf8)
      if (Object.hasOwn(envelope.mailFrom.params, 'SMTPUTF8') && !hop.extensions.has('SMTPUTF8'))
        return isAscii(envelope.mailFrom.path ?? '')
          ? refusal('utf8-header', `${hop.remoteMta} takes no header fields that are not ASCII`)
          : refusal('non-ascii-address', `${hop.remoteMta} takes no addresses that are not ASCII`)
      const { params } = envelope.mailFrom
      // RFC 6152 §3: what is 8-bit is said to be; under SMTPUTF8 the client has said it of the body (RFC 6531 §3.6).
      if (hop.extensions.has('8BITMIME') && !Object.hasOwn(params, 'SMTPUTF8') && !isAsciiOctets(octets))
        params.BODY = '8BITMIME'
      const trace = Buffer.from(traceField(job.delivery, settings), 'latin1')
      return {
        envelope,
        octets: [trace, octets],
        pathOf: new Map(serve.map((index, i) => [index, envelope.rcptTo[i]?.path ?? ''])),
      }
    }
    const message = await job.message()
    if (isRefusal(message)) return message
    const written = writeMail(message, serve, hop, { settings, ids: job.ids, now: job.now })
    if (isRefusal(written)) return written
    const pathOf = new Map(serve.map((index) => [index, written.rcptOf.get(index) ?? '']))
    return { envelope: written.envelope, octets: written.octets, pathOf }
  }
}

/** Refusals that one hop of a domain gives reason for, and the next perhaps not. */
const otherHopMay: ReadonlySet<RefusalReason> = new Set([
  'non-ascii-address',
  'utf8-header',
  'unconvertible',
  'not-capable',
])

/** The octets as DATA can carry them to this hop (RFC 3030 §3, RFC 6152 §3): encoded without loss, or not at all. */
function sendable(
  octets: Uint8Array,
  { binary }: SmtpEnvelope,
  { extensions, remoteMta }: SmtpConversation,
): Uint8Array | Refusal {
  const eightBit = extensions.has('8BITMIME')
  if (!binary && (eightBit || isAsciiOctets(octets))) return octets
  return (
    transferable(octets, { eightBit }) ??
    refusal('unconvertible', `${remoteMta} does not take the message as it is, and it must not be changed`)
  )
}

interface Prepared {
  readonly envelope: OutgoingEnvelope
  readonly octets: readonly Uint8Array[]
  /** RCPT path of each recipient. */
  readonly pathOf: ReadonlyMap<number, string>
}

/** What the replies of one conversation mean for a recipient. */
export function judged(
  index: number,
  path: string | undefined,
  sent: Awaited<ReturnType<SmtpConversation['send']>>,
  remoteMta: string,
): Outcome {
  const own = sent.recipients.find((r) => r.path === path)
  const decisive: SmtpReplyLine | undefined = own && !own.accepted ? own : sent.final
  if (!decisive)
    return {
      index,
      state: 'deferred',
      status: { code: '4.4.2', text: 'the connection ended early' },
      remoteMta,
    }
  const kind = Math.floor(decisive.code / 100)
  const shown = `${decisive.code}${decisive.enhanced ? ` ${decisive.enhanced}` : ''} ${decisive.text}`
  if (kind === 2) return { index, state: 'relayed', status: { code: '2.0.0', text: shown }, remoteMta }
  const final = kind === 5
  const code = decisive.enhanced || (final ? '5.0.0' : '4.0.0')
  return {
    index,
    state: final ? 'failed' : 'deferred',
    status: { code, text: shown },
    diagnostic: { type: 'smtp', text: shown },
    remoteMta,
  }
}

const addressOf = ({ delivery }: DeliveryJob, index: number): string =>
  delivery.recipients.find((r) => r.index === index)?.address ?? ''

function byDomain(job: DeliveryJob): Map<string, number[]> {
  const domains = new Map<string, number[]>()
  for (const index of job.serve) {
    const address = addressOf(job, index)
    const domain = address.slice(address.lastIndexOf('@') + 1).toLowerCase()
    domains.set(domain, [...(domains.get(domain) ?? []), index])
  }
  return domains
}
