/**
 * Header fields as they go out: ASCII, folded at 78 where a blank allows it, never above 998 octets a line, and no
 * CR, LF or NUL from a value (RFC 5322 §2.1.1, §2.2; RFC 2047; RFC 2231; SEC-010).
 */
import { Buffer } from 'node:buffer'
import { isAscii } from './utf8.ts'

/** RFC 2047 §2 allows 75; these fit behind the usual field names in a line of 76. */
const maxWord = 55
/** RFC 5322 §2.1.1 advises 78, RFC 2047 §2 demands 76 of lines with encoded words. */
const maxLine = { plain: 78, encoded: 76 } as const

const clean = (text: string): string =>
  text
    .toWellFormed()
    .replace(/[\r\n]+[\t ]*/g, ' ')
    .replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, '')

/** Unstructured text (Subject): as it is when it is ASCII that means itself, else encoded words (MAP-097, MAP-098). */
export function encodeUnstructured(value: string): string {
  const text = clean(value)
  const misread = text.includes('=?') || text.split(' ').some((word) => word.length > 900)
  return /^[\x20-\x7e\t]*$/.test(text) && !misread ? text : encodedWords(text).join(' ')
}

/** A display name: atoms, quoted string or encoded words (RFC 5322 §3.2.5, RFC 2047 §5 (3)). */
export function encodePhrase(value: string): string {
  const text = clean(value)
  if (/^[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+$/.test(text) && !text.includes('=?')) return text
  if (/^[\x20-\x7e]+$/.test(text) && !text.includes('=?') && text.length < 900)
    return `"${text.replace(/["\\]/g, '\\$&')}"`
  return encodedWords(text).join(' ')
}

/** UTF-8 words of limited length; no word splits a character (RFC 2047 §2, §5). */
function encodedWords(text: string): string[] {
  const octets = Buffer.byteLength(text)
  // Q where most is ASCII, B where it would swell.
  const q = [...text].filter((c) => c > '\x7e').length * 3 <= octets
  const room = maxWord - (q ? '=?utf-8?Q??='.length : '=?utf-8?B??='.length)
  const words: string[] = []
  let current = ''
  const encode = (piece: string): string => (q ? qEncode(piece) : Buffer.from(piece).toString('base64'))
  for (const character of text) {
    if (current !== '' && encode(current + character).length > room) {
      words.push(current)
      current = ''
    }
    current += character
  }
  words.push(current)
  return words.map((word) => (q ? `=?utf-8?Q?${qEncode(word)}?=` : `=?utf-8?B?${encode(word)}?=`))
}

const qEncode = (text: string): string =>
  [...Buffer.from(text)]
    .map((o) => {
      const c = String.fromCharCode(o)
      return /[A-Za-z0-9!*+/-]/.test(c)
        ? c
        : o === 32
          ? '_'
          : `=${o.toString(16).toUpperCase().padStart(2, '0')}`
    })
    .join('')

/**
 * One field with its line end. `value` must be in header form; what is not ASCII by then becomes "?", or stays with `utf8`,
 * for a message that goes under SMTPUTF8 (RFC 6532 §3.2).
 */
export function writeField(given: string, value: string, utf8 = false): string {
  // Of a name that is none, what can stand in one (RFC 5322 §3.6.8).
  const name = given.replace(/[^!-9;-~]+/g, '').slice(0, 200) || 'X-Unnamed'
  const safe = clean(value).replace(utf8 ? /[\x80-\x9f\ufffe\uffff]/g : /[^\x20-\x7e\t]/g, '?')
  const line = `${name}: ${safe}`
  const width = safe.includes('=?') ? maxLine.encoded : maxLine.plain
  if (line.length <= width) return `${line}\r\n`
  const lines: string[] = []
  let rest = line
  while (rest.length > width) {
    // At the blank after the name only before an encoded word; never so that a line of blanks alone arises.
    const from = lines.length === 0 && !safe.startsWith('=?') ? name.length + 2 : 1
    let at = rest.lastIndexOf(' ', width)
    if (at < from || rest.slice(from, at).trim() === '') at = rest.indexOf(' ', width + 1)
    if (at < 0 || rest.slice(at).trim() === '') break
    lines.push(rest.slice(0, at))
    rest = rest.slice(at)
  }
  lines.push(rest)
  // A single word longer than a line may be: cut it, since 998 octets are the law (RFC 5322 §2.1.1).
  const pieces = (l: string): readonly string[] => l.match(isAscii(l) ? /.{1,990}/g : /.{1,240}/gu) ?? ['']
  return `${lines.flatMap(pieces).join('\r\n ')}\r\n`.replace(/\r\n {2}/g, '\r\n ')
}

/** `; name=value`: a token, a quoted string, or RFC 2231 when it is not ASCII (CNT-047). */
export function writeParameter(name: string, value: string): string {
  const text = clean(value)
  const key = name.replace(/[^A-Za-z0-9!#$&+.^_`{|}~-]/g, '')
  if (key === '') return ''
  if (/^[A-Za-z0-9!#$%&'*+.^_`{|}~-]+$/.test(text)) return `; ${key}=${text}`
  if (/^[\x20-\x7e]*$/.test(text) && text.length <= 500) return `; ${key}="${text.replace(/["\\]/g, '\\$&')}"`
  const encoded = [...Buffer.from(text)].map((o) => {
    const c = String.fromCharCode(o)
    return /[A-Za-z0-9._-]/.test(c) ? c : `%${o.toString(16).toUpperCase().padStart(2, '0')}`
  })
  const whole = `${key}*=utf-8''${encoded.join('')}`
  if (whole.length <= 74) return `; ${whole}`
  const pieces: string[] = []
  let piece = "utf-8''"
  for (const unit of encoded) {
    if (piece.length + unit.length > 55) {
      pieces.push(piece)
      piece = ''
    }
    piece += unit
  }
  pieces.push(piece)
  return pieces.map((p, i) => `; ${key}*${i}*=${p}`).join('')
}
