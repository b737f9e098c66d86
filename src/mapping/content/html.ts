/** HTML to plain text for handsets (CNT-050), by html-to-text; input is limited (SEC-023). */
import { compile } from 'html-to-text'
import type { Part } from '../../model/neutral.ts'
import { isTrackingPixel } from './image-size.ts'
import { bodyFrom } from './read-content.ts'

const maxCharacters = 2 * 1024 * 1024

const convert = compile({
  wordwrap: false,
  limits: { maxInputLength: maxCharacters, maxDepth: 200, maxChildNodes: 20_000, ellipsis: '' },
  selectors: [
    { selector: '[style*="display:none"]', format: 'skip' },
    { selector: '[style*="display: none"]', format: 'skip' },
    { selector: '[hidden]', format: 'skip' },
    { selector: 'head', format: 'skip' },
    {
      selector: 'a',
      options: { hideLinkHrefIfSameAsText: true, noAnchorUrl: true, linkBrackets: ['<', '>'] },
    },
    { selector: 'img', format: 'alternative' },
    { selector: 'ul', options: { itemPrefix: '- ', leadingLineBreaks: 1, trailingLineBreaks: 1 } },
    {
      selector: 'ol',
      format: 'unorderedList',
      options: { itemPrefix: '- ', leadingLineBreaks: 1, trailingLineBreaks: 1 },
    },
    { selector: 'p', options: { leadingLineBreaks: 2, trailingLineBreaks: 2 } },
    { selector: 'hr', format: 'lineBreak' },
    { selector: 'td', format: 'cell' },
    { selector: 'th', format: 'cell' },
    ...['h1', 'h2', 'h3', 'h4', 'h5', 'h6'].map((selector) => ({
      selector,
      options: { uppercase: false, leadingLineBreaks: 1, trailingLineBreaks: 1 },
    })),
  ],
  formatters: {
    alternative(node, _walk, builder) {
      const alt = String(node.attribs?.alt ?? '')
      // An image that is carried needs no words of its own.
      if (alt !== '' && !/^(cid|data):/i.test(String(node.attribs?.src ?? ''))) builder.addInline(alt)
    },
    cell(node, walk, builder) {
      walk(node.children, builder)
      builder.addLiteral('\t')
    },
  },
})

export const htmlToText = (html: string): string =>
  convert(flattened(html.slice(0, maxCharacters)))
    .replace(/\u00a0/g, ' ')
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
    .replace(/\n{3,}/g, '\n\n')
    .trim()
    .replace(/\n/g, '\r\n')

/** Elements nested deeper than this lose their tags, not their text. */
const maxNesting = 100
const isVoid = /^(area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr)$/
/** Closed by the next of their kind: many of them in a row are no nesting. */
const closesItself = /^(p|li|td|th|tr|dt|dd|option|tbody|thead|tfoot)$/

/**
 * The parser's work grows with the square of the nesting: two million octets of <b> would take a minute (SEC-023). Tags
 * beyond the limit go before it sees them, each with the one that closes it.
 */
function flattened(html: string): string {
  let depth = 0
  let dropped = 0
  return html.replace(/<(\/?)([a-z][a-z0-9:-]*)[^<>]*>?/gi, (tag, slash: string, name: string) => {
    const element = name.toLowerCase()
    if (isVoid.test(element) || closesItself.test(element)) return depth > maxNesting ? ' ' : tag
    if (slash === '') {
      if (depth < maxNesting) {
        depth++
        return tag
      }
      dropped++
      return ' '
    }
    if (dropped > 0) {
      dropped--
      return ' '
    }
    depth = Math.max(0, depth - 1)
    return tag
  })
}

/** The src of each image, in order. A tag ends at the next bracket of either kind, so each octet is looked at once (SEC-023). */
export const imageReferences = (html: string): string[] =>
  [...html.slice(0, maxCharacters).matchAll(/<img\b([^<>]*)/gi)].flatMap(([, tag = '']) => {
    const src = /\bsrc\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"']+))/i.exec(tag)
    return src ? [src[1] ?? src[2] ?? src[3] ?? ''] : []
  })

/** More pictures than this are not taken out of one text. */
const maxDataImages = 50

/** Pictures written into the HTML itself, as parts (CNT-052). */
export function dataImages(html: string, maxOctets: number): Extract<Part, { kind: 'leaf' }>[] {
  return imageReferences(html)
    .filter((url) => /^data:image\//i.test(url))
    .slice(0, maxDataImages)
    .flatMap((url) => {
      const match = /^data:(image\/(?:jpeg|png|gif))(;base64)?[^,]*,([\s\S]*)$/i.exec(url)
      if (!match) return []
      const [, type = '', base64, data = ''] = match
      const octets = base64 ? Buffer.from(data, 'base64') : percentDecoded(data)
      const part = {
        kind: 'leaf',
        type: type.toLowerCase(),
        params: [],
        headers: [],
        body: bodyFrom(octets),
      } as const
      return octets.length === 0 || octets.length > maxOctets || isTrackingPixel(part) ? [] : [part]
    })
}

const percentDecoded = (data: string): Buffer =>
  Buffer.from(
    data.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  )
