/** MM7 as a carrier: SubmitReq and DeliverReq (TS 23.140 §8.7), element order of mapping.md 1.8. */
import type { NeutralDraft, NeutralMessage } from '../../model/neutral.ts'
import { isRefusal, type Refusal, refusal } from '../../model/refusal.ts'
import type { Peer } from '../../model/settings.ts'
import type { EpochMs } from '../../model/units.ts'
import { writeEntity } from '../../wire/mime/write.ts'
import type { Mm7Draft, Mm7Message, XmlElement } from '../../wire/mm7/message.ts'
import { element, schemaNamespace } from '../../wire/mm7/write.ts'
import { child } from '../../wire/mm7/xml.ts'
import { contentClassOf } from '../content/content-class.ts'
import { contentForMms } from '../content/for-mms.ts'
import { readPart } from '../content/read-content.ts'
import type { MappingContext } from '../context.ts'
import { elements } from '../elements.ts'
import { explained } from '../explain.ts'

/** Order of the children, by operation (mapping.md 1.8). */
const order: Readonly<Record<'SubmitReq' | 'DeliverReq', readonly string[]>> = {
  SubmitReq: [
    'MM7Version',
    'SenderIdentification',
    'Recipients',
    'ServiceCode',
    'LinkedID',
    'MessageClass',
    'TimeStamp',
    'ReplyCharging',
    'EarliestDeliveryTime',
    'ExpiryDate',
    'DeliveryReport',
    'ReadReply',
    'Priority',
    'Subject',
    'ChargedParty',
    'ChargedPartyID',
    'DistributionIndicator',
    'DeliveryCondition',
    'ApplicID',
    'ReplyApplicID',
    'AuxApplicInfo',
    'ContentClass',
    'DRMContent',
    'Content',
  ],
  DeliverReq: [
    'MM7Version',
    'MMSRelayServerID',
    'VASPID',
    'VASID',
    'LinkedID',
    'Sender',
    'Recipients',
    'Previouslysentby',
    'Previouslysentdateandtime',
    'SenderSPI',
    'RecipientSPI',
    'TimeStamp',
    'ReplyChargingID',
    'Priority',
    'Subject',
    'ApplicID',
    'ReplyApplicID',
    'AuxApplicInfo',
    'UACapabilities',
    'Content',
  ],
}

/** What the schemas of release 5 do not have (MAP-186). */
const notInRelease5: ReadonlySet<string> = new Set([
  'ChargedPartyID',
  'DeliveryCondition',
  'ApplicID',
  'ReplyApplicID',
  'AuxApplicInfo',
  'ContentClass',
  'DRMContent',
  'VASPID',
  'VASID',
  'Previouslysentby',
  'Previouslysentdateandtime',
  'SenderSPI',
  'RecipientSPI',
  'UACapabilities',
])

export function readMm7Message(
  request: Mm7Message,
  from: {
    readonly peer: string
    readonly ip: string
    readonly queueId: string
    readonly receivedAt: EpochMs
  },
  ctx: MappingContext,
): NeutralMessage | Refusal {
  const receivedAt = Math.floor(from.receivedAt / 1000)
  const operation = request.operation === 'SubmitReq' ? 'SubmitReq' : 'DeliverReq'
  const peer = ctx.settings.peers[from.peer]
  if (!peer) return refusal('identity', 'the peer is not known')
  const source = {
    body: request.body,
    operation,
    peer,
    receivedAt,
    child: (name: string) => child(request.body, name),
    text: (...names: readonly string[]) =>
      names.map((n) => child(request.body, n)?.text).find((t) => t) || undefined,
  } as const
  const draft: NeutralDraft = {
    kind: 'message',
    source: operation === 'SubmitReq' ? 'mm7-submit' : 'mm7-deliver',
    peer: from.peer,
    receivedAt,
    queueId: from.queueId,
    transactionId: request.transactionId,
    mmsMessageId: ctx.ids.mmsMessageId(),
    version: source.text('MM7Version'),
    previous: [],
    trace: [],
    passThrough: [],
    vas: {},
  }
  for (const row of elements) {
    const refused = row.mm7?.read?.(source, draft, ctx)
    if (refused) return refused
  }
  if (request.danglingHref !== undefined)
    return operation === 'SubmitReq'
      ? refusal('content-refused', 'Content names a part that is not there')
      : refusal('malformed', 'Content names a part that is not there')
  if (request.content) draft.content = readPart(request.content.octets, request.content.node)
  // A text-less message needs at least a subject (MM7-073).
  else if (operation === 'SubmitReq' && !draft.subject)
    return refusal('malformed', 'neither Content nor Subject')
  return draft as NeutralMessage
}

export interface Mm7Target {
  readonly kind: 'mm7-submit' | 'mm7-deliver'
  readonly peerKey: string
  readonly peer: Peer
  /** Instead of the peer's own, after it refused that one (4002). */
  readonly version?: string | undefined
  /** Elements left out, after the peer refused them (2006). */
  readonly without?: ReadonlySet<string> | undefined
}

export function writeMm7Request(
  message: NeutralMessage,
  serve: readonly number[],
  target: Mm7Target,
  ctx: MappingContext,
): Mm7Draft | Refusal {
  const { peer } = target
  const operation = target.kind === 'mm7-submit' ? 'SubmitReq' : 'DeliverReq'
  const schema = peer.schema ?? 'REL-6-MM7-1-4'
  const release = Number(/REL-(\d)/.exec(schema)?.[1] ?? 6)
  const version = target.version ?? peer.version ?? (release < 6 ? '5.3.0' : '6.8.0')
  const set = new Map<string, XmlElement>([['MM7Version', element('MM7Version', version)]])
  const draft = {
    operation,
    peer,
    release,
    bare: isBelow530(version),
    serve: new Set(serve),
    set(
      name: string,
      content: string | readonly XmlElement[] | undefined,
      attributes?: Readonly<Record<string, string>>,
    ) {
      // Absent elements leave no empty tag (MAP-185).
      const isEmpty = content === undefined || (content.length === 0 && attributes === undefined)
      if (!isEmpty) set.set(name, element(name, content ?? [], attributes))
    },
  } as const
  if (message.passThrough.length > 0)
    // No place for them on MM7 (MAP-003).
    ctx.log?.('info', 'fields without a place on MM7 were dropped', {
      fields: message.passThrough.map((f) => f.name).slice(0, 50),
    })
  for (const row of elements) {
    const write = () => row.mm7?.write?.(message, draft, ctx)
    const refused = explained(ctx, row, () => [...set.keys()], write)
    if (refused) return refused
  }
  const content = contentForMms(message, { peer, expose: true, opening: openingFor(message, peer) }, ctx)
  if (isRefusal(content)) return content
  if (peer.emitContentClass && message.vas.contentClass === undefined)
    draft.set('ContentClass', contentClassOf(content))
  const contentId = ctx.ids.contentId()
  const rootId = ctx.ids.contentId()
  const boundary = ctx.ids.boundary()
  const entity = writeEntity(content, { boundary: () => ctx.ids.boundary(), eightBit: true })
  set.set(
    'Content',
    element('Content', '', {
      href: `cid:${contentId.slice(1, -1)}`,
      ...(release >= 6 ? { allowAdaptations: String(message.vas.adaptationAllowed ?? true) } : {}),
    }),
  )
  const children = order[operation].flatMap((name) => {
    const one = set.get(name)
    return one && !target.without?.has(name) && (release >= 6 || !notInRelease5.has(name)) ? [one] : []
  })
  return {
    transactionId: ctx.ids.transactionId(),
    namespace: schemaNamespace(schema),
    body: element(operation, children),
    rootId,
    boundary,
    content: {
      // One id, by which Content names it: nothing else can refer to the whole content (MM7-026).
      fields: [
        ...entity.fields.filter((f) => !/^content-id$/i.test(f.name)),
        { name: 'Content-ID', value: contentId },
      ],
      body: entity.body,
    },
  }
}

/** MAP-187: such versions know no address elements inside Sender. */
const isBelow530 = (version: string): boolean => {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major < 5 || (major === 5 && minor < 3)
}

/** Where a short code stands for the sender, the text begins with who it was (ADR-032). */
const openingFor = (message: NeutralMessage, peer: Peer): string | undefined =>
  peer.senderPolicy === 'shortcode' && peer.senderAddress !== undefined && message.source === 'mm3'
    ? `From: ${message.sender.value}`
    : undefined
