import { randomBytes } from 'node:crypto'
import { setTimeout as sleep, setImmediate as tick } from 'node:timers/promises'
import { constants, createDeflateRaw, createInflateRaw, deflateRawSync, inflateRawSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DeflateLayer } from '../../src/imap/deflate.ts'

/** A layer whose ends keep what they get. */
const layer = (receive?: (octets: Buffer) => void) => {
  const sent: Buffer[] = []
  const received: Buffer[] = []
  const held: boolean[] = []
  let error: Error | undefined
  const made = new DeflateLayer({
    send: (octets) => sent.push(Buffer.from(octets)),
    receive: (octets) => {
      received.push(Buffer.from(octets))
      receive?.(octets)
    },
    broken: (why) => {
      error = why
    },
    hold: (on) => held.push(on),
  })
  return {
    layer: made,
    sent,
    held,
    error: () => error,
    received: () => Buffer.concat(received),
    wire: () => Buffer.concat(sent),
  }
}

/** What a client makes of the octets, with one inflater for the whole connection. */
const inflated = (octets: Buffer): Buffer => inflateRawSync(octets, { finishFlush: constants.Z_SYNC_FLUSH })

/** A client's compressor, which flushes after each command. */
class ClientDeflate {
  readonly #deflate = createDeflateRaw({ level: 9 })
  async command(text: string | Buffer, flush = constants.Z_SYNC_FLUSH): Promise<Buffer> {
    const out: Buffer[] = []
    const take = (octets: Buffer): void => {
      out.push(octets)
    }
    this.#deflate.on('data', take)
    this.#deflate.write(text)
    await new Promise<void>((resolve) => this.#deflate.flush(flush, () => resolve()))
    this.#deflate.off('data', take)
    return Buffer.concat(out)
  }
}

const until = async (what: () => boolean): Promise<void> => {
  for (let i = 0; i < 400 && !what(); i += 1) await sleep(5)
  expect(what()).toBe(true)
}

describe('sending (RFC 4978)', () => {
  test('CO-01, CO-04: raw deflate; each batch can be read as soon as it is there', async () => {
    const one = layer()
    let text = ''
    for (let i = 0; i < 50; i += 1) {
      const line = `* ${i} FETCH (FLAGS (\\Seen) UID ${i})\r\n`
      one.layer.write(line)
      text += line
      await tick()
      expect(inflated(one.wire()).toString()).toBe(text)
    }
    // The batches refer to each other.
    expect(one.wire().length).toBeLessThan(text.length * 0.7)
    expect(one.wire().subarray(-4)).toEqual(Buffer.from([0, 0, 255, 255]))
  })

  test('CO-04: what is written in one go is one batch, in order, large pieces among small ones', async () => {
    const one = layer()
    const pieces = Array.from({ length: 40 }, (_, i) =>
      i % 7 === 3 ? Buffer.alloc(40_000 + i, `text ${i} `) : Buffer.from(`a${i} OK done\r\n`),
    )
    for (const piece of pieces) one.layer.write(piece)
    expect(one.layer.waiting).toBe(Buffer.concat(pieces).length)
    await one.layer.settled()
    expect(one.layer.waiting).toBe(0)
    expect(inflated(one.wire()).equals(Buffer.concat(pieces))).toBe(true)
    expect(one.sent.length).toBeLessThan(20)
  })

  test('any cut of any octets comes out as it went in, with rests and secrets between', async () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.constantFrom(6000, 20_000, 70_000).map((n) => new Uint8Array(randomBytes(n))),
      fc.constantFrom(100, 9000, 50_000).map((n) => new Uint8Array(n).fill(97)),
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(piece, fc.constantFrom('', 'rest', 'apart', 'wait')), { maxLength: 12 }),
        async (list) => {
          const one = layer()
          for (const [octets, what] of list) {
            if (what === 'rest') one.layer.rest()
            one.layer.write(Buffer.from(octets), what === 'apart')
            if (what === 'wait') await one.layer.settled()
          }
          await one.layer.settled()
          const all = Buffer.concat(list.map(([octets]) => octets))
          if (all.length > 0) expect(inflated(one.wire()).equals(all)).toBe(true)
        },
      ),
      { numRuns: 60 },
    )
  })

  test('CO-12: a secret refers to nothing and nothing refers to it', async () => {
    const secret = ';URLAUTH=submit+fred:internal:91354a473744909de610943775f92038'
    const size = async (guess: string): Promise<number> => {
      const one = layer()
      one.layer.write(`* 1 FETCH (BODY[TEXT] "${guess}")\r\n`)
      await one.layer.settled()
      one.layer.write(`* GENURLAUTH "${secret}"\r\n`, true)
      await one.layer.settled()
      one.layer.write(`* 2 FETCH (BODY[TEXT] "${guess}")\r\n`)
      await one.layer.settled()
      const whole = one.wire().length
      const lone = layer()
      lone.layer.write(`* 1 FETCH (BODY[TEXT] "${guess}")\r\n`)
      await lone.layer.settled()
      lone.layer.rest()
      lone.layer.write(`* 2 FETCH (BODY[TEXT] "${guess}")\r\n`)
      await lone.layer.settled()
      return whole - lone.wire().length
    }
    expect(await size(secret)).toBe(await size(secret.split('').reverse().join('')))
  })

  test('CO-09: media pass with next to no growth, and text after them still gets small', async () => {
    const one = layer()
    const jpeg = randomBytes(60_000)
    one.layer.write(jpeg)
    await one.layer.settled()
    expect(one.wire().length).toBeLessThan(60_000 * 1.002)
    expect(inflated(one.wire()).equals(jpeg)).toBe(true)
  })
})

describe('receiving (RFC 4978)', () => {
  test('CO-01, CO-11: one stream for the connection, cut anywhere', async () => {
    const client = new ClientDeflate()
    const one = layer()
    let text = ''
    for (let i = 0; i < 20; i += 1) {
      const line = `a${i} UID FETCH ${i}:* (FLAGS) (CHANGEDSINCE ${i})\r\n`
      text += line
      const octets = await client.command(line)
      for (let at = 0; at < octets.length; at += 3) one.layer.feed(octets.subarray(at, at + 3))
    }
    await until(() => one.received().length === text.length)
    expect(one.received().toString()).toBe(text)
  })

  test('CO-04: at rest the inflater is given up, and the client notices nothing', async () => {
    const client = new ClientDeflate()
    const one = layer()
    let text = ''
    for (let i = 0; i < 30; i += 1) {
      const line = `a${i} IDLE ${'the same words again '.repeat(i)}\r\n`
      text += line
      one.layer.feed(await client.command(line))
      await until(() => one.received().length === text.length)
      one.layer.rest()
    }
    // More than a window of it, then back to the beginning of what the window holds.
    const noise = randomBytes(50_000)
    one.layer.feed(await client.command(noise))
    one.layer.feed(await client.command(noise.subarray(20_000)))
    await until(() => one.received().length === text.length + 80_000)
    one.layer.rest()
    one.layer.feed(await client.command(noise.subarray(25_000)))
    await until(() => one.received().length === text.length + 105_000)
    expect(
      one
        .received()
        .equals(Buffer.concat([Buffer.from(text), noise, noise.subarray(20_000), noise.subarray(25_000)])),
    ).toBe(true)
    expect(one.error()).toBeUndefined()
  })

  test('CO-04: a rest in the middle of a block changes nothing', async () => {
    const one = layer()
    const octets = deflateRawSync(Buffer.from('a1 NOOP\r\n'.repeat(50)), {
      finishFlush: constants.Z_SYNC_FLUSH,
    })
    for (const octet of octets) {
      one.layer.feed(Buffer.from([octet]))
      await tick()
      one.layer.rest()
    }
    await until(() => one.received().length === 450)
    expect(one.error()).toBeUndefined()
  })

  test('CO-05, CO-06: what is no deflate stream is reported once', async () => {
    for (const junk of ['a2 NOOP\r\n', '\x07\xff\xff\xff\xff', '\xff'.repeat(50)]) {
      const one = layer()
      one.layer.feed(Buffer.from(junk, 'latin1'))
      await until(() => one.error() !== undefined)
      one.layer.feed(Buffer.from(junk, 'latin1'))
      one.layer.write('* BYE\r\n')
      await sleep(5)
      expect(one.sent).toEqual([])
    }
  })

  test('CO-07: 256 MiB of nothing stay where they are until somebody reads them', async () => {
    const bomb = deflateRawSync(Buffer.alloc(64 << 20), { level: 9, finishFlush: constants.Z_SYNC_FLUSH })
    expect(bomb.length).toBeLessThan(80_000)
    let octets = 0
    const one: { layer: DeflateLayer } = {
      layer: new DeflateLayer({
        send: () => {},
        receive: (piece) => {
          octets += piece.length
          expect(piece.length).toBeLessThanOrEqual(4096)
          if (octets > 1_000_000) one.layer.throttle(true)
        },
        broken: () => {},
        hold: () => {},
      }),
    }
    const before = process.memoryUsage().rss
    for (let i = 0; i < 4; i += 1) one.layer.feed(bomb)
    await until(() => octets > 1_000_000)
    await sleep(50)
    expect(octets).toBeLessThan(1_200_000)
    expect(process.memoryUsage().rss - before).toBeLessThan(64 << 20)
    one.layer.destroy()
  })

  test('CO-07: the socket is held while the inflater has more than it can take', async () => {
    const one = layer()
    one.layer.throttle(true)
    const octets = deflateRawSync(randomBytes(400_000), { finishFlush: constants.Z_SYNC_FLUSH })
    for (let at = 0; at < octets.length; at += 10_000) one.layer.feed(octets.subarray(at, at + 10_000))
    expect(one.held).toEqual([true])
    one.layer.throttle(false)
    await until(() => one.received().length === 400_000)
    expect(one.held).toEqual([true, false])
  })
})

describe('the end of compression (RFC 8437 §4.1)', () => {
  test.each([
    ['stops at a flush', constants.Z_SYNC_FLUSH],
    ['ends its stream', constants.Z_FINISH],
  ])('CO-10: a client that %s goes on in the clear, and so do we', async (_, how) => {
    const one = layer((octets) => {
      if (!octets.toString().includes('UNAUTHENTICATE')) return
      one.layer.write('a OK done\r\n')
      one.layer.finish()
      one.layer.write('* OK in the clear\r\n')
    })
    const octets = deflateRawSync(Buffer.from('a UNAUTHENTICATE\r\n'), { finishFlush: how })
    one.layer.feed(
      how === constants.Z_FINISH ? Buffer.concat([octets, Buffer.from('b CAPABILITY\r\n')]) : octets,
    )
    await until(() => one.sent.length === 2)
    expect(inflated(one.sent[0]!).toString()).toBe('a OK done\r\n')
    expect(one.sent[1]!.toString()).toBe('* OK in the clear\r\n')
    if (how === constants.Z_SYNC_FLUSH) one.layer.feed(Buffer.from('b CAPABILITY\r\n'))
    one.layer.feed(Buffer.from('c NOOP\r\n'))
    await until(() => one.received().length === 40)
    expect(one.received().toString()).toBe('a UNAUTHENTICATE\r\nb CAPABILITY\r\nc NOOP\r\n')
  })

  test('CO-06: octets behind an ended stream are not kept without limit', async () => {
    const one = layer()
    one.layer.feed(deflateRawSync(Buffer.from('a NOOP\r\n')))
    for (let i = 0; i < 20; i += 1) {
      one.layer.feed(Buffer.alloc(10_000))
      await tick()
    }
    await until(() => one.error() !== undefined)
  })
})

test('a client with a compressor of its own reads both directions through a real inflater', async () => {
  const one = layer()
  const inflate = createInflateRaw()
  let text = ''
  inflate.on('data', (octets: Buffer) => {
    text += octets.toString('latin1')
  })
  for (let i = 0; i < 200; i += 1) {
    one.layer.write(`* ${i} EXISTS\r\n`)
    await one.layer.settled()
    if (i % 50 === 0) one.layer.rest()
    for (const octets of one.sent.splice(0)) inflate.write(octets)
  }
  await until(() => text.endsWith('* 199 EXISTS\r\n'))
})
