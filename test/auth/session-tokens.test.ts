import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { beforeEach, expect, test } from 'vitest'
import type { Login, SaslContext, SaslStep } from '../../src/auth/sasl.ts'
import { createTokenEntries, isTokenEntry, tokenEntryPrefix } from '../../src/auth/token-entries.ts'
import { type Bench, clearChannel, createBench, exchange, outcome } from './support.ts'

const dayMs = 86_400_000
const user = 'alice@example.net'
let bench: Bench
let account: number
beforeEach(async () => {
  bench = await createBench()
  await bench.engine.directory.put(user, 'pencil')
  account = (await bench.engine.directory.find(user))!.id
})

const issue = async (client = 'phone', mechanism = 'HT-SHA-256-NONE', more: object = {}) =>
  (await bench.engine.tokens.issue({ account, client, mechanism, fullLoginAt: bench.clock.now, ...more }))
    .token

const hmac = (token: string, ...data: (string | Uint8Array)[]) =>
  createHmac('sha256', token)
    .update(Buffer.concat(data.map((d) => Buffer.from(d as string))))
    .digest()
const message = (token: string, binding: string | Uint8Array = '', name = user) =>
  Buffer.concat([Buffer.from(`${name}\0`), hmac(token, 'Initiator', binding)])

const login = (token: string, context: SaslContext = bench.context(), mechanism = 'HT-SHA-256-NONE') =>
  outcome(context, mechanism, message(token), '')
const done = { done: { address: user } }
const failed = { failed: 'credentials' }

test('RC-17: HT-SHA-256-NONE: one message of the client, proof of the server, empty response', async () => {
  const token = await issue()
  const steps = await exchange(bench.context(), 'HT-SHA-256-NONE', message(token), '')
  expect(steps[0]).toEqual({ challenge: hmac(token, 'Responder') })
  expect(steps[1]).toMatchObject({
    ...done,
    login: { mechanism: 'HT-SHA-256-NONE', client: 'phone', fullLoginAt: bench.clock.now },
  })
  // A link that dies before the answer: the same token again.
  expect(await login(token)).toMatchObject(done)
  expect(await outcome(bench.context(), 'HT-SHA-256-NONE', message(token), 'x')).toMatchObject(failed)
})

test('the wire form with key/value pairs (draft-ietf-kitten-sasl-ht-01) is answered in kind', async () => {
  const token = await issue()
  for (const pairs of ['', 'dg=abc/+-_', 'a=1,b=2']) {
    const pairsMessage = Buffer.concat([Buffer.from(`${user}\0${pairs}\0`), hmac(token, 'Initiator', pairs)])
    const [first, last] = await exchange(bench.context(), 'HT-SHA-256-NONE', pairsMessage, '')
    expect(first).toEqual({ challenge: Buffer.concat([Buffer.of(0, 0), hmac(token, 'Responder')]) })
    expect(last).toMatchObject(done)
  }
  for (const pairs of ['a', 'a=', '=1', 'a=1,', ',a=1', 'a=1,,b=2', 'a=b=c', 'a=1\n', 'a=\u00e9']) {
    const pairsMessage = Buffer.concat([Buffer.from(`${user}\0${pairs}\0`), hmac(token, 'Initiator', pairs)])
    expect(await outcome(bench.context(), 'HT-SHA-256-NONE', pairsMessage), pairs).toMatchObject(failed)
  }
  // The pairs are covered by the hash.
  const moved = Buffer.concat([Buffer.from(`${user}\0a=2\0`), hmac(token, 'Initiator', 'a=1')])
  expect(await outcome(bench.context(), 'HT-SHA-256-NONE', moved)).toMatchObject(failed)
})

test('EXPR and ENDP bind to the channel; a token works with the mechanism it was made for alone', async () => {
  for (const [mechanism, type] of [
    ['HT-SHA-256-EXPR', 'tls-exporter'],
    ['HT-SHA-256-ENDP', 'tls-server-end-point'],
  ] as const) {
    const token = await issue('phone', mechanism)
    const binding = bench.context().channel.binding(type)!
    const [first, last] = await exchange(bench.context(), mechanism, message(token, binding), '')
    expect(first).toEqual({ challenge: hmac(token, 'Responder', binding) })
    expect(last).toMatchObject(done)
    expect(await outcome(bench.context(), mechanism, message(token))).toMatchObject(failed)
    expect(await outcome(bench.context(), mechanism, message(token, 'another session'))).toMatchObject(failed)
    expect(await login(token)).toMatchObject(failed)
  }
})

test('hostile messages, other users, wrong tokens', async () => {
  const token = await issue()
  for (const bad of [
    '',
    '\0',
    user,
    `${user}\0`,
    `${user}\0short`,
    message(token).subarray(0, -1),
    Buffer.concat([message(token), Buffer.of(0)]),
    message(token, '', ''),
    message(token, '', '\u0007'),
    Buffer.concat([Buffer.of(0xff, 0), hmac(token, 'Initiator')]),
    message(token, '', 'bob@example.net'),
    message(token.slice(1)),
    message('-'.repeat(43)),
    Buffer.concat([Buffer.from(`${user}\0`), hmac(token, 'Responder')]),
  ])
    expect(await outcome(bench.context(), 'HT-SHA-256-NONE', bad)).toMatchObject(failed)
  await bench.engine.directory.put('bob@example.net', 'pencil')
  expect(
    await outcome(bench.context(), 'HT-SHA-256-NONE', message(token, '', 'bob@example.net')),
  ).toMatchObject(failed)
  await expect(login(token, bench.context(clearChannel))).rejects.toThrow('unknown')
})

test('a token ends: lifetime, revocation, new password, account removed', async () => {
  const { tokens, directory } = bench.engine
  const token = await issue()
  bench.clock.now += 14 * dayMs - 1
  expect(await login(token)).toMatchObject(done)
  bench.clock.now += 1
  expect(await login(token)).toMatchObject(failed)

  const [one, two] = [await issue('one'), await issue('two')]
  expect(await tokens.revoke(account, 'one')).toBe(1)
  expect(await login(one)).toMatchObject(failed)
  expect(await login(two)).toMatchObject(done)
  // The configuration that names the same password again changes nothing.
  expect(await directory.put(user, 'pencil')).toBe(false)
  expect(await login(two)).toMatchObject(done)
  await directory.put(user, 'other')
  expect(await login(two)).toMatchObject(failed)

  const three = await issue()
  await directory.remove(user)
  await directory.put(user, 'pencil')
  account = (await directory.find(user))!.id
  expect(await login(three)).toMatchObject(failed)
})

test('rotation: what the client may hold stays good until it shows a newer one', async () => {
  const first = await issue()
  expect(await login(first)).toMatchObject(done)
  // Three answers that never arrived.
  for (let i = 0; i < 3; i++) await issue()
  expect(await login(first)).toMatchObject(done)
  const second = await issue()
  expect(await login(second)).toMatchObject(done)
  expect(await login(first)).toMatchObject(failed)
  expect(await bench.engine.tokens.list(account)).toHaveLength(1)
})

test('a limited number: the client idle for longest goes, never more than three tokens of one', async () => {
  for (const client of ['a', 'b', 'c']) {
    await issue(client)
    bench.clock.now += 1000
  }
  const [, , tokenOfA] = await bench.engine.tokens.usable(account)
  bench.clock.now += 3_600_000
  expect(await login(tokenOfA!.token)).toMatchObject(done)
  for (let i = 0; i < 20; i++) await issue('d')
  const clients = (await bench.engine.tokens.list(account)).map(({ client }) => client)
  expect([...new Set(clients)].sort()).toEqual(['a', 'c', 'd'])
  expect(clients.length).toBeLessThanOrEqual(bench.engine.tokens.most)
})

test('renewed with tokens only until the full login is 90 days old; never past what was shown', async () => {
  const fullLoginAt = bench.clock.now
  const validUntil = fullLoginAt + 3_600_000
  const short = await issue('phone', 'HT-SHA-256-NONE', { validUntil })
  const step = (await login(short)) as Extract<SaslStep, { done: unknown }>
  expect(step.login).toMatchObject({ fullLoginAt, validUntil })
  bench.clock.now = validUntil
  expect(await login(short)).toMatchObject(failed)

  bench.clock.now = fullLoginAt + 89 * dayMs
  const { expiresAt } = await bench.engine.tokens.issue({
    account,
    client: 'phone',
    mechanism: 'HT-SHA-256-NONE',
    fullLoginAt,
  })
  expect(expiresAt).toBe(fullLoginAt + 90 * dayMs)
  bench.clock.now = fullLoginAt + 90 * dayMs
  await expect(issue('phone', 'HT-SHA-256-NONE', { fullLoginAt })).rejects.toMatchObject({
    kind: 'forbidden',
  })
})

test('the same look-ups for every user, known or not; a second reconnect within the hour writes nothing', async () => {
  const token = await issue()
  let lookUps = 0
  const { tokens } = bench.engine
  const counted = {
    ...tokens,
    usable(id: number | undefined) {
      lookUps++
      return tokens.usable(id)
    },
  }
  const context = bench.context({}, { tokens: counted })
  for (const name of [user, 'nobody@example.net'])
    await outcome(context, 'HT-SHA-256-NONE', message('wrong', '', name))
  expect(lookUps).toBe(2)
  await login(token)
  const [before] = await tokens.list(account)
  bench.clock.now += 60_000
  await login(token)
  expect(await tokens.list(account)).toEqual([before])
})

test('the token is not in the database', async () => {
  const token = await issue()
  const [row] = await bench.engine.tokens.usable(account)
  expect(row?.token).toBe(token)
  expect(Buffer.from(token, 'base64url')).toHaveLength(32)
  expect(row?.id).not.toBe(token)
  expect(await bench.engine.tokens.list(account)).toEqual([
    {
      client: 'phone',
      mechanism: 'HT-SHA-256-NONE',
      issuedAt: bench.clock.now,
      expiresAt: bench.clock.now + 14 * dayMs,
      usedAt: undefined,
    },
  ])
  const stored = ['lemonade.sqlite', 'lemonade.sqlite-wal'].map((file) =>
    readFileSync(`${bench.folder}/${file}`),
  )
  expect(Buffer.concat(stored).includes(row!.id)).toBe(true)
  expect(Buffer.concat(stored).includes(token)).toBe(false)
})

test('METADATA entries: set to ask, get once, NIL to revoke', async () => {
  const { tokens } = bench.engine
  const me = { id: account, address: user }
  const login1: Login = { mechanism: 'PLAIN', authenticated: me, fullLoginAt: bench.clock.now }
  const entries = createTokenEntries(tokens, account, login1, true)
  const entry = `${tokenEntryPrefix}Phone-1`
  expect(isTokenEntry(entry.toUpperCase())).toBe(true)
  expect(isTokenEntry('/private/comment')).toBe(false)
  expect(entries.get(entry)).toBeUndefined()
  await entries.set(entry, 'ht-sha-256-none')
  const [mechanism, until, token = ''] = entries.get(entry.toUpperCase())!.split(' ')
  expect([mechanism, until]).toEqual([
    'HT-SHA-256-NONE',
    new Date(bench.clock.now + 14 * dayMs).toISOString(),
  ])
  expect(entries.get(entry)).toBeUndefined()
  const step = (await login(token)) as Extract<SaslStep, { done: unknown }>
  expect(step).toMatchObject({ ...done, login: { client: 'phone-1' } })

  const renewing = createTokenEntries(tokens, account, step.login, true)
  await renewing.set(entry, 'HT-SHA-256-EXPR')
  expect(renewing.get(entry)).toMatch(/^HT-SHA-256-EXPR /)
  const kind = (promise: Promise<unknown>) =>
    promise.then(
      () => 'done',
      (fault) => fault.kind,
    )
  expect(await kind(renewing.set(`${tokenEntryPrefix}other`, 'HT-SHA-256-NONE'))).toBe('forbidden')
  expect(await kind(renewing.set(`${tokenEntryPrefix}other`, null))).toBe('forbidden')
  for (const client of ['', 'a/b', 'a b', '-a', 'a'.repeat(65), 'a\u00e9', '%'])
    expect(await kind(entries.set(`${tokenEntryPrefix}${client}`, 'HT-SHA-256-NONE'))).toBe('malformed')
  for (const value of ['', 'PLAIN', 'HT-SHA-256-UNIQ'])
    expect(await kind(entries.set(entry, value))).toBe('unsupported')
  const clear = createTokenEntries(tokens, account, login1, false)
  expect(await kind(clear.set(entry, 'HT-SHA-256-NONE'))).toBe('forbidden')
  await entries.set(entry, null)
  expect(await tokens.list(account)).toEqual([])
  expect(await login(token)).toMatchObject(failed)
})
