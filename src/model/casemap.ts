/**
 * The collation i;unicode-casemap (RFC 5051 §2), by which SEARCH, SORT and THREAD compare text (RFC 5255 §4.2): each code
 * point to its simple titlecase, then decomposed, without a second case step. Two texts are equal, one holds the other,
 * or one stands before the other when that is so of their folded forms. No locale has any influence (IN-04).
 */
export function casemap(text: string): string {
  if (!/[^\x00-\x7f]/.test(text)) return text.toUpperCase()
  return text.replace(/[a-z]+/g, (run) => run.toUpperCase()).replace(/[^\x00-\x7f]/gu, foldedCharacter)
}

/** Folded forms of characters seen; the table is as large as Unicode at the most, and kept smaller. */
const seen = new Map<string, string>()

function foldedCharacter(character: string): string {
  const known = seen.get(character)
  if (known !== undefined) return known
  const folded = titlecase(character).normalize('NFKD')
  if (seen.size < 20_000) seen.set(character, folded)
  return folded
}

/** Simple titlecase mapping of UnicodeData.txt. JavaScript only has the full uppercase mapping: `ß` would become `SS`. */
function titlecase(character: string): string {
  const code = character.codePointAt(0) ?? 0
  // Digraphs have a titlecase of their own: U+01C5, U+01C8, U+01CB, U+01F2.
  if (code >= 0x1c4 && code <= 0x1cc) return String.fromCodePoint(code - ((code - 0x1c4) % 3) + 1)
  if (code >= 0x1f1 && code <= 0x1f3) return '\u01f2'
  // Georgian Mkhedruli has capitals but is its own titlecase.
  if ((code >= 0x10d0 && code <= 0x10fa) || (code >= 0x10fd && code <= 0x10ff)) return character
  // Greek with iota subscript: the full mapping writes the iota apart, the simple one has a prosgegrammeni form.
  if (code >= 0x1f80 && code <= 0x1faf) return String.fromCodePoint(code | 8)
  if (code === 0x1fb3 || code === 0x1fc3 || code === 0x1ff3) return String.fromCodePoint(code + 9)
  const upper = character.toUpperCase()
  const length = (upper.codePointAt(0) ?? 0) > 0xffff ? 2 : 1
  return upper.length === length ? upper : character
}
