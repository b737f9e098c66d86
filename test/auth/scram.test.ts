import { beforeAll, expect, test } from 'vitest'
import { fakeScramKeys, readScramKeys, scramKeysOf, writeScramKeys } from '../../src/auth/scram-keys.ts'
import {
  type Bench,
  clearChannel,
  createBench,
  exchange,
  outcome,
  type ScramClient,
  scramLogin,
  textOf,
} from './support.ts'

let bench: Bench
let alice: { id: number; address: string }
beforeAll(async () => {
  bench = await createBench()
  await bench.engine.directory.put('alice@example.net', 'pencil')
  await bench.engine.directory.put('a=b,c@example.net', 'pencil')
  alice = (await bench.engine.directory.find('alice@example.net'))!
})

const client = { user: 'alice@example.net', password: 'pencil' }
const login = async (
  more: Partial<ScramClient> = {},
  mechanism = 'SCRAM-SHA-256',
  context = bench.context(),
) => (await scramLogin(context, mechanism, { ...client, ...more })).last
const done = { done: { address: 'alice@example.net' } }
const failed = { failed: 'credentials' }
const first = (message: string, mechanism = 'SCRAM-SHA-256', context = bench.context()) =>
  outcome(context, mechanism, message)

test('SA-05, SA-12: the example of RFC 7677 §3, octet for octet', async () => {
  const keys = await scramKeysOf('pencil', Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64'), 4096)
  const context = bench.context(clearChannel, {
    nonce: () => '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0',
    scram: { scram: async (user) => (user === 'user' ? { account: alice, keys } : undefined) },
  })
  const steps = await exchange(
    context,
    'SCRAM-SHA-256',
    'n,,n=user,r=rOprNGfwEbeRWgbNEkqO',
    'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
    '',
  )
  expect(steps.map(textOf)).toEqual([
    'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
    'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
    '',
  ])
  expect(steps[2]).toMatchObject({ done: alice, login: { mechanism: 'SCRAM-SHA-256' } })
})

test('SA-05: iteration count, salt of each user, our signature checked by the client', async () => {
  const { last, serverFirst, verified } = await scramLogin(bench.context(), 'SCRAM-SHA-256', client)
  expect(last).toMatchObject(done)
  expect(verified).toBe(true)
  expect(Number(/,i=(\d+)$/.exec(serverFirst)?.[1])).toBeGreaterThanOrEqual(4096)
  const other = await scramLogin(bench.context(), 'SCRAM-SHA-256', {
    ...client,
    user: 'a=3Db=2Cc@example.net',
  })
  const saltOf = (text: string) => /,s=([^,]+)/.exec(text)?.[1]
  expect(saltOf(other.serverFirst)).not.toBe(saltOf(serverFirst))
  expect(await login({ password: 'Pencil' })).toMatchObject(failed)
})

test('SA-05: nonce: ours is appended, fresh each time, and must come back', async () => {
  const nonces = await Promise.all(
    [1, 2].map(async () => /^r=([^,]+)/.exec(textOf(await first('n,,n=alice@example.net,r=abc')))?.[1]),
  )
  expect(nonces[0]).toMatch(/^abc.{24}$/)
  expect(nonces[0]).not.toBe(nonces[1])
  expect(await login({ withoutProof: (text) => text.replace(/r=./, 'r=!') })).toMatchObject(failed)
  expect(await login({ withoutProof: (text) => text.replace(/.$/, '') })).toMatchObject(failed)
  expect(await login({ withoutProof: (text) => `${text}x` })).toMatchObject(failed)
})

test('SA-06: a client-first-message that RFC 5802 §7 does not know', async () => {
  for (const message of [
    '',
    'x,,n=alice@example.net,r=abc',
    'N,,n=alice@example.net,r=abc',
    'n,n=alice@example.net,r=abc',
    'n,b=x,n=alice@example.net,r=abc',
    'n,a=,n=alice@example.net,r=abc',
    'p=,,n=alice@example.net,r=abc',
    'n,,r=abc,n=alice@example.net',
    'n,,n=,r=abc',
    'n,,n=alice@example.net',
    'n,,n=alice@example.net,r=',
    'n,,n=alice@example.net,r=a\u00e9',
    'n,,n=alice@example.net,r=a b',
    'n,,n=alice@example.net,r=abc,',
    'n,,n=alice@example.net,r=abc,=x',
    'n,,n=alice@example.net,r=abc,x=',
    'n,,n=al\0ice@example.net,r=abc',
    'n,,n=\u0007,r=abc',
    Buffer.from('n,,n=\xff,r=abc', 'latin1'),
  ])
    expect(await outcome(bench.context(), 'SCRAM-SHA-256', message), String(message)).toMatchObject(failed)
})

test('SA-06: m= fails the exchange wherever it stands; unknown attributes are ignored', async () => {
  for (const message of ['n,,m=x,n=alice@example.net,r=abc', 'n,,n=alice@example.net,r=abc,m=x']) {
    const steps = await exchange(bench.context(), 'SCRAM-SHA-256', message, '')
    expect(textOf(steps[0]!)).toBe('e=extensions-not-supported')
    expect(steps[1]).toMatchObject(failed)
  }
  expect(await login({ finalExtra: ',m=x' })).toMatchObject(failed)
  expect(await login({ firstExtra: ',x=1,y==,Z=\u00e9', finalExtra: ',q=later' })).toMatchObject(done)
})

test('SA-07: = in a user name is =2C or =3D, nothing else', async () => {
  expect(await login({ user: 'a=3Db=2Cc@example.net' })).toMatchObject({
    done: { address: 'a=b,c@example.net' },
  })
  for (const user of ['a=b=2Cc@example.net', 'a=3db', 'a=', '=2', '=3', '=2C=2'])
    expect(await first(`n,,n=${user},r=abc`), user).toMatchObject(failed)
})

test('SA-02: the authorization id of the gs2 header', async () => {
  expect(await login({ header: 'n,a=ALICE@example.net,' })).toMatchObject(done)
  expect(await login({ header: 'n,a=a=3Db=2Cc@example.net,' })).toMatchObject({ failed: 'authorization' })
  expect(await first('n,a=a=b,n=alice@example.net,r=abc')).toMatchObject(failed)
})

test('SA-08: c= is compared with header and binding, bound or not', async () => {
  const c = (value: string) => (text: string) =>
    text.replace(/^c=[^,]*/, `c=${Buffer.from(value).toString('base64')}`)
  expect(await login({ withoutProof: c('y,,') })).toMatchObject(failed)
  expect(await login({ withoutProof: c('n,,more') })).toMatchObject(failed)
  expect(await login({ withoutProof: c('') })).toMatchObject(failed)
  expect(await login({ withoutProof: (text) => text.replace(/^c=/, 'c=*') })).toMatchObject(failed)
  expect(await login({ withoutProof: (text) => text.replace(/^c=[^,]*,/, '') })).toMatchObject(failed)
  const plus = { header: 'p=tls-exporter,,', binding: 'octets of another session' }
  expect(await login(plus, 'SCRAM-SHA-256-PLUS')).toMatchObject(failed)
  expect(await login({ ...plus, binding: '' }, 'SCRAM-SHA-256-PLUS')).toMatchObject(failed)
})

test('SA-10: -PLUS binds to the exporter or to the server certificate', async () => {
  const channel = bench.context().channel
  for (const type of ['tls-exporter', 'tls-server-end-point'] as const) {
    const binding = Buffer.from(channel.binding(type)!).toString()
    expect(await login({ header: `p=${type},,`, binding }, 'SCRAM-SHA-256-PLUS')).toMatchObject({
      ...done,
      login: { mechanism: 'SCRAM-SHA-256-PLUS' },
    })
  }
})

test('SA-09: downgrade: y where we can bind, n or y with -PLUS, a binding that we have not', async () => {
  expect(await login({ header: 'y,,' })).toMatchObject(failed)
  expect(await login({ header: 'y,,' }, 'SCRAM-SHA-256', bench.context(clearChannel))).toMatchObject(done)
  expect(await login({ header: 'n,,' })).toMatchObject(done)
  for (const header of ['n,,', 'y,,', 'p=tls-unique,,', 'p=tls-exporter2,,', 'p=TLS-EXPORTER,,'])
    expect(await login({ header }, 'SCRAM-SHA-256-PLUS'), header).toMatchObject(failed)
  expect(await login({ header: 'p=tls-exporter,,', binding: 'x' })).toMatchObject(failed)
})

test('RFC 9266 §4.1: after a success the exporter serves no second authentication of the connection', async () => {
  const context = bench.context()
  const binding = Buffer.from(context.channel.binding('tls-exporter')!).toString()
  const plus = { ...client, header: 'p=tls-exporter,,', binding }
  const wrong = await scramLogin(context, 'SCRAM-SHA-256-PLUS', { ...plus, password: 'no' })
  expect(wrong.last).toMatchObject(failed)
  expect((await scramLogin(context, 'SCRAM-SHA-256-PLUS', plus)).last).toMatchObject(done)
  expect((await scramLogin(context, 'SCRAM-SHA-256-PLUS', plus)).last).toMatchObject(failed)
})

test('SA-11, ST-07: an unknown user gets a salt that stays, differs from others, and survives a restart', async () => {
  const challenge = async (user: string) => /,(s=.*)$/.exec(textOf(await first(`n,,n=${user},r=abc`)))?.[1]
  const one = await challenge('nobody@example.net')
  expect(one).toMatch(/^s=[A-Za-z0-9+/]{22}==,i=\d+$/)
  expect(await challenge('NoBody@example.net')).toBe(one)
  expect(await challenge('noone@example.net')).not.toBe(one)
  const real = await challenge('alice@example.net')
  expect(real?.length).toBe(one?.length)
  expect(real?.replace(/^s=[^,]*/, '')).toBe(one?.replace(/^s=[^,]*/, ''))
  const again = fakeScramKeys(bench.engine.secret, 'nobody@example.net')
  expect(`s=${Buffer.from(again.salt).toString('base64')},i=${again.iterations}`).toBe(one)
  expect(await login({ user: 'nobody@example.net' })).toMatchObject(failed)
})

test('SA-12: the server-final-message is answered with nothing', async () => {
  const keys = await scramKeysOf('pencil', Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64'), 4096)
  const context = bench.context(clearChannel, {
    nonce: () => '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0',
    scram: { scram: async () => ({ account: alice, keys }) },
  })
  const steps = await exchange(
    context,
    'SCRAM-SHA-256',
    'n,,n=user,r=rOprNGfwEbeRWgbNEkqO',
    'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
    'x',
  )
  expect(steps[2]).toMatchObject(failed)
})

test('keys as they are kept are read as they were written, and nothing else is', async () => {
  const keys = await scramKeysOf('pencil', Buffer.from('salt'), 4096)
  expect(readScramKeys(writeScramKeys(keys))).toEqual(keys)
  for (const text of ['', 'SCRAM-SHA-256$4096:AA==$AA==:AA==', 'SCRAM-SHA-1$4096:a$b:c'])
    expect(readScramKeys(text)).toBeUndefined()
})
