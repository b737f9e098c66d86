/** Content of MM1: WSP's binary multiparts as parts of the neutral message, and back (MAP-228, MAP-229). */
import type { Field, Param, Part } from '../../model/neutral.ts'
import { isRefusal, type Refusal, refusal } from '../../model/refusal.ts'
import { decodeBase64 } from '../../wire/mime/base64.ts'
import { parseDisposition } from '../../wire/mime/parameters.ts'
import { decodeQuotedPrintable } from '../../wire/mime/quoted-printable.ts'
import { writeParameter } from '../../wire/mime/write-header.ts'
import { isMultipart, type Mm1Body, type Mm1Part, type Mm1Pdu } from '../../wire/mm1/pdu.ts'
import { bodyFrom } from '../content/read-content.ts'
import { bareId } from '../content/references.ts'
import { oneLine } from '../element.ts'

type Content = NonNullable<Mm1Pdu['content']>
type ContentType = Content['contentType']

export const partOfContent = (content: Content): Part => partOf(content.contentType, content.body, [])

function partOf({ type, params }: ContentType, body: Mm1Body, headers: readonly Field[]): Part {
  const clean = params.map((p): Param => ({ name: p.name, value: oneLine(p.value) }))
  if (body.kind === 'parts') {
    const kind = type.replace(/^(application\/vnd\.wap\.)?multipart[./]/, '')
    const start = clean.find((p) => p.name === 'start')?.value
    const rootType = clean.find((p) => p.name === 'type')?.value
    return {
      kind: 'multi',
      subtype: kind === 'related' || kind === 'alternative' ? kind : 'mixed',
      params: clean,
      headers,
      parts: body.parts.map((part) => partOf(part.contentType, decoded(part), headersOf(part))),
      ...(start === undefined ? {} : { start }),
      ...(rootType === undefined ? {} : { rootType }),
    }
  }
  const charset = clean.find((p) => p.name === 'charset')?.value
  return {
    kind: 'leaf',
    type: type === 'application/smil+xml' ? 'application/smil' : type,
    params: clean,
    headers,
    body: bodyFrom(body.octets),
    ...(charset === undefined ? {} : { charset }),
  }
}

function headersOf(part: Mm1Part): Field[] {
  const fields: Field[] = []
  if (part.contentId !== undefined) fields.push({ name: 'Content-ID', value: `<${oneLine(part.contentId)}>` })
  if (part.contentLocation !== undefined)
    fields.push({ name: 'Content-Location', value: oneLine(part.contentLocation) })
  if (part.disposition && /^[a-z-]+$/.test(part.disposition.type)) {
    const params = part.disposition.params.map((p) => writeParameter(p.name, oneLine(p.value)))
    fields.push({ name: 'Content-Disposition', value: `${part.disposition.type}${params.join('')}` })
  }
  for (const { name, value } of part.headers)
    if (/^content-(description|language|duration|base)$/i.test(name))
      fields.push({ name, value: oneLine(value) })
  return fields
}

/** Some encode a part as in mail, and say so in a header written out as text. */
function decoded(part: Mm1Part): Mm1Body {
  if (part.body.kind === 'parts') return part.body
  const encoding = part.headers
    .find((h) => h.name.toLowerCase() === 'content-transfer-encoding')
    ?.value.trim()
    .toLowerCase()
  if (encoding === 'base64') return { kind: 'octets', octets: decodeBase64(part.body.octets) }
  if (encoding === 'quoted-printable')
    return { kind: 'octets', octets: decodeQuotedPrintable(part.body.octets) }
  return part.body
}

export function contentOfPart(part: Part): Content | Refusal {
  if (part.kind === 'multi') {
    const parts: Mm1Part[] = []
    for (const child of part.parts) {
      const content = contentOfPart(child)
      if (isRefusal(content)) return content
      parts.push({ ...content, ...partHeaders(child.headers) })
    }
    const known = ['related', 'alternative'].includes(part.subtype) ? part.subtype : 'mixed'
    return {
      contentType: {
        type: `application/vnd.wap.multipart.${known}`,
        params: params(part.params.filter((p) => p.name !== 'boundary')),
      },
      body: { kind: 'parts', parts },
    }
  }
  // A multipart of MIME inside would be read as one of WSP.
  if (isMultipart(part.type)) return refusal('content-refused', `${part.type} cannot be carried on MM1`)
  return {
    contentType: { type: part.type, params: params(part.params) },
    body: { kind: 'octets', octets: part.body.octets() },
  }
}

const params = (list: readonly Param[]): { name: string; value: string }[] =>
  list.map((p) => ({ name: p.name.toLowerCase(), value: oneLine(p.value) }))

function partHeaders(headers: readonly Field[]): Omit<Mm1Part, 'contentType' | 'body'> {
  const value = (name: string): string | undefined =>
    headers.find((h) => h.name.toLowerCase() === name)?.value.trim()
  const id = value('content-id')
  const location = value('content-location')
  const disposition = value('content-disposition')
  const parsed = disposition === undefined ? undefined : parseDisposition(disposition)
  return {
    headers: [],
    ...(id === undefined ? {} : { contentId: bareId(id) }),
    ...(location === undefined ? {} : { contentLocation: location }),
    ...(parsed === undefined
      ? {}
      : { disposition: { type: parsed.disposition, params: params(parsed.params) } }),
  }
}
