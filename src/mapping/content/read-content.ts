/** The scanner's tree as the neutral message's parts; nothing is decoded before it is asked for. */
import type { Body, Field, Part } from '../../model/neutral.ts'
import type { MimeNode } from '../../wire/mime/node.ts'
import { decodeBody, fieldValue, partRanges, scanEntity } from '../../wire/mime/scan.ts'

/** Header fields of a part that travel with it; the encoding is made anew. */
const kept = [
  'Content-ID',
  'Content-Location',
  'Content-Disposition',
  'Content-Description',
  'Content-Language',
  'Content-Duration',
  'Content-Base',
]

const opaqueTypes = new Set([
  'multipart/signed',
  'multipart/encrypted',
  'application/pkcs7-mime',
  'application/x-pkcs7-mime',
])

export function readPart(octets: Uint8Array, node: MimeNode): Part {
  const type = mimeType(`${node.type}/${node.subtype}`)
  const params = node.params
  const headers: Field[] = []
  for (const name of kept) {
    const value = fieldValue(octets, node, name)
    if (value !== undefined) headers.push({ name, value })
  }
  if (opaqueTypes.has(type) || type.startsWith('application/vnd.oma.drm.'))
    return {
      kind: 'opaque',
      type,
      params,
      headers: [...headers, ...encodingField(octets, node)],
      body: rawBody(octets, node),
    }
  if (node.type === 'multipart' || type.startsWith('multipart/')) {
    const start = params.find((p) => p.name === 'start')?.value
    const rootType = params.find((p) => p.name === 'type')?.value
    return {
      kind: 'multi',
      subtype: type.slice('multipart/'.length),
      params,
      headers,
      parts: partsOf(octets, node).map((part) => readPart(octets, part)),
      ...(start === undefined ? {} : { start }),
      ...(rootType === undefined ? {} : { rootType }),
    }
  }
  const charset = params.find((p) => p.name === 'charset')?.value
  const body = bodyOf(octets, node)
  return {
    kind: 'leaf',
    type: xmlTypes.has(type) && isSmil(body) ? 'application/smil' : type,
    params,
    headers,
    body,
    ...(charset === undefined ? {} : { charset }),
  }
}

/** A multipart under its WAP name is one part to the scanner; its parts are found here. */
function partsOf(octets: Uint8Array, node: MimeNode): readonly MimeNode[] {
  if (node.type === 'multipart') return node.parts
  const boundary = node.params.find((p) => p.name === 'boundary')?.value
  if (!boundary) return []
  return partRanges(octets, node.bodyStart, node.bodyEnd, boundary).ranges.map((r) =>
    scanEntity(octets, r.start, r.end),
  )
}

const xmlTypes = new Set(['text/xml', 'application/xml'])

/** A presentation under the name of XML (QUIRKS 19). */
const isSmil = (body: Body): boolean =>
  /^(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!DOCTYPE\s+smil[^>]*>\s*)?<smil[\s>]/.test(
    Buffer.from(body.octets().subarray(0, 600)).toString('latin1'),
  )

/** WAP names of multiparts and of SMIL (CNT-003, QUIRKS 19). */
function mimeType(type: string): string {
  const wap = /^application\/vnd\.wap\.multipart\.(.+)$/.exec(type)?.[1]
  if (wap !== undefined)
    return wap === 'related' || wap === 'alternative' ? `multipart/${wap}` : 'multipart/mixed'
  return type === 'application/smil+xml' ? 'application/smil' : type
}

const encodingField = (octets: Uint8Array, node: MimeNode): Field[] => {
  const value = fieldValue(octets, node, 'Content-Transfer-Encoding')
  return value === undefined ? [] : [{ name: 'Content-Transfer-Encoding', value }]
}

const rawBody = (octets: Uint8Array, node: MimeNode): Body => {
  const view = octets.subarray(node.bodyStart, node.bodyEnd)
  return { octets: () => view }
}

function bodyOf(octets: Uint8Array, node: MimeNode): Body {
  let decoded: Uint8Array | undefined
  const body: Body = {
    octets() {
      decoded ??= decodeBody(octets, node)
      return decoded
    },
  }
  const { encoding } = node
  if (encoding !== 'base64' && encoding !== 'quoted-printable') return body
  return { ...body, encoded: { encoding, octets: octets.subarray(node.bodyStart, node.bodyEnd) } }
}

/** A body that is made here. */
export const bodyFrom = (octets: Uint8Array): Body => ({ octets: () => octets })

export const textBody = (text: string): Body => bodyFrom(Buffer.from(text, 'utf8'))

/** What a message without content has where its carrier must have one (CNT-007). */
export const emptyText: Part = {
  kind: 'leaf',
  type: 'text/plain',
  params: [{ name: 'charset', value: 'us-ascii' }],
  headers: [],
  body: bodyFrom(new Uint8Array(0)),
}
