/** Quoted-printable to octets (RFC 2045 §6.7), tolerant: what is no valid escape stays as it is. One pass, linear. */
export function decodeQuotedPrintable(input: Uint8Array): Uint8Array {
  const out = Buffer.allocUnsafe(input.length)
  let length = 0
  let i = 0
  while (i < input.length) {
    const c = input[i] ?? 0
    if (c === 61) {
      const high = hexValue(input[i + 1])
      const low = hexValue(input[i + 2])
      if (high >= 0 && low >= 0) {
        out[length++] = high * 16 + low
        i += 3
        continue
      }
      const after = softBreakEnd(input, i + 1)
      if (after > 0) {
        i = after
        continue
      }
    } else if (c === 32 || c === 9) {
      // Blanks before a line end were added on the way and are deleted (rule 3).
      let j = i
      while (input[j] === 32 || input[j] === 9) j++
      if (input[j] === 10 || (input[j] === 13 && input[j + 1] === 10)) {
        i = j
        continue
      }
      while (i < j) out[length++] = input[i++] ?? 0
      continue
    }
    out[length++] = c
    i++
  }
  return out.subarray(0, length)
}

/** One past a soft line break's line end, blanks before it tolerated; 0 when it is none. */
function softBreakEnd(input: Uint8Array, from: number): number {
  let j = from
  while (input[j] === 32 || input[j] === 9) j++
  if (j >= input.length) return j
  if (input[j] === 10) return j + 1
  return input[j] === 13 && input[j + 1] === 10 ? j + 2 : 0
}

function hexValue(c: number | undefined): number {
  if (c === undefined) return -1
  if (c >= 48 && c <= 57) return c - 48
  const lower = c | 32
  return lower >= 97 && lower <= 102 ? lower - 87 : -1
}
