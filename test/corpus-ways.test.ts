/**
 * Every message of the corpus by every way out: read, written as mail, MM7 SubmitReq and DeliverReq, MM4 and MM1, valid
 * there, read again by its own reader, and the same octets when it is done twice (GEN-001, GEN-013, MAP-001, SEC-021).
 */
import { describe, expect, test } from 'vitest'
import { fixtureIds } from '../src/cli/conform/fixture-ids.ts'
import { readMail, writeMail } from '../src/mapping/carriers/mail.ts'
import { decodeMm1 } from '../src/mapping/carriers/mm1.ts'
import { encodeMm1 } from '../src/mapping/carriers/mm1-write.ts'
import { readMm4Forward, writeMm4Forward } from '../src/mapping/carriers/mm4.ts'
import { readMm7Message, writeMm7Request } from '../src/mapping/carriers/mm7.ts'
import type { MappingContext } from '../src/mapping/context.ts'
import { Fault } from '../src/model/fault.ts'
import type { NeutralMessage } from '../src/model/neutral.ts'
import { isRefusal, type Refusal } from '../src/model/refusal.ts'
import type { Peer } from '../src/model/settings.ts'
import { readMm7 } from '../src/wire/mm7/read.ts'
import { Mm7Refusal } from '../src/wire/mm7/refusal.ts'
import { writeMm7 } from '../src/wire/mm7/write.ts'
import {
  type CorpusFolder,
  corpusFiles,
  corpusOctets,
  hasCorpus,
  mm7Octets,
  receivedMail,
} from './support/corpus.ts'
import { all, now, nowSeconds, settings } from './support/neutral-messages.ts'
import { mailDefects } from './support/valid-mail.ts'

const roomy = (name: string): Peer => ({ ...settings.peers[name]!, maxSize: 10_000_000 })
const [mmsc, opb, vasp1] = [roomy('mmsc'), roomy('opb'), roomy('vasp1')]
/** Whoever wrote the samples is no provider of ours: any sender may be theirs. */
const { senders: _senders, vaspIds: _vaspIds, ...anyone } = settings.peers.vasp1!
const context = (): MappingContext => ({
  settings: { ...settings, peers: { ...settings.peers, vasp1: anyone } },
  ids: fixtureIds(settings.gateway.host).of('Q-0001', ''),
  now,
})
const session = { peer: null, ehlo: 'x', ip: '127.0.0.1', port: 25, auth: null, tls: false, esmtp: true }
const extensions = new Map([['8BITMIME', '']])
const envelope = {
  session,
  mailFrom: { path: 'alice@example.org', params: {} },
  rcptTo: [{ path: '+12025550123@mms.example.net', params: {} }],
  receivedAt: nowSeconds,
}

/** undefined: it is no message, or it is refused in the terms of its carrier. */
function read(folder: CorpusFolder, file: string): NeutralMessage | undefined {
  try {
    const message = readAny(folder, file)
    return message === undefined || isRefusal(message) || message.kind !== 'message' ? undefined : message
  } catch (error) {
    if (error instanceof Mm7Refusal || error instanceof Fault) return undefined
    throw error
  }
}

function readAny(folder: CorpusFolder, file: string) {
  if (folder === 'mm1') {
    const from = { queueId: 'Q-0001', receivedAt: nowSeconds, networkMsisdn: '+12025550199' }
    return decodeMm1(corpusOctets(file), from, context())
  }
  if (folder !== 'mm7') return readMail(receivedMail(file), envelope, { queueId: 'Q-0001' }, context())
  const { contentType, body } = mm7Octets(file)
  const request = readMm7(contentType, body)
  if (!/^(SubmitReq|DeliverReq)$/.test(request.operation)) return undefined
  const peer = request.operation === 'SubmitReq' ? 'vasp1' : 'mmsc'
  return readMm7Message(request, { peer, ip: '', queueId: 'Q-0001', receivedAt: now }, context())
}

interface Way {
  readonly name: string
  write(m: NeutralMessage): Buffer | Refusal
  /** What is wrong with what was written. */
  check(octets: Buffer, m: NeutralMessage): readonly string[]
}

const overMm7 = (kind: 'mm7-submit' | 'mm7-deliver', peerKey: string, peer: Peer): Way => ({
  name: kind,
  write(m) {
    const draft = writeMm7Request(m, all(m), { kind, peerKey, peer }, context())
    if (isRefusal(draft)) return draft
    const out = writeMm7(draft)
    return Buffer.concat([Buffer.from(`${out.contentType}\r\n`), ...out.body])
  },
  check(octets) {
    const end = octets.indexOf('\r\n')
    const request = readMm7(octets.toString('latin1', 0, end), octets.subarray(end + 2))
    const back = readMm7Message(request, { peer: 'mmsc', ip: '', queueId: 'Q', receivedAt: now }, context())
    return [
      ...(request.content ? [] : ['the content is lost']),
      ...(isRefusal(back) ? [`not read again: ${back.text}`] : []),
    ]
  },
})

/** Recipients at the Internet, where the mail of an MMS goes. */
const toBob = (m: NeutralMessage): NeutralMessage => ({
  ...m,
  sensitivity: undefined,
  recipients: [
    { party: { kind: 'mail', value: 'bob@example.org', raw: 'bob@example.org' }, field: 'to', serve: true },
  ],
})

const ways: readonly Way[] = [
  {
    name: 'mail',
    write(m) {
      const out = writeMail(toBob(m), [0], { extensions }, context())
      return isRefusal(out) ? out : Buffer.concat(out.octets)
    },
    check: (octets) => mailDefects(octets, { eightBit: true }),
  },
  overMm7('mm7-submit', 'mmsc', mmsc),
  overMm7('mm7-deliver', 'vasp1', vasp1),
  {
    name: 'mm4',
    write(m) {
      const out = writeMm4Forward(m, all(m), { peerKey: 'opb', peer: opb }, undefined, context())
      return isRefusal(out) ? out : Buffer.concat(out.octets)
    },
    check(octets) {
      const back = readMm4Forward(octets, envelope, { queueId: 'Q', peer: 'opb' }, context())
      return [
        ...mailDefects(octets, { eightBit: true }),
        ...(isRefusal(back) ? [`not read again: ${back.text}`] : []),
      ]
    },
  },
  {
    name: 'mm1',
    write(m) {
      const pdu = encodeMm1(m, 'm-retrieve-conf', all(m), context())
      return isRefusal(pdu) ? pdu : Buffer.from(pdu)
    },
    check(octets) {
      const back = decodeMm1(octets, { queueId: 'Q', receivedAt: nowSeconds }, context())
      return isRefusal(back) ? [`not read again: ${back.text}`] : []
    },
  },
]

/** At least so many messages of the folder are read, and of them so many are written on each way. */
const least: Readonly<Record<CorpusFolder, readonly [read: number, written: number]>> = {
  mail: [304, 289],
  'carrier-mail': [2, 2],
  dsn: [436, 431],
  mdn: [3, 3],
  mm7: [2, 2],
  mm1: [11, 11],
}

describe.skipIf(!hasCorpus)(
  'every message of the corpus, every way out (skipped without ../shared/corpus)',
  () => {
    test.each([...corpusFiles])(
      '%s',
      (folder, files) => {
        const count: Record<string, number> = { files: files.length, read: 0 }
        const refused = new Map<string, number>()
        const bad: string[] = []
        for (const file of files) {
          const message = read(folder, file)
          if (!message) continue
          count.read = (count.read ?? 0) + 1
          for (const way of ways) {
            const octets = way.write(message)
            if (isRefusal(octets as Refusal)) {
              const { refused: why } = octets as Refusal
              refused.set(`${way.name} ${why}`, (refused.get(`${way.name} ${why}`) ?? 0) + 1)
              continue
            }
            count[way.name] = (count[way.name] ?? 0) + 1
            bad.push(
              ...way.check(octets as Buffer, message).map((defect) => `${file}, ${way.name}: ${defect}`),
            )
            const again = read(folder, file)
            const twice = again && way.write(again)
            if (!Buffer.isBuffer(twice) || !twice.equals(octets as Buffer))
              bad.push(`${file}, ${way.name}: twice, not the same`)
          }
        }
        console.info(
          `corpus ${folder}: ${JSON.stringify(count)} refused ${JSON.stringify(Object.fromEntries(refused))}`,
        )
        expect(bad).toEqual([])
        const [someRead, someWritten] = least[folder]
        expect(count.read).toBeGreaterThanOrEqual(someRead)
        for (const way of ways) expect(count[way.name] ?? 0, way.name).toBeGreaterThanOrEqual(someWritten)
      },
      120_000,
    )
  },
)
