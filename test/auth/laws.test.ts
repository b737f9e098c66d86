import fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import { createOAuthVerifier } from '../../src/auth/oauth-token.ts'
import { saslMechanisms, startSasl } from '../../src/auth/sasl.ts'
import { saslprep } from '../../src/auth/saslprep.ts'
import { type Bench, createBench, tlsChannel } from './support.ts'

let bench: Bench
beforeAll(async () => {
  bench = await createBench()
  await bench.engine.directory.put('alice@example.net', 'pencil')
})

/** Random octets, and messages that begin well. */
const message = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  fc
    .tuple(
      fc.constantFrom(
        'n,,n=alice@example.net,r=abc',
        'n,a=alice@example.net,\x01auth=Bearer ',
        'p=tls-exporter,,n=alice@example.net,r=',
        'c=biws,r=',
        'alice@example.net\0',
        '\0alice@example.net\0',
        'alice@example.net',
      ),
      fc.uint8Array({ maxLength: 80 }),
    )
    .map(([start, rest]) => Buffer.concat([Buffer.from(start), rest])),
  fc.string({ unit: 'binary', maxLength: 100 }).map((text) => Buffer.from(text)),
)

test('whatever octets come, every mechanism fails cleanly and never lets in', async () => {
  const oauth = createOAuthVerifier({ jwks: '/dev/null', issuer: 'i', audience: 'a' }, () => bench.clock.now)
  // The KDF is not what is tried here.
  const context = bench.context(
    { certificate: { rfc822Names: ['', 'nobody@example.net', '\u0007@'], validTo: 0 } },
    { oauth, external: new Map(), credentials: { verify: async () => undefined } },
  )
  const names = saslMechanisms(context)
  expect(names).toHaveLength(8)
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...names),
      fc.array(message, { minLength: 1, maxLength: 5 }),
      async (name, messages) => {
        const exchange = startSasl(name, {
          ...context,
          channel: { ...tlsChannel(), certificate: context.channel.certificate },
        })
        if (typeof exchange === 'string') throw new Error(exchange)
        for (const octets of messages) {
          const step = await exchange.step(octets)
          expect(step).not.toHaveProperty('done')
          if ('failed' in step) break
        }
      },
    ),
    { numRuns: 2000 },
  )
})

test('SA-03: SASLprep of what is prepared is itself', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const once = saslprep(text)
      if (once !== undefined) expect(saslprep(once)).toBe(once)
    }),
    { numRuns: 5000 },
  )
})

test('SA-03: the examples of RFC 4013 §3, and what §2 says', () => {
  expect(saslprep('I\u00adX')).toBe('IX')
  expect(saslprep('user')).toBe('user')
  expect(saslprep('USER')).toBe('USER')
  expect(saslprep('\u00aa')).toBe('a')
  expect(saslprep('\u2168')).toBe('IX')
  expect(saslprep('\u0007')).toBeUndefined()
  expect(saslprep('\u0627\u0031')).toBeUndefined()
  expect(saslprep('\u06271\u0628')).toBe('\u06271\u0628')
  expect(saslprep('\u0627a\u0628')).toBeUndefined()
  expect(saslprep('a\u00a0b\u3000c')).toBe('a b c')
  expect(saslprep('')).toBeUndefined()
  expect(saslprep('\u200d')).toBeUndefined()
  expect(saslprep('\u{1f600}')).toBe('\u{1f600}')
  for (const bad of [
    '\u0080',
    '\u2028',
    '\ue000',
    '\ufffe',
    '\ud800',
    '\ufffd',
    '\u2ff0',
    '\u200e',
    '\u{e0041}',
    '\u{1d173}',
  ])
    expect(saslprep(`x${bad}`), bad).toBeUndefined()
})
