/** A program: translates one message of about 50 MiB by the way that it is told, and prints what that took, as JSON. */
import { bundledSettings } from '../../src/cli/conform/case-folder.ts'
import { fixtureIds } from '../../src/cli/conform/fixture-ids.ts'
import { readMail, writeMail } from '../../src/mapping/carriers/mail.ts'
import { decodeMm1 } from '../../src/mapping/carriers/mm1.ts'
import { encodeMm1 } from '../../src/mapping/carriers/mm1-write.ts'
import { readMm4Forward, writeMm4Forward } from '../../src/mapping/carriers/mm4.ts'
import { readMm7Message, writeMm7Request } from '../../src/mapping/carriers/mm7.ts'
import type { NeutralMessage } from '../../src/model/neutral.ts'
import { isRefusal, type Refusal } from '../../src/model/refusal.ts'
import type { Settings } from '../../src/model/settings.ts'
import { encodePdu } from '../../src/wire/mm1/encode.ts'
import { readMm7 } from '../../src/wire/mm7/read.ts'
import { element, schemaNamespace, writeMm7 } from '../../src/wire/mm7/write.ts'

const bundled = bundledSettings()
const { mmsc, vasp1, opb } = bundled.peers
const peer = { ...mmsc!, maxSize: 100 * 1_048_576 }
const mm4Peer = { ...opb!, maxSize: 100 * 1_048_576 }
const settings: Settings = {
  ...bundled,
  peers: { ...bundled.peers, mmsc: peer, vasp1: vasp1!, opb: mm4Peer },
}
const now = Date.parse(bundled.clock)
const ctx = { settings, now, ids: fixtureIds('gw.mms.example.net').of('Q-0001', '') }
const sum = (chunks: readonly Uint8Array[]): number => chunks.reduce((n, c) => n + c.length, 0)

const taken = <T>(value: T): Exclude<T, Refusal> => {
  if (isRefusal(value as Refusal)) throw new Error((value as Refusal).text)
  return value as Exclude<T, Refusal>
}

/** Mail with a video in base64; `fields` stand on top. */
function mail(octets: number, fields = ''): Buffer {
  const line = Buffer.from(`${'AAAA'.repeat(19)}\r\n`)
  const head = Buffer.from(
    `${fields}From: alice@example.org\r\nTo: +12025550123@mms.example.net\r\nSubject: large\r\nDate: Tue, 5 Mar 2024 10:15:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nHi\r\n--b\r\nContent-Type: video/3gpp\r\nContent-Transfer-Encoding: base64\r\n\r\n`,
  )
  const tail = Buffer.from('--b--\r\n')
  const made = Buffer.alloc(head.length + Math.floor(octets / line.length) * line.length + tail.length, line)
  head.copy(made)
  // The pattern begins again after the head, so that each line is whole.
  made.fill(line, head.length, made.length - tail.length)
  tail.copy(made, made.length - tail.length)
  return made
}

const mm4Fields =
  'X-Mms-3GPP-MMS-Version: 6.3.0\r\nX-Mms-Message-Type: MM4_forward.REQ\r\nX-Mms-Transaction-ID: "t"\r\nX-Mms-Message-ID: "m"\r\n'

const envelope = {
  session: { peer: null, ehlo: 'x', ip: '127.0.0.1', port: 25, auth: null, tls: false, esmtp: true },
  receivedAt: now / 1000,
  mailFrom: { path: 'alice@example.org', params: {} },
  rcptTo: [{ path: '+12025550123@mms.example.net', params: {} }],
}
const fromMail = (octets: Buffer) => taken(readMail(octets, envelope, { queueId: 'Q-0001' }, ctx))

function toMms(octets: Buffer): number {
  const target = { kind: 'mm7-submit', peerKey: 'mmsc', peer } as const
  return sum(writeMm7(taken(writeMm7Request(fromMail(octets), [0], target, ctx))).body)
}

const toMm4 = (octets: Buffer): number =>
  sum(taken(writeMm4Forward(fromMail(octets), [0], { peerKey: 'opb', peer: mm4Peer }, undefined, ctx)).octets)

const toMm1 = (octets: Buffer): number =>
  taken(encodeMm1(fromMail(octets), 'm-retrieve-conf', [0], ctx)).length

const fromMm4 = (octets: Buffer): number =>
  asMail(taken(readMm4Forward(octets, envelope, { queueId: 'Q-0001', peer: 'opb' }, ctx)))

/** A PDU with a video, in one allocation. */
function pdu(octets: number): Buffer {
  const content = {
    contentType: { type: 'video/3gpp', params: [] },
    body: { kind: 'octets', octets: Buffer.alloc(0) },
  } as const
  const headers = {
    transactionId: 't',
    version: '1.2',
    from: '+12025550123/TYPE=PLMN',
    to: ['alice@example.org'],
  }
  const head = encodePdu({ type: 'm-send-req', headers, others: [], content })
  const made = Buffer.alloc(head.length + octets, 'video')
  made.set(head)
  return made
}

function fromMm1(octets: Buffer): number {
  const message = taken(decodeMm1(octets, { queueId: 'Q-0001', receivedAt: now / 1000 }, ctx))
  if (message.kind !== 'message') throw new Error(message.kind)
  return asMail(message)
}

const asMail = (message: NeutralMessage): number =>
  sum(taken(writeMail(message, [0], { extensions: new Map() }, ctx)).octets)

/** A DeliverReq with a video as it is. */
function deliver(octets: number): { contentType: string; body: Buffer } {
  const written = writeMm7({
    transactionId: 't',
    namespace: schemaNamespace('REL-6-MM7-1-4'),
    rootId: '<root@mmsc.example.com>',
    boundary: 'outer',
    body: element('DeliverReq', [
      element('MM7Version', '6.8.0'),
      element('Sender', [element('Number', '+12025550123')]),
      element('Recipients', [element('To', [element('RFC2822Address', 'alice@example.org')])]),
      element('Content', [], { href: 'cid:video' }),
    ]),
    content: {
      fields: [
        { name: 'Content-Type', value: 'video/3gpp' },
        { name: 'Content-ID', value: '<video>' },
      ],
      body: [Buffer.from('@@@@')],
    },
  })
  const small = Buffer.concat(written.body)
  const at = small.indexOf('@@@@')
  // One allocation, so that nothing of the making is left in memory.
  const body = Buffer.alloc(small.length - 4 + octets, 'video')
  small.copy(body, 0, 0, at)
  small.copy(body, at + octets, at + 4)
  return { contentType: written.contentType, body }
}

function toMail({ contentType, body }: { contentType: string; body: Buffer }): number {
  const from = { peer: 'mmsc', ip: '127.0.0.1', queueId: 'Q-0001', receivedAt: now }
  return asMail(taken(readMm7Message(readMm7(contentType, body), from, ctx)))
}

interface Way {
  make(octets: number): Buffer
  translate(octets: Buffer): number
}
let deliverType = ''
const ways: Readonly<Record<string, Way>> = {
  'to-mms': { make: mail, translate: toMms },
  'to-mm4': { make: mail, translate: toMm4 },
  'to-mm1': { make: mail, translate: toMm1 },
  'to-mail': {
    make(octets) {
      const made = deliver(octets)
      deliverType = made.contentType
      return made.body
    },
    translate: (body) => toMail({ contentType: deliverType, body }),
  },
  'from-mm4': { make: (octets) => mail(octets, mm4Fields), translate: fromMm4 },
  'from-mm1': { make: pdu, translate: fromMm1 },
}

const size = 50 * 1_048_576
const way = ways[process.argv[2] ?? '']
if (!way) throw new Error(`one of ${Object.keys(ways).join(', ')}`)
// The code itself is in memory before the measuring.
way.translate(way.make(100_000))
const source = way.make(size)
const before = process.resourceUsage().maxRSS * 1024
const begun = performance.now()
const written = way.translate(source)
const ms = Math.round(performance.now() - begun)
const grown = process.resourceUsage().maxRSS * 1024 - before
process.stdout.write(`${JSON.stringify({ octets: source.length, written, grown, ms })}\n`)
