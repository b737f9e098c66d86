/** HTML to plain text for handsets (CNT-050), by html-to-text; input is limited (SEC-023). */
import { compile } from 'html-to-text'

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
      if (alt !== '' && !/^cid:/i.test(String(node.attribs?.src ?? ''))) builder.addInline(alt)
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
