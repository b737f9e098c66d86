/** The preview of a message (RFC 8970 §3): the beginning of its text, without markup, quotations and line ends. */
import { decodeText } from './charset.ts'
import type { MimeNode } from './node.ts'
import { decodeBody } from './scan.ts'

/** Characters of a preview (RFC 8970 §3.3 advises 200, allows 256). */
const maxPreview = 200
/** Octets of a body that are looked at: its beginning says enough, and delivery must not wait. */
const maxOctets = 16 * 1024
/** Characters in which most previews end: cleaning all that is looked at costs more than the rest of a delivery. */
const beginCharacters = 2048
/** A beginning that leaves so much is enough: where it was cut only its last characters can be others. */
const enoughCharacters = 3 * maxPreview

/** '' when there is no text to show: images, encrypted content. */
export function previewOf(octets: Uint8Array, node: MimeNode): string {
  const part = textPart(octets, node)
  if (!part) return ''
  const bodyEnd = Math.min(part.bodyEnd, part.bodyStart + maxOctets)
  const charset = part.params.find((p) => p.name === 'charset')?.value
  const text = decodeText(decodeBody(octets, { ...part, bodyEnd }), charset)
  const shown = (beginning: string): string | undefined =>
    part.subtype === 'html' ? withoutMarkup(beginning) : withoutQuotations(beginning)
  const begin = text.length > beginCharacters ? cleaned(shown(text.slice(0, beginCharacters)) ?? '') : ''
  const clean = begin.length > enoughCharacters ? begin : cleaned(shown(text) ?? text)
  return firstCharacters(clean, maxPreview)
}

/** Controls, line ends and invisible fillers become one blank; what was cut within a character is dropped. */
const cleaned = (text: string): string =>
  text
    .toWellFormed()
    .replace(/(?:[\p{Cc}\s\u00ad\u200b\u200c\u200e\u200f\u2028-\u202e\u2060-\u2064\ufeff]|\u034f)+/gu, ' ')
    .replace(/\ufffd+$/, '')
    .trim()

/** The text part that a reader would see first: plain text before HTML, attachments and encrypted parts left out. */
function textPart(octets: Uint8Array, node: MimeNode): MimeNode | undefined {
  let html: MimeNode | undefined
  let visited = 0
  const find = (at: MimeNode): MimeNode | undefined => {
    if (++visited > 200 || isAttachment(octets, at)) return undefined
    if (at.type === 'multipart') {
      if (at.subtype === 'encrypted') return undefined
      for (const child of at.parts) {
        const found = find(child)
        if (found) return found
      }
      return undefined
    }
    if (at.type !== 'text' || at.bodyStart === at.bodyEnd) return undefined
    if (at.subtype === 'html') html ??= at
    return at.subtype === 'plain' ? at : undefined
  }
  return find(node) ?? html
}

const isAttachment = (octets: Uint8Array, node: MimeNode): boolean => {
  const field = node.fields.find((f) => f.name.toLowerCase() === 'content-disposition')
  if (!field) return false
  const value = Buffer.from(octets.buffer, octets.byteOffset + field.valueStart, field.end - field.valueStart)
  return /^\s*attachment\b/i.test(value.toString('latin1', 0, 200))
}

/** Lines that quote another message, and what stands after the signature mark, are not news. undefined: nothing else is there. */
function withoutQuotations(text: string): string | undefined {
  const lines = text.split(/\r?\n/)
  const end = lines.indexOf('-- ')
  const own = (end > 0 ? lines.slice(0, end) : lines).filter((line) => !line.startsWith('>'))
  return own.some((line) => line.trim() !== '') ? own.join('\n') : undefined
}

const entities: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: ' ',
  copy: '\u00a9',
  reg: '\u00ae',
  trade: '\u2122',
  euro: '\u20ac',
  hellip: '\u2026',
  ndash: '\u2013',
  mdash: '\u2014',
  lsquo: '\u2018',
  rsquo: '\u2019',
  ldquo: '\u201c',
  rdquo: '\u201d',
  bull: '\u2022',
  auml: '\u00e4',
  ouml: '\u00f6',
  uuml: '\u00fc',
  Auml: '\u00c4',
  Ouml: '\u00d6',
  Uuml: '\u00dc',
  szlig: '\u00df',
  eacute: '\u00e9',
  egrave: '\u00e8',
  agrave: '\u00e0',
  ccedil: '\u00e7',
}

/** Elements whose content is not text of the page. */
const hidden = ['head', 'style', 'script', 'title', 'template']

/** Text of HTML, in one pass: tags become blanks, comments and hidden elements vanish. A tag cut off at the end too. */
function withoutMarkup(html: string): string {
  // Only ASCII: other letters may change their length, and the offsets would no longer fit.
  const lower = html.replace(/[A-Z]+/g, (run) => run.toLowerCase())
  let text = ''
  let at = 0
  while (at < html.length) {
    const open = html.indexOf('<', at)
    if (open < 0) {
      text += html.slice(at)
      break
    }
    text += html.slice(at, open)
    if (html.startsWith('<!--', open)) {
      const end = html.indexOf('-->', open + 4)
      at = end < 0 ? html.length : end + 3
      continue
    }
    if (!/[a-zA-Z/!?]/.test(html.charAt(open + 1))) {
      text += '<'
      at = open + 1
      continue
    }
    const end = html.indexOf('>', open)
    at = end < 0 ? html.length : end + 1
    const name = /^[a-z0-9]+/.exec(lower.slice(open + 1, open + 20))?.[0]
    if (name !== undefined && hidden.includes(name)) {
      const close = lower.indexOf(`</${name}`, at)
      const after = close < 0 ? -1 : html.indexOf('>', close)
      at = after < 0 ? html.length : after + 1
    }
    text += ' '
  }
  return text.replace(
    /&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([a-zA-Z]{1,8}));/g,
    (whole, decimal, hex, name) => {
      if (name !== undefined) return entities[name as string] ?? whole
      const code = decimal === undefined ? Number.parseInt(hex as string, 16) : Number(decimal)
      return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : ''
    },
  )
}

/** Cut at a character's bound, between words where one ends near. */
function firstCharacters(text: string, limit: number): string {
  if (text.length <= limit) return text
  const cut = Array.from(text.slice(0, 2 * limit))
    .slice(0, limit)
    .join('')
  if (cut.length === text.length) return text
  const blank = cut.lastIndexOf(' ')
  return blank > cut.length - 20 ? cut.slice(0, blank) : cut
}
