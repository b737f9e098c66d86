/** Characters of text parts (CNT-040 to CNT-046). */
import type { Param, Part } from '../../model/neutral.ts'
import { decodeText, hasCharset, isAscii, isUtf8 } from '../../wire/mime/charset.ts'
import { bodyFrom, textBody } from './read-content.ts'

type Leaf = Extract<Part, { kind: 'leaf' }>

const xmlTypes = new Set(['application/smil', 'application/xhtml+xml', 'text/xml', 'application/xml'])
const wide = /^(utf-?16|utf-?16[bl]e|utf-?32|utf-?32[bl]e|ucs-?2|iso-10646-ucs-[24])$/i

const withCharset = (params: readonly Param[], charset: string): readonly Param[] =>
  params.some((p) => p.name === 'charset')
    ? params.map((p) => (p.name === 'charset' ? { name: 'charset', value: charset } : p))
    : [...params, { name: 'charset', value: charset }]

export const isTextual = (part: Leaf): boolean => part.type.startsWith('text/') || xmlTypes.has(part.type)

/** M→I: wide charsets become UTF-8; 8-bit ones stay; lines end in CRLF (CNT-040 to CNT-042, MAP-114). */
export function textForMail(part: Leaf): Leaf {
  if (!isTextual(part) || isPgp(part)) return part
  const octets = part.body.octets()
  const isXml = xmlTypes.has(part.type)
  const bom = octets[0] === 0xff && octets[1] === 0xfe ? true : octets[0] === 0xfe && octets[1] === 0xff
  if (bom || (part.charset !== undefined && wide.test(part.charset))) {
    const text = decodeText(
      octets,
      part.charset !== undefined && wide.test(part.charset) ? part.charset : 'utf-16',
    )
    const clean = isXml ? text.replace(/^(<\?xml[^>]*?encoding\s*=\s*)(["'])[^"']*\2/, '$1$2UTF-8$2') : text
    return {
      ...part,
      charset: 'utf-8',
      params: withCharset(part.params, 'utf-8'),
      body: textBody(crlf(clean)),
    }
  }
  if (isXml) return part
  const eightBit = !isAscii(octets)
  if (part.charset === undefined) {
    if (!eightBit)
      return {
        ...part,
        charset: 'us-ascii',
        params: withCharset(part.params, 'us-ascii'),
        body: crlfBody(part),
      }
    return isUtf8(octets)
      ? { ...part, charset: 'utf-8', params: withCharset(part.params, 'utf-8'), body: crlfBody(part) }
      : {
          ...part,
          charset: 'windows-1252',
          params: withCharset(part.params, 'windows-1252'),
          body: crlfBody(part),
        }
  }
  if (!hasCharset(part.charset) || (eightBit && /^(us-)?ascii$/i.test(part.charset))) {
    if (isUtf8(octets))
      return { ...part, charset: 'utf-8', params: withCharset(part.params, 'utf-8'), body: crlfBody(part) }
    if (!hasCharset(part.charset)) return { ...part, type: 'application/octet-stream' }
  }
  return { ...part, body: crlfBody(part) }
}

const crlf = (text: string): string => text.replace(/\r\n|\r|\n/g, '\r\n')

/** Octets with CRLF line ends; the same octets when they have them already. */
function crlfBody(part: Leaf): Leaf['body'] {
  const octets = part.body.octets()
  let broken = false
  for (let i = 0; i < octets.length && !broken; i++) {
    const c = octets[i]
    broken = (c === 10 && octets[i - 1] !== 13) || (c === 13 && octets[i + 1] !== 10)
  }
  return broken
    ? bodyFrom(Buffer.from(crlf(Buffer.from(octets).toString('latin1')), 'latin1'))
    : bodyFrom(octets)
}

/** I→M: Unicode text of a part: charset decoded, flowed lines joined, end trimmed (CNT-043, CNT-045, CNT-046). */
export function textOf(part: Leaf): string {
  const text = decodeText(part.body.octets(), part.charset).replace(/^\ufeff/, '')
  const flowed = part.params.find((p) => p.name === 'format')?.value.toLowerCase() === 'flowed'
  const delSp = part.params.find((p) => p.name === 'delsp')?.value.toLowerCase() === 'yes'
  const lines = text.split(/\r\n|\r|\n/)
  const joined = flowed ? joinFlowed(lines, delSp) : lines
  let end = joined.length
  while (end > 0 && joined[end - 1] === '') end--
  return joined.slice(0, end).join('\r\n')
}

/** All above the last signature line, dash dash blank (CNT-046). */
export function withoutSignature(text: string): string {
  const lines = text.split('\r\n')
  const at = lines.lastIndexOf('-- ')
  return at < 0
    ? text
    : lines
        .slice(0, at)
        .join('\r\n')
        .replace(/(\r\n)+$/, '')
}

/** RFC 3676 §4: a line that ends in a blank goes on in the next of the same quote depth; a signature line never does. */
function joinFlowed(lines: readonly string[], delSp: boolean): string[] {
  const out: string[] = []
  let open: { quotes: string } | undefined
  for (const line of lines) {
    const quotes = /^>*/.exec(line)?.[0] ?? ''
    const content = line.slice(quotes.length).replace(/^ /, '')
    const soft = content.endsWith(' ') && content !== '-- '
    const body = soft && delSp ? content.slice(0, -1) : content
    if (open && open.quotes === quotes && content !== '-- ') out[out.length - 1] += body
    else out.push(quotes === '' ? body : `${quotes} ${body}`)
    open = soft ? { quotes } : undefined
  }
  return out
}

/** Inline PGP is a protected unit: no charset or line end of it may change (CNT-090). */
export const isPgp = (part: Leaf): boolean => {
  const octets = part.body.octets()
  return Buffer.from(octets.buffer, octets.byteOffset, octets.length).includes('-----BEGIN PGP ')
}
