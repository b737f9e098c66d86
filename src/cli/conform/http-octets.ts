/** An HTTP message as a file holds it: start line, header fields, body (RFC 9112 §2). */

export interface HttpOctets {
  /** `POST /mm7 HTTP/1.1` or `HTTP/1.1 200 OK`. */
  readonly start: string
  readonly fields: readonly { readonly name: string; readonly value: string }[]
  readonly body: Buffer
}

export function parseHttp(octets: Buffer): HttpOctets {
  const end = octets.indexOf('\r\n\r\n')
  const head = octets.toString('latin1', 0, end < 0 ? octets.length : end)
  const [start = '', ...lines] = head.split('\r\n')
  return {
    start,
    fields: lines.flatMap((line) => {
      const colon = line.indexOf(':')
      return colon < 0 ? [] : [{ name: line.slice(0, colon).trim(), value: line.slice(colon + 1).trim() }]
    }),
    body: end < 0 ? Buffer.alloc(0) : octets.subarray(end + 4),
  }
}

export const httpField = (message: HttpOctets, name: string): string | undefined =>
  message.fields.find((f) => f.name.toLowerCase() === name.toLowerCase())?.value

export const httpStatus = (message: HttpOctets): number =>
  Number(/^HTTP\/\d\.\d (\d{3})/.exec(message.start)?.[1] ?? 0)

export const writeHttp = (
  start: string,
  fields: Readonly<Record<string, string>>,
  body: Uint8Array,
): Buffer => {
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.concat([Buffer.from(`${start}\r\n${lines.join('')}\r\n`, 'latin1'), body])
}
