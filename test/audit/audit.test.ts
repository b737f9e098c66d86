/** Who had which message is on record (SEC-051), and what must be forgotten is (SEC-053). */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createAuditTrail } from '../../src/audit/trail.ts'
import { checkStore } from '../../src/db/sqlite/check.ts'
import { configFile, folder, gatewayHere, run, testConfig } from '../support/gateway.ts'
import { deliverReq, eventually, fakeMmsc, post, smtpClient } from '../support/peers.ts'
import { rowsWith } from '../support/rows.ts'

const handset = '+12025550123@mms.example.net'
const peer = (url: string) => ({ mmsc: { interface: 'mm7', role: 'rs', ip: '127.0.0.1', url } })
type Line = Record<string, unknown> & { event: string }
const trailOf = (store: string): string =>
  readdirSync(join(store, 'audit'))
    .map((name) => readFileSync(join(store, 'audit', name), 'utf8'))
    .join('')
const linesOf = (store: string): Line[] =>
  trailOf(store)
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)

test('SEC-051: a line for each message taken in, each recipient’s fate, each act of the operator; no content', async () => {
  const mmsc = await fakeMmsc()
  const store = folder()
  const gateway = await gatewayHere({ store: `sqlite:${store}`, peers: peer(mmsc.url) })
  const content = deliverReq({
    transactionId: 'tx-77',
    subject: 'secret subject',
    parts: [{ type: 'image/jpeg', id: 'a', octets: Buffer.from('secret picture') }],
  })
  expect((await post(gateway.addresses.mm7!, content)).status).toBe(1000)
  const smtp = await smtpClient(gateway.addresses.smtp!)
  await smtp.send('alice@example.net', [handset], 'Subject: secret subject\r\n\r\nsecret body\r\n')
  await eventually(async () => (await gateway.operations.queue({ all: false, limit: 10 })).length === 0)
  mmsc.status = 3000
  await smtp.send('alice@example.net', [handset], 'Subject: x\r\n\r\ny\r\n')
  const { queueId } = await eventually(async () => {
    const [found] = await gateway.operations.queue({ all: false, limit: 10 })
    return found?.deliveries[0]?.attempts === 1 && found.entry
  })
  await gateway.operations.cancel(queueId, 'as asked')
  await gateway.operations.addAccount('carol@example.net', 'open sesame')
  await expect(gateway.operations.retry('nonsense')).rejects.toThrow(/no queue entry/)
  await gateway.close()

  const lines = linesOf(store)
  expect(lines.find((l) => l.event === 'accepted' && l.interface === 'mm7')).toMatchObject({
    at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    peer: 'mmsc',
    operation: 'DeliverReq',
    transactionId: 'tx-77',
    messageId: expect.stringMatching(/^<.*>$/),
    recipients: [{ recipient: 'a***@example.net', way: 'store' }],
    contentTypes: ['image/jpeg'],
  })
  expect(lines.find((l) => l.event === 'accepted' && l.interface === 'mail')).toMatchObject({
    sender: 'a***@example.net',
    recipients: [{ recipient: '+1202555****@mms.example.net', way: 'mm7-submit:mmsc' }],
  })
  expect(lines).toContainEqual(
    expect.objectContaining({ event: 'recipient', interface: 'mm7', way: 'store', result: 'delivered' }),
  )
  expect(lines).toContainEqual(
    expect.objectContaining({
      event: 'recipient',
      interface: 'mail',
      result: 'relayed',
      peerMessageId: 'MMSC-1',
      acceptedAt: expect.any(String),
      octets: expect.any(Number),
    }),
  )
  expect(lines).toContainEqual(
    expect.objectContaining({ event: 'cancelled', queueId, by: 'operator', recipients: 1 }),
  )
  expect(lines).toContainEqual(
    expect.objectContaining({
      event: 'operator',
      action: 'cancel',
      queueId,
      reason: 'as asked',
      result: 'ok',
    }),
  )
  expect(lines).toContainEqual(
    expect.objectContaining({ event: 'operator', action: 'addAccount', address: 'c***@example.net' }),
  )
  expect(lines).toContainEqual(
    expect.objectContaining({ event: 'operator', action: 'retry', result: 'not-found' }),
  )
  const text = trailOf(store)
  for (const secret of ['secret', 'open sesame', '2025550123']) expect(text).not.toContain(secret)
  for (const name of readdirSync(join(store, 'audit')))
    expect(statSync(join(store, 'audit', name)).mode & 0o077).toBe(0)
})

test('SEC-053: an erased number is in no table and no file; what waits for others goes on', async () => {
  const mmsc = await fakeMmsc()
  mmsc.status = 3000
  const store = folder()
  const gateway = await gatewayHere({
    store: `sqlite:${store}`,
    peers: peer(mmsc.url),
    audit: { numbers: 'full' },
    limits: { contentHours: 0 },
  })
  const smtp = await smtpClient(gateway.addresses.smtp!)
  const other = '+12025550999@mms.example.net'
  const longer = '+120255501234@mms.example.net'
  const text = (to: string) => `To: ${to}\r\nSubject: x\r\n\r\ny\r\n`
  await smtp.send('alice@example.net', [handset], text(handset))
  await smtp.send('alice@example.net', [handset, other], text(handset))
  await smtp.send('alice@example.net', [longer], text(longer))
  await eventually(async () => {
    const items = await gateway.operations.queue({ all: false, limit: 10 })
    return items.length === 3 && items.every((i) => i.deliveries.every((d) => d.attempts === 1))
  })
  await expect(gateway.operations.erase('12')).rejects.toThrow(/no telephone number/)
  expect(await gateway.operations.erase('+1 (202) 555-0123')).toBeGreaterThanOrEqual(3)
  const left = await gateway.operations.queue({ all: true, limit: 10 })
  expect(
    left
      .flatMap((i) => i.deliveries.flatMap((d) => d.recipients.map((r) => `${r.address} ${r.state}`)))
      .sort(),
  ).toEqual([`${longer} deferred`, `${other} deferred`, 'erased cancelled'])
  expect(rowsWith(store, '12025550123').filter((row) => !row.includes('120255501234'))).toEqual([])
  mmsc.status = 1000
  for (const { entry } of await gateway.operations.queue({ all: false, limit: 10 }))
    await gateway.operations.retry(entry.queueId)
  await eventually(async () => (await gateway.operations.queue({ all: false, limit: 10 })).length === 0)
  await gateway.close()
  expect(trailOf(store)).not.toMatch(/12025550123(?!\d)/)
  expect(trailOf(store)).toContain('1202555****')
  expect(trailOf(store)).toContain('120255501234')
  expect((await checkStore(store)).problems).toEqual([])
})

test('SEC-053: by the command line', async () => {
  const store = join(folder(), 'data')
  mkdirSync(join(store, 'audit'), { recursive: true })
  const old = join(store, 'audit', '2026-01-01.jsonl')
  writeFileSync(old, '{"recipient":"+12025550123"}\n{"recipient":"+112025550123"}\n')
  const file = configFile(testConfig({ store: `sqlite:${store}` }))
  expect(await run(['store', 'erase', '+12025550123', '--config', file])).toMatchObject({
    code: 0,
    out: '0 records erased\n',
  })
  expect(readFileSync(old, 'utf8')).toBe('{"recipient":"+1202555****"}\n{"recipient":"+112025550123"}\n')
})

test('SEC-051: days that need not be kept go; what cannot be written holds nothing up', async () => {
  const at = folder()
  let now = Date.parse('2026-03-01T12:00:00Z')
  const logged: string[] = []
  const trail = createAuditTrail({
    folder: join(at, 'audit'),
    keepDays: 2,
    now: () => now,
    log: (_level, message) => void logged.push(message),
  })
  for (let day = 0; day < 5; day++) {
    trail.add({ event: 'x', text: 'a\nb' })
    await trail.flush()
    now += 86_400_000
  }
  now -= 86_400_000
  await trail.purge()
  expect(readdirSync(join(at, 'audit'))).toEqual(['2026-03-03.jsonl', '2026-03-04.jsonl', '2026-03-05.jsonl'])
  expect(readFileSync(join(at, 'audit', '2026-03-05.jsonl'), 'utf8').split('\n')).toHaveLength(2)
  const blocked = join(at, 'file')
  writeFileSync(blocked, '')
  const broken = createAuditTrail({
    folder: join(blocked, 'audit'),
    keepDays: 2,
    now: () => now,
    log: (_level, message) => void logged.push(message),
  })
  broken.add({ event: 'x' })
  await broken.flush()
  expect(logged).toEqual(['the audit trail cannot be written'])
  expect(existsSync(join(blocked, 'audit'))).toBe(false)
})
