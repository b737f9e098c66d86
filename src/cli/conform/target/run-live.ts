/** Runs one case against a live gateway: its input by the gateway's own doors, what leaves taken by listeners of ours. */
import type { Case } from '../case-folder.ts'
import { compareItem, compareReply, compareResponse, summary } from '../compare-items.ts'
import type { EnvelopeJson } from '../envelopes.ts'
import { exchangeHttp } from '../http-exchange.ts'
import { type HttpOctets, parseHttp, writeHttp } from '../http-octets.ts'
import type { Item } from '../peers.ts'
import { type CaseResult, inOnePiece } from '../run-case.ts'
import { SmtpClient, sendTransaction } from '../smtp-dialogue.ts'
import { LiveComparison, type LiveContext, Renaming } from './live-comparison.ts'
import { type LiveInput, liveInput } from './live-input.ts'
import { expectedVia, numbersOf, type Sinks, viaOf } from './sinks.ts'

export interface Target {
  /** The MM7 endpoint. */
  readonly mm7: URL
  readonly smtp: { readonly host: string; readonly port: number }
  /** Address that we speak from as a peer. */
  readonly from: ReadonlyMap<string, string>
  /** What we show as an MM7 peer, by Basic. */
  readonly logins: ReadonlyMap<string, { readonly user: string; readonly password: string }>
  /** For what must come out. */
  readonly waitMs: number
  /** For what must not. */
  readonly quietMs: number
  /** New in each run. */
  readonly token: string
}

/** How a case is played. */
export interface Play {
  /** For what must not come out; 0: the next case may begin at once. */
  readonly quietMs: number
  /** Of the plays of this run: each has ids of its own. */
  readonly number: number
}

/** Times may differ by this and by what the run waits. */
const toleranceMs = 60_000

export async function runLive(one: Case, target: Target, sinks: Sinks, play: Play): Promise<CaseResult> {
  const out: string[] = []
  try {
    if (one.problems.length > 0) out.push(...one.problems)
    else await differences(one, target, sinks, play, out)
  } catch (error) {
    out.push(`stopped: ${error instanceof Error ? error.message : String(error)}`)
  }
  const { id, title, covers } = one.json
  return { id, title, pass: out.length === 0, rules: covers, diff: out.join('\n') }
}

async function differences(
  one: Case,
  target: Target,
  sinks: Sinks,
  play: Play,
  out: string[],
): Promise<void> {
  const sentAt = Date.now()
  const input = liveInput(target.token, `${one.json.id}x${play.number}`, one.clock, sentAt)
  const context: LiveContext = {
    clock: one.clock,
    sentAt,
    toleranceMs: toleranceMs + target.waitMs,
    host: one.settings.gateway.host,
    peerHosts: Object.values(one.settings.peers).flatMap((peer) =>
      peer.interface === 'mm7' || peer.host === undefined ? [] : [peer.host],
    ),
  }
  let renaming = new Renaming()
  const comparison = (): LiveComparison =>
    new LiveComparison(context, renaming.copy(), one.json.ignore, one.json.ignoreDsnFields)
  sinks.begin(one)
  for (let n = 0; n < (one.json.repeatInput ?? 1); n++) {
    const cmp = comparison()
    await send(one, target, input, cmp, out)
    renaming = cmp.renaming
  }
  const numbers = numbersOf(one)
  await sinks.settled(numbers.length, target.waitMs, play.quietMs)

  const left = [...sinks.items]
  for (const n of numbers) {
    const best = closest(one, n, left, comparison)
    if (!best) {
      out.push(`item ${n}: nothing left by ${expectedVia(one, n)}`)
      continue
    }
    left.splice(left.indexOf(best.item), 1)
    renaming = best.cmp.renaming
    out.push(...best.cmp.out.map((line) => `item ${n}: ${line}`))
  }
  for (const item of left) out.push(`must not leave: ${summary(item)}`)
}

/** Items may come in any order: of those that went the same way, the one with the fewest differences. */
function closest(
  one: Case,
  n: number,
  items: readonly Item[],
  comparison: () => LiveComparison,
): { readonly item: Item; readonly cmp: LiveComparison } | undefined {
  const via = expectedVia(one, n)
  let best: { readonly item: Item; readonly cmp: LiveComparison } | undefined
  for (const item of items.filter((i) => viaOf(i) === via)) {
    const cmp = comparison()
    compareItem(one, n, item, cmp)
    if (!best || cmp.out.length < best.cmp.out.length) best = { item, cmp }
    if (best.cmp.out.length === 0) break
  }
  return best
}

async function send(
  one: Case,
  target: Target,
  input: LiveInput,
  cmp: LiveComparison,
  out: string[],
): Promise<void> {
  if (one.has('input.http')) {
    const answer = await post(one, target, input)
    compareResponse(one, { ...answer, body: input.remove(answer.body) }, cmp, out)
    return
  }
  const envelope = one.parsed<EnvelopeJson>('input.envelope.json')
  const client = await SmtpClient.open(
    { ...target.smtp, ...localAddress(target, envelope.session?.peer ?? undefined) },
    inOnePiece,
  )
  try {
    compareReply(one, await sendTransaction(client, envelope, input.put(one.octets('input.eml'))), out)
  } finally {
    client.close()
  }
}

async function post(one: Case, target: Target, input: LiveInput): Promise<HttpOctets> {
  const { mm7 } = target
  const tls = mm7.protocol === 'https:'
  const place = {
    host: mm7.hostname.replace(/^\[|\]$/g, ''),
    port: Number(mm7.port) || (tls ? 443 : 80),
    tls,
    ...localAddress(target, one.json.peer),
  }
  const { start, fields, body } = parseHttp(one.octets('input.http'))
  const login = target.logins.get(one.json.peer ?? '')
  const kept = fields.filter(({ name }) => !/^host$/i.test(name) && !(login && /^authorization$/i.test(name)))
  const request = writeHttp(
    start.replace('/mm7', () => `${mm7.pathname}${mm7.search}`),
    {
      Host: mm7.host,
      ...Object.fromEntries(kept.map(({ name, value }) => [name, value])),
      ...(login
        ? { Authorization: `Basic ${Buffer.from(`${login.user}:${login.password}`).toString('base64')}` }
        : {}),
    },
    input.put(body),
  )
  return exchangeHttp(place, request, inOnePiece)
}

const localAddress = (target: Target, peer: string | undefined): { readonly localAddress?: string } => {
  const from = peer === undefined ? undefined : target.from.get(peer)
  return from === undefined ? {} : { localAddress: from }
}
