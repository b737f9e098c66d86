import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { checkConfig, defaults, hostPort, loadConfig } from '../src/config.ts'
import { createIds } from '../src/ids.ts'
import { maskAddress } from '../src/log.ts'
import { isWithin } from '../src/model/network.ts'

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

test('numbers that timers and sockets cannot hold, and secrets that are none, are named with their path', () => {
  for (const key of [
    'drainSeconds',
    'smtpCommandSeconds',
    'smtpDataSeconds',
    'mm7RequestSeconds',
    'imapIdleSeconds',
  ])
    expect(check(`limits: { ${key}: 2147484 }`)).toThrow(`gw.yaml: limits.${key}: must be <= 2147483`)
  expect(check('limits: { drainSeconds: 2147483 }')().limits.drainSeconds).toBe(2_147_483)
  expect(check('mm4: { ackTimeout: 2147484 }')).toThrow(/gw\.yaml: mm4\.ackTimeout: must be <= 2147483/)
  for (const key of ['mm7', 'smtp', 'imap', 'admin'])
    expect(check(`listen: { ${key}: "127.0.0.1:65536" }`)).toThrow(
      `gw.yaml: listen.${key}: port 65536 does not exist, expected 0 to 65535`,
    )
  expect(check('listen: { smtp: "[::1]:65535" }')().listen.smtp).toBe('[::1]:65535')
  expect(check('accounts: [{ address: a@example.net, password: "" }]')).toThrow(
    /gw\.yaml: accounts\.0\.password: must NOT have fewer than 1 characters/,
  )
  expect(check('peers: { m: { interface: mm7, auth: { scheme: basic, user: u, password: "" } } }')).toThrow(
    /gw\.yaml: peers\.m\.auth\.password: must NOT have fewer than 1 characters/,
  )
  expect(check('peers: { m: { interface: smtp, login: { user: u, password: "" } } }')).toThrow(
    /gw\.yaml: peers\.m\.login\.password: must NOT have fewer/,
  )
})

test('peers that are sent to have a host; addresses are addresses', () => {
  for (const kind of ['mm4', 'smtp'])
    expect(
      check(`peers: { p: { interface: ${kind} } }\nroutes: [{ match: "number:+", to: "${kind}:p" }]`),
    ).toThrow('gw.yaml: peers.p.host: expected, since routes.0 sends there')
  expect(check('peers: { p: { interface: mm4, ip: mms.example } }')).toThrow(
    /gw\.yaml: peers\.p\.ip: expected an IP address/,
  )
  for (const allow of ['192.0.2.0/33', '192.0.2', '2001:db8::/129', '192.0.2.0/24/1', '192.0.2.0/'])
    expect(check(`peers: { p: { interface: mm4, allow: ["192.0.2.1", "${allow}"] } }`)).toThrow(
      'gw.yaml: peers.p.allow.1: expected an address or a network',
    )
  expect(check('peers: { p: { interface: mm7, certificate: abc } }')).toThrow(
    /peers\.p\.certificate: must match/,
  )
})

test('SEC-061: networks of a peer', () => {
  const allow = ['192.0.2.0/24', '2001:db8::/32', '198.51.100.7']
  const yes = ['192.0.2.255', '2001:db8:1::1', '198.51.100.7']
  const no = ['192.0.3.0', '2001:db9::1', '198.51.100.8', 'nonsense', '']
  expect(yes.filter((ip) => !isWithin(ip, allow))).toEqual([])
  expect(no.filter((ip) => isWithin(ip, allow))).toEqual([])
  expect(isWithin('192.0.2.1', [])).toBe(false)
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

test('SEC-050: queue ids sort as the time does, and what stands behind the time is chance', () => {
  let now = 0
  const ids = createIds('gw.example.net', () => now)
  const times = [0, 1, 1_709_632_800_000, 1_709_632_800_001, 2_800_000_000_000]
  const made = times.map((at) => {
    now = at
    return ids.queueId()
  })
  expect([...made].sort()).toEqual(made)
  for (const id of made) expect(id).toMatch(/^[0-9a-z]{8}[0-9A-Za-z]{16}$/)
  const again = Array.from({ length: 1000 }, () => ids.queueId().slice(8))
  expect(new Set(again).size).toBe(1000)
})

test('SEC-042: numbers and local parts are masked in logs', () => {
  expect(maskAddress('+12025550123')).toBe('+1202555****')
  expect(maskAddress('+12025550123@mms.example.net')).toBe('+1202555****@mms.example.net')
  expect(maskAddress('alice@example.net')).toBe('a***@example.net')
})
