/** `conform --target`: our own gateway as the live one, set up as `--print-config` says. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { findCases } from '../../src/cli/conform/case-folder.ts'
import { conformTarget } from '../../src/cli/conform/target/command.ts'
import { LiveComparison, Renaming } from '../../src/cli/conform/target/live-comparison.ts'
import { configFile, folder, run, serve } from '../support/gateway.ts'

const fixtures = fileURLToPath(new URL('../../fixtures/', import.meta.url))
const any = '127.0.0.1:0'

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1')
      await once(server, 'listening')
      return server
    }),
  )
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  for (const server of servers) server.close()
  return ports
}

async function live(change: (config: Record<string, unknown>) => void = () => {}) {
  const [mm7, relay, opb] = await freePorts(3)
  const listeners = [
    ...['--listen-mm7', `127.0.0.1:${mm7}`],
    ...['--listen-smtp', `relay=localhost:${relay}`, '--listen-smtp', `opb=localhost:${opb}`],
  ]
  const logins = ['--login', 'mmsc=mmsc:lemon:1', '--login', 'vasp1=vasp:lime']
  const printed = await run(['conform', '--print-config', ...listeners, ...logins])
  expect(printed.code).toBe(0)
  const config = parse(printed.out) as Record<string, unknown>
  change(config)
  const served = await serve(
    configFile({
      ...config,
      listen: { mm7: any, smtp: any, imap: any, admin: any },
      store: `sqlite:${folder()}`,
      log: 'error',
    }),
  )
  const options = ['--target', served.ready.mm7!, '--smtp', served.ready.smtp!, ...listeners, ...logins]
  return { served, options }
}

const reasons = [
  /^a table of pairs, not a message$/,
  /^decoded only, nothing leaves$/,
  /^MM1 has no listener here$/,
  /^needs stored state$/,
  /^the clock must jump$/,
  /^needs another configuration: \w/,
  /^needs an authenticated submission$/,
  /^needs a submission listener$/,
]

test('GEN-011: all cases that can be run pass, twice; the others are named with their reasons', async () => {
  const { served, options } = await live()
  const json = join(folder(), 'results.json')
  for (let n = 0; n < 2; n++) {
    const { code, out, err } = await run(['conform', fixtures, ...options, '--quiet', '0.3', '--json', json])
    expect(err).toBe('')
    expect(out.match(/^FAIL[\s\S]*?(?=^(?:ok|FAIL|--|\d))/gm) ?? []).toEqual([])
    expect(code).toBe(0)
  }
  const results = JSON.parse(readFileSync(json, 'utf8'))
  expect(results.failed).toBe(0)
  expect(results.passed).toBeGreaterThanOrEqual(106)
  expect(results.passed + results.leftOut.length).toBe(findCases([fixtures]).length)
  const reasonOf = new Map<string, string>(
    results.leftOut.map((one: { id: string; reason: string }) => [one.id, one.reason]),
  )
  expect(reasonOf.get('S42')).toBe('needs stored state')
  expect(reasonOf.get('S71')).toBe('a table of pairs, not a message')
  for (const reason of reasonOf.values())
    expect(
      reasons.some((known) => known.test(reason)),
      reason,
    ).toBe(true)
  expect(await served.end()).toBe(0)
}, 300_000)

test('what comes too much between two cases is told, though neither lets it out alone', async () => {
  const { served, options } = await live()
  const sink = options[options.indexOf('--listen-mm7') + 1]
  const running = run(['conform', fixtures, ...options, '--only', 'S01', '--only', 'S57', '--quiet', '1'])
  const body = readFileSync(join(fixtures, 'rfc4356/S42-report-retrieved/input.http'))
  const octets = body.subarray(body.indexOf('\r\n\r\n') + 4)
  // As soon as our listener is there.
  for (let status = 0; status !== 200; )
    status = await fetch(`http://${sink}/mmsc/mm7`, {
      method: 'POST',
      headers: { 'Content-Type': 'text/xml' },
      body: octets,
    }).then(
      (response) => response.status,
      () => new Promise((resolve) => setTimeout(resolve, 10, 0)),
    )
  const { code, out } = await running
  expect(out).toMatch(/^FAIL S\d\d [\s\S]*not when played alone:\s+(must not leave: HTTP|an item too much)/m)
  expect(code).toBe(1)
  expect(await served.end()).toBe(0)
}, 180_000)

test('a gateway that does something else fails, by rule; what it lets out too much is told', async () => {
  const { served, options } = await live((config) => {
    config.presentation = 'mixed'
  })
  const args = ['--only', 'S08', '--wait', '2', '--quiet', '0.3']
  const { code, out } = await run(['conform', fixtures, ...options, ...args])
  expect(out).toMatch(/^FAIL S08[\s\S]*rules: CNT-001[\s\S]*item 1: .*multipart\/related/m)
  expect(code).toBe(1)
  expect((await run(['conform', fixtures, ...options, '--only', 'S42'])).code).toBe(2)
  expect(await served.end()).toBe(0)
}, 180_000)

test('no gateway there, or options that are none: a line says so', async () => {
  const [port] = await freePorts(1)
  const gone = await run(['conform', fixtures, '--target', `http://127.0.0.1:${port}/mm7`])
  expect(gone).toMatchObject({ code: 1, out: '' })
  expect(gone.err).toMatch(/^the gateway's MM7 at 127\.0\.0\.1:\d+ cannot be reached: /)
  const usual = {
    target: `http://127.0.0.1:${port}/mm7`,
    smtp: '127.0.0.1:25',
    listenMm7: '127.0.0.1:0',
    listenSmtp: [],
    from: [],
    login: [],
    wait: '1',
    quiet: '1',
  }
  for (const wrong of [
    { target: 'mailto:x' },
    { smtp: 'nowhere' },
    { login: ['mmsc'] },
    { listenSmtp: ['relay'] },
    { wait: 'long' },
  ])
    await expect(conformTarget([fixtures], { ...usual, ...wrong }, () => {})).rejects.toMatchObject({
      kind: 'malformed',
      message: expect.stringMatching(/^--[a-z-]+: expected /),
    })
}, 180_000)

test('ids are compared one for one, times by their distance from now', () => {
  const clock = Date.parse('2024-03-05T10:15:30Z')
  const sentAt = Date.parse('2030-01-01T00:00:00Z')
  const host = 'gw.mms.example.net'
  const fresh = () =>
    new LiveComparison(
      { clock, sentAt, toleranceMs: 5000, host, peerHosts: ['relay.example.org'] },
      new Renaming(),
    )
  const cmp = fresh()
  expect(cmp.same('id Q-0001;', 'id abc;')).toBe(true)
  expect(cmp.same('Q-0001', 'abd')).toBe(false)
  expect(cmp.same('Q-0002', 'abc')).toBe(false)
  expect(cmp.same('<M-0001@gw.mms.example.net>', '<x.y@other.example>')).toBe(true)
  expect(cmp.same('Tue, 5 Mar 2024 11:15:30 +0000', 'Tue, 1 Jan 2030 02:00:03 +0100')).toBe(true)
  expect(cmp.same('2024-03-05T11:15:30Z', '2030-01-01T01:00:06Z')).toBe(false)
  expect(cmp.same('2024-03-05T11:15:30Z', '2024-03-05T11:15:30Z')).toBe(true)
  expect(cmp.same('BY=60;R', 'BY=58;R')).toBe(true)
  expect(cmp.same('BY=60;R', 'BY=58;N')).toBe(false)
  expect(cmp.same('BY=60;R', 'BY=50;R')).toBe(false)
  expect(cmp.same('dns; relay.example.org', 'dns; localhost')).toBe(true)
  expect(cmp.same('a.b', 'axb')).toBe(false)
  const own = `from x by ${host} with ESMTP id Q-0001; Tue, 5 Mar 2024 10:15:30 +0000`
  expect(fresh().received(own, 'from a by b; Tue, 1 Jan 2030 00:00:01 +0000')).toBe(true)
  expect(fresh().received(own, 'from a by b; Tue, 1 Jan 2030 00:01:00 +0000')).toBe(false)
  expect(fresh().received('from c by d; Tue, 5 Mar 2024 10:00:00 +0000', 'from a by b')).toBe(false)
})
