/** Header fields that Table 1 does not list: they go through unaltered, encoded words as they stand (MAP-003). */
import type { Field } from '../model/neutral.ts'
import { inAscii } from '../wire/mime/ascii-headers.ts'
import { decodeText } from '../wire/mime/charset.ts'
import { isAscii, octetsOf, utf8Of } from '../wire/mime/utf8.ts'
import { oneLine } from './element.ts'

/** `octets`: the unfolded value as an octet string. Raw 8-bit text becomes Unicode, be it UTF-8 (RFC 6532) or a habit. */
export const otherField = (name: string, octets: string): Field => ({
  name,
  value: utf8Of(octets) ?? decodeText(Buffer.from(octets, 'latin1'), undefined),
})

/** The value in header form, ASCII unless the message goes under SMTPUTF8. */
export function otherFieldValue({ name, value }: Field, utf8: boolean): string {
  const line = oneLine(value)
  return utf8 || isAscii(line) ? line : inAscii(name, octetsOf(line))
}
