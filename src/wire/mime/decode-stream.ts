/** A large part without its Content-Transfer-Encoding, piece by piece: the same octets that decodeTransfer gives. */
import type { PartRange } from '../../model/message-digest.ts'
import { decodeQuotedPrintable } from './quoted-printable.ts'

type Pieces = AsyncIterable<Uint8Array>

/** undefined: nobody knows that encoding (BI-04, UA-40). */
export function decodedStream(part: Pick<PartRange, 'type' | 'encoding'>, body: Pieces): Pieces | undefined {
  switch (part.encoding) {
    case 'base64':
      return lines(part.type, base64(body))
    case 'quoted-printable':
      return lines(part.type, quotedPrintable(body))
    case '7bit':
    case '8bit':
    case 'binary':
      return lines(part.type, body)
    default:
      return undefined
  }
}

const textOf = (piece: Uint8Array): string =>
  Buffer.from(piece.buffer, piece.byteOffset, piece.length).toString('latin1')

/** Groups of four characters; padding ends one group, wherever it stands. */
async function* base64(body: Pieces): AsyncGenerator<Uint8Array> {
  let rest = ''
  for await (const piece of body) {
    const ended = `${rest}${textOf(piece).replace(/[^A-Za-z0-9+/=]/g, '')}`.split(/=+/)
    const last = ended.pop() ?? ''
    for (const group of ended) yield Buffer.from(group, 'base64')
    const whole = last.length - (last.length % 4)
    if (whole > 0) yield Buffer.from(last.slice(0, whole), 'base64')
    rest = last.slice(whole)
  }
  if (rest !== '') yield Buffer.from(rest, 'base64')
}

/** Lines longer than that are cut where nothing is that could depend on what follows. */
const longLine = 65_536

/** Whole lines: an escape, a soft break and blanks before a line end all lie within one. */
async function* quotedPrintable(body: Pieces): AsyncGenerator<Uint8Array> {
  let held: Uint8Array[] = []
  let octets = 0
  for await (const piece of body) {
    held.push(piece)
    octets += piece.length
    if (!piece.includes(10) && octets < longLine) continue
    const all = held.length === 1 ? piece : Buffer.concat(held, octets)
    const end = Math.max(all.lastIndexOf(10) + 1, octets < longLine ? 0 : safeCut(all))
    if (end > 0) yield decodeQuotedPrintable(all.subarray(0, end))
    held = [all.subarray(end)]
    octets -= end
  }
  if (octets > 0) yield decodeQuotedPrintable(Buffer.concat(held, octets))
}

const equals = 61

/** Behind an octet that is no blank and no CR, with no escape begun; 0 where there is none. */
function safeCut(octets: Uint8Array): number {
  for (let end = octets.length; end > 2; end--) {
    const last = octets[end - 1]
    if (last === 32 || last === 9 || last === 13) continue
    // Two octets behind an equals sign, an escape is whole, or is none.
    if (last !== equals && octets[end - 2] !== equals) return end
  }
  return 0
}

/** Lines of text end with CR LF, however they were encoded (RFC 3516 §6). */
function lines(type: string, decoded: Pieces): Pieces {
  return type.startsWith('text/') ? withLineEnds(decoded) : decoded
}

async function* withLineEnds(decoded: Pieces): AsyncGenerator<Uint8Array> {
  let afterCr = false
  for await (const piece of decoded) {
    if (piece.length === 0) continue
    const text = textOf(piece)
    const bare = afterCr ? /(?<!\r|^)\n/g : /(?<!\r)\n/g
    afterCr = text.endsWith('\r')
    yield piece.includes(10) ? Buffer.from(text.replace(bare, '\r\n'), 'latin1') : piece
  }
}

/** [start, end) of what comes. */
export async function* windowOf(pieces: Pieces, start: number, end: number): AsyncGenerator<Uint8Array> {
  let at = 0
  for await (const piece of pieces) {
    if (at >= end) return
    const cut = piece.subarray(Math.max(0, start - at), Math.max(0, end - at))
    at += piece.length
    if (cut.length > 0) yield cut
  }
}
