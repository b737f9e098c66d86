/** MM content as Internet mail content (mapping.md 4.1). */
import type { Field, Param, Part } from '../../model/neutral.ts'
import { decodeText } from '../../wire/mime/charset.ts'
import { decodeWords } from '../../wire/mime/encoded-words.ts'
import { parseDisposition } from '../../wire/mime/parameters.ts'
import { encodeUnstructured, writeParameter } from '../../wire/mime/write-header.ts'
import type { MappingContext } from '../context.ts'
import { oneLine } from '../element.ts'
import { fileName } from './file-names.ts'
import { bodyLength } from './part-size.ts'
import { bodyFrom, emptyText } from './read-content.ts'
import { findReferred } from './references.ts'
import { smilReferences } from './smil.ts'
import { textForMail } from './text.ts'

const outerFields = /^content-(language|description)$/i

/** The entity to be written: its own Content-ID belongs to the packaging it came in, and is dropped (CNT-012). */
export function contentForMail(content: Part | undefined, ctx: MappingContext): Part {
  if (!content) return emptyText
  const shaped = ctx.settings.presentation === 'mixed' ? asMixed(content) : preserved(content)
  // The encoding of a protected body is part of it; all else is encoded anew.
  const kept = shaped.kind === 'opaque' ? /^content-(language|description|transfer-encoding)$/i : outerFields
  return { ...shaped, headers: shaped.headers.filter((h) => kept.test(h.name)) }
}

function preserved(part: Part): Part {
  const headers = part.headers.flatMap(safeHeader)
  if (part.kind === 'opaque') return part
  if (part.kind === 'leaf') return { ...textForMail(part), headers }
  const moved = movedPlaces(part.parts)
  const parts = withoutEmpty(part.parts)
    .map(preserved)
    .map((p) => withMovedPlaces(p, moved))
  if (parts.length === 0) return emptyText
  return {
    ...part,
    headers,
    parts,
    params: part.subtype === 'related' ? relatedParams(part, parts) : part.params,
  }
}

/**
 * Fields of a part as mail can carry them: Content-ID in brackets (CNT-005), a location percent-encoded (CNT-006), names
 * by RFC 2231 (CNT-047), descriptions in encoded words; nothing that could end a field (SEC-010).
 */
function safeHeader(field: Field): Field[] {
  const name = field.name.toLowerCase()
  // Values are octets: what they spell is read before controls are looked for.
  const value = oneLine(spelt(field.value))
  if (value === '') return []
  if (name === 'content-id') {
    const id = value.replace(/[^\x21-\x7e]/g, '').replace(/^<|>$/g, '')
    return id === '' ? [] : [{ ...field, value: `<${id}>` }]
  }
  if (name === 'content-location') return [{ ...field, value: placeForMail(value) }]
  if (/^[\x20-\x7e]*$/.test(value) && !value.includes('=?')) return [{ ...field, value }]
  if (name === 'content-disposition') {
    const { disposition, params } = parseDisposition(field.value.replace(/[\r\n\t]+/g, ' '))
    const kind = /^[a-z-]+$/.test(disposition) ? disposition : 'attachment'
    return [{ ...field, value: kind + params.map((p) => writeParameter(p.name, p.value)).join('') }]
  }
  return [{ ...field, value: encodeUnstructured(oneLine(decodeWords(field.value))) }]
}

/** What a field body spells: octets of a header as UTF-8 or windows-1252; Unicode as it is. */
const spelt = (value: string): string =>
  /[\x80-\xff]/.test(value) && !/[^\x00-\xff]/.test(value)
    ? decodeText(Buffer.from(value, 'latin1'), undefined)
    : value

/** Unicode as a URI of ASCII. */
const placeForMail = (place: string): string => {
  if (/^[\x21-\x7e]*$/.test(place)) return place
  return encodeURI(place.toWellFormed())
}

/** Locations that change, and what each becomes: a presentation that names them changes with them (CNT-006). */
function movedPlaces(parts: readonly Part[]): ReadonlyMap<string, string> {
  const moved = new Map<string, string>()
  for (const part of parts) {
    const place = part.headers.find((h) => h.name.toLowerCase() === 'content-location')?.value.trim()
    if (place === undefined || /^[\x21-\x7e]*$/.test(place)) continue
    const text = spelt(place)
    moved.set(text, placeForMail(text))
  }
  return moved
}

function withMovedPlaces(part: Part, moved: ReadonlyMap<string, string>): Part {
  if (moved.size === 0 || part.kind !== 'leaf' || part.type !== 'application/smil') return part
  const text = decodeText(part.body.octets(), part.charset)
  const smil = text.replace(
    /(\bsrc\s*=\s*)(["'])([^"']*)\2/gi,
    (whole, start: string, quote: string, url: string) => {
      const place = moved.get(url.trim())
      return place === undefined ? whole : `${start}${quote}${place}${quote}`
    },
  )
  if (smil === text) return part
  return {
    ...part,
    charset: 'utf-8',
    params: [...part.params.filter((p) => p.name !== 'charset'), { name: 'charset', value: 'utf-8' }],
    body: bodyFrom(Buffer.from(smil)),
  }
}

/** CNT-067. */
function withoutEmpty(parts: readonly Part[]): readonly Part[] {
  const full = parts.filter((p) => p.kind === 'multi' || bodyLength(p) > 0)
  return full.length > 0 ? full : parts.slice(0, 1)
}

/** type = the root's media type; start when the root is not first, in brackets (CNT-004). */
function relatedParams(part: Extract<Part, { kind: 'multi' }>, parts: readonly Part[]): readonly Param[] {
  const bare = part.start?.trim().replace(/^<|>$/g, '')
  const named = bare === undefined ? undefined : parts.find((p) => idOf(p) === `<${bare}>`)
  const root = named ?? parts.find((p) => p.kind === 'leaf' && p.type === 'application/smil') ?? parts[0]
  const type =
    root === undefined || root.kind === 'multi' ? `multipart/${root?.subtype ?? 'mixed'}` : root.type
  const id = root && idOf(root)
  const needsStart = id !== undefined && (part.start !== undefined || root !== parts[0])
  const others = part.params.filter((p) => !['type', 'start', 'boundary'].includes(p.name))
  return [{ name: 'type', value: type }, ...(needsStart ? [{ name: 'start', value: id }] : []), ...others]
}

const idOf = (part: Part): string | undefined =>
  part.headers.find((h) => h.name.toLowerCase() === 'content-id')?.value.trim()

/** presentation = mixed: no SMIL, parts in slide order, text first within a slide (CNT-002, CNT-011). */
function asMixed(content: Part): Part {
  const leaves = flatten(content)
  const smil = leaves.find((p) => p.kind === 'leaf' && p.type === 'application/smil')
  const media = withoutEmpty(leaves.filter((p) => p !== smil)).filter((p) => p.kind !== 'multi')
  const slides =
    smil?.kind === 'leaf' ? (smilReferences(Buffer.from(smil.body.octets()).toString('utf8')) ?? []) : []
  const shown: Part[] = []
  for (const slide of slides) {
    const parts = slide.flatMap((url) => findReferred(media, url) ?? []).filter((p) => !shown.includes(p))
    const isText = (p: Part): boolean => p.kind === 'leaf' && p.type.startsWith('text/')
    shown.push(...parts.filter(isText), ...parts.filter((p) => !isText(p)))
  }
  const ordered = [...shown, ...media.filter((p) => !shown.includes(p))]
  const [only, second] = ordered
  if (!only) return emptyText
  const dressed = ordered.map((p) => withDisposition(p, shown.includes(p)))
  if (!second) return dressed[0] ?? emptyText
  return { kind: 'multi', subtype: 'mixed', params: [], headers: [], parts: dressed }
}

const flatten = (part: Part): Part[] => (part.kind === 'multi' ? part.parts.flatMap(flatten) : [part])

function withDisposition(part: Part, shown: boolean): Part {
  const text = part.kind === 'leaf' ? textForMail(part) : part
  const done = { ...text, headers: text.headers.flatMap(safeHeader) }
  if (done.headers.some((h) => h.name.toLowerCase() === 'content-disposition')) return done
  const location = done.headers.find((h) => h.name.toLowerCase() === 'content-location')?.value
  const name = fileName(done) ?? location
  if (name === undefined) return done
  const inline =
    done.kind === 'leaf' && (done.type.startsWith('text/') || (shown && done.type.startsWith('image/')))
  const value = `${inline ? 'inline' : 'attachment'}${writeParameter('filename', name)}`
  return { ...done, headers: [...done.headers, { name: 'Content-Disposition', value }] }
}
