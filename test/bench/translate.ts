/** Translation both ways against copying and base64 of the same octets, and the memory of a large message (DESIGN 8). */
import { readFileSync } from 'node:fs'
import { fixtureIds } from '../../src/cli/conform/fixture-ids.ts'
import { readMail, writeMail } from '../../src/mapping/carriers/mail.ts'
import { readMm7Message, writeMm7Request } from '../../src/mapping/carriers/mm7.ts'
import type { MappingContext } from '../../src/mapping/context.ts'
import { isRefusal } from '../../src/model/refusal.ts'
import type { Settings } from '../../src/model/settings.ts'
import { readMm7 } from '../../src/wire/mm7/read.ts'
import { writeMm7 } from '../../src/wire/mm7/write.ts'

const settings = JSON.parse(
  readFileSync(new URL('../../fixtures/rfc4356/defaults.json', import.meta.url), 'utf8'),
) as Settings
const now = Date.parse('2024-03-05T10:15:30Z')
const context = (): MappingContext => ({
  settings,
  ids: fixtureIds(settings.gateway.host).of('Q-0001', ''),
  now,
})
const session = { peer: null, ehlo: 'x', ip: '127.0.0.1', port: 25, auth: null, tls: false, esmtp: true }
const envelope = {
  session,
  mailFrom: { path: 'alice@example.org', params: {} },
  rcptTo: [{ path: '+12025550123@mms.example.net', params: {} }],
  receivedAt: now / 1000,
}
const peer = { ...settings.peers.mmsc!, maxSize: 200_000_000 }

/** A text and a picture; `octets` decoded. */
function mailOf(octets: number): Buffer {
  const picture = Buffer.alloc(octets, 'picture of nothing in particular')
  const lines = picture.toString('base64').replace(/(.{76})/g, '$1\r\n')
  return Buffer.from(
    `Date: Tue, 5 Mar 2024 02:15:00 -0800\r\nFrom: Alice Example <alice@example.org>\r\nTo: +12025550123@mms.example.net\r\n` +
      `Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <b@example.org>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="xyz-123"\r\n\r\n` +
      `--xyz-123\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGrüße aus Köln\r\n` +
      `--xyz-123\r\nContent-Type: image/jpeg; name="photo.jpg"\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename="photo.jpg"\r\n\r\n${lines}\r\n--xyz-123--\r\n`,
  )
}

export function mailToMm7(octets: Buffer): { contentType: string; body: readonly Uint8Array[] } {
  const message = readMail(octets, envelope, { queueId: 'Q-0001' }, context())
  if (isRefusal(message)) throw new Error(message.text)
  const draft = writeMm7Request(message, [0], { kind: 'mm7-submit', peerKey: 'mmsc', peer }, context())
  if (isRefusal(draft)) throw new Error(draft.text)
  return writeMm7(draft)
}

export function mm7ToMail(contentType: string, octets: Buffer): readonly Uint8Array[] {
  const request = readMm7(contentType, octets)
  const read = readMm7Message(request, { peer: 'mmsc', ip: '', queueId: 'Q', receivedAt: now }, context())
  if (isRefusal(read)) throw new Error(read.text)
  const out = writeMail(read, [0], { extensions: new Map([['DSN', '']]) }, context())
  if (isRefusal(out)) throw new Error(out.text)
  return out.octets
}

/** Calls a second, over at least `ms`. */
function rate(work: () => void, ms = 1500): number {
  for (let i = 0; i < 50; i++) work()
  const started = performance.now()
  let n = 0
  while (performance.now() - started < ms) {
    for (let i = 0; i < 20; i++) work()
    n += 20
  }
  return (n * 1000) / (performance.now() - started)
}

const mail = mailOf(43_000)
const mm7 = mailToMm7(mail)
const mm7Octets = Buffer.concat(mm7.body)
const decoded = Buffer.alloc(43_000, 1)
let sink = 0
const yardstick = rate(() => {
  sink += Buffer.from(mail).length + decoded.toString('base64').length
})
const out = rate(() => {
  for (const piece of mailToMm7(mail).body) sink += piece.length
})
const back = rate(() => {
  for (const piece of mm7ToMail(mm7.contentType, mm7Octets)) sink += piece.length
})
const large = mailOf(36 * 1024 * 1024)
globalThis.gc?.()
const before = process.memoryUsage()
const written = mailToMm7(large)
const after = process.memoryUsage()
const used = after.heapUsed + after.external - before.heapUsed - before.external
const size = written.body.reduce((sum, piece) => sum + piece.length, 0)
console.log(
  JSON.stringify({
    messageOctets: mail.length,
    copyAndBase64: Math.round(yardstick),
    mailToMm7: Math.round(out),
    mm7ToMail: Math.round(back),
    ratioOut: Number((out / yardstick).toFixed(3)),
    ratioBack: Number((back / yardstick).toFixed(3)),
    largeOctets: large.length,
    largeWritten: size,
    largeMemoryTimes: Number((1 + used / large.length).toFixed(2)),
    sink: sink > 0,
  }),
)
