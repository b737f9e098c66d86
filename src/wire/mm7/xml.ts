/**
 * XML to a tree of elements (SEC-020, MM7-017, MM7-018): no DTD, limits on depth, elements, attributes and text, each
 * violation ends the work at once. What is not plain is read by saxes, so that well-formedness is checked and errors have a place.
 */
import { SaxesParser } from 'saxes'
import { Fault } from '../../model/fault.ts'
import { decodeText, hasCharset, isUtf8 } from '../mime/charset.ts'
import type { XmlElement } from './message.ts'
import { parsePlainXml, type XmlLimits } from './plain-xml.ts'

export type { XmlLimits } from './plain-xml.ts'
export const defaultXmlLimits: XmlLimits = { depth: 32, elements: 10_000, attributes: 64, text: 262_144 }

/** Code units given to the parser at a time: a violation is found after this much at the latest. */
const slice = 4096

type Open = { -readonly [K in keyof XmlElement]: XmlElement[K] } & { children: XmlElement[] }

/** An ampersand that begins no reference: of a writer that does not escape (QUIRKS 13). */
const bareAmpersand = /&(?!#?\w{1,32};)/g

/** @throws Fault 'malformed' whose text says where it broke */
export function parseXml(octets: Uint8Array, limits: XmlLimits = defaultXmlLimits): XmlElement {
  const text = decodeXml(octets)
  const plain = parsePlainXml(text, limits)
  if (plain) return plain
  try {
    return parseWholeXml(text, limits)
  } catch (error) {
    // In CDATA it would be well-formed, and mean something else.
    const mended = text.includes('<![CDATA[') ? text : text.replace(bareAmpersand, '&amp;')
    if (mended === text) throw error
    return parseWholeXml(mended, limits)
  }
}

/** Every XML there is. */
export function parseWholeXml(text: string, limits: XmlLimits = defaultXmlLimits): XmlElement {
  const parser = new SaxesParser({ xmlns: true, position: true })
  const stack: Open[] = []
  let root: XmlElement | undefined
  let elements = 0
  let characters = 0
  const stop = (why: string): never => {
    throw new Fault('malformed', `XML line ${parser.line}, column ${parser.column}: ${why}`)
  }
  parser.on('error', (error) => {
    stop(error.message.replace(/^[\d:]+\s*/, ''))
  })
  parser.on('doctype', () => {
    stop('a document type declaration is not allowed')
  })
  parser.on('attribute', ({ value }) => {
    characters += value.length
    if (characters > limits.text) stop(`more than ${limits.text} characters`)
  })
  parser.on('opentag', (tag) => {
    if (++elements > limits.elements) stop(`more than ${limits.elements} elements`)
    if (stack.length >= limits.depth) stop(`deeper than ${limits.depth} levels`)
    const given = Object.values(tag.attributes)
    if (given.length > limits.attributes) stop(`more than ${limits.attributes} attributes`)
    const attributes: Record<string, string> = {}
    for (const a of given) {
      if (typeof a === 'string' || a.prefix === 'xmlns' || a.name === 'xmlns') continue
      attributes[a.local] = a.value
    }
    stack.push({ name: tag.local, namespace: tag.uri.trim(), attributes, children: [], text: '' })
  })
  parser.on('closetag', () => {
    const done = stack.pop()
    if (!done) return
    done.text = done.text.trim()
    const parent = stack[stack.length - 1]
    if (parent) parent.children.push(done)
    else root = done
  })
  const addText = (piece: string): void => {
    characters += piece.length
    if (characters > limits.text) stop(`more than ${limits.text} characters`)
    const open = stack[stack.length - 1]
    if (open) open.text += piece
  }
  parser.on('text', addText)
  parser.on('cdata', addText)
  // A doctype's text would be gathered before its event; it is refused where it begins.
  const doctype = /<!DOCTYPE/i.exec(text)
  const end = doctype && !insideCommentOrCdata(text, doctype.index) ? doctype.index + 9 : text.length
  for (let at = 0; at < end; at += slice) parser.write(text.slice(at, Math.min(at + slice, end)))
  if (end < text.length) stop('a document type declaration is not allowed')
  parser.close()
  if (!root) return stop('there is no element')
  return root
}

function insideCommentOrCdata(text: string, at: number): boolean {
  const before = text.slice(0, at)
  return (
    before.lastIndexOf('<!--') > before.lastIndexOf('-->') ||
    before.lastIndexOf('<![CDATA[') > before.lastIndexOf(']]>')
  )
}

/**
 * Unicode by BOM, then by the declaration; a label that the octets contradict gives way to UTF-8 when they are valid
 * UTF-8 (QUIRKS 7). The declaration's encoding is taken out, since what is parsed is Unicode already.
 */
function decodeXml(octets: Uint8Array): string {
  const [a, b] = octets
  if ((a === 0xfe && b === 0xff) || (a === 0xff && b === 0xfe))
    return withoutLabel(decodeText(octets, 'utf-16'))
  if (a === 0 && b === 0x3c) return withoutLabel(decodeText(octets, 'utf-16be'))
  if (a === 0x3c && b === 0) return withoutLabel(decodeText(octets, 'utf-16le'))
  const head = Buffer.from(octets.subarray(0, 200)).toString('latin1')
  const label = /^(?:\xef\xbb\xbf)?\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']/.exec(head)?.[1]
  // Octets that are UTF-8 are hardly ever anything else, whatever the label says; ISO-2022 forms are ASCII throughout.
  const charset =
    label !== undefined && hasCharset(label) && (!isUtf8(octets) || /^iso-2022/i.test(label))
      ? label
      : 'utf-8'
  return withoutLabel(decodeText(octets, charset))
}

const withoutLabel = (text: string): string => {
  const clean = text.replace(/^\ufeff/, '')
  // White space before the declaration comes from peers that put an empty line there (QUIRKS 17).
  return clean.trimStart().startsWith('<?xml') ? clean.trimStart().replace(/^<\?xml[^>]*\?>/, '') : clean
}

/** First child of that name, in any namespace and case. */
export const child = (element: XmlElement | undefined, name: string): XmlElement | undefined =>
  element?.children.find((c) => c.name.toLowerCase() === name.toLowerCase())

/** Text of that child; undefined when it is absent or empty. */
export const childText = (element: XmlElement | undefined, name: string): string | undefined =>
  child(element, name)?.text || undefined
