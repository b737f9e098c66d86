/** Load generator, a process of its own: keeps connections busy for some seconds and prints what it measured. */
import { connect, type Socket } from 'node:net'

export interface LoadOptions {
  readonly kind: 'mm7' | 'smtp' | 'sink'
  readonly port: number
  readonly connections: number
  readonly warmupMs: number
  readonly ms: number
  /** What is sent again and again; `@ID@` (8 octets wide) becomes a number of its own. */
  readonly request: string
}

export interface LoadResult {
  readonly count: number
  /** Everything that was acknowledged, warm-up included. */
  readonly total: number
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
}

let number = Math.floor(Math.random() * 90_000_000)
const idOf = (): string => String(number++).padStart(8, '0')

/** Octets with a place for the id: each message differs, none is built anew. */
function numbered(text: string): () => Buffer {
  const places: number[] = []
  for (let at = text.indexOf('@ID@____'); at >= 0; at = text.indexOf('@ID@____', at + 1)) places.push(at)
  const octets = Buffer.from(text, 'latin1')
  return () => {
    const id = idOf()
    const copy = Buffer.from(octets)
    for (const at of places) copy.write(id, at, 'latin1')
    return copy
  }
}

/** Resolves with what came, once `whole` says that it is a whole answer. */
class Client {
  readonly socket: Socket
  #text = ''
  #whole: (text: string) => boolean = () => false
  #done: (text: string) => void = () => {}

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1')
    this.socket.setNoDelay(true)
    this.socket.on('data', (chunk: Buffer) => {
      this.#text += chunk.toString('latin1')
      this.#look()
    })
    this.socket.on('error', (error) => {
      process.stderr.write(`${error.message}\n`)
      process.exit(1)
    })
  }

  #look(): void {
    if (!this.#whole(this.#text)) return
    const text = this.#text
    this.#text = ''
    this.#whole = () => false
    this.#done(text)
  }

  exchange(octets: Uint8Array | string, whole: (text: string) => boolean): Promise<string> {
    this.#whole = whole
    return new Promise((resolve) => {
      this.#done = resolve
      if (octets.length > 0) this.socket.write(octets)
      // A greeting may be there already.
      else this.#look()
    })
  }
}

const httpWhole = (text: string): boolean => {
  const end = text.indexOf('\r\n\r\n')
  if (end < 0) return false
  const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0)
  return text.length >= end + 4 + length
}
const lines =
  (count: number) =>
  (text: string): boolean => {
    let found = 0
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) found++
    return found >= count
  }

const expectText = (text: string, wanted: RegExp): void => {
  if (wanted.test(text)) return
  process.stderr.write(`unexpected: ${text.slice(0, 2000)}\n`)
  process.exit(1)
}

async function one(kind: LoadOptions['kind'], client: Client, next: () => Buffer): Promise<void> {
  if (kind === 'mm7')
    expectText(await client.exchange(next(), httpWhole), /^HTTP\/1\.1 200[\s\S]*(StatusCode>1000<|^ok$)/m)
  else if (kind === 'sink') expectText(await client.exchange(next(), lines(1)), /^250/)
  else {
    const opened = await client.exchange(
      'MAIL FROM:<bench@example.org>\r\nRCPT TO:<alice@example.net>\r\nDATA\r\n',
      lines(3),
    )
    expectText(opened, /^354/m)
    expectText(await client.exchange(next(), lines(1)), /^250/)
  }
}

async function main(options: LoadOptions): Promise<LoadResult> {
  const next = numbered(options.request)
  const clients = Array.from({ length: options.connections }, () => new Client(options.port))
  if (options.kind === 'smtp')
    for (const client of clients) {
      await client.exchange('', lines(1))
      await client.exchange('EHLO bench.example.org\r\n', (text) => /^250 /m.test(text))
    }
  const begin = performance.now() + options.warmupMs
  const end = begin + options.ms
  const times: number[] = []
  let total = 0
  await Promise.all(
    clients.map(async (client) => {
      for (let at = performance.now(); at < end; ) {
        await one(options.kind, client, next)
        const done = performance.now()
        total++
        if (at >= begin) times.push(done - at)
        at = done
      }
    }),
  )
  const seconds = (performance.now() - begin) / 1000
  times.sort((a, b) => a - b)
  const quantile = (q: number): number => Number((times[Math.floor(times.length * q)] ?? 0).toFixed(2))
  return {
    count: times.length,
    total,
    perSecond: Math.round(times.length / seconds),
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
  }
}

process.once('message', async (options: LoadOptions) => {
  const result = await main(options)
  process.send?.(result, () => process.exit(0))
})
