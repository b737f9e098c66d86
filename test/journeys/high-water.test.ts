import { statfsSync } from 'node:fs'
import { expect, test } from 'vitest'
import { watchHighWater } from '../../src/queue/high-water.ts'
import { folder, gatewayHere } from '../support/gateway.ts'
import { deliverReq, eventually, fakeMmsc, post, smtpClient } from '../support/peers.ts'

const handset = '+12025550123@mms.example.net'

test('QUE-051: above the mark SMTP says 452 4.3.1 and MM7 4006; reports are taken; below it mail is, too', async () => {
  const mmsc = await fakeMmsc()
  mmsc.status = 3000
  const gateway = await gatewayHere({
    peers: { mmsc: { interface: 'mm7', role: 'rs', ip: '127.0.0.1', url: mmsc.url } },
    limits: { queueEntries: 2 },
  })
  const smtp = await smtpClient(gateway.addresses.smtp!)
  const ids: string[] = []
  for (const subject of ['one', 'two']) {
    const reply = await smtp.send('alice@example.net', [handset], `Subject: ${subject}\r\n\r\nx`)
    ids.push(/Queued as (\S+)/.exec(reply)![1]!)
  }
  await eventually(async () => {
    const reply = await smtp.command('MAIL FROM:<a@example.org>')
    if (reply.startsWith('250')) await smtp.command('RSET')
    return reply.startsWith('452 4.3.1 ')
  })
  const submitted = await post(gateway.addresses.mm7!, deliverReq({ transactionId: 't1', subject: 'x' }))
  expect(submitted.status).toBe(4006)
  const metrics = await (await fetch(`${gateway.addresses.admin}/metrics`)).text()
  expect(metrics).toContain('lemonade_queue_full 1')
  expect(gateway.logged).toContainEqual(
    expect.objectContaining({ level: 'warn', message: 'no new mail is taken until there is room' }),
  )
  // The same request again, once there is room: it was not taken before.
  for (const id of ids) await eventually(() => gateway.operations.cancel(id, '').catch(() => 0))
  await eventually(
    async () =>
      (await post(gateway.addresses.mm7!, deliverReq({ transactionId: 't1', subject: 'x' }))).status === 1000,
  )
  expect(await smtp.send('a@example.org', ['alice@example.net'], 'Subject: y\r\n\r\nx')).toMatch(/^250/)
})

test('QUE-051: octets, age of what moves, and room on the disk count', async () => {
  const now = Date.now()
  const base = {
    entries: 0,
    due: 0,
    octets: 0,
    oldest: undefined,
    oldestMoving: undefined,
    held: 0,
    deadLetters: 0,
  }
  const { bavail, bsize } = statfsSync(folder())
  const at = async (stats: object, marks: object) => {
    const water = await watchHighWater({
      spool: { stats: async () => ({ ...base, ...stats }) },
      folder: folder(),
      marks: { entries: 10, octets: 1000, ageMs: 1000, freeOctets: 0, ...marks },
      now: () => now,
      log: () => {},
    })
    water.stop()
    return water.reason()
  }
  expect(await at({}, {})).toBeUndefined()
  expect(await at({ entries: 9, octets: 999, oldestMoving: now - 1000 }, {})).toBeUndefined()
  expect(await at({ octets: 1000 }, {})).toBe('1000 octets in the queue')
  expect(await at({ oldest: now - 5000, oldestMoving: now - 1001 }, {})).toMatch(
    /^an entry in the queue since/,
  )
  expect(await at({}, { freeOctets: bavail * bsize * 2 })).toMatch(/octets left on the disk$/)
})
