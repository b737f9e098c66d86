/** Mail content as a list of parts that a handset can show, and notices of those it cannot (mapping.md 4.2, 4.5, 4.6, 4.8). */
import { converted } from '../../convert/hook.ts'
import type { Field, Part } from '../../model/neutral.ts'
import { type Refusal, refusal } from '../../model/refusal.ts'
import { isAscii } from '../../wire/mime/charset.ts'
import { decodeWords } from '../../wire/mime/encoded-words.ts'
import { parseDisposition } from '../../wire/mime/parameters.ts'
import { fieldValue, partRanges, scanEntity, scanMessage } from '../../wire/mime/scan.ts'
import type { MappingContext } from '../context.ts'
import { fileName } from './file-names.ts'
import { dataImages, htmlToText, imageReferences } from './html.ts'
import { isTrackingPixel } from './image-size.ts'
import { readPart, textBody } from './read-content.ts'
import { contentId, findReferred } from './references.ts'
import { isPgp, textOf, withoutSignature } from './text.ts'

export type Leaf = Extract<Part, { kind: 'leaf' }>
type Multi = Extract<Part, { kind: 'multi' }>
type Opaque = Extract<Part, { kind: 'opaque' }>
export type Shown = Leaf | Opaque

/** What a handset shows (mapping.md 4.6). */
export const allowed: ReadonlySet<string> = new Set([
  'text/plain',
  'application/smil',
  'image/jpeg',
  'image/gif',
  'image/png',
  'image/vnd.wap.wbmp',
  'audio/amr',
  'audio/amr-wb',
  'audio/mp4',
  'audio/mpeg',
  'audio/sp-midi',
  'audio/midi',
  'video/3gpp',
  'video/3gpp2',
  'video/mp4',
  'text/x-vcard',
  'text/vcard',
  'text/x-vcalendar',
  'text/calendar',
])

/** Enclosed messages are opened this deep (CNT-063). */
const maxMessageDepth = 3
const signatureNotice = '[Signature could not be checked after conversion]'

export interface Collected {
  readonly parts: Shown[]
  readonly notices: string[]
  /** A part that may not be left out cannot be delivered. */
  required?: Refusal
}

interface Place {
  /** Enclosed messages around it. */
  readonly depth: number
  /** Inside multipart/voice-message. */
  readonly voice: boolean
  /** Signed content is opened (CNT-091); else protected parts travel as they are. */
  readonly expose: boolean
  /** Largest image taken out of a data: URL. */
  readonly maxOctets: number
}

export function collectParts(
  content: Part,
  ctx: MappingContext,
  options: { readonly expose: boolean; readonly maxOctets: number },
): Collected {
  const out: Collected = { parts: [], notices: [] }
  collect(content, out, { depth: 0, voice: false, ...options }, ctx)
  return out
}

function collect(part: Part, out: Collected, at: Place, ctx: MappingContext): void {
  if (part.kind === 'opaque') {
    collectProtected(part, out, at, ctx)
    return
  }
  if (part.kind === 'multi') {
    if (part.subtype === 'alternative') {
      const chosen = chooseAlternative(part.parts)
      if (chosen) collect(chosen, out, at, ctx)
    } else if (part.subtype === 'related') collectRelated(part, out, at, ctx)
    else {
      const voice = at.voice || part.subtype === 'voice-message'
      for (const child of part.parts) collect(child, out, { ...at, voice }, ctx)
    }
    return
  }
  if (part.type === 'text/html') out.parts.push(fromHtml(part), ...dataImages(textOf(part), at.maxOctets))
  else if (part.type === 'message/rfc822' || part.type === 'message/global')
    collectMessage(part, out, at, ctx)
  else if (part.type === 'text/plain')
    out.parts.push(isPgp(part) ? part : plain(part, ctx.settings.stripSignature))
  else if (allowed.has(part.type) || isVcard(part)) {
    if (part.type !== 'application/smil' && !isTrackingPixel(part)) out.parts.push(card(part))
  } else {
    const other = converted(ctx.convert, part, { types: allowed, maxOctets: at.maxOctets })
    if (other) out.parts.push(other)
    else drop(part, part.body.octets().length, out, at, ctx)
  }
}

export const plain = (part: Leaf, stripSignature = false): Leaf => ({
  ...part,
  charset: 'utf-8',
  params: [{ name: 'charset', value: 'utf-8' }, ...part.params.filter((p) => p.name === 'name')],
  body: textBody(stripSignature ? withoutSignature(textOf(part)) : textOf(part)),
})

const isVcard = (part: Leaf): boolean =>
  part.type === 'text/directory' &&
  part.params.some((p) => p.name === 'profile' && p.value.toLowerCase() === 'vcard')

/** vCard 2.1 and vCalendar 1.0 get the names that handsets know; the octets stay (CNT-064, CNT-065). */
function card(part: Leaf): Leaf {
  if (!part.type.startsWith('text/')) return part
  const octets = part.body.octets()
  const head = Buffer.from(octets.subarray(0, 500)).toString('latin1')
  const version = /^VERSION:\s*([\d.]+)/im.exec(head)?.[1]
  const type =
    (part.type === 'text/vcard' || isVcard(part)) && version === '2.1'
      ? 'text/x-vcard'
      : part.type === 'text/calendar' && version === '1.0'
        ? 'text/x-vcalendar'
        : part.type
  const ascii = isAscii(octets)
  const charset = ascii || part.charset === undefined ? 'utf-8' : part.charset
  const params = [{ name: 'charset', value: charset }, ...part.params.filter((p) => p.name !== 'charset')]
  return { ...part, type, charset, params }
}

/** The last that can be shown, but plain text before HTML (CNT-023). */
function chooseAlternative(parts: readonly Part[]): Part | undefined {
  const rootType = (part: Part): string =>
    part.kind !== 'multi'
      ? part.type
      : part.subtype === 'related' && part.parts[0]
        ? rootType(part.parts[0])
        : `multipart/${part.subtype}`
  const shows = (part: Part): boolean => {
    const type = rootType(part)
    return allowed.has(type) || type === 'text/html' || type.startsWith('multipart/')
  }
  const able = parts.filter(shows)
  const last = able[able.length - 1] ?? parts[parts.length - 1]
  if (last && rootType(last) === 'text/html') {
    const text = able.findLast((p) => rootType(p) === 'text/plain')
    // A plain part that holds nothing says nothing: the HTML then does.
    if (text?.kind === 'leaf' && textOf(text).trim() !== '') return text
  }
  return last
}

/** HTML with its images: text, the images it refers to in their order, then the others (CNT-051). */
function collectRelated(part: Multi, out: Collected, at: Place, ctx: MappingContext): void {
  const bare = part.start?.replace(/^<|>$/g, '')
  const root = part.parts.find((p) => bare !== undefined && contentId(p) === bare) ?? part.parts[0]
  if (!root) return
  const rest = part.parts.filter((p) => p !== root)
  const html =
    root.kind === 'multi' ? root.parts.find((p) => p.kind === 'leaf' && p.type === 'text/html') : root
  const source = html?.kind === 'leaf' && html.type === 'text/html' ? textOf(html) : ''
  const referred: Part[] = []
  for (const url of imageReferences(source)) {
    const found = findReferred(rest, url)
    if (found && !referred.includes(found)) referred.push(found)
  }
  collect(root, out, at, ctx)
  for (const child of [...referred, ...rest.filter((p) => !referred.includes(p))])
    collect(child, out, at, ctx)
}

const fromHtml = (part: Leaf): Leaf => ({
  kind: 'leaf',
  type: 'text/plain',
  params: [{ name: 'charset', value: 'utf-8' }],
  headers: [],
  charset: 'utf-8',
  body: textBody(htmlToText(textOf(part))),
})

/** From, Date, Subject, an empty line, its text; its media after it (CNT-063). */
function collectMessage(part: Leaf, out: Collected, at: Place, ctx: MappingContext): void {
  const octets = part.body.octets()
  if (at.depth >= maxMessageDepth) {
    drop(part, octets.length, out, at, ctx)
    return
  }
  const node = scanMessage(octets)
  const lines = ['From', 'Date', 'Subject'].flatMap((name) => {
    const value = fieldValue(octets, node, name)
    return value === undefined ? [] : [`${name}: ${decodeWords(value)}`]
  })
  const inner: Collected = { parts: [], notices: out.notices }
  collect(readPart(octets, node), inner, { ...at, depth: at.depth + 1 }, ctx)
  if (inner.required) out.required ??= inner.required
  const [first, ...rest] = inner.parts
  const text = first?.type === 'text/plain' ? Buffer.from(first.body.octets()).toString('utf8') : ''
  const head = { ...fromHtml(part), body: textBody(`${lines.join('\r\n')}\r\n\r\n${text}`.trimEnd()) }
  out.parts.push(head, ...(first && first.type !== 'text/plain' ? [first] : []), ...rest)
}

/** Signed content is shown and its signature goes along; encrypted content is never shown in part (CNT-090 to CNT-092). */
function collectProtected(part: Opaque, out: Collected, at: Place, ctx: MappingContext): void {
  if (!at.expose || part.type.startsWith('application/vnd.oma.drm.')) {
    out.parts.push(part)
    return
  }
  const boundary = part.params.find((p) => p.name === 'boundary')?.value
  if (part.type !== 'multipart/signed' || !boundary) {
    out.required ??= refusal('content-refused', `${part.type} cannot be carried to a handset`)
    return
  }
  const octets = part.body.octets()
  const [content, signature] = partRanges(octets, 0, octets.length, boundary).ranges.map((r) =>
    readPart(octets, scanEntity(octets, r.start, r.end)),
  )
  if (content) collect(content, out, at, ctx)
  if (signature && signature.kind !== 'multi') out.parts.push(signature)
  if (!out.notices.includes(signatureNotice)) out.notices.push(signatureNotice)
}

export const headerOf = (part: Part, name: string): string | undefined =>
  part.headers.find((h: Field) => h.name.toLowerCase() === name)?.value

/** RFC 3459 §3: 'required', 'optional', another word, or undefined when the parameter is absent. */
export function handlingOf(part: Part): string | undefined {
  const disposition = headerOf(part, 'content-disposition')
  if (disposition === undefined) return undefined
  const { params } = parseDisposition(disposition)
  return params
    .find((p) => p.name === 'handling')
    ?.value.trim()
    .toLowerCase()
}

/** A part that no handset takes: named in a notice, or fatal when its sender said so (CNT-060, CNT-061). */
function drop(part: Part, size: number, out: Collected, at: Place, ctx: MappingContext): void {
  const handling = handlingOf(part)
  if (handling === 'optional') return
  const type = part.kind === 'multi' ? `multipart/${part.subtype}` : part.type
  const name = fileName(part) ?? 'part'
  // The voice of a voice message is what it is about (MAP-164).
  const isVoice = at.voice && type.startsWith('audio/')
  if (handling !== undefined || isVoice || ctx.settings.criticality === 'strict')
    out.required ??= refusal(
      'content-refused',
      `${name} (${type}) cannot be delivered, and the sender requires it`,
    )
  out.notices.push(`[Attachment not delivered: ${name} (${type}, ${size} bytes)]`)
}
