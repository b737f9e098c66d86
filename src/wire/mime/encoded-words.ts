/** RFC 2047 encoded words to Unicode. */
import { decodeText, hasCharset } from './charset.ts'

const word = /=\?([^?*\s]{1,60})(?:\*[^?\s]{0,40})?\?([bBqQ])\?([^?\s]*)\?=/g

/**
 * An unstructured field value (an octet string) as Unicode. White space between adjacent encoded words is dropped
 * (RFC 2047 §6.2); words of one charset and encoding that follow each other are joined before decoding, because senders
 * split characters. Unknown charset: the word stays as it is (MAP-140). Raw 8-bit text is UTF-8, else windows-1252.
 */
export function decodeWords(value: string): string {
  if (!value.includes('=?')) return rawText(value)
  let out = ''
  let end = 0
  let run: { charset: string; octets: Buffer[] } | undefined
  const flush = (): void => {
    if (run) out += decodeText(Buffer.concat(run.octets), run.charset)
    run = undefined
  }
  for (const match of value.matchAll(word)) {
    const [whole, charset = '', encoding = '', text = ''] = match
    const between = value.slice(end, match.index)
    if (!hasCharset(charset)) {
      flush()
      out += rawText(between) + whole
    } else {
      const octets = encoding.toLowerCase() === 'b' ? Buffer.from(text, 'base64') : decodeQ(text)
      const adjacent = run !== undefined && /^[ \t\r\n]*$/.test(between)
      if (adjacent && run?.charset === charset.toLowerCase()) run.octets.push(octets)
      else {
        flush()
        if (!adjacent) out += rawText(between)
        run = { charset: charset.toLowerCase(), octets: [octets] }
      }
    }
    end = (match.index ?? 0) + whole.length
  }
  flush()
  return out + rawText(value.slice(end))
}

const rawText = (octets: string): string =>
  /[\x80-\xff]/.test(octets) ? decodeText(Buffer.from(octets, 'latin1'), undefined) : octets

const decodeQ = (text: string): Buffer =>
  Buffer.from(
    text
      .replaceAll('_', ' ')
      .replace(/=([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  )
