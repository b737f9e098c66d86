/** Mail content as MM content (mapping.md 4.2 to 4.8): chosen, converted, filtered, fitted to the peer, presented. */
import { converted } from '../../convert/hook.ts'
import type { NeutralMessage, Part } from '../../model/neutral.ts'
import { isRefusal, type Refusal, refusal } from '../../model/refusal.ts'
import type { Peer } from '../../model/settings.ts'
import type { MappingContext } from '../context.ts'
import { allowed, collectParts, handlingOf, headerOf, type Leaf, plain, type Shown } from './collect.ts'
import { contentLocation } from './file-names.ts'
import { bodyLength, sizeOf } from './part-size.ts'
import { emptyText, textBody } from './read-content.ts'
import { findReferred } from './references.ts'
import { shape } from './shape.ts'
import { smilReferences } from './smil.ts'
import { textForMail, textOf } from './text.ts'

export interface MmsTarget {
  readonly peer: Peer
  /** Signed content is shown to the handset (CNT-091); off on MM4, where it crosses as it is. */
  readonly expose: boolean
  /** A line that stands before the text (ADR-032). */
  readonly opening?: string | undefined
}

/** Largest picture taken out of a data: URL when the peer says no limit (CNT-052), octets. */
const defaultMaxImage = 307_200

type Source = Pick<NeutralMessage, 'content' | 'source' | 'vas' | 'subject'>

/** The one content entity of an MM, or why there is none. */
export function contentForMms(message: Source, target: MmsTarget, ctx: MappingContext): Part | Refusal {
  // An MM may be a subject alone (MM7-073).
  const content = message.content ?? emptyText
  const limit = roomFor(message, target.peer)
  // What MMS brought goes on to MMS as it came, but for characters; no medium of it is adapted here (CNT-076).
  if (message.source !== 'mm3') {
    const kept = readable(content)
    return fits(kept, limit, message) ?? kept
  }
  const { opening } = target
  const whole = !target.expose && content.kind === 'opaque' ? content : completeSmil(content, ctx)
  if (whole && opening === undefined) {
    const refused = fits(whole, limit, message)
    if (!refused || whole.kind === 'opaque') return refused ?? whole
  }
  const found = collectParts(content, ctx, {
    expose: target.expose,
    maxOctets: target.peer.maxSize ?? defaultMaxImage,
  })
  if (found.required) return found.required
  const parts = withoutEmpty(found.parts)
  // Notices alone are no message (CNT-062).
  if (parts.length === 0 || (found.notices.length > 0 && parts.every((p) => bodyLength(p) === 0)))
    return refusal('content-refused', 'nothing of the content can be delivered to a handset')
  if (found.notices.length > 0) addLine(parts, found.notices.join('\r\n'), 'after')
  if (opening !== undefined) addLine(parts, opening, 'before')
  const list = fitted(parts, limit, ctx)
  return isRefusal(list) ? list : shape(list, () => ctx.ids.contentId())
}

/** Why the message cannot go to this target, asked before it is accepted (MAP-157, CNT-061, CNT-062, CNT-074). */
export function refusedTowards(
  message: Source & Pick<NeutralMessage, 'sensitivity'>,
  target: MmsTarget,
  ctx: MappingContext,
): Refusal | undefined {
  if (message.sensitivity !== undefined) return privacyRefusal()
  // Nothing is written: the ids stay for what will be.
  const dry = { ...ctx, ids: { ...ctx.ids, contentId: () => placeholderId(ctx) } }
  const content = contentForMms(message, target, dry)
  return isRefusal(content) ? content : undefined
}

export const privacyRefusal = (): Refusal =>
  refusal('privacy', 'the message asks for privacy, which MMS cannot ensure')

/** Text in a charset of more than 8 bits becomes UTF-8 (CNT-040). */
function readable(part: Part): Part {
  if (part.kind === 'multi') return { ...part, parts: part.parts.map(readable) }
  return part.kind === 'leaf' ? textForMail(part) : part
}

/** What the peer's limit leaves for the body (CNT-073). */
const roomFor = (message: Source, peer: Peer): number | undefined =>
  peer.maxSize === undefined
    ? undefined
    : peer.maxSize - (peer.countSubject ? Buffer.byteLength(message.subject ?? '') : 0)

function fits(content: Part, limit: number | undefined, message: Source): Refusal | undefined {
  if (limit === undefined || sizeOf(content) <= limit) return undefined
  const fixed = message.vas.adaptationAllowed === false || message.vas.drmContent === true
  return fixed && message.source !== 'mm3'
    ? refusal('adaptation-denied', 'the message is too large for the peer, and may not be adapted')
    : tooLarge(limit)
}

const tooLarge = (limit: number): Refusal =>
  refusal('too-large', `the message is larger than the ${limit} octets that the peer takes`)

/** A multipart/related whose SMIL root's references all resolve stays as it is, its text in UTF-8 (CNT-021). */
function completeSmil(content: Part, ctx: MappingContext): Part | undefined {
  if (content.kind !== 'multi' || content.subtype !== 'related') return undefined
  const root = content.parts.find((p) => p.kind === 'leaf' && p.type === 'application/smil')
  if (root?.kind !== 'leaf') return undefined
  const media = content.parts.filter((p) => p !== root)
  if (!media.every((p) => p.kind === 'leaf' && allowed.has(p.type))) return undefined
  const slides = smilReferences(textOf(root))
  if (!slides || slides.length === 0 || !slides.flat().every((url) => findReferred(media, url)))
    return undefined
  const taken = new Set(media.flatMap((p) => headerOf(p, 'content-location')?.toLowerCase() ?? []))
  const parts = content.parts.map((p): Part => {
    if (p === root) return textForMail(root)
    const text = p.kind === 'leaf' && p.type === 'text/plain' ? plain(p) : p
    return named(text, media.indexOf(p) + 1, taken, ctx)
  })
  return { ...content, headers: [], parts }
}

/** Every part but the root has an id and a place (CNT-025); what it has already may be referred to, and stays. */
function named(part: Part, position: number, taken: Set<string>, ctx: MappingContext): Part {
  const id = headerOf(part, 'content-id')
  const place = headerOf(part, 'content-location')
  if (id !== undefined && place !== undefined) return part
  return {
    ...part,
    headers: [
      ...part.headers,
      ...(id === undefined ? [{ name: 'Content-ID', value: ctx.ids.contentId() }] : []),
      ...(place === undefined
        ? [{ name: 'Content-Location', value: contentLocation(part, position, taken) }]
        : []),
    ],
  }
}

/** CNT-067. */
const withoutEmpty = (parts: readonly Shown[]): Shown[] => {
  const full = parts.filter((p) => bodyLength(p) > 0)
  return full.length > 0 ? full : parts.slice(0, 1)
}

/** To the first text part, which is made where there is none. */
function addLine(parts: Shown[], added: string, where: 'before' | 'after'): void {
  const at = parts.findIndex((p) => p.kind === 'leaf' && p.type === 'text/plain' && p.charset === 'utf-8')
  const text = parts[at]
  if (text?.kind === 'leaf') {
    const own = Buffer.from(text.body.octets()).toString('utf8')
    const joined = (where === 'before' ? [added, own] : [own, added]).filter((t) => t !== '').join('\r\n')
    parts[at] = { ...text, body: textBody(joined) }
  } else
    parts.unshift({
      kind: 'leaf',
      type: 'text/plain',
      charset: 'utf-8',
      params: [{ name: 'charset', value: 'utf-8' }],
      headers: [],
      body: textBody(added),
    })
}

/** CNT-074: largest images converted first, then what may be left out is left out; still too large is refused. */
function fitted(
  parts: readonly Shown[],
  limit: number | undefined,
  ctx: MappingContext,
): readonly Shown[] | Refusal {
  if (limit === undefined) return parts
  // The ids that a presentation will have are all as long as this one.
  const size = (list: readonly Shown[]): number => sizeOf(shape(list, () => placeholderId(ctx)))
  if (size(parts) <= limit) return parts
  let list = [...parts]
  const images = list
    .filter((p): p is Leaf => p.kind === 'leaf' && p.type.startsWith('image/'))
    .sort((a, b) => bodyLength(b) - bodyLength(a))
  for (const image of images) {
    const excess = size(list) - limit
    const smaller = converted(ctx.convert, image, {
      types: allowed,
      maxOctets: Math.max(1, bodyLength(image) - excess),
    })
    if (smaller) list = list.map((p) => (p === image ? smaller : p))
    if (size(list) <= limit) return list
  }
  for (const mayGo of [isSpokenExtra, (p: Shown) => handlingOf(p) === 'optional']) {
    for (const part of [...list].reverse()) {
      if (list.length === 1 || !mayGo(part)) continue
      list = list.filter((p) => p !== part)
      if (size(list) <= limit) return list
    }
  }
  return tooLarge(limit)
}

const placeholderId = (ctx: MappingContext): string => `<${'0'.repeat(24)}@${ctx.settings.gateway.host}>`

/** A spoken name or subject may be left out of a voice message, the message itself never (MAP-163). */
const isSpokenExtra = (part: Shown): boolean =>
  /;\s*voice\s*=\s*"?(originator-spoken-name|recipient-spoken-name|spoken-subject)/i.test(
    headerOf(part, 'content-disposition') ?? '',
  )
