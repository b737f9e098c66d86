/** Messages within an MM, towards mail: never encoded whole (RFC 2046 §5.2.1), nothing of them lost. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { fixtureIds } from '../../src/cli/conform/fixture-ids.ts'
import { type OutgoingMail, writeMail } from '../../src/mapping/carriers/mail.ts'
import { readMm4Forward, writeMm4Forward } from '../../src/mapping/carriers/mm4.ts'
import { writeMm7Request } from '../../src/mapping/carriers/mm7.ts'
import type { MappingContext } from '../../src/mapping/context.ts'
import type { NeutralMessage } from '../../src/model/neutral.ts'
import { isRefusal, type Refusal } from '../../src/model/refusal.ts'
import type { Settings } from '../../src/model/settings.ts'
import type { MimeNode } from '../../src/wire/mime/node.ts'
import { decodeBody, fieldValue, scanMessage } from '../../src/wire/mime/scan.ts'
import { writeMm7 } from '../../src/wire/mm7/write.ts'

const settings = JSON.parse(
  readFileSync(new URL('../../fixtures/rfc4356/defaults.json', import.meta.url), 'utf8'),
) as Settings
const now = Date.parse('2024-03-05T10:15:30Z')
const context = (over: Partial<Settings> = {}): MappingContext => ({
  settings: { ...settings, ...over },
  ids: fixtureIds(settings.gateway.host).of('Q-0001', ''),
  now,
})
const ok = <T>(value: T | Refusal): T => {
  if (isRefusal(value)) throw new Error(`${value.refused}: ${value.text}`)
  return value
}
const sevenBit = new Map<string, string>()
const eightBit = new Map([['8BITMIME', '']])
const utf8Hop = new Map([
  ['8BITMIME', ''],
  ['SMTPUTF8', ''],
])
const latin1 = (octets: Uint8Array): string => Buffer.from(octets).toString('latin1')
const text = (...lines: string[]): string => lines.join('\r\n')

/** An MM from a peer whose content is a text and one message; `inner`: an octet string. */
function enclosing(inner: string, fields: readonly string[] = [], type = 'message/rfc822'): NeutralMessage {
  const octets = text(
    'X-Mms-3GPP-MMS-Version: 6.3.0',
    'X-Mms-Message-Type: MM4_forward.REQ',
    'X-Mms-Transaction-ID: "t"',
    'X-Mms-Message-ID: "m"',
    'Date: Tue, 5 Mar 2024 10:14:30 +0000',
    'Message-ID: <now@op-b.example>',
    'From: +12025550123/TYPE=PLMN',
    'MIME-Version: 1.0',
    'Content-Type: multipart/mixed; boundary=outermost',
    '',
    '--outermost',
    'Content-Type: text/plain',
    '',
    'see what I got',
    '--outermost',
    `Content-Type: ${type}`,
    ...fields,
    '',
    inner,
    '--outermost--',
    '',
  )
  const envelope = {
    session: { peer: 'opb', ehlo: 'x', ip: '', port: 25, auth: null, tls: false, esmtp: true },
    mailFrom: { path: 'x@op-b.example', params: {} },
    rcptTo: [{ path: 'alice@example.org', params: {} }],
    receivedAt: now / 1000,
  }
  const from = { queueId: 'Q-0001', peer: 'opb' }
  return ok(readMm4Forward(Buffer.from(octets, 'latin1'), envelope, from, context()))
}

interface Sent {
  readonly octets: Buffer
  readonly root: MimeNode
  /** The part that is or was the message. */
  readonly part: MimeNode
  readonly params: OutgoingMail['envelope']['mailFrom']['params']
}

function sent(
  message: NeutralMessage,
  extensions: ReadonlyMap<string, string>,
  over: Partial<Settings> = {},
): Sent {
  const mail = ok(writeMail(message, [0], { extensions }, context(over)))
  const octets = Buffer.concat(mail.octets)
  const root = scanMessage(octets)
  expect(
    octets
      .toString('latin1')
      .split('\r\n')
      .every((line) => line.length <= 998),
  ).toBe(true)
  expect(isEncodedMessage(root)).toBe(false)
  return { octets, root, part: root.parts[1]!, params: mail.envelope.mailFrom.params }
}

const isEncodedMessage = (node: MimeNode): boolean =>
  (node.type === 'message' &&
    node.subtype === 'rfc822' &&
    /^(base64|quoted-printable)$/.test(node.encoding)) ||
  node.parts.some(isEncodedMessage)
const isAscii = (octets: Uint8Array): boolean => octets.every((octet) => octet < 128)
const leavesOf = (node: MimeNode): MimeNode[] =>
  node.parts.length === 0 ? [node] : node.parts.flatMap(leavesOf)
const bodies = (octets: Uint8Array, node: MimeNode): string[] =>
  leavesOf(node).map((leaf) => latin1(decodeBody(octets, leaf)))
const typeOf = (node: MimeNode): string => `${node.type}/${node.subtype} ${node.encoding}`
const bodyOf = ({ octets, part }: Pick<Sent, 'octets' | 'part'>): string =>
  latin1(octets.subarray(part.bodyStart, part.bodyEnd))

const header = ['From: Bob <bob@example.org>', 'Subject: [1]  odd   blanks', 'X-Kept:kept']
const withParts = (bound: string, ...parts: readonly (readonly [string[], string])[]): string =>
  text(
    ...header,
    'MIME-Version: 1.0',
    `Content-Type: multipart/mixed; boundary=${bound}`,
    '',
    ...parts.flatMap(([fields, body]) => [`--${bound}`, ...fields, '', body]),
    `--${bound}--`,
    '',
  )
const allEncodings = (bound: string): string =>
  withParts(
    bound,
    [
      ['Content-Type: text/plain; charset=utf-8', 'Content-Transfer-Encoding: 8bit'],
      'gr\xc3\xbc\xc3\x9fe=\r\n.x',
    ],
    [['Content-Type: image/png', 'Content-Transfer-Encoding: base64'], 'iVBORw0KGgo='],
    [['Content-Type: text/plain; charset=utf-8', 'Content-Transfer-Encoding: quoted-printable'], '=C3=A9'],
    [['Content-Type: image/gif', 'Content-Transfer-Encoding: binary'], 'GIF89a\xff\0\n\r'],
    [['Content-Type: text/plain'], 'x'.repeat(1500)],
  )
const allBodies = [
  'gr\xc3\xbc\xc3\x9fe=\r\n.x',
  '\x89PNG\r\n\x1a\n',
  '\xc3\xa9',
  'GIF89a\xff\0\n\r',
  'x'.repeat(1500),
]

test('CNT-008, RFC 2046 §5.2.1: in a message within, each part gets the encoding, the message none', () => {
  for (const extensions of [sevenBit, eightBit]) {
    const mail = sent(enclosing(allEncodings('b')), extensions)
    const inner = mail.part.parts[0]!
    expect(`${mail.part.type}/${mail.part.subtype}`).toBe('message/rfc822')
    expect(bodies(mail.octets, inner)).toEqual(allBodies)
    expect(latin1(mail.octets)).toContain(`\r\n\r\n${header.join('\r\n')}\r\nMIME-Version: 1.0\r\n`)
    const [plain, png, qp, gif, long] = inner.parts.map((part) => part.encoding)
    expect([png, qp, gif, long]).toEqual(['base64', 'quoted-printable', 'base64', 'quoted-printable'])
    if (extensions === sevenBit) {
      expect(isAscii(mail.octets)).toBe(true)
      expect(plain).toBe('quoted-printable')
      expect(mail.part.encoding).toBe('7bit')
      expect(mail.params.BODY).toBeUndefined()
    } else {
      expect(plain).toBe('8bit')
      // What holds 8-bit octets says so, up to the top (RFC 2045 §6.4, RFC 6152 §3).
      expect([mail.root.encoding, mail.part.encoding, mail.params.BODY]).toEqual(['8bit', '8bit', '8BITMIME'])
    }
  }
})

test('CNT-008: a message within a message within a message is opened to the last', () => {
  const twice = withParts('outer', [
    ['Content-Type: message/rfc822', 'Content-Transfer-Encoding: binary'],
    withParts('middle', [
      ['Content-Type: message/rfc822', 'Content-Transfer-Encoding: binary'],
      allEncodings('inner'),
    ]),
  ])
  const mail = sent(enclosing(twice, ['Content-Transfer-Encoding: binary']), sevenBit)
  expect(isAscii(mail.octets)).toBe(true)
  const last = mail.part.parts[0]!.parts[0]!.parts[0]!.parts[0]!.parts[0]!
  expect(bodies(mail.octets, last)).toEqual(allBodies)
  expect(latin1(mail.octets)).not.toMatch(/Encoding: (8bit|binary)/)
})

test('CNT-008: what needs no change stays octet for octet; 7-bit, and 8-bit where the hop takes that', () => {
  const ascii = text(...header, '', 'hello', 'world', '')
  expect(bodyOf(sent(enclosing(ascii), sevenBit))).toBe(ascii)
  const high = text(
    ...header,
    'Content-Type: text/plain; charset=utf-8',
    'Content-Transfer-Encoding: 8bit',
    '',
    '\xc3\xa9',
  )
  expect(bodyOf(sent(enclosing(high, ['Content-Transfer-Encoding: 8bit']), eightBit))).toBe(high)
  // A message that came encoded, which it must not, or in lines of LF alone, is the message that it was meant to be.
  const encoded = Buffer.from(ascii).toString('base64')
  expect(bodyOf(sent(enclosing(encoded, ['Content-Transfer-Encoding: base64']), sevenBit))).toBe(ascii)
  const onDisk = Buffer.from(ascii.replaceAll('\r\n', '\n')).toString('base64')
  expect(bodyOf(sent(enclosing(onDisk, ['Content-Transfer-Encoding: base64']), sevenBit))).toBe(ascii)
})

test('CNT-008: base64 in one line longer than mail takes is put into lines', () => {
  const png = Buffer.alloc(1200, 7)
  const inner = withParts('b', [
    ['Content-Type: image/png', 'Content-Transfer-Encoding: base64'],
    png.toString('base64'),
  ])
  const mail = sent(enclosing(inner), sevenBit)
  expect(typeOf(mail.part)).toBe('message/rfc822 7bit')
  expect(bodies(mail.octets, mail.part)).toEqual([latin1(png)])
})

test('CNT-090, SEC-045: signed content within is not changed: as 8bit, or as a file where the hop takes 7 bits alone', () => {
  const signed = text(
    ...header,
    'MIME-Version: 1.0',
    'Content-Type: multipart/signed; micalg=sha-256; protocol="application/pgp-signature"; boundary=s',
    'Content-Transfer-Encoding: 8bit',
    '',
    '--s',
    'Content-Type: text/plain; charset=utf-8',
    'Content-Transfer-Encoding: 8bit',
    '',
    'sign\xc3\xa9d',
    '--s',
    'Content-Type: application/pgp-signature',
    '',
    'xyz',
    '--s--',
    '',
  )
  const fields = ['Content-Transfer-Encoding: 8bit', 'Content-Disposition: inline; filename="proof"']
  const whole = sent(enclosing(signed, fields), eightBit)
  expect(typeOf(whole.part)).toBe('message/rfc822 8bit')
  expect(bodyOf(whole)).toBe(signed)
  expect(whole.params.BODY).toBe('8BITMIME')
  const file = sent(enclosing(signed, fields), sevenBit)
  expect(isAscii(file.octets)).toBe(true)
  expect(typeOf(file.part)).toBe('application/octet-stream base64')
  expect(fieldValue(file.octets, file.part, 'Content-Disposition')).toBe('attachment; filename=proof.eml')
  expect(latin1(decodeBody(file.octets, file.part))).toBe(signed)
  expect(file.params.BODY).toBeUndefined()
  const nameless = sent(enclosing(signed, ['Content-Transfer-Encoding: 8bit']), sevenBit)
  expect(fieldValue(nameless.octets, nameless.part, 'Content-Disposition')).toContain('message.eml')
})

test('CNT-008, RFC 6532 §3.7: with UTF-8 in its header, at any depth, it is a message/global, octet for octet', () => {
  const global = text(
    'From: J\xc3\xb6rg <j\xc3\xb6rg@example.org>',
    'Subject: Gr\xc3\xbc\xc3\x9fe',
    '',
    'hi \xc3\xa9',
    '',
  )
  const nested = withParts('n', [['Content-Type: message/rfc822'], global])
  const inPart = withParts('p', [['Content-Disposition: attachment; filename="\xc3\xa9.txt"'], 'x'])
  for (const inner of [global, nested, inPart])
    for (const [type, extensions] of [
      ['message/rfc822', sevenBit],
      ['message/rfc822', eightBit],
      ['message/global', utf8Hop],
    ] as const) {
      // The message around asks for no SMTPUTF8: the enclosed one does not make it do so.
      const mail = sent(enclosing(inner, [], type), extensions, { smtputf8: true })
      expect(typeOf(mail.part)).toBe('message/global base64')
      expect(latin1(decodeBody(mail.octets, mail.part))).toBe(inner)
      expect(isAscii(mail.octets)).toBe(true)
      expect(Object.keys(mail.params)).not.toContain('SMTPUTF8')
    }
  const sender = { kind: 'mail', value: 'j\u00f6rg@mms.example.net' } as const
  const message = enclosing(global)
  const utf8 = { ...message, sender: { ...message.sender, ...sender, raw: sender.value } } as NeutralMessage
  const mail = sent(utf8, utf8Hop, { smtputf8: true })
  expect(typeOf(mail.part)).toBe('message/global 8bit')
  expect(bodyOf(mail)).toBe(global)
  expect(mail.params).toMatchObject({ SMTPUTF8: '', BODY: '8BITMIME' })
})

test('CNT-008: header fields in another charset are not touched: 8bit, or a file', () => {
  const inner = text('From: J\xf6rg <j@example.org>', 'Subject: x', '', 'hi', '')
  expect(bodyOf(sent(enclosing(inner), eightBit))).toBe(inner)
  const file = sent(enclosing(inner), sevenBit)
  expect(typeOf(file.part)).toBe('application/octet-stream base64')
  expect(latin1(decodeBody(file.octets, file.part))).toBe(inner)
})

test('CNT-008: a message that is the whole content, one in presentation mixed, and other kinds of message', () => {
  const high = text(...header, '', 'h\xe9')
  const message = enclosing(high)
  const content = message.content?.kind === 'multi' ? message.content.parts[1] : undefined
  const mail = ok(writeMail({ ...message, content: content! }, [0], { extensions: sevenBit }, context()))
  const octets = Buffer.concat(mail.octets)
  expect(typeOf(scanMessage(octets))).toBe('message/rfc822 7bit')
  expect(bodies(octets, scanMessage(octets))[0]).toContain('h\xe9')
  expect(typeOf(sent(message, sevenBit, { presentation: 'mixed' }).part)).toBe('message/rfc822 7bit')
  const status = 'Reporting-MTA: dns; a.example\r\n\r\nAction: failed'
  expect(typeOf(sent(enclosing(status, [], 'message/delivery-status'), sevenBit).part)).toBe(
    'message/delivery-status 7bit',
  )
  expect(typeOf(sent(enclosing('\xff', [], 'message/partial'), sevenBit).part)).toBe(
    'application/octet-stream base64',
  )
})

test('CNT-008: towards MM4 the same as towards a mail hop of 7 bits; towards MM7, whose way is 8-bit clean, as it is', () => {
  const peer = settings.peers.opb!
  const message = enclosing(allEncodings('b'))
  const mm4 = ok(writeMm4Forward(message, [0], { peerKey: 'opb', peer }, undefined, context()))
  const octets = Buffer.concat(mm4.octets)
  expect(isAscii(octets)).toBe(true)
  expect(bodies(octets, scanMessage(octets).parts[1]!)).toEqual(allBodies)
  const target = { kind: 'mm7-submit', peerKey: 'mmsc', peer: settings.peers.mmsc! } as const
  const http = writeMm7(ok(writeMm7Request(message, [0], target, context())))
  const request = Buffer.concat(http.body).toString('latin1')
  expect(request).toContain(allEncodings('b'))
  expect(request).not.toMatch(/message\/rfc822\r\nContent-Transfer-Encoding: (?:base64|quoted)/)
})
