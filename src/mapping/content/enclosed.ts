/** Messages within the content, as the next hop can take them: they are never encoded whole (CNT-008; RFC 2046 §5.2.1). */
import type { Part } from '../../model/neutral.ts'
import { type EnclosingHop, enclosedMessage } from '../../wire/mime/enclosed.ts'
import { writeParameter } from '../../wire/mime/write-header.ts'
import type { Leaf } from './collect.ts'
import { fileName } from './file-names.ts'
import { bodyFrom } from './read-content.ts'

/** The same content; each message in it in a form that is legal for this hop. */
export function withEnclosed(part: Part, hop: EnclosingHop): Part {
  if (part.kind === 'multi') return { ...part, parts: part.parts.map((child) => withEnclosed(child, hop)) }
  return part.kind === 'leaf' && /^message\/(?:rfc822|global)$/.test(part.type) ? enclosed(part, hop) : part
}

function enclosed(part: Leaf, hop: EnclosingHop): Part {
  const { type, encoding, octets } = enclosedMessage(part.body.octets(), hop, part.type === 'message/global')
  if (type === 'application/octet-stream') return asFile(part, octets)
  if (encoding === 'base64') return { ...part, type, body: bodyFrom(octets) }
  const field = { name: 'Content-Transfer-Encoding', value: encoding }
  const headers = [...(encoding === '8bit' ? [field] : []), ...without(part, 'content-transfer-encoding')]
  return { kind: 'opaque', type, params: part.params, headers, body: bodyFrom(octets) }
}

/** The last way: all octets are there, and mail programs open such a file as a message. */
function asFile(part: Leaf, octets: Uint8Array): Leaf {
  const given = fileName(part) ?? 'message'
  const name = /\.eml$/i.test(given) ? given : `${given}.eml`
  const value = `attachment${writeParameter('filename', name)}`
  const headers = [...without(part, 'content-disposition'), { name: 'Content-Disposition', value }]
  return { kind: 'leaf', type: 'application/octet-stream', params: [], headers, body: bodyFrom(octets) }
}

const without = ({ headers }: Leaf, name: string): Leaf['headers'] =>
  headers.filter((h) => h.name.toLowerCase() !== name)
