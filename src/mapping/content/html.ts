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
  convert(html.slice(0, maxCharacters))
    .replace(/\u00a0/g, ' ')
    .replace(/[ \t]+$/gm, '')
    .replace(/\n{3,}/g, '\n\n')
    .trim()
    .replace(/\n/g, '\r\n')

/** The src of each image, in order. */
export const imageReferences = (html: string): string[] =>
  [...html.slice(0, maxCharacters).matchAll(imageTag)].map((m) => m[1] ?? m[2] ?? m[3] ?? '')

// Attributes before src are bounded: a tag that never ends costs no more than this (SEC-023).
const imageTag = /<img\b[^>]{0,2000}?\bsrc\s{0,20}=\s{0,20}(?:"([^"]*)"|'([^']*)'|([^\s>]+))/gi
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
