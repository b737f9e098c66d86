/** X-Mms-Transaction-ID and X-Mms-Message-ID: quoted-strings, though peers write them bare or in brackets (MAP-209, QUIRKS 36). */
import { oneLine } from './element.ts'

/** Longer ids are cut: they are keys, and no peer needs more. */
const maxLength = 250

/** Without one pair of quotes; quoted pairs undone, line breaks and controls gone. */
export function unquoted(text: string): string {
  const value = oneLine(text)
  const inner = /^"((?:[^"\\]|\\.)*)"$/.exec(value)?.[1]
  return (inner === undefined ? value : inner.replace(/\\(.)/g, '$1')).slice(0, maxLength)
}

export const quoted = (id: string): string => `"${oneLine(id).replace(/["\\]/g, '\\$&')}"`

/** An id that we gave and a peer writes back, perhaps in brackets, perhaps in quotes inside them (QUIRKS 36, 41). */
export const echoed = (id: string): string => id.replace(/^<(.*)>$/, '$1').replace(/^"(.*)"$/, '$1')
