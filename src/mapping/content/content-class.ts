/** The smallest content class that fits all parts (CNT-072; OMA MMS conformance document). */
import type { ContentClass, Part } from '../../model/neutral.ts'
import { imageSize } from './image-size.ts'
import { sizeOf } from './part-size.ts'

interface Row {
  readonly name: ContentClass
  readonly octets: number
  /** Longer and shorter side of an image; 0: no images. */
  readonly image: readonly [number, number]
  readonly types: RegExp
}

const kib = 1024
const still =
  /^(text\/plain|application\/smil|image\/(jpeg|gif|vnd\.wap\.wbmp)|audio\/amr|text\/(x-)?vcard|text\/(x-vcalendar|calendar))$/
const moving = new RegExp(`${still.source}|^video\\/3gpp$`)

const rows: readonly Row[] = [
  { name: 'text', octets: 30 * kib, image: [0, 0], types: /^(text\/plain|application\/smil)$/ },
  { name: 'image-basic', octets: 30 * kib, image: [160, 120], types: still },
  { name: 'image-rich', octets: 100 * kib, image: [640, 480], types: still },
  { name: 'video-basic', octets: 100 * kib, image: [640, 480], types: moving },
  { name: 'video-rich', octets: 300 * kib, image: [640, 480], types: moving },
  { name: 'megapixel', octets: 600 * kib, image: [1600, 1200], types: moving },
  { name: 'content-basic', octets: 100 * kib, image: [640, 480], types: /./ },
  { name: 'content-rich', octets: 300 * kib, image: [640, 480], types: /./ },
]

/** undefined: larger or richer than any class. */
export function contentClassOf(content: Part): ContentClass | undefined {
  const size = sizeOf(content)
  const leaves = leavesOf(content)
  const images = leaves.flatMap((p) =>
    p.type.startsWith('image/') ? [imageSize(p.type, p.body.octets())] : [],
  )
  const fits = (row: Row): boolean =>
    size <= row.octets &&
    leaves.every((p) => row.types.test(p.type)) &&
    images.every((image) => {
      // What cannot be measured is taken at its word (CNT-071).
      if (!image) return row.image[0] > 0
      const [long, short] = [Math.max(image.width, image.height), Math.min(image.width, image.height)]
      return long <= row.image[0] && short <= row.image[1]
    })
  return rows.find(fits)?.name
}

const leavesOf = (part: Part): readonly Exclude<Part, { kind: 'multi' }>[] =>
  part.kind === 'multi' ? part.parts.flatMap(leavesOf) : [part]
