/** What the load consists of. One character an octet; the id has a place of eight octets. */
import { element, schemaNamespace, writeMm7 } from '../../src/wire/mm7/write.ts'

const place = '@ID@____'
const namespace = schemaNamespace('REL-6-MM7-1-4')

/** Octets that look like a compressed picture. */
export function picture(octets: number): Buffer {
  const buffer = Buffer.allocUnsafe(octets)
  let state = 12_345
  for (let i = 0; i < octets; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
    buffer[i] = state >>> 16
  }
  return buffer
}

const words = 'Hello from the handset, all is well.'

const mm7 = (operation: string, head: readonly ReturnType<typeof element>[], octets: number) =>
  writeMm7({
    transactionId: place,
    namespace,
    rootId: '<root@mmsc.example.com>',
    boundary: 'outer-boundary-0123456789',
    body: element(operation, [
      element('MM7Version', '6.8.0'),
      ...head,
      element('Subject', 'Bench'),
      element('Content', [], { href: 'cid:content@mmsc.example.com' }),
    ]),
    content: {
      fields: [
        { name: 'Content-Type', value: 'multipart/mixed; boundary="inner-boundary-0123456789"' },
        { name: 'Content-ID', value: '<content@mmsc.example.com>' },
      ],
      body: [
        Buffer.from(
          `--inner-boundary-0123456789\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n${words}\r\n--inner-boundary-0123456789\r\nContent-Type: image/jpeg\r\nContent-ID: <photo>\r\nContent-Transfer-Encoding: binary\r\n\r\n`,
        ),
        picture(octets),
        Buffer.from('\r\n--inner-boundary-0123456789--\r\n'),
      ],
    },
  })

const toAlice = element('Recipients', [element('To', [element('RFC2822Address', 'alice@example.net')])])

const deliver = (octets: number) =>
  mm7('DeliverReq', [element('Sender', [element('Number', '+12025550123')]), toAlice], octets)

/** Held until tomorrow: what is measured is acceptance alone. */
const held = (octets: number) =>
  mm7(
    'SubmitReq',
    [
      element('SenderIdentification', [
        element('VASPID', 'bench'),
        element('SenderAddress', [element('ShortCode', '7777')]),
      ]),
      toAlice,
      element('EarliestDeliveryTime', new Date(Date.now() + 86_400_000).toISOString().replace(/\.\d+/, '')),
    ],
    octets,
  )

export const deliverType = deliver(0).contentType
export const deliverBody = (octets: number): string => Buffer.concat(deliver(octets).body).toString('latin1')

function httpRequest(content: ReturnType<typeof writeMm7>, authorization: string): string {
  const body = Buffer.concat(content.body).toString('latin1')
  return `POST /mm7 HTTP/1.1\r\nHost: bench\r\nContent-Type: ${content.contentType}\r\nSOAPAction: ""\r\n${authorization}Content-Length: ${body.length}\r\n\r\n${body}`
}
export const deliverRequest = (octets: number): string => httpRequest(deliver(octets), '')
export const heldRequest = (octets: number): string =>
  httpRequest(held(octets), `Authorization: Basic ${Buffer.from('bench:secret').toString('base64')}\r\n`)

export function mailOctets(octets: number): string {
  const encoded = picture(Math.floor((octets * 3) / 4 / (78 / 76)))
    .toString('base64')
    .replace(/.{76}/g, '$&\r\n')
  return [
    'From: Bench <bench@example.org>',
    'To: alice@example.net',
    `Subject: Bench ${place}`,
    'Date: Tue, 5 Mar 2024 10:00:00 +0000',
    `Message-ID: <${place}@example.org>`,
    'MIME-Version: 1.0',
    'Content-Type: multipart/mixed; boundary=b0123456789',
    '',
    '--b0123456789',
    'Content-Type: text/plain; charset=utf-8',
    '',
    words,
    '--b0123456789',
    'Content-Type: image/jpeg; name=photo.jpg',
    'Content-Transfer-Encoding: base64',
    '',
    encoded,
    '--b0123456789--',
    '',
  ].join('\r\n')
}
export const mailContent = (octets: number): string => `${mailOctets(octets)}\r\n.\r\n`
