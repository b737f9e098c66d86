/** A program: translates one message of about 50 MiB, `to-mms` or `to-mail`, and prints what that took, as JSON. */
import { bundledSettings } from '../../src/cli/conform/case-folder.ts'
import { fixtureIds } from '../../src/cli/conform/fixture-ids.ts'
import { readMail, writeMail } from '../../src/mapping/carriers/mail.ts'
import { readMm7Message, writeMm7Request } from '../../src/mapping/carriers/mm7.ts'
import { isRefusal } from '../../src/model/refusal.ts'
import type { Settings } from '../../src/model/settings.ts'
import { readMm7 } from '../../src/wire/mm7/read.ts'
import { element, schemaNamespace, writeMm7 } from '../../src/wire/mm7/write.ts'

const bundled = bundledSettings()
const { mmsc, vasp1 } = bundled.peers
const peer = { ...mmsc!, maxSize: 100 * 1_048_576 }
const settings: Settings = { ...bundled, peers: { ...bundled.peers, mmsc: peer, vasp1: vasp1! } }
const now = Date.parse(bundled.clock)
const ctx = { settings, now, ids: fixtureIds('gw.mms.example.net').of('Q-0001', '') }
const sum = (chunks: readonly Uint8Array[]): number => chunks.reduce((n, c) => n + c.length, 0)

/** Mail with a video in base64. */
function mail(octets: number): Buffer {
  const line = Buffer.from(`${'AAAA'.repeat(19)}\r\n`)
  const head = Buffer.from(
    'From: alice@example.org\r\nTo: +12025550123@mms.example.net\r\nSubject: large\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nHi\r\n--b\r\nContent-Type: video/3gpp\r\nContent-Transfer-Encoding: base64\r\n\r\n',
  )
  const tail = Buffer.from('--b--\r\n')
  const made = Buffer.alloc(head.length + Math.floor(octets / line.length) * line.length + tail.length, line)
  head.copy(made)
  // The pattern begins again after the head, so that each line is whole.
  made.fill(line, head.length, made.length - tail.length)
  tail.copy(made, made.length - tail.length)
  return made
}

function toMms(octets: Buffer): number {
  const path = '+12025550123@mms.example.net'
  const envelope = {
    session: { peer: null, ehlo: 'x', ip: '127.0.0.1', port: 25, auth: null, tls: false, esmtp: true },
    receivedAt: now / 1000,
    mailFrom: { path: 'alice@example.org', params: {} },
    rcptTo: [{ path, params: {} }],
  }
  const message = readMail(octets, envelope, { queueId: 'Q-0001' }, ctx)
  if (isRefusal(message)) throw new Error(message.text)
  const draft = writeMm7Request(message, [0], { kind: 'mm7-submit', peerKey: 'mmsc', peer }, ctx)
  if (isRefusal(draft)) throw new Error(draft.text)
  return sum(writeMm7(draft).body)
}

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
  const message = readMm7Message(readMm7(contentType, body), from, ctx)
  if (isRefusal(message)) throw new Error(message.text)
  const out = writeMail(message, [0], { extensions: new Map() }, ctx)
  if (isRefusal(out)) throw new Error(out.text)
  return sum(out.octets)
}

const size = 50 * 1_048_576
const isToMms = process.argv[2] === 'to-mms'
// The code itself is in memory before the measuring.
if (isToMms) toMms(mail(100_000))
else toMail(deliver(100_000))
const source = isToMms ? { contentType: '', body: mail(size) } : deliver(size)
const before = process.resourceUsage().maxRSS * 1024
const begun = performance.now()
const written = isToMms ? toMms(source.body) : toMail(source)
const ms = Math.round(performance.now() - begun)
const grown = process.resourceUsage().maxRSS * 1024 - before
process.stdout.write(`${JSON.stringify({ octets: source.body.length, written, grown, ms })}\n`)
