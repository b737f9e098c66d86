/** Parts as one MM body: a lone text, a presentation with SMIL, or a plain multipart (CNT-020 to CNT-033). */
import type { Field, Part } from '../../model/neutral.ts'
import { inAscii } from '../../wire/mime/ascii-headers.ts'
import { parseDisposition } from '../../wire/mime/parameters.ts'
import { writeParameter } from '../../wire/mime/write-header.ts'
import { headerOf, type Leaf, type Shown } from './collect.ts'
import { contentLocation, fileName } from './file-names.ts'
import { textBody } from './read-content.ts'
import { contentId } from './references.ts'
import { generateSmil, type SlidePart } from './smil.ts'

/** One text is the content itself (CNT-020); else related with SMIL (CNT-022), or mixed without slides (CNT-033). */
export function shape(parts: readonly Shown[], newId: () => string): Part {
  const [only, second] = parts
  if (only && !second && only.kind === 'opaque') return only
  if (only?.kind === 'leaf' && !second && only.type === 'text/plain')
    return { ...only, headers: [], params: only.params.filter((p) => p.name === 'charset') }
  const taken = new Set<string>()
  const ids = new Set<string>()
  const named = parts.map((part, i) => identified(part, i + 1, taken, ids, newId))
  const slides = named.flatMap((part, i): SlidePart[] => {
    const kind = slideKind(part.type)
    const id = contentId(part)
    if (kind === undefined || id === undefined || part.kind === 'opaque') return []
    const duration = Number(parts[i] && headerOf(parts[i], 'content-duration'))
    return [{ kind, id, seconds: Number.isInteger(duration) ? duration : undefined }]
  })
  if (slides.length === 0) return { kind: 'multi', subtype: 'mixed', params: [], headers: [], parts: named }
  const rootId = newId()
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
export function identified<P extends Shown>(
  part: P,
  position: number,
  taken: Set<string>,
  ids: Set<string>,
  newId: () => string,
): P {
  const given = headerOf(part, 'content-id')?.trim()
  const keep = given !== undefined && /^<[\x21-\x3b\x3d\x3f-\x7e]+>$/.test(given) && !ids.has(given)
  const id = keep ? given : newId()
  ids.add(id)
  const fields: Field[] = [
    { name: 'Content-ID', value: id },
    { name: 'Content-Location', value: contentLocation(part, position, taken) },
    ...part.headers.flatMap((h) => {
      if (h.name.toLowerCase() === 'content-disposition') return disposition(h, part)
      return /^content-(description|language|transfer-encoding)$/i.test(h.name)
        ? [{ ...h, value: inAscii(h.name, h.value) }]
        : []
    }),
  ]
  return { ...part, headers: fields }
}

/** Kept with the file name cleaned (CNT-048); other parameters tell nothing to a handset. */
function disposition(field: Field, part: Part): Field[] {
  const { disposition: kind } = parseDisposition(field.value)
  if (!/^[a-z-]+$/.test(kind)) return []
  const name = fileName(part)
  return [
    { name: field.name, value: name === undefined ? kind : `${kind}${writeParameter('filename', name)}` },
  ]
}
