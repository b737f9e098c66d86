import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { checkConfig, defaults, hostPort, loadConfig } from '../src/config.ts'
import { createIds } from '../src/ids.ts'
import { maskAddress } from '../src/log.ts'

const check = (yaml: string) => () => checkConfig(parse(yaml), 'gw.yaml')

test('no file: the built-in defaults, and they are themselves valid', () => {
  expect(loadConfig(undefined)).toBe(defaults)
  expect(checkConfig({ ...defaults }, 'defaults').peers).toEqual(defaults.peers)
})

test('an error names file, path and what was expected', () => {
  expect(check('limits: { messageOctets: many }')).toThrow(/gw\.yaml: limits\.messageOctets: must be integer/)
  expect(check('gatway: {}')).toThrow(/gw\.yaml: gatway: must NOT have additional properties/)
  expect(check('routes: [{ match: "domain:*", to: "smtp:relay" }]')).toThrow(
    /routes\.0\.to: no peer is called relay/,
  )
  expect(
    check('peers: { m: { interface: mm4 } }\nroutes: [{ match: "number:+", to: "mm7-submit:m" }]'),
  ).toThrow(/peer m is mm4, expected mm7/)
})

test('R2-10: no message can be larger than RFC822.SIZE can say to a client of IMAP4rev1', () => {
  expect(check('limits: { messageOctets: 4294967296 }')).toThrow(/messageOctets: must be <= 4294967295/)
})

test('auth: what is wrong is named with its path', () => {
  expect(check('auth: { oauth: { issuer: "https://id.example.net", audience: mail } }')).toThrow(
    /gw\.yaml: auth\.oauth: must have required propert/,
  )
  expect(check('auth: { oauth: { jwks: "http://id.example.net/keys", issuer: i, audience: a } }')).toThrow(
    /gw\.yaml: auth\.oauth\.jwks: expected a file or an https URL/,
  )
  expect(check('auth: { external: { } }')).toThrow(/gw\.yaml: auth\.external: must have required/)
  expect(check('auth: { tokens: { lifetimeDays: 0 } }')).toThrow(/auth\.tokens\.lifetimeDays: must be >= 1/)
  expect(check('auth: { tokens: { lifetimeDays: 91 } }')).toThrow(/auth\.tokens: lifetimeDays is greater/)
  for (const jwks of ['./keys.json', 'https://id.example.net/keys', 'http://127.0.0.1:8000/keys'])
    expect(
      check(`routes: []\nauth: { oauth: { jwks: "${jwks}", issuer: i, audience: a } }`)().auth.oauth?.jwks,
    ).toBe(jwks)
})

test('a file that is not YAML is refused with its name', () => {
  const file = join(mkdtempSync(join(tmpdir(), 'config-')), 'broken.yaml')
  writeFileSync(file, 'a: [1, 2')
  expect(() => loadConfig(file)).toThrow(/broken\.yaml: /)
  expect(() => loadConfig(`${file}.missing`)).toThrow(/broken\.yaml\.missing: ENOENT/)
})

test('objects merge deeply, lists and peers replace', () => {
  const config = checkConfig(
    { listen: { imap: '127.0.0.1:0' }, routes: [{ match: 'domain:*', to: 'store' }] },
    'f',
  )
  expect(config.listen.mm7).toBe(defaults.listen.mm7)
  expect(config.routes).toEqual([{ match: 'domain:*', to: 'store' }])
  expect(config.peers).toEqual({})
})

test('a file that tells of no way has the default ones; of default routes those stay whose peer exists', () => {
  const quiet = checkConfig({ log: 'warn' }, 'f')
  expect(quiet.peers).toBe(defaults.peers)
  expect(quiet.routes).toBe(defaults.routes)
  expect(checkConfig({ peers: {} }, 'f').routes.map((route) => route.to)).toEqual([
    'store',
    'by-number',
    'mx',
  ])
})

test('host and port, IPv6 too', () => {
  expect(hostPort('[::1]:25')).toEqual({ host: '::1', port: 25 })
})

test('GEN-003: the ids of a message are the same each time its scope is opened, and differ between scopes', () => {
  const ids = createIds('gw.example.net')
  const queueId = ids.queueId()
  const first = ids.of(queueId, '0')
  const again = ids.of(queueId, '0')
  const values = [first.messageId(), first.messageId(), first.contentId(), first.transactionId()]
  expect([again.messageId(), again.messageId(), again.contentId(), again.transactionId()]).toEqual(values)
  expect(new Set(values).size).toBe(4)
  expect(ids.of(queueId, '1').messageId()).not.toBe(values[0])
  expect(first.mmsMessageId().length).toBeLessThanOrEqual(40)
})

test('SEC-042: numbers and local parts are masked in logs', () => {
  expect(maskAddress('+12025550123')).toBe('+1202555****')
  expect(maskAddress('+12025550123@mms.example.net')).toBe('+1202555****@mms.example.net')
  expect(maskAddress('alice@example.net')).toBe('a***@example.net')
})
