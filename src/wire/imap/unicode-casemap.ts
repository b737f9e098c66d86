/**
 * Preparation of a string for i;unicode-casemap (RFC 5051 §2; IN-03): every code point on its own is replaced by its
 * simple titlecase mapping, then decomposed as far as it goes. No locale has a say (IN-04).
 */
import type { OctetString } from '../../model/units.ts'

/**
 * The prepared string as the octets of its UTF-8, one code unit an octet, so that `<` on keys is i;octet. (UTF-16 order
 * would put U+E000 to U+FFFF behind what lies above U+FFFF.) The text must be well-formed.
 */
export function unicodeCasemapKey(text: string): OctetString {
  if (/^[\x00-\x7f]*$/.test(text)) return text.toUpperCase()
  let prepared = ''
  for (const character of text) prepared += prepare(character)
  return Buffer.from(prepared, 'utf8').toString('latin1')
}

/** Most letters with case live below this code point; what lies above is seldom and not remembered. */
const rememberedBelow = 0x3000
const remembered: (string | undefined)[] = []

function prepare(character: string): string {
  const codePoint = character.codePointAt(0) ?? 0
  if (codePoint >= rememberedBelow) return simpleTitlecase(character, codePoint).normalize('NFKD')
  return (remembered[codePoint] ??= simpleTitlecase(character, codePoint).normalize('NFKD'))
}

/**
 * Field 14 of UnicodeData.txt. JavaScript gives the full uppercase mapping, which is the same but for what stands here:
 * where it gives several characters (`ß`, ligatures), there is no simple mapping or one of the table.
 */
function simpleTitlecase(character: string, codePoint: number): string {
  const special = titlecase(codePoint)
  if (special !== undefined) return String.fromCodePoint(special)
  const upper = character.toUpperCase()
  return String.fromCodePoint(upper.codePointAt(0) ?? 0) === upper ? upper : character
}

/** Where the simple titlecase mapping is not the full uppercase mapping, although there is one. */
function titlecase(c: number): number | undefined {
  // Digraphs have a form of their own: U+01C4 DŽ, U+01C5 Dž, U+01C6 dž.
  if (c >= 0x01c4 && c <= 0x01cc) return c - ((c - 0x01c4) % 3) + 1
  if (c >= 0x01f1 && c <= 0x01f3) return 0x01f2
  // Georgian has upper case but is not written with initial capitals.
  if ((c >= 0x10d0 && c <= 0x10fa) || (c >= 0x10fd && c <= 0x10ff)) return c
  // Greek with iota subscript: full uppercase writes the iota as a letter of its own.
  if ((c >= 0x1f80 && c <= 0x1f87) || (c >= 0x1f90 && c <= 0x1f97) || (c >= 0x1fa0 && c <= 0x1fa7))
    return c + 8
  if (c === 0x1fb3 || c === 0x1fc3 || c === 0x1ff3) return c + 9
  return undefined
}
