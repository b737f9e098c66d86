/** Width and height of an image, read from its header alone (SEC-025). */
import type { Part } from '../../model/neutral.ts'
import { bodyLength } from './part-size.ts'

type Leaf = Extract<Part, { kind: 'leaf' }>

export interface ImageSize {
  readonly width: number
  readonly height: number
}

/** Pixels a side above this are taken as unknown. */
const maxSide = 10_000
/** JPEG segments looked at before the frame header must have come. */
const maxSegments = 200

/** undefined: not known, or beyond belief. */
export function imageSize(type: string, octets: Uint8Array): ImageSize | undefined {
  const b = Buffer.from(octets.buffer, octets.byteOffset, octets.length)
  const found =
    type === 'image/gif'
      ? b.length >= 10 && b.toString('latin1', 0, 3) === 'GIF'
        ? { width: b.readUInt16LE(6), height: b.readUInt16LE(8) }
        : undefined
      : type === 'image/png'
        ? b.length >= 24 && b.toString('latin1', 1, 4) === 'PNG'
          ? { width: b.readUInt32BE(16), height: b.readUInt32BE(20) }
          : undefined
        : type === 'image/jpeg'
          ? jpegSize(b)
          : undefined
  return found && found.width <= maxSide && found.height <= maxSide ? found : undefined
}

function jpegSize(b: Buffer): ImageSize | undefined {
  if (b.length < 4 || b.readUInt16BE(0) !== 0xffd8) return undefined
  let at = 2
  for (let n = 0; n < maxSegments && at + 9 < b.length; n++) {
    if (b[at] !== 0xff) return undefined
    const marker = b[at + 1] ?? 0
    const isFrame = marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc
    if (isFrame) return { height: b.readUInt16BE(at + 5), width: b.readUInt16BE(at + 7) }
    const length = b.readUInt16BE(at + 2)
    if (length < 2) return undefined
    at += 2 + length
  }
  return undefined
}

/** An image of one dot is never larger than this; only so small ones are opened. */
const dotOctets = 4096

/** 43 octets is the smallest GIF there is; an image of one dot only tells that a mail was read (CNT-053). */
export function isTrackingPixel(part: Leaf): boolean {
  if (!part.type.startsWith('image/')) return false
  const length = bodyLength(part)
  if (length === 0 || length > dotOctets) return false
  const octets = part.body.octets()
  if (octets.length <= 43) return octets.length > 0
  const size = imageSize(part.type, octets)
  return size !== undefined && size.width <= 1 && size.height <= 1
}
