/** Every outgoing item of a neutral message: one for each next hop and report group, written by its carrier. */
import { receivedWithMms, writeMail } from '../../mapping/carriers/mail.ts'
import { encodeMm1 } from '../../mapping/carriers/mm1-write.ts'
import { writeMm4Forward } from '../../mapping/carriers/mm4.ts'
import { writeMm7Request } from '../../mapping/carriers/mm7.ts'
import type { MappingContext } from '../../mapping/context.ts'
import type { NeutralMessage } from '../../model/neutral.ts'
import { isRefusal, type Refusal } from '../../model/refusal.ts'
import type { Peer, Settings } from '../../model/settings.ts'
import { passedEnvelope, receivedBySmtp } from '../../outbound/pass-through.ts'
import type { OutgoingEnvelope } from '../../outbound/transports.ts'
import { type Group, groupsOf, type Routed } from '../../routing/groups.ts'
import { peerOfTarget, routeOf } from '../../routing/routes.ts'
import { writeField } from '../../wire/mime/write-header.ts'
import { writeMm7 } from '../../wire/mm7/write.ts'
import { type EnvelopeJson, pathJson } from '../conform/envelopes.ts'
import { writeHttp } from '../conform/http-octets.ts'
import { explainMail, explainMm1, explainMm7, type Told } from './explanation.ts'
import type { Accepted } from './input.ts'

export type Carrier = 'mail' | 'mm7' | 'mm4' | 'mm1'

export interface Written {
  readonly target: string
  readonly envelope?: EnvelopeJson | undefined
  readonly octets?: Buffer | undefined
  readonly refused?: Refusal | undefined
  /** `what: row (source) [rules]` of each field, parameter and element. */
  readonly explained: readonly string[]
}

export interface OutputOptions {
  readonly to?: Carrier | undefined
  /** EHLO keywords of next hops, by peer. */
  readonly nextHop: Readonly<Record<string, readonly string[]>>
  readonly contextOf: (scope: string) => MappingContext
}

/** What a next hop offers when nothing is known of it. */
const everything = ['SIZE', '8BITMIME', 'DSN', 'DELIVERBY', 'ENHANCEDSTATUSCODES']

export function writeItems(
  { message, mail }: Accepted & { readonly message: NeutralMessage },
  settings: Settings,
  options: OutputOptions,
): Written[] {
  const limitOf = (target: string): number => settings.peers[peerOfTarget(target) ?? '']?.maxRecipients ?? 100
  const routed: Routed[] = []
  const lost: Written[] = []
  for (const [index, recipient] of message.recipients.entries()) {
    if (!recipient.serve) continue
    const target = options.to ? targetOf(options.to, settings) : routeOf(recipient.party, settings)
    if (target === undefined || target.startsWith('reject'))
      lost.push({
        target: target ?? 'nowhere',
        explained: [],
        refused: { refused: 'unknown-recipient', text: `no way to ${recipient.party.raw}` },
      })
    else routed.push({ index, recipient, target })
  }
  const written = groupsOf(message, routed, limitOf).map((group, n) => {
    const told: [string, string][] = []
    const ctx: MappingContext = {
      ...options.contextOf(String(n)),
      explain: (what, row) => told.push([what, row]),
    }
    const { explain, ...written } = item(message, mail, group, settings, options, ctx)
    return { target: group.target, explained: explain?.(told) ?? [], ...written }
  })
  return [...written, ...lost]
}

/** The first peer of that carrier. */
function targetOf(to: Carrier, settings: Settings): string {
  const named = (is: (peer: Peer) => boolean): string | undefined =>
    Object.entries(settings.peers).find(([, peer]) => is(peer))?.[0]
  if (to === 'mm1') return 'mm1'
  if (to === 'mm7') return `mm7-submit:${named((p) => p.interface === 'mm7' && p.role !== 'vasp') ?? ''}`
  if (to === 'mm4') return `mm4:${named((p) => p.interface === 'mm4') ?? ''}`
  const relay = named((p) => p.interface === 'smtp' && p.host !== undefined)
  return relay === undefined ? 'mx' : `smtp:${relay}`
}

type Item = Pick<Written, 'envelope' | 'octets' | 'refused'> & {
  readonly explain?: (told: Told) => readonly string[]
}

function item(
  message: NeutralMessage,
  mail: Accepted['mail'],
  group: Group,
  settings: Settings,
  options: OutputOptions,
  ctx: MappingContext,
): Item {
  const serve = group.members.map((m) => m.index)
  const [kind = '', peerKey = ''] = group.target.split(':')
  const peer = settings.peers[peerKey]
  if (kind === 'mm1') {
    const pdu = encodeMm1(message, 'm-retrieve-conf', serve, ctx)
    return isRefusal(pdu) ? { refused: pdu } : { octets: Buffer.from(pdu), explain: () => explainMm1(pdu) }
  }
  if (kind.startsWith('mm') && !peer)
    return { refused: { refused: 'temporary', text: `no peer for ${group.target} is configured` } }
  if (peer && (kind === 'mm7-submit' || kind === 'mm7-deliver'))
    return mm7Item(message, serve, { kind, peerKey, peer }, ctx)
  if (peer && kind === 'mm4') {
    const trace = mail
      ? receivedBySmtp(mail.envelope, message.queueId, settings)
      : receivedWithMms(message, ctx)
    const out = writeMm4Forward(message, serve, { peerKey, peer }, trace, ctx)
    return isRefusal(out) ? { refused: out } : smtpItem('mm4', group.target, out.envelope, out.octets)
  }
  const extensions = new Map(
    (options.nextHop[peerKey] ?? everything).map((line): [string, string] => {
      const [keyword = '', ...rest] = line.split(/[\s=]+/)
      return [keyword.toUpperCase(), rest.join(' ')]
    }),
  )
  if (mail) {
    const addresses = group.members.map((m) => m.recipient.party.raw)
    const trace = writeField('Received', receivedBySmtp(mail.envelope, message.queueId, settings))
    const envelope = passedEnvelope(mail.envelope, addresses, extensions, ctx.now)
    return smtpItem('passed', group.target, envelope, [Buffer.from(trace, 'latin1'), mail.octets])
  }
  const out = writeMail(message, serve, { extensions }, ctx)
  return isRefusal(out) ? { refused: out } : smtpItem('mail', group.target, out.envelope, out.octets)
}

function mm7Item(
  message: NeutralMessage,
  serve: readonly number[],
  target: { readonly kind: 'mm7-submit' | 'mm7-deliver'; readonly peerKey: string; readonly peer: Peer },
  ctx: MappingContext,
): Item {
  const draft = writeMm7Request(message, serve, target, ctx)
  if (isRefusal(draft)) return { refused: draft }
  const content = writeMm7(draft)
  const url = new URL(target.peer.url ?? 'http://localhost/mm7')
  const body = Buffer.concat(content.body)
  const fields = {
    Host: url.host,
    'Content-Type': content.contentType,
    SOAPAction: '""',
    'Content-Length': String(body.length),
  }
  return {
    explain: (told) => explainMm7(target.kind, draft, told),
    octets: writeHttp(`POST ${url.pathname}${url.search} HTTP/1.1`, fields, body),
  }
}

function smtpItem(
  carrier: 'mail' | 'mm4' | 'passed',
  via: string,
  envelope: OutgoingEnvelope,
  pieces: readonly Uint8Array[],
): Item {
  const shown = { via, mailFrom: pathJson(envelope.mailFrom), rcptTo: envelope.rcptTo.map(pathJson) }
  const octets = Buffer.concat(pieces)
  return { envelope: shown, octets, explain: (told) => explainMail(carrier, shown, octets, told) }
}
