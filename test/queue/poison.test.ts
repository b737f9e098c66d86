/** What was accepted and cannot be read again ends as a report to its sender, not in a circle and not in silence. */
import { expect, test } from 'vitest'
import { assemble } from '../../src/compose.ts'
import { checkConfig } from '../../src/config.ts'
import { openSqlite } from '../../src/db/sqlite/engine.ts'
import { testConfig } from '../support/gateway.ts'
import { tempFolder } from '../support/temp.ts'

const session = { peer: null, ehlo: 'x', ip: '127.0.0.1', port: 25, auth: null, tls: false, esmtp: true }

test('QUE-003: a mail, and an MM, that cannot be read any more are reported once their time is over', async () => {
  const engine = await openSqlite(tempFolder())
  const { spool } = engine
  let now = Date.now()
  const { runner } = assemble(engine, checkConfig(testConfig(), 'test'), () => {}, { now: () => now })
  await engine.directory.put('alice@example.net', 'secret')
  const deliveries = [
    {
      target: 'mm7-submit:gone',
      recipients: [{ index: 0, address: 'what is this' }],
      dueAt: now,
      expiresAt: now + 600_000,
    },
  ]
  const party = { kind: 'number', value: '+12025550199', raw: '+12025550199' } as const
  await spool.enqueue([
    {
      queueId: 'MAIL',
      receivedAt: now,
      origin: {
        carrier: 'mail',
        envelope: {
          session,
          mailFrom: { path: 'alice@example.net', params: { ENVID: 'E1' } },
          rcptTo: [{ path: 'what is this', params: {} }],
          receivedAt: Math.floor(now / 1000),
        },
      },
      octets: [Buffer.from('Subject: lost?\r\n\r\nbody\r\n')],
      sender: 'alice@example.net',
      deliveries,
    },
    {
      queueId: 'MM7',
      receivedAt: now,
      origin: {
        carrier: 'mm7',
        peer: 'mmsc',
        ip: '127.0.0.1',
        contentType: 'text/xml',
        operation: 'DeliverReq',
        receivedAt: now,
      },
      octets: [Buffer.from('<not xml')],
      sender: '+12025550199',
      deliveries,
      original: {
        messageId: null,
        origin: {
          kind: 'mms',
          returnPath: null,
          peer: 'mmsc',
          sender: party,
          mmsMessageId: 'mm-1',
          deliveryReport: true,
        },
        recipients: [
          {
            index: 0,
            address: 'what is this',
            party: { kind: 'mail', value: 'a@b.example', raw: 'a@b.example' },
            blind: false,
            target: 'mm7-submit:gone',
            reports: [],
          },
        ],
        keepContent: false,
        keepUntil: now + 1e9,
      },
    },
  ])
  await runner.runDue()
  const state = async (queueId: string) =>
    (await spool.list({ queueId, open: false }))[0]!.deliveries[0]!.recipients[0]!
  expect((await state('MAIL')).state).toBe('deferred')
  // The operator sees why.
  expect((await state('MAIL')).status?.text).toContain('peer gone is not configured')
  now += 700_000
  await runner.runDue()
  expect([(await state('MAIL')).state, (await state('MM7')).state]).toEqual(['expired', 'expired'])
  const all = await spool.list({ open: false })
  const dsn = all.find(({ entry }) => entry.origin.carrier === 'mail' && entry.origin.own === true)!
  const text = Buffer.from(await spool.octets(dsn.entry.queueId)).toString()
  expect(text).toMatch(/^To:.*alice@example\.net/m)
  expect(text).toMatch(/^Original-Envelope-Id: E1\r$/m)
  expect(text).toMatch(/^Action: failed\r$/m)
  expect(text).toContain('Subject: lost?')
  const report = all.find(({ entry }) => entry.origin.carrier === 'report')!
  expect(report.entry.origin).toMatchObject({
    reports: [{ originalMmsId: 'mm-1', recipient: { value: 'a@b.example' } }],
  })
  await runner.stop(0)
  await engine.close()
})
