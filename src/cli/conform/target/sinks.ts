/** All peers of the cases, listening: what a gateway lets out is kept, and answered as the case under way says. */
import type { Case } from '../case-folder.ts'
import { hasItem } from '../compare-items.ts'
import type { EnvelopeJson } from '../envelopes.ts'
import { httpField, httpStatus, parseHttp, writeHttp } from '../http-octets.ts'
import { type Item, success } from '../peers.ts'
import { type Mm7Reply, type Mm7Taken, mm7Sink } from './mm7-sink.ts'
import { type Sink, smtpSink } from './smtp-sink.ts'

export interface SinkPlaces {
  readonly mm7: string
  /** By peer. */
  readonly smtp: ReadonlyMap<string, string>
}

export interface Sinks {
  /** Forgets what came, and answers as this case says from now on. */
  begin(one: Case): void
  readonly items: readonly Item[]
  /** How many items have come since the listeners were opened. */
  readonly count: number
  /** Resolves when `count` items are there and none has come for `quietMs`, or after `waitMs`. */
  settled(count: number, waitMs: number, quietMs: number): Promise<void>
  close(): void
}

export async function openSinks(
  places: SinkPlaces,
  settingsOf: Case['settings'],
  clean: (octets: Buffer) => Buffer,
): Promise<Sinks> {
  let current: Case | undefined
  let items: Item[] = []
  let count = 0
  let lastAt = performance.now()
  let waiting: (() => void) | undefined
  const opened: Sink[] = []

  /** Number of the next expected item of this way that has not come. */
  const next = (via: string): number => {
    const came = items.filter((item) => viaOf(item) === via).length
    const numbers = current ? numbersOf(current, via) : []
    return numbers[came] ?? 0
  }
  const took = (item: Item): void => {
    items.push(item)
    count++
    lastAt = performance.now()
    waiting?.()
  }
  const smtpVia = (peer: string): string => `${settingsOf.peers[peer]?.interface ?? 'smtp'}:${peer}`

  try {
    for (const [peer, place] of places.smtp) {
      const via = smtpVia(peer)
      const behaviour = {
        keywords: () => current?.settings.nextHop[peer] ?? [],
        reply(command: string) {
          const file = `peer.${next(via)}.replies.json`
          if (!current?.has(file)) return undefined
          const replies = current.parsed<readonly { command: string; reply: string }[]>(file)
          return replies.find((r) => r.command.toUpperCase() === command.toUpperCase())?.reply
        },
        took: (envelope: (Item & { kind: 'smtp' })['envelope'], octets: Buffer | undefined) =>
          took({ kind: 'smtp', via, envelope, ...(octets ? { octets: clean(octets) } : {}) }),
      }
      opened.push(await smtpSink(place, behaviour))
    }
    opened.push(await mm7Sink(places.mm7, answerMm7))
  } catch (error) {
    for (const sink of opened) sink.close()
    throw error
  }

  function answerMm7({ peer: key, contentType, soapAction, body }: Mm7Taken): Mm7Reply | undefined {
    const peer = settingsOf.peers[key]
    if (peer?.interface !== 'mm7' || peer.url === undefined) return undefined
    const url = new URL(peer.url)
    const n = next(`mm7:${url.host}`) || items.length + 1
    const headers = { Host: url.host, 'Content-Type': contentType, SOAPAction: soapAction }
    took({
      kind: 'http',
      octets: clean(writeHttp(`POST ${url.pathname}${url.search} HTTP/1.1`, headers, body)),
    })
    const usual = success(n, contentType, body, peer)
    const file = `peer.${n}.response.http`
    if (!current?.has(file))
      return { status: 200, headers: { 'Content-Type': usual.contentType }, body: usual.body }
    const given = parseHttp(current.octets(file))
    // The case's answer names the transaction by the case's id.
    const transaction = /TransactionID[^>]*>([^<]*)</.exec(body.toString('latin1'))?.[1] ?? ''
    return {
      status: httpStatus(given),
      headers: { 'Content-Type': httpField(given, 'Content-Type') ?? 'text/xml' },
      body: Buffer.from(
        given.body.toString('latin1').replace(/TX-\d{4}/g, () => transaction),
        'latin1',
      ),
    }
  }

  return {
    begin(one) {
      current = one
      items = []
      lastAt = performance.now()
      for (const sink of opened) sink.changed?.()
    },
    get items() {
      return items
    },
    get count() {
      return count
    },
    async settled(wanted, waitMs, quietMs) {
      const begun = performance.now()
      for (;;) {
        const now = performance.now()
        const quietAt = Math.max(lastAt, begun) + quietMs
        const end = items.length >= wanted ? quietAt : Math.max(quietAt, begun + waitMs)
        const left = Math.min(end, begun + waitMs + quietMs) - now
        if (left <= 0) return
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, left)
          waiting = () => {
            clearTimeout(timer)
            resolve()
          }
        })
        waiting = undefined
      }
    },
    close() {
      for (const sink of opened) sink.close()
    },
  }
}

/** Where an item went: `smtp:relay`, `mm4:opb`, or `mm7:` and the host. */
export const viaOf = (item: Item): string =>
  item.kind === 'smtp' ? item.via : `mm7:${httpField(parseHttp(item.octets), 'Host') ?? ''}`

/** Where the n-th expected item goes. */
export const expectedVia = (one: Case, n: number): string =>
  one.has(`expected.${n}.http`)
    ? `mm7:${httpField(parseHttp(one.octets(`expected.${n}.http`)), 'Host') ?? ''}`
    : (one.parsed<EnvelopeJson>(`expected.${n}.envelope.json`).via ?? '')

/** Numbers of the expected items, all or those of one way. */
export function numbersOf(one: Case, via?: string): number[] {
  const numbers: number[] = []
  for (let n = 1; hasItem(one, n); n++) if (via === undefined || expectedVia(one, n) === via) numbers.push(n)
  return numbers
}
