/** Whether octets can go by DATA as they are: no NUL, and CR and LF together only (RFC 5321 §2.3.8, RFC 3030 §3). */
const CR = 13
const LF = 10

export function isLined(octets: Uint8Array, start = 0, end = octets.length): boolean {
  const part = Buffer.from(octets.buffer, octets.byteOffset + start, end - start)
  if (part.includes(0)) return false
  for (let lf = part.indexOf(LF); lf >= 0; lf = part.indexOf(LF, lf + 1))
    if (lf === 0 || part[lf - 1] !== CR) return false
  for (let cr = part.indexOf(CR); cr >= 0; cr = part.indexOf(CR, cr + 1))
    if (part[cr + 1] !== LF) return false
  return true
}
