/** Mail content as MM content (mapping.md 4.2 to 4.6): alternatives chosen, HTML converted, parts filtered, SMIL made. */
import type { Field, Part } from '../../model/neutral.ts'
import { type Refusal, refusal } from '../../model/refusal.ts'
import type { Peer } from '../../model/settings.ts'
import { decodeWords } from '../../wire/mime/encoded-words.ts'
import { parseDisposition } from '../../wire/mime/parameters.ts'
import { fieldValue, scanMessage } from '../../wire/mime/scan.ts'
import { writeParameter } from '../../wire/mime/write-header.ts'
import type { MappingContext } from '../context.ts'
import { contentLocation, fileName } from './file-names.ts'
import { htmlToText } from './html.ts'
import { readPart, textBody } from './read-content.ts'
import { contentId, findReferred } from './references.ts'
import { generateSmil, type SlidePart, smilReferences } from './smil.ts'
import { textOf } from './text.ts'

type Leaf = Extract<Part, { kind: 'leaf' }>

const allowed = new Set([
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

interface Collected {
  readonly parts: Leaf[]
  readonly notices: string[]
  required?: Refusal
}

/** The one content entity of an MM, or why there is none. */
export function contentForMms(content: Part | undefined, peer: Peer, ctx: MappingContext): Part | Refusal {
  if (!content) return refusal('content-refused', 'the message has no content')
  const kept = completeSmil(content)
  if (kept) return kept
  const out: Collected = { parts: [], notices: [] }
  collect(content, out, 0, ctx)
  if (out.required) return out.required
  const parts = withoutEmpty(out.parts)
  if (out.notices.length > 0) addNotices(parts, out.notices)
  const [first] = parts
  // Notices alone are no message (CNT-062).
  if (
    !first ||
    (out.notices.length > 0 &&
      parts.length === 1 &&
      first.body.octets().length === out.notices.join('\r\n').length)
  )
    return refusal('content-refused', 'nothing of the content can be delivered to a handset')
  const shaped = shape(parts, ctx)
  if (peer.maxSize !== undefined && sizeOf(shaped) > peer.maxSize)
    return refusal('too-large', `the message is larger than the ${peer.maxSize} octets that the peer takes`)
  return shaped
}

/** A multipart/related whose SMIL root's references all resolve stays as it is, its text in UTF-8 (CNT-021). */
function completeSmil(content: Part): Part | undefined {
  if (content.kind !== 'multi' || content.subtype !== 'related') return undefined
  const root = content.parts.find((p) => p.kind === 'leaf' && p.type === 'application/smil')
  if (root?.kind !== 'leaf') return undefined
  const media = content.parts.filter((p) => p !== root)
  if (!media.every((p) => p.kind === 'leaf' && allowed.has(p.type))) return undefined
  const slides = smilReferences(textOf(root))
  if (!slides || slides.length === 0 || !slides.flat().every((url) => findReferred(media, url)))
    return undefined
  return {
    ...content,
    headers: [],
    parts: content.parts.map((p) => (p.kind === 'leaf' && p.type === 'text/plain' ? plain(p) : p)),
  }
}

const plain = (part: Leaf): Leaf => ({
  ...part,
  charset: 'utf-8',
  params: [{ name: 'charset', value: 'utf-8' }, ...part.params.filter((p) => p.name === 'name')],
  body: textBody(textOf(part)),
})

function collect(part: Part, out: Collected, depth: number, ctx: MappingContext): void {
  if (part.kind === 'opaque') {
    drop(part, part.body.octets().length, out, ctx)
    return
  }
  if (part.kind === 'multi') {
    if (part.subtype === 'alternative') {
      const chosen = chooseAlternative(part.parts)
      if (chosen) collect(chosen, out, depth, ctx)
    } else if (part.subtype === 'related') collectRelated(part, out, depth, ctx)
    else for (const child of part.parts) collect(child, out, depth, ctx)
    return
  }
  if (part.type === 'text/html') out.parts.push(fromHtml(part))
  else if (part.type === 'message/rfc822' || part.type === 'message/global')
    collectMessage(part, out, depth, ctx)
  else if (part.type === 'text/plain') out.parts.push(plain(part))
  else if (allowed.has(part.type)) {
    if (part.type !== 'application/smil' && !isTrackingPixel(part)) out.parts.push(card(part))
  } else drop(part, part.body.octets().length, out, ctx)
}

/** vCard 2.1 and vCalendar 1.0 get the names that handsets know; the octets stay (CNT-064, CNT-065). */
function card(part: Leaf): Leaf {
  if (!part.type.startsWith('text/')) return part
  const octets = part.body.octets()
  const head = Buffer.from(octets.subarray(0, 500)).toString('latin1')
  const version = /^VERSION:\s*([\d.]+)/im.exec(head)?.[1]
  const type =
    part.type === 'text/vcard' && version === '2.1'
      ? 'text/x-vcard'
      : part.type === 'text/calendar' && version === '1.0'
        ? 'text/x-vcalendar'
        : part.type
  const ascii = octets.every((o) => o < 128)
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
function collectRelated(
  part: Extract<Part, { kind: 'multi' }>,
  out: Collected,
  depth: number,
  ctx: MappingContext,
): void {
  const bare = part.start?.replace(/^<|>$/g, '')
  const root = part.parts.find((p) => bare !== undefined && contentId(p) === bare) ?? part.parts[0]
  if (!root) return
  const rest = part.parts.filter((p) => p !== root)
  const html =
    root.kind === 'multi' ? root.parts.find((p) => p.kind === 'leaf' && p.type === 'text/html') : root
  const source = html?.kind === 'leaf' && html.type === 'text/html' ? textOf(html) : ''
  const referred: Part[] = []
  for (const match of source.matchAll(/<img\b[^>]*?\bsrc\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))/gi)) {
    const found = findReferred(rest, match[1] ?? match[2] ?? match[3] ?? '')
    if (found && !referred.includes(found)) referred.push(found)
  }
  collect(root, out, depth, ctx)
  for (const child of [...referred, ...rest.filter((p) => !referred.includes(p))])
    collect(child, out, depth, ctx)
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
function collectMessage(part: Leaf, out: Collected, depth: number, ctx: MappingContext): void {
  const octets = part.body.octets()
  if (depth >= maxMessageDepth) {
    drop(part, octets.length, out, ctx)
    return
  }
  const node = scanMessage(octets)
  const lines = ['From', 'Date', 'Subject'].flatMap((name) => {
    const value = fieldValue(octets, node, name)
    return value === undefined ? [] : [`${name}: ${decodeWords(value)}`]
  })
  const inner: Collected = { parts: [], notices: out.notices }
  collect(readPart(octets, node), inner, depth + 1, ctx)
  if (inner.required) out.required ??= inner.required
  const [first, ...rest] = inner.parts
  const text = first?.type === 'text/plain' ? Buffer.from(first.body.octets()).toString('utf8') : ''
  const head = { ...fromHtml(part), body: textBody(`${lines.join('\r\n')}\r\n\r\n${text}`.trimEnd()) }
  out.parts.push(head, ...(first && first.type !== 'text/plain' ? [first] : []), ...rest)
}

/** 43 octets is the smallest GIF there is; anything so small only tells that a mail was read (CNT-053). */
const isTrackingPixel = (part: Leaf): boolean => {
  if (!part.type.startsWith('image/')) return false
  const octets = part.body.octets()
  if (octets.length > 0 && octets.length <= 43) return true
  const b = Buffer.from(octets.buffer, octets.byteOffset, Math.min(octets.length, 24))
  if (part.type === 'image/gif' && b.length >= 10) return b.readUInt16LE(6) <= 1 && b.readUInt16LE(8) <= 1
  if (part.type === 'image/png' && b.length >= 24) return b.readUInt32BE(16) <= 1 && b.readUInt32BE(20) <= 1
  return false
}

/** A part that no handset takes: named in a notice, or fatal when its sender said so (CNT-060, CNT-061). */
function drop(part: Part, size: number, out: Collected, ctx: MappingContext): void {
  const disposition = part.headers.find((h) => h.name.toLowerCase() === 'content-disposition')?.value
  const handling =
    disposition &&
    parseDisposition(disposition)
      .params.find((p) => p.name === 'handling')
      ?.value.toLowerCase()
  if (handling === 'optional') return
  const type = part.kind === 'multi' ? `multipart/${part.subtype}` : part.type
  const name = fileName(part) ?? 'part'
  if (handling !== undefined || ctx.settings.criticality === 'strict')
    out.required ??= refusal(
      'content-refused',
      `${name} (${type}) cannot be delivered, and the sender requires it`,
    )
  out.notices.push(`[Attachment not delivered: ${name} (${type}, ${size} bytes)]`)
}

const withoutEmpty = (parts: readonly Leaf[]): Leaf[] => {
  const full = parts.filter((p) => p.body.octets().length > 0)
  return full.length > 0 ? full : parts.slice(0, 1)
}

function addNotices(parts: Leaf[], notices: readonly string[]): void {
  const at = parts.findIndex((p) => p.type === 'text/plain')
  const text = parts[at]
  const added = notices.join('\r\n')
  if (text) {
    const before = Buffer.from(text.body.octets()).toString('utf8')
    parts[at] = { ...text, body: textBody(before === '' ? added : `${before}\r\n${added}`) }
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

/** One text is the content itself (CNT-020); else related with SMIL (CNT-022), or mixed without slides (CNT-033). */
function shape(parts: readonly Leaf[], ctx: MappingContext): Part {
  const [only, second] = parts
  if (only && !second && only.type === 'text/plain')
    return { ...only, headers: [], params: [{ name: 'charset', value: 'utf-8' }] }
  const taken = new Set<string>()
  const ids = new Set<string>()
  const named = parts.map((part, i) => identified(part, i + 1, taken, ids, ctx))
  const slides = named.flatMap((part): SlidePart[] => {
    const kind = slideKind(part.type)
    const id = contentId(part)
    if (kind === undefined || id === undefined) return []
    const duration = Number(part.headers.find((h) => h.name.toLowerCase() === 'content-duration')?.value)
    return [{ kind, id, seconds: Number.isInteger(duration) ? duration : undefined }]
  })
  if (slides.length === 0) return { kind: 'multi', subtype: 'mixed', params: [], headers: [], parts: named }
  const rootId = ctx.ids.contentId()
  const root: Leaf = {
    kind: 'leaf',
    type: 'application/smil',
    params: [{ name: 'charset', value: 'utf-8' }],
    headers: [{ name: 'Content-ID', value: rootId }],
    charset: 'utf-8',
    body: textBody(generateSmil(slides)),
  }
  return {
    kind: 'multi',
    subtype: 'related',
    params: [
      { name: 'type', value: 'application/smil' },
      { name: 'start', value: rootId },
    ],
    headers: [],
    parts: [root, ...named],
    start: rootId,
    rootType: 'application/smil',
  }
}

const slideKind = (type: string): SlidePart['kind'] | undefined => {
  if (type === 'text/plain') return 'text'
  const top = type.split('/')[0]
  return top === 'image' || top === 'video' || top === 'audio' ? top : undefined
}

/** Content-ID kept when it is unique and bracketed, else made; Content-Location from the file name (CNT-025). */
function identified(
  part: Leaf,
  position: number,
  taken: Set<string>,
  ids: Set<string>,
  ctx: MappingContext,
): Leaf {
  const given = part.headers.find((h) => h.name.toLowerCase() === 'content-id')?.value.trim()
  const keep = given !== undefined && /^<[^<>\s]+>$/.test(given) && !ids.has(given)
  const id = keep ? given : ctx.ids.contentId()
  ids.add(id)
  const fields: Field[] = [
    { name: 'Content-ID', value: id },
    { name: 'Content-Location', value: contentLocation(part, position, taken) },
    ...part.headers.flatMap((h) => {
      if (h.name.toLowerCase() === 'content-disposition') return disposition(h, part)
      return /^content-(description|language|duration)$/i.test(h.name) ? [h] : []
    }),
  ]
  return { ...part, headers: fields }
}

/** Kept with the file name cleaned (CNT-048); other parameters tell nothing to a handset. */
function disposition(field: Field, part: Leaf): Field[] {
  const { disposition: kind } = parseDisposition(field.value)
  if (!/^[a-z-]+$/.test(kind)) return []
  const name = fileName(part)
  return [
    { name: field.name, value: name === undefined ? kind : `${kind}${writeParameter('filename', name)}` },
  ]
}

/** Decoded bodies and part headers, without the envelope (CNT-073). */
function sizeOf(part: Part): number {
  const headers = part.headers.reduce((sum, h) => sum + h.name.length + h.value.length + 4, 0)
  if (part.kind !== 'multi') return headers + part.body.octets().length
  return headers + part.parts.reduce((sum, p) => sum + sizeOf(p), 0)
}
