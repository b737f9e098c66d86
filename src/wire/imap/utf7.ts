/** Modified UTF-7 of mailbox names (RFC 3501 §5.1.3). */

/** A name, Unicode, as IMAP4rev1 writes it. */
export function encodeUtf7(name: string): string {
  return name.replace(/&|[^\x20-\x7e]+/g, (run) => {
    if (run === '&') return '&-'
    const octets = Buffer.alloc(run.length * 2)
    for (let i = 0; i < run.length; i++) octets.writeUInt16BE(run.charCodeAt(i), i * 2)
    return `&${octets.toString('base64').replace(/=+$/, '').replaceAll('/', ',')}-`
  })
}

/**
 * Unicode of a name on the wire. undefined: 8-bit octets, an unterminated or needless shift, or base64 that is not the
 * one spelling of what it means (MB-04, MB-06).
 */
export function decodeUtf7(octets: string): string | undefined {
  if (/[^\x20-\x7e]/.test(octets)) return undefined
  let name = ''
  let at = 0
  for (;;) {
    const shift = octets.indexOf('&', at)
    if (shift < 0) break
    const end = octets.indexOf('-', shift)
    if (end < 0) return undefined
    name += octets.slice(at, shift)
    const base64 = octets.slice(shift + 1, end)
    if (base64 === '') name += '&'
    else {
      if (!/^[A-Za-z0-9+,]+$/.test(base64)) return undefined
      const decoded = Buffer.from(base64.replaceAll(',', '/'), 'base64')
      for (let i = 0; i + 1 < decoded.length; i += 2) name += String.fromCharCode(decoded.readUInt16BE(i))
    }
    at = end + 1
  }
  name += octets.slice(at)
  // One spelling only: what would be written differently was not written by the rules.
  return name.isWellFormed() && encodeUtf7(name) === octets ? name : undefined
}
