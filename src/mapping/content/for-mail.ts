/** MM content as Internet mail content (mapping.md 4.1). */
import type { Field, Param, Part } from '../../model/neutral.ts'
import type { MappingContext } from '../context.ts'
import { fileName } from './file-names.ts'
import { bodyFrom } from './read-content.ts'
import { findReferred } from './references.ts'
import { smilReferences } from './smil.ts'
import { textForMail } from './text.ts'

const empty: Part = {
  kind: 'leaf',
  type: 'text/plain',
  params: [{ name: 'charset', value: 'us-ascii' }],
  headers: [],
  body: bodyFrom(new Uint8Array(0)),
}

/** The entity to be written: its own Content-ID belongs to the packaging it came in, and is dropped (CNT-012). */
export function contentForMail(content: Part | undefined, ctx: MappingContext): Part {
  if (!content) return empty
  const shaped = ctx.settings.presentation === 'mixed' ? asMixed(content) : preserved(content)
  return {
    ...shaped,
    headers: shaped.headers.filter((h) => /^content-(language|description)$/i.test(h.name)),
  }
}

function preserved(part: Part): Part {
  const headers = part.headers.map(safeHeader)
  if (part.kind === 'opaque') return part
  if (part.kind === 'leaf') return { ...textForMail(part), headers }
  const parts = part.parts.map(preserved)
  if (parts.length === 0) return empty
  return {
    ...part,
    headers,
    parts,
    params: part.subtype === 'related' ? relatedParams(part, parts) : part.params,
  }
}

/** Content-ID gets its brackets (CNT-005); a location that is not ASCII is percent-encoded (CNT-006). */
function safeHeader(field: Field): Field {
  const name = field.name.toLowerCase()
  if (name === 'content-id' && !field.value.startsWith('<'))
    return { ...field, value: `<${field.value.trim()}>` }
  if (name === 'content-location' && /[^\x21-\x7e]/.test(field.value))
    return { ...field, value: encodeURI(Buffer.from(field.value, 'latin1').toString('utf8')) }
  return field
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
  const media = leaves.filter((p) => p !== smil)
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
  if (!only) return empty
  const dressed = ordered.map((p) => withDisposition(p, shown.includes(p)))
  if (!second) return dressed[0] ?? empty
  return { kind: 'multi', subtype: 'mixed', params: [], headers: [], parts: dressed }
}

const flatten = (part: Part): Part[] => (part.kind === 'multi' ? part.parts.flatMap(flatten) : [part])

function withDisposition(part: Part, shown: boolean): Part {
  const done = part.kind === 'leaf' ? textForMail(part) : part
  if (done.headers.some((h) => h.name.toLowerCase() === 'content-disposition')) return done
  const location = done.headers.find((h) => h.name.toLowerCase() === 'content-location')?.value
  const name = fileName(done) ?? location
  if (name === undefined) return done
  const inline =
    done.kind === 'leaf' && (done.type.startsWith('text/') || (shown && done.type.startsWith('image/')))
  const token = /^[A-Za-z0-9._-]+$/.test(name) ? name : `"${name.replace(/["\\]/g, '\\$&')}"`
  const value = `${inline ? 'inline' : 'attachment'}; filename=${token}`
  return { ...done, headers: [...done.headers, { name: 'Content-Disposition', value }] }
}
