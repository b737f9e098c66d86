/** xtext of RFC 3461 §4: "+" and "=" and all that is not printable ASCII as +XX. */
export const toXtext = (text: string): string =>
  [...Buffer.from(text)]
    .map((o) =>
      o > 32 && o < 127 && o !== 43 && o !== 61
        ? String.fromCharCode(o)
        : `+${o.toString(16).toUpperCase().padStart(2, '0')}`,
    )
    .join('')

export const fromXtext = (text: string): string =>
  Buffer.from(
    text.replace(/\+([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  ).toString('utf8')
