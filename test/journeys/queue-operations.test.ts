/** What an operator does with the queue (QUE-054): over the admin API of a running gateway, and by the command line. */
import { expect, test } from 'vitest'
import type { QueueItem } from '../../src/admin/operations.ts'
import { remoteOperations } from '../../src/admin/remote.ts'
import {
  configFile,
  folder,
  gatewayHere,
  type LoggedGateway,
  run,
  serve,
  testConfig,
} from '../support/gateway.ts'
import { eventually, fakeMmsc, inbox, smtpClient } from '../support/peers.ts'

const handset = '+12025550123@mms.example.net'
const peer = (url: string) => ({ mmsc: { interface: 'mm7', role: 'rs', ip: '127.0.0.1', url } })
const mail = (subject: string): string => `Subject: ${subject}\r\n\r\nbody\r\n`
const attempted = async (gateway: LoggedGateway): Promise<QueueItem> =>
  eventually(async () => {
    const [found] = await gateway.operations.queue({ all: false, limit: 10 })
    return (found?.deliveries[0]?.attempts ?? 0) > 0 && found
  })

test('QUE-054: hold, refuse retry, release; cancel tells nobody; each is on record', async () => {
  const mmsc = await fakeMmsc()
  mmsc.status = 3000
  const store = folder()
  const gateway = await gatewayHere({ store: `sqlite:${store}`, peers: peer(mmsc.url) })
  const operations = await remoteOperations(store)
  const smtp = await smtpClient(gateway.addresses.smtp!)
  await smtp.send('alice@example.net', [handset], mail('held'))
  const { queueId } = (await attempted(gateway)).entry
  expect(await operations.hold(queueId, 'ask the customer')).toBe(1)
  expect(await operations.hold(queueId, 'again')).toBe(0)
  mmsc.status = 1000
  await expect(operations.retry(queueId)).rejects.toThrow(/is held \(ask the customer\)/)
  const metrics = await (await fetch(`${gateway.addresses.admin}/metrics`)).text()
  expect(metrics).toContain('lemonade_queue_held{by="operator"} 1')
  expect(metrics).toContain('lemonade_queue_held{by="dead-letter"} 0')
  expect(mmsc.received).toHaveLength(1)
  expect(await operations.release(queueId)).toBe(1)
  expect(await operations.release(queueId)).toBe(0)
  // Due at the time that it had.
  await operations.retry(queueId)
  await eventually(async () => mmsc.received.length === 2)
  await eventually(async () => (await operations.queue({ all: false, limit: 10 })).length === 0)

  mmsc.status = 3000
  await smtp.send('alice@example.net', [handset], mail('cancelled'))
  const second = (await attempted(gateway)).entry.queueId
  expect(await operations.cancel(second, 'sent by mistake')).toBe(1)
  expect(await operations.cancel(second, '')).toBe(0)
  const [recipient] = (await operations.queueEntry(second)).deliveries[0]!.recipients
  expect(recipient).toMatchObject({
    state: 'cancelled',
    status: { text: 'Cancelled by the operator: sent by mistake' },
  })
  expect(await operations.queue({ all: false, limit: 10 })).toEqual([])
  expect(await inbox(gateway)).toEqual([])
  const audited = gateway.logged.filter((l) => l.message === 'operator').map((l) => l.fields)
  for (const action of ['hold', 'retry', 'release', 'cancel'])
    expect(audited).toContainEqual(
      expect.objectContaining({ operation: `POST /api/queue/:id/${action}`, queueId: expect.any(String) }),
    )
  await expect(operations.hold('nonsense', '')).rejects.toThrow(/no queue entry/)
})

test('QUE-054: what is requeued goes by the routes of today, each recipient its own way', async () => {
  const before = await fakeMmsc()
  before.status = 3000
  const after = await fakeMmsc()
  const store = `sqlite:${folder()}`
  const first = await gatewayHere({ store, peers: peer(before.url) })
  const smtp = await smtpClient(first.addresses.smtp!)
  const others = ['+12025550777@mms.example.net', '+12025550888@mms.example.net']
  await smtp.send('alice@example.net', [handset, ...others], mail('moved'))
  const { queueId } = (await attempted(first)).entry
  await first.operations.hold(queueId, 'the routes change')
  await first.close()

  const peers = {
    mmsc: peer(before.url).mmsc,
    other: { ...peer(after.url).mmsc, ip: '127.0.0.2' },
  }
  const routes = [
    { match: 'number:+12025550777', to: 'reject' },
    { match: 'number:+12025550888', to: 'mm7-submit:mmsc' },
    { match: 'number:+', to: 'mm7-submit:other' },
    { match: 'domain:mms.example.net', to: 'by-number' },
    { match: 'domain:example.net', to: 'store' },
  ]
  const second = await gatewayHere({ store, peers, routes })
  // The moved one has another status now, so that it is told apart.
  before.status = 3000
  expect(await second.operations.requeue(queueId)).toEqual({
    recipients: 3,
    unrouted: [expect.stringContaining('+12025550777')],
  })
  await eventually(async () => after.received.length === 1)
  await eventually(async () => before.received.length === 2)
  const { deliveries } = await eventually(async () => {
    const item = await second.operations.queueEntry(queueId)
    return item.deliveries.length === 2 && item.deliveries.every((d) => d.attempts === 1) && item
  })
  expect(
    deliveries.map((d) => [d.target, d.held, ...d.recipients.map((r) => `${r.index} ${r.state}`)]),
  ).toEqual([
    ['mm7-submit:other', undefined, '0 relayed'],
    ['mm7-submit:mmsc', undefined, '1 deferred', '2 deferred'],
  ])
  // The report about it is looked for at the new peer (RPT-003).
  const [found] = await second.engine.spool.originals.byPeerMessageId('other', 'MMSC-1')
  expect(found?.queueId).toBe(queueId)
  expect(await second.operations.bounce(queueId, 'enough')).toBe(2)
  await eventually(async () => (await inbox(second)).length > 0)
  await expect(second.operations.requeue('nonsense')).rejects.toThrow(/no queue entry/)
})

test('QUE-054: the same by the command line, while the gateway runs and while none does', async () => {
  const mmsc = await fakeMmsc()
  mmsc.status = 3000
  const file = configFile(testConfig({ store: `sqlite:${folder()}/data`, peers: peer(mmsc.url) }))
  const cli = (...args: string[]) => run(['queue', ...args, '--config', file])
  const served = await serve(file)
  const smtp = await smtpClient(served.ready.smtp!)
  const reply = await smtp.send('alice@example.net', [handset], mail('by hand'))
  const id = /Queued as (\S+)/.exec(reply)![1]!
  await eventually(() => mmsc.received.length === 1)
  await eventually(async () => (await cli('hold', id, '--reason', 'wait')).code === 0)
  expect((await cli('list')).out).toMatch(new RegExp(`^${id} held attempts=1 .*held since \\S+: wait\\n$`))
  expect(await served.end()).toBe(0)

  expect((await cli('hold', id)).code).toBe(1)
  expect(await cli('requeue', id)).toMatchObject({ code: 0, out: `${id}: 1 recipients are due now\n` })
  expect(await cli('release', id)).toMatchObject({ code: 1, out: `${id} is not held\n` })
  expect(await cli('cancel', id, '--reason', 'x')).toMatchObject({
    code: 0,
    out: `${id}: cancelled 1 recipients\n`,
  })
  expect((await cli('list')).out).toBe('')
  expect((await run(['store', 'check', '--config', file])).out).toMatch(/ 0 problems/)
}, 120_000)
