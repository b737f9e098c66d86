/** BODY and BODYSTRUCTURE (RFC 3501 §7.4.2; BS-01 to BS-18), from the scanner's tree. */
import { envelopeOf } from './envelope.ts'
import { asciiSafe, nstring, quotedOrLiteral, type Shown } from './imap-strings.ts'
import { isMessageNode, isOpaque, type MimeNode } from './node.ts'
import { type Parameter, parseDisposition } from './parameters.ts'
import { fieldValue } from './scan.ts'

export function bodyStructureOf(
  octets: Uint8Array,
  node: MimeNode,
  extended: boolean,
  shown: Shown = asciiSafe,
): string {
  const opaque = isOpaque(node)
  if (node.type === 'multipart' && !opaque) return multipart(octets, node, extended, shown)
  // MESSAGE/RFC822 with basic fields only is illegal, and so is a multipart of nothing (BS-16).
  const type = opaque ? 'APPLICATION' : node.type.toUpperCase()
  const subtype = opaque ? 'OCTET-STREAM' : node.subtype.toUpperCase()
  const fields = [
    quotedOrLiteral(type),
    quotedOrLiteral(subtype),
    parameters(defaulted(node)),
    nstring(fieldValue(octets, node, 'Content-ID')),
    header(octets, node, 'Content-Description', shown),
    quotedOrLiteral(node.encoding.toUpperCase()),
    String(node.bodyEnd - node.bodyStart),
  ]
  const inner = node.parts[0]
  if (isMessageNode(node) && inner)
    fields.push(
      envelopeOf(octets, inner, shown),
      bodyStructureOf(octets, inner, extended, shown),
      String(node.lines),
    )
  else if (node.type === 'text') fields.push(String(node.lines))
  if (extended) fields.push(header(octets, node, 'Content-MD5', shown), ...common(octets, node, shown))
  return `(${fields.join(' ')})`
}

function multipart(octets: Uint8Array, node: MimeNode, extended: boolean, shown: Shown): string {
  // A list without a body inside would be illegal: an empty text part stands in (BS-14).
  const parts =
    node.parts.length === 0
      ? `("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 0 0${extended ? ' NIL NIL NIL NIL' : ''})`
      : node.parts.map((part) => bodyStructureOf(octets, part, extended, shown)).join('')
  const fields = [quotedOrLiteral(node.subtype.toUpperCase())]
  if (extended) fields.push(parameters(node.params), ...common(octets, node, shown))
  return `(${parts} ${fields.join(' ')})`
}

/** Disposition, language, location: the end of both extension lists (BS-03). */
function common(octets: Uint8Array, node: MimeNode, shown: Shown): string[] {
  const given = fieldValue(octets, node, 'Content-Disposition')
  const { disposition, params } =
    given === undefined ? { disposition: '', params: [] } : parseDisposition(given)
  const languages = (fieldValue(octets, node, 'Content-Language') ?? '')
    .split(',')
    .map((tag) => tag.trim())
    .filter((tag) => tag !== '')
  const [only] = languages
  return [
    disposition === '' ? 'NIL' : `(${quotedOrLiteral(disposition)} ${parameters(params)})`,
    only === undefined
      ? 'NIL'
      : languages.length === 1
        ? quotedOrLiteral(only)
        : `(${languages.map(quotedOrLiteral).join(' ')})`,
    header(octets, node, 'Content-Location', shown),
  ]
}

const header = (octets: Uint8Array, node: MimeNode, name: string, shown: Shown): string => {
  const value = fieldValue(octets, node, name)
  return nstring(value === undefined ? undefined : shown(value))
}

/** A text part without charset is US-ASCII (BS-01, BS-07). */
const defaulted = (node: MimeNode): readonly Parameter[] =>
  node.type === 'text' && !node.params.some((p) => p.name === 'charset')
    ? [...node.params, { name: 'charset', value: 'US-ASCII' }]
    : node.params

const parameters = (params: readonly Parameter[]): string =>
  params.length === 0 ? 'NIL' : `(${params.map(parameter).join(' ')})`

/** A value that is not ASCII goes out in the form of RFC 2231, which every client may read (BS-11). */
function parameter({ name, value }: Parameter): string {
  const upper = name.toUpperCase().replace(/[\x80-\uffff]/g, '?')
  if (!/[^\x20-\x7e]/.test(value)) return `${quotedOrLiteral(upper)} ${quotedOrLiteral(value)}`
  const octets = [...Buffer.from(value)].map((o) =>
    /[A-Za-z0-9._-]/.test(String.fromCharCode(o))
      ? String.fromCharCode(o)
      : `%${o.toString(16).toUpperCase().padStart(2, '0')}`,
  )
  return `${quotedOrLiteral(`${upper}*`)} ${quotedOrLiteral(`utf-8''${octets.join('')}`)}`
}
