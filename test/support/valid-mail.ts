/** What every mail that leaves must be (MAP-001; RFC 5322 §2.1, RFC 2045, RFC 2046). */
import { parseContentType } from '../../src/wire/mime/parameters.ts'

/** Why the octets are no valid mail; empty when they are. */
export function mailDefects(octets: Buffer, { eightBit = false } = {}): string[] {
  const text = octets.toString('latin1')
  const out: string[] = []
  if (/\x00/.test(text)) out.push('NUL')
  if (/(?<!\r)\n|\r(?!\n)/.test(text)) out.push('a bare CR or LF')
  if (!eightBit && /[\x80-\xff]/.test(text)) out.push('octets that are not ASCII')
  const long = text.split('\r\n').find((line) => line.length > 998)
  if (long) out.push(`a line of ${long.length} octets`)
  if (!text.endsWith('\r\n')) out.push('no CRLF at the end')
  out.push(...entityDefects(text, true))
  return out
}

function entityDefects(text: string, top: boolean): string[] {
  const end = text.startsWith('\r\n') ? 0 : text.indexOf('\r\n\r\n') + 2
  if (end === 1) return ['no empty line after the header']
  const fields = text
    .slice(0, end)
    .replace(/\r\n[ \t]+/g, ' ')
    .split('\r\n')
    .filter((line) => line !== '')
  const out: string[] = []
  const count = new Map<string, number>()
  for (const field of fields) {
    const name = /^([!-9;-~]+):/.exec(field)?.[1]?.toLowerCase()
    if (name === undefined) out.push(`no header field: ${field.slice(0, 60)}`)
    else count.set(name, (count.get(name) ?? 0) + 1)
  }
  for (const name of ['mime-version', 'from', 'date', 'message-id'])
    if (top && count.get(name) !== 1) out.push(`${name} stands ${count.get(name) ?? 0} times`)
  for (const name of [
    'subject',
    'to',
    'cc',
    'sender',
    'content-type',
    'content-transfer-encoding',
    'content-id',
  ])
    if ((count.get(name) ?? 0) > 1) out.push(`${name} stands ${count.get(name)} times`)
  const value = (name: string): string | undefined =>
    fields
      .find((f) => f.toLowerCase().startsWith(`${name}:`))
      ?.slice(name.length + 1)
      .trim()
  const encoding = value('content-transfer-encoding')?.toLowerCase() ?? '7bit'
  if (!/^(7bit|8bit|binary|base64|quoted-printable)$/.test(encoding)) out.push(`encoding ${encoding}`)
  const given = value('content-type')
  const type = given === undefined ? undefined : parseContentType(given)
  if (given !== undefined && !type) out.push(`Content-Type ${given.slice(0, 60)}`)
  const body = text.slice(end + 2)
  if (type?.type.startsWith('multipart/')) {
    const boundary = type.params.find((p) => p.name === 'boundary')?.value
    if (!boundary || boundary.length > 70) return [...out, 'no usable boundary']
    if (!/^(7bit|8bit)$/.test(encoding)) out.push('an encoded multipart')
    const pieces = `\r\n${body}`.split(`\r\n--${boundary}`)
    if (!pieces.at(-1)?.startsWith('--')) out.push('no close delimiter')
    const parts = pieces.slice(1, -1)
    if (parts.length === 0) out.push('a multipart without parts')
    for (const part of parts) {
      if (!part.startsWith('\r\n')) out.push('text after a delimiter')
      if (type.type !== 'multipart/signed') out.push(...entityDefects(part.slice(2), false))
    }
  } else if (encoding === 'base64' && /[^A-Za-z0-9+/=\r\n]/.test(body)) out.push('base64 with other octets')
  else if (encoding === 'quoted-printable' && /=(?![0-9A-F]{2}|\r\n)/.test(body))
    out.push('broken quoted-printable')
  return out
}
