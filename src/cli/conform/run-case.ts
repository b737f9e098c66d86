/** Runs one worked case through the gateway and compares all that left it (fixtures/rfc4356/README.md). */
import { Fault } from '../../model/fault.ts'
import { giveUpMs } from '../../queue/schedule.ts'
import type { Case } from './case-folder.ts'
import { compareItem, compareReply, compareResponse, hasItem, summary } from './compare-items.ts'
import { Comparison } from './comparison.ts'
import type { EnvelopeJson } from './envelopes.ts'
import { type CaseGateway, openGateway } from './gateway.ts'
import { exchangeHttp } from './http-exchange.ts'
import { type HttpOctets, parseHttp, writeHttp } from './http-octets.ts'
import { runMatrix } from './matrices.ts'
import { compareModel } from './model.ts'
import { createFakePeers, type FakePeers, type PeerAnswers } from './peers.ts'
import { seedOriginals } from './seed-originals.ts'
import { type Cut, SmtpClient, sendTransaction } from './smtp-dialogue.ts'
import { seedQueue } from './state.ts'

export interface CaseResult {
  readonly id: string
  readonly title: string
  readonly pass: boolean
  readonly rules: readonly string[]
  /** What differs, a line each; '' when nothing does. */
  readonly diff: string
}

export const inOnePiece: Cut = (octets) => [octets]

export async function runCase(one: Case, cut: Cut = inOnePiece): Promise<CaseResult> {
  let out: readonly string[]
  try {
    out = one.problems.length > 0 ? one.problems : await differences(one, cut)
  } catch (error) {
    // A Fault tells the user what is wrong with the input; anything else is a bug, and where it stands is told.
    const why = error instanceof Fault ? error.message : error instanceof Error ? error.stack : String(error)
    out = [`stopped: ${why}`]
  }
  const { id, title, covers } = one.json
  return { id, title, pass: out.length === 0, rules: covers, diff: out.join('\n') }
}

async function differences(one: Case, cut: Cut): Promise<readonly string[]> {
  if (one.json.matrix || one.has('pairs.json')) return runMatrix(one)
  if (one.has('expected.model.json')) return compareModel(one)
  const peers = createFakePeers(one.settings, answersOf(one))
  const gateway = await openGateway(one.settings, one.clock, peers)
  const out: string[] = []
  try {
    await seed(one, gateway)
    for (let n = 0; n < (one.json.repeatInput ?? 1); n++) await sendInput(one, gateway, cut, out)
    if (one.has('expected.queue.json')) await compareQueue(one, gateway, out)
    await gateway.runDue()
    if (one.json.advanceTo !== undefined) {
      gateway.setClock(Date.parse(one.json.advanceTo))
      await gateway.runDue()
    }
    compareItems(one, peers, out)
    if (out.length > 0) out.push(...gateway.log.filter((l) => /^(warn|error)/.test(l)).map((l) => `log ${l}`))
  } finally {
    await gateway.close()
  }
  return out
}

const answersOf = (one: Case): PeerAnswers => ({
  smtp: (n) => (one.has(`peer.${n}.replies.json`) ? one.parsed(`peer.${n}.replies.json`) : []),
  http: (n) => (one.has(`peer.${n}.response.http`) ? one.octets(`peer.${n}.response.http`) : undefined),
})

async function seed(one: Case, gateway: CaseGateway): Promise<void> {
  const { state } = one.json
  if (state?.queue) await seedQueue(state.queue, gateway.spool, one.settings, one.clock)
  if (state?.originals) await seedOriginals(state.originals, gateway.spool, one.settings)
}

/** The case's input by its own door, and the answer it got. */
async function sendInput(one: Case, gateway: CaseGateway, cut: Cut, out: string[]): Promise<void> {
  if (one.has('input.http')) {
    const peer = one.settings.peers[one.json.peer ?? '']
    const port = await gateway.mm7Door(peer?.ip ?? '127.0.0.1')
    const answer = await exchangeHttp({ host: '127.0.0.1', port }, one.octets('input.http'), cut)
    compareResponse(one, answer, new Comparison(one.json.ignore), out)
    return
  }
  if (!one.has('input.envelope.json')) throw new Error('no input that a door takes')
  const input = one.parsed<EnvelopeJson>('input.envelope.json')
  const session = input.session ?? { peer: null, ehlo: 'client', ip: '127.0.0.1', port: 25, auth: null }
  const door = await gateway.smtpDoor(session)
  const client = await SmtpClient.open({ host: '127.0.0.1', port: door.port }, cut)
  try {
    compareReply(one, await sendTransaction(client, input, one.octets('input.eml')), out)
  } finally {
    client.close()
    await door.close()
  }
}

export async function postMm7(gateway: CaseGateway, input: HttpOctets, ip: string): Promise<HttpOctets> {
  const [method = 'POST', url = '/mm7'] = input.start.split(' ')
  const headers = Object.fromEntries(input.fields.map((f) => [f.name.toLowerCase(), f.value]))
  delete headers['content-length']
  const response = await gateway.mm7.handle({
    method: method as 'POST',
    url,
    headers,
    body: input.body,
    ip,
  })
  const start = `HTTP/1.1 ${response.status} -`
  return parseHttp(writeHttp(start, response.headers, response.body))
}

/** The queue entry right after the answer. */
async function compareQueue(one: Case, gateway: CaseGateway, out: string[]): Promise<void> {
  const expected = one.parsed<{ queueId: string; deadline: string | null; holdUntil: string | null }>(
    'expected.queue.json',
  )
  const [found] = await gateway.spool.list({ queueId: expected.queueId })
  const delivery = found?.deliveries[0]
  if (!found || !delivery) {
    out.push(`queue: no entry ${expected.queueId}`)
    return
  }
  const time = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z')
  const deadline = delivery.expiresAt >= found.entry.receivedAt + giveUpMs ? null : time(delivery.expiresAt)
  const hold = delivery.dueAt > one.clock ? time(delivery.dueAt) : null
  if (deadline !== expected.deadline)
    out.push(`queue: deadline expected ${expected.deadline}, got ${deadline}`)
  if (hold !== expected.holdUntil) out.push(`queue: holdUntil expected ${expected.holdUntil}, got ${hold}`)
}

function compareItems(one: Case, peers: FakePeers, out: string[]): void {
  let n = 1
  for (; hasItem(one, n); n++) {
    const item = peers.items[n - 1]
    if (!item) {
      out.push(`item ${n}: nothing left`)
      continue
    }
    const cmp = new Comparison(one.json.ignore, one.json.ignoreDsnFields)
    compareItem(one, n, item, cmp)
    out.push(...cmp.out.map((line) => `item ${n}: ${line}`))
  }
  for (const item of peers.items.slice(n - 1)) out.push(`item ${n++}: must not leave: ${summary(item)}`)
}
