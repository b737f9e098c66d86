/** Keys of i;unicode-casemap (RFC 5051; IN-03) as octet strings, which `<` compares by i;octet. */
import { casemap } from '../../model/casemap.ts'
import type { OctetString } from '../../model/units.ts'

/**
 * The prepared string as the octets of its UTF-8, one code unit an octet. (UTF-16 order would put U+E000 to U+FFFF behind
 * what lies above U+FFFF.) The text must be well-formed.
 */
export const unicodeCasemapKey = (text: string): OctetString =>
  /^[\x00-\x7f]*$/.test(text) ? text.toUpperCase() : Buffer.from(casemap(text), 'utf8').toString('latin1')
