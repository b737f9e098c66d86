/**
 * XML as nearly every peer writes it, read with a few searches: elements, attributes, text, the predefined entities and
 * character references. Whatever else occurs (comments, CDATA, instructions, a name beyond ASCII, any error, any limit) is
 * not judged here: then there is no result, and the whole reader looks at the text from its beginning (wire/mm7/xml.ts).
 */
import type { XmlElement } from './message.ts'

export interface XmlLimits {
  readonly depth: number
  readonly elements: number
  readonly attributes: number
  /** Characters of all text and attribute values. */
  readonly text: number
}

type Open = { -readonly [K in keyof XmlElement]: XmlElement[K] } & { children: XmlElement[] }

interface Frame {
  readonly element: Open
  readonly tag: string
  readonly namespaces: Readonly<Record<string, string>>
}

const name = '[A-Za-z_][A-Za-z0-9_.-]*'
const openTag = new RegExp(
  `<((?:${name}:)?${name})((?:[ \\n\\t]+(?:${name}:)?${name}[ \\n\\t]*=[ \\n\\t]*(?:"[^"<]*"|'[^'<]*')){0,64})[ \\n\\t]*(/?)>`,
  'y',
)
const attributePattern = new RegExp(`((?:${name}:)?${name})[ \\n\\t]*=[ \\n\\t]*(?:"([^"]*)"|'([^']*)')`, 'g')
const closeTag = new RegExp(`</((?:${name}:)?${name})[ \\n\\t]*>`, 'y')
const notAllowed =
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|\]\]>/

const predefined: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }
const initial: Readonly<Record<string, string>> = { xml: 'http://www.w3.org/XML/1998/namespace', '': '' }

/** undefined: not read here. */
export function parsePlainXml(given: string, limits: XmlLimits): XmlElement | undefined {
  if (notAllowed.test(given)) return undefined
  // Line ends are one character before anything else is looked at (XML 1.0 §2.11).
  const text = given.includes('\r') ? given.replace(/\r\n?/g, '\n') : given
  const stack: Frame[] = []
  let root: XmlElement | undefined
  let elements = 0
  let characters = 0
  let at = 0
  while (at < text.length) {
    const top = stack[stack.length - 1]
    const tag = text.indexOf('<', at)
    const end = tag < 0 ? text.length : tag
    if (end > at) {
      const piece = resolved(text.slice(at, end))
      if (piece === undefined) return undefined
      characters += piece.length
      if (top) top.element.text += piece
      else if (piece.trim() !== '') return undefined
    }
    if (tag < 0) break
    if (text.charCodeAt(tag + 1) === 0x2f) {
      closeTag.lastIndex = tag
      const close = closeTag.exec(text)
      if (!top || close?.[1] !== top.tag) return undefined
      at = closeTag.lastIndex
      stack.pop()
      root = closed(top.element, stack) ?? root
      continue
    }
    openTag.lastIndex = tag
    const open = openTag.exec(text)
    if (!open || root) return undefined
    at = openTag.lastIndex
    const read = opened(open[1] ?? '', open[2] ?? '', top?.namespaces ?? initial, limits)
    if (!read) return undefined
    characters += read.characters
    if (++elements > limits.elements || stack.length >= limits.depth) return undefined
    if (open[3] === '/') root = closed(read.element, stack) ?? root
    else stack.push(read)
  }
  return stack.length > 0 || characters > limits.text ? undefined : root
}

/** The element, where it was the outermost one. */
function closed(element: Open, stack: readonly Frame[]): XmlElement | undefined {
  element.text = element.text.trim()
  const parent = stack[stack.length - 1]
  parent?.element.children.push(element)
  return parent ? undefined : element
}

function opened(
  tag: string,
  source: string,
  outer: Readonly<Record<string, string>>,
  limits: XmlLimits,
): (Frame & { readonly characters: number }) | undefined {
  // Most elements have no attributes.
  const own =
    source === '' ? { attributes: {}, namespaces: outer, characters: 0 } : read(source, outer, limits)
  if (!own) return undefined
  const { attributes, namespaces, characters } = own
  const colon = tag.indexOf(':')
  const namespace = namespaceOf(namespaces, colon < 0 ? '' : tag.slice(0, colon))
  if (namespace === undefined) return undefined
  const element: Open = { name: tag.slice(colon + 1), namespace, attributes, children: [], text: '' }
  return { element, tag, namespaces, characters }
}

interface Own {
  readonly attributes: Readonly<Record<string, string>>
  readonly namespaces: Readonly<Record<string, string>>
  /** Of the values. */
  readonly characters: number
}

/** The attributes of a start tag, and the namespaces that count in it. */
function read(source: string, outer: Readonly<Record<string, string>>, limits: XmlLimits): Own | undefined {
  let namespaces = outer
  let characters = 0
  const found: [string, string][] = []
  for (const [, attribute = '', double, single] of source.matchAll(attributePattern)) {
    const raw = double ?? single ?? ''
    // White space other than blanks would have to be normalised (XML 1.0 §3.3.3).
    const value = /[\n\t]/.test(raw) ? undefined : resolved(raw)
    if (value === undefined || found.some(([other]) => other === attribute)) return undefined
    if (found.length >= limits.attributes) return undefined
    characters += value.length
    found.push([attribute, value])
    if (attribute === 'xmlns' || attribute.startsWith('xmlns:')) {
      const prefix = attribute.slice('xmlns:'.length)
      const uri = value.trim()
      if (/^xml/i.test(prefix) || /^http:\/\/www\.w3\.org\/(2000\/xmlns\/|XML\/1998\/namespace)$/.test(uri))
        return undefined
      if (prefix !== '' && uri === '') return undefined
      namespaces = { ...namespaces, [prefix]: uri }
    }
  }
  const attributes: Record<string, string> = {}
  const qualified = new Set<string>()
  for (const [attribute, value] of found) {
    if (attribute === 'xmlns' || attribute.startsWith('xmlns:')) continue
    const colon = attribute.indexOf(':')
    if (colon >= 0) {
      const uri = namespaceOf(namespaces, attribute.slice(0, colon))
      // Two prefixes of one namespace: the same attribute twice.
      const key = `${uri} ${attribute.slice(colon + 1)}`
      if (uri === undefined || qualified.has(key)) return undefined
      qualified.add(key)
    }
    attributes[attribute.slice(colon + 1)] = value
  }
  return { attributes, namespaces, characters }
}

const namespaceOf = (declared: Readonly<Record<string, string>>, prefix: string): string | undefined =>
  Object.hasOwn(declared, prefix) ? declared[prefix] : undefined

/** Entities and character references replaced; undefined: one that is not known or not allowed. */
function resolved(text: string): string | undefined {
  if (!text.includes('&')) return text
  let whole = true
  const out = text.replace(
    /&(?:#x([0-9A-Fa-f]{1,6})|#([0-9]{1,7})|([a-z]{2,4}))?;?/g,
    (all, hex, decimal, entity) => {
      const known = entity === undefined ? characterOf(hex, decimal) : predefined[entity as string]
      if (known === undefined || !all.endsWith(';')) whole = false
      return known ?? ''
    },
  )
  return whole ? out : undefined
}

/** XML 1.0 §2.2 Char. */
function characterOf(hex: string | undefined, decimal: string | undefined): string | undefined {
  if (hex === undefined && decimal === undefined) return undefined
  const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16)
  const allowed =
    code === 9 ||
    code === 10 ||
    code === 13 ||
    (code >= 0x20 && code <= 0xd7ff) ||
    (code >= 0xe000 && code <= 0xfffd) ||
    (code >= 0x10000 && code <= 0x10ffff)
  return allowed ? String.fromCodePoint(code) : undefined
}
