/** The command line as an operator types it. */
import { type AddressInfo, createServer } from 'node:net'
import { availableParallelism, loadavg } from 'node:os'
import { request } from 'undici'
import { expect, test } from 'vitest'
import { configFile, folder, run, serve, testConfig } from '../support/gateway.ts'
import { eventually, fakeMmsc, smtpClient } from '../support/peers.ts'

test('serve: one ready line within 3 s, health, metrics, and SIGTERM ends with 0', async () => {
  const file = configFile(testConfig())
  const timed = async () => {
    const begun = performance.now()
    return { served: await serve(file), ms: performance.now() - begun }
  }
  const { served, ms } = await timed()
  // Where others keep the machine busy the clock says nothing about us.
  if (loadavg()[0]! < availableParallelism()) expect(ms).toBeLessThan(3000)
  const { ready } = served
  expect(ready).toMatchObject({
    event: 'ready',
    mm7: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/mm7$/),
    smtp: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
    admin: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
  })
  for (const path of ['/healthz', '/readyz'])
    expect((await request(ready.admin! + path)).statusCode).toBe(200)
  const metrics = await (await request(`${ready.admin}/metrics`)).body.text()
  expect(metrics).toContain('lemonade_queue_entries 0')
  expect(await served.end()).toBe(0)
})

test('a port in use: the message names port, key and remedy; exit 1, no stack', async () => {
  const taken = createServer()
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
  const { port } = taken.address() as AddressInfo
  const config = testConfig()
  const file = configFile({
    ...config,
    listen: { ...(config.listen as object), smtp: `127.0.0.1:${port}` },
  })
  const { code, err, out } = await run(['serve', '--config', file])
  taken.close()
  expect(code).toBe(1)
  expect(out).toBe('')
  expect(err).toMatch(
    new RegExp(`^port ${port} on 127\\.0\\.0\\.1 is in use \\(listen\\.smtp\\): set listen\\.smtp`),
  )
  expect(err).not.toMatch(/\n\s+at /)
})

test('demo: exits 0 and tells all five steps', async () => {
  const { code, out } = await run(['demo'])
  expect(out.split('\n').length).toBeLessThan(30)
  expect(out).toMatch(/MM7 status 1000/)
  expect(out).toMatch(/octet for octet/)
  expect(out).toMatch(/SMTP: BURL <- 250 2\.6\.0/)
  expect(code).toBe(0)
})

test('config check: an error names file, path and expectation', async () => {
  const file = configFile({ listen: { smtp: 25 } })
  const { code, err } = await run(['config', 'check', '--config', file])
  expect(code).toBe(1)
  expect(err).toMatch(/gateway\.yaml: listen\.smtp: must be string/)
  expect((await run(['config', 'check', '--config', configFile(testConfig())])).code).toBe(0)
})

test('QUE-054: accounts and queue, while nothing runs and while the gateway runs', async () => {
  const store = `sqlite:${folder()}/data`
  const mmsc = await fakeMmsc()
  mmsc.status = 3000
  const file = configFile(
    testConfig({ store, peers: { mmsc: { interface: 'mm7', role: 'rs', ip: '127.0.0.1', url: mmsc.url } } }),
  )
  const cli = (args: string[], input = '') => run([...args, '--config', file], input)

  expect((await cli(['queue', 'list'])).err).toMatch(/there is no store/)
  expect(await cli(['account', 'add', 'carol@example.net'], 'pw\n')).toMatchObject({ code: 0 })
  expect((await cli(['account', 'add', 'carol@example.net'], 'pw\n')).err).toMatch(/exists/)

  const served = await serve(file)
  expect(await cli(['account', 'add', 'dave@example.net'], 'pw\n')).toMatchObject({ code: 0 })
  expect((await cli(['account', 'list'])).out.split('\n').sort()).toContain('dave@example.net')
  expect((await cli(['account', 'remove', 'carol@example.net'])).code).toBe(0)

  // Without the token of the store folder nobody operates.
  expect((await request(`${served.ready.admin}/api/queue`)).statusCode).toBe(401)

  const smtp = await smtpClient(served.ready.smtp!)
  const reply = await smtp.send('alice@example.net', ['+12025550123@mms.example.net'], 'Subject: x\r\n\r\nhi')
  const id = /Queued as (\S+)/.exec(reply)![1]!
  await eventually(() => mmsc.received.length === 1)
  const [listed] = (await cli(['queue', 'list', '--json'])).out
    .trim()
    .split('\n')
    .map((l) => JSON.parse(l))
  expect(listed).toMatchObject({ queueId: id, deliveries: [{ target: 'mm7-submit:mmsc', attempts: 1 }] })
  expect(await cli(['queue', 'retry', id])).toMatchObject({ code: 0 })
  await eventually(() => mmsc.received.length >= 2)
  await eventually(
    async () => JSON.parse((await cli(['queue', 'show', id])).out).deliveries[0].attempts === 2,
  )
  expect((await cli(['queue', 'retry', 'nonsense'])).err).toMatch(/no queue entry/)

  expect(await cli(['queue', 'bounce', id, '--reason', 'wrong number'])).toMatchObject({ code: 0 })
  const shown = JSON.parse((await cli(['queue', 'show', id])).out)
  expect(shown.deliveries[0].recipients[0]).toMatchObject({ state: 'failed', status: { code: '5.0.0' } })
  expect(await served.end()).toBe(0)
  expect((await cli(['store', 'check'])).out).toMatch(/, 1 messages, .* 0 problems/)
}, 180_000)
