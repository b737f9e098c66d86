import { beforeAll, expect, test } from 'vitest'
import { maxResponseOctets, passwordLogin, saslMechanisms, startSasl } from '../../src/auth/sasl.ts'
import { Fault } from '../../src/model/fault.ts'
import { type Bench, clearChannel, createBench, exchange, octets, outcome, scramLogin } from './support.ts'

let bench: Bench
let alice: { id: number; address: string }
beforeAll(async () => {
  bench = await createBench()
  await bench.engine.directory.put('alice@example.net', 'pencil')
  await bench.engine.directory.put('bob@example.net', 'p\u00e9ncil')
  alice = (await bench.engine.directory.find('alice@example.net'))!
})

const plain = (message: string | Uint8Array, context = bench.context()) => outcome(context, 'PLAIN', message)
const failed = { failed: 'credentials' }

test('SA-01: PLAIN: exactly two NULs, nothing empty, valid UTF-8', async () => {
  expect(await plain('\0alice@example.net\0pencil')).toMatchObject({ done: alice })
  for (const message of [
    '',
    '\0',
    '\0\0',
    'alice@example.net\0pencil',
    '\0alice@example.net\0',
    '\0\0pencil',
    '\0alice@example.net\0pencil\0',
    '\0alice@example.net\0pen\0cil',
    Buffer.from('00616c696365406578616d706c652e6e6574ff0070656e63696c', 'hex'),
    Buffer.from('\0alice@example.net\0pencil\xff', 'latin1'),
  ])
    expect(await plain(message), String(message)).toMatchObject(failed)
})

test('SA-01: PLAIN: 255 octets of each are accepted', async () => {
  const password = 'p'.repeat(255)
  const address = `${'a'.repeat(243)}@example.org`
  expect(address.length).toBe(255)
  await bench.engine.directory.put(address, password)
  expect(await plain(`${address}\0${address}\0${password}`)).toMatchObject({ done: { address } })
})

test('SA-02: PLAIN: an authorization id of another is refused apart from wrong credentials', async () => {
  expect(await plain('ALICE@example.net\0alice@example.net\0pencil')).toMatchObject({ done: alice })
  expect(await plain('bob@example.net\0alice@example.net\0pencil')).toMatchObject({ failed: 'authorization' })
  expect(await plain('bob@example.net\0alice@example.net\0wrong')).toMatchObject(failed)
  const bob = (await bench.engine.directory.find('bob@example.net'))!
  const context = bench.context(
    {},
    {
      actAs: async (account, authzid) =>
        account.id === alice.id && authzid === bob.address ? bob : undefined,
    },
  )
  expect(await plain('bob@example.net\0alice@example.net\0pencil', context)).toMatchObject({
    done: bob,
    login: { authenticated: alice, mechanism: 'PLAIN', fullLoginAt: bench.clock.now },
  })
  expect(await plain('alice@example.net\0bob@example.net\0p\u00e9ncil', context)).toMatchObject({
    failed: 'authorization',
  })
})

test('SA-03: names and passwords are prepared on both sides', async () => {
  expect(await plain('\0A\u00adlice@EXAMPLE.net\0pen\u00adcil')).toMatchObject({ done: alice })
  expect(await plain('\0bob@example.net\0pe\u0301ncil')).toMatchObject({
    done: { address: 'bob@example.net' },
  })
  expect(await plain('\0\u00ad\0pencil')).toMatchObject(failed)
  expect(await plain('\0alice@example.net\0pen\u0007cil')).toMatchObject(failed)
  const forbidden = bench.engine.directory.put('eve@example.net', 'bell\u0007')
  await expect(forbidden).rejects.toMatchObject({ kind: 'malformed' })
})

test('SA-04, SA-16, AU-01, AU-04: offered is what can be used on this channel', async () => {
  expect(saslMechanisms(bench.context())).toEqual([
    'SCRAM-SHA-256-PLUS',
    'SCRAM-SHA-256',
    'HT-SHA-256-EXPR',
    'HT-SHA-256-ENDP',
    'HT-SHA-256-NONE',
    'PLAIN',
  ])
  expect(saslMechanisms(bench.context(clearChannel))).toEqual(['SCRAM-SHA-256'])
  expect(saslMechanisms(bench.context({ ...clearChannel, confidential: true }))).toEqual([
    'SCRAM-SHA-256',
    'PLAIN',
  ])
  expect(startSasl('PLAIN', bench.context(clearChannel))).toBe('encryption-needed')
  for (const name of ['FOO', '', 'LOGIN', 'EXTERNAL', 'OAUTHBEARER', 'HT-SHA-256-NONE', '__proto__'])
    expect(startSasl(name, bench.context(clearChannel))).toBe('unknown')
  expect(typeof startSasl('plain', bench.context())).toBe('object')
  expect(await passwordLogin('alice@example.net', 'pencil', bench.context(clearChannel))).toMatchObject({
    failed: 'encryption-needed',
  })
})

test('ST-12, IR-05: no initial response: an empty challenge, then the exchange as with one', async () => {
  const exchange = startSasl('PLAIN', bench.context())
  if (typeof exchange === 'string') throw new Error(exchange)
  expect(await exchange.step(undefined)).toEqual({ challenge: new Uint8Array() })
  expect(await exchange.step(octets('\0alice@example.net\0pencil'))).toMatchObject({ done: alice })
})

test('AU-09: a response too long is told apart; one of 12288 characters of base64 is not', async () => {
  const fits = `\0alice@example.net\0${'x'.repeat((12_288 / 4) * 3 - 20)}`
  expect(await plain(fits)).toMatchObject(failed)
  expect(await plain(new Uint8Array(maxResponseOctets + 1))).toMatchObject({ failed: 'too-long' })
})

test('an exchange that is over stays over', async () => {
  const right = '\0alice@example.net\0pencil'
  expect((await exchange(bench.context(), 'PLAIN', '\0alice@example.net\0no', right)).at(-1)).toMatchObject(
    failed,
  )
  expect((await exchange(bench.context(), 'PLAIN', right, right)).at(-1)).toMatchObject(failed)
})

test('ST-08, AU-08: the directory is down: unavailable, not wrong credentials; a bug is not hidden', async () => {
  const broken = (error: Error) => bench.context({}, { credentials: { verify: () => Promise.reject(error) } })
  const message = '\0alice@example.net\0pencil'
  expect(await plain(message, broken(new Fault('unavailable', 'down')))).toMatchObject({
    failed: 'unavailable',
  })
  await expect(plain(message, broken(new TypeError('oops')))).rejects.toThrow('oops')
})

test('SA-18: every mechanism gives the same authorization id', async () => {
  const byPlain = await plain('\0Alice@Example.NET\0pencil')
  const { last: byScram } = await scramLogin(bench.context(), 'SCRAM-SHA-256', {
    user: 'ALICE@example.net',
    password: 'pencil',
  })
  const byLogin = await passwordLogin('alice@EXAMPLE.net', 'pencil', bench.context())
  for (const step of [byPlain, byScram, byLogin]) expect(step).toMatchObject({ done: alice })
})
