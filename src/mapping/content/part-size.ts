/** Octets of parts as a peer counts them (CNT-073), without decoding what need not be. */
import type { Part } from '../../model/neutral.ts'
import type { Octets } from '../../model/units.ts'

/** Decoded length of a body. Of base64 in lines it is computed, to within a few octets. */
export function bodyLength(part: Exclude<Part, { kind: 'multi' }>): Octets {
  const { encoded } = part.body
  // Short ones are cheap to decode, and then exact.
  if (encoded?.encoding !== 'base64' || encoded.octets.length < 16_384) return part.body.octets().length
  const { octets } = encoded
  const line = octets.indexOf(10) + 1
  const ends = line > 2 ? Math.ceil(octets.length / line) * (octets[line - 2] === 13 ? 2 : 1) : 0
  return Math.floor(((octets.length - ends) * 3) / 4)
}

/** Decoded bodies and part headers, without the envelope. */
export function sizeOf(part: Part): Octets {
  const type = part.kind === 'multi' ? `multipart/${part.subtype}` : part.type
  const params = part.params.reduce((sum, p) => sum + p.name.length + p.value.length + 5, 0)
  const headers = part.headers.reduce((sum, h) => sum + h.name.length + h.value.length + 4, 0)
  const own = 'Content-Type: \r\n\r\n'.length + type.length + params + headers
  if (part.kind !== 'multi') return own + bodyLength(part)
  return own + part.parts.reduce((sum, p) => sum + sizeOf(p), 0)
}
