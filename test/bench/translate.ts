/** The mapper alone, both ways, against copying the octets and base64 of them: no sockets, no disk. */

import { defaults } from '../../src/config.ts'
import { createIds } from '../../src/ids.ts'
import { readMail, writeMail } from '../../src/mapping/carriers/mail.ts'
import { readMm7Message, writeMm7Request } from '../../src/mapping/carriers/mm7.ts'
import type { MappingContext } from '../../src/mapping/context.ts'
import { isRefusal } from '../../src/model/refusal.ts'
import { readMm7 } from '../../src/wire/mm7/read.ts'
import { writeMm7 } from '../../src/wire/mm7/write.ts'
import { deliverBody, deliverType, mailOctets } from './messages.ts'

export interface TranslateResult {
  readonly mmsToMail: number
  readonly mailToMms: number
  /** Copy and base64 of the octets of either, per second. */
  readonly yardstickMms: number
  readonly yardstickMail: number
}

const ids = createIds('gw.example.net')
const context = (queueId: string): MappingContext => ({
  settings: defaults,
  ids: ids.of(queueId, ''),
  now: Date.now(),
  log: () => {},
})
const session = { peer: null, ehlo: 'x', ip: '127.0.0.1', port: 25, auth: null, tls: false, esmtp: true }
const extensions = new Map([['8BITMIME', '']])

const must = <T>(value: T): Exclude<T, { readonly refused: unknown }> => {
  if (isRefusal(value as never)) throw new Error(JSON.stringify(value))
  return value as Exclude<T, { readonly refused: unknown }>
}

function mmsToMail(octets: Buffer): number {
  const queueId = 'Q'
  const ctx = context(queueId)
  const request = readMm7(deliverType, octets)
  const message = must(
    readMm7Message(request, { peer: 'mmsc', ip: '127.0.0.1', queueId, receivedAt: ctx.now }, ctx),
  )
  return must(writeMail(message, [0], { extensions }, ctx)).octets.length
}

function mailToMms(octets: Buffer): number {
  const ctx = context('Q')
  const envelope = {
    session,
    mailFrom: { path: 'bench@example.org', params: {} },
    rcptTo: [{ path: '+12025550123@mms.example.net', params: {} }],
    receivedAt: Math.floor(ctx.now / 1000),
  }
  const message = must(readMail(octets, envelope, { queueId: 'Q' }, ctx))
  const peer = defaults.peers.mmsc
  if (!peer) throw new Error('no peer')
  const draft = must(writeMm7Request(message, [0], { kind: 'mm7-submit', peerKey: 'mmsc', peer }, ctx))
  return writeMm7(draft).body.length
}

const copyAndEncode = (octets: Buffer): number =>
  Buffer.from(Buffer.from(octets).toString('base64'), 'latin1').length

/** How often each runs in a second of its own; they take turns, so that what else the machine does befalls all alike. */
function perSecond(...all: readonly (() => number)[]): number[] {
  const spent = all.map(() => ({ ms: 0, count: 0 }))
  for (const fn of all) for (let i = 0; i < 300; i++) fn()
  for (let round = 0; round < 12; round++)
    for (const [i, fn] of all.entries()) {
      const begin = performance.now()
      let count = 0
      for (; performance.now() - begin < 100; count += 20) for (let j = 0; j < 20; j++) fn()
      const each = spent[i]
      if (each) {
        each.ms += performance.now() - begin
        each.count += count
      }
    }
  return spent.map(({ ms, count }) => Math.round((count * 1000) / ms))
}

process.once('message', () => {
  const mms = Buffer.from(deliverBody(60 * 1024), 'latin1')
  const mail = Buffer.from(mailOctets(60 * 1024), 'latin1')
  const [mmsToMailRate = 0, yardstickMms = 0, mailToMmsRate = 0, yardstickMail = 0] = perSecond(
    () => mmsToMail(mms),
    () => copyAndEncode(mms),
    () => mailToMms(mail),
    () => copyAndEncode(mail),
  )
  const result: TranslateResult = {
    mmsToMail: mmsToMailRate,
    mailToMms: mailToMmsRate,
    yardstickMms,
    yardstickMail,
  }
  process.send?.(result, () => process.exit(0))
})
