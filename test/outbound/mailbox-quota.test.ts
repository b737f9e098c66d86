/** Delivery into a mailbox that is full waits; it is neither lost nor refused at once. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { openSqlite } from '../../src/db/sqlite/engine.ts'
import { createIds } from '../../src/ids.ts'
import type { Settings } from '../../src/model/settings.ts'
import { createMailboxAdapter } from '../../src/outbound/mailbox.ts'
import { createRunner } from '../../src/queue/runner.ts'
import type { AccountChange } from '../../src/store/store.ts'
import { tempFolder } from '../support/temp.ts'

const defaults = new URL('../../fixtures/rfc4356/defaults.json', import.meta.url)
const settings = JSON.parse(readFileSync(defaults, 'utf8')) as Settings

test('QU-06, NT-08: over quota is a temporary failure (4.2.2), told to watchers; with room the message is delivered', async () => {
  const engine = await openSqlite(tempFolder())
  const { spool, directory, store } = engine
  await directory.put('alice@example.net', 'secret')
  const { id: account } = (await directory.find('alice@example.net'))!
  const limit = (octets: number | undefined) =>
    store.write(account, [{ op: 'quota', octets, messages: undefined }])
  await limit(100)
  const changes: AccountChange[] = []
  store.watch(account, (change) => changes.push(change))
  let now = Date.now()
  const session = { peer: null, ehlo: 'x', ip: '127.0.0.1', port: 25, auth: null, tls: false, esmtp: true }
  const envelope = {
    session,
    mailFrom: { path: 'bob@example.org', params: {} },
    rcptTo: [{ path: 'alice@example.net', params: {} }],
    receivedAt: now,
  }
  await spool.enqueue([
    {
      queueId: 'Q1',
      receivedAt: now,
      origin: { carrier: 'mail', envelope },
      octets: [Buffer.from(`Subject: x\r\n\r\n${'x'.repeat(200)}`)],
      sender: 'bob@example.org',
      deliveries: [
        {
          target: 'store',
          recipients: [{ index: 0, address: 'alice@example.net', account: 'alice@example.net' }],
          dueAt: 0,
          expiresAt: now + 86_400_000,
        },
      ],
    },
  ])
  const runner = createRunner({
    spool,
    adapters: [
      createMailboxAdapter(
        settings,
        async () => true,
        (_, octets) => store.hasRoom(account, octets),
      ),
    ],
    now: () => now,
    ids: createIds('gw.example.net'),
    read: () => {
      throw new Error('mail is not read again')
    },
    reports: async () => ({ entries: [], delayReported: [] }),
    concurrency: { total: 1, perTarget: 1 },
    log: () => {},
  })
  const messages = async () => (await store.read(account, (v) => v.mailbox('INBOX')))!.messages
  await runner.runDue()
  const [kept] = await spool.list({})
  expect(kept!.deliveries[0]!.recipients[0]).toMatchObject({ state: 'deferred', status: { code: '4.2.2' } })
  expect(await messages()).toBe(0)
  expect(changes.flatMap((c) => c.events)).toMatchObject([
    { kind: 'quota', state: 'exceeded', resource: 'octets', used: 0, limit: 100 },
  ])
  await limit(undefined)
  now += 3_600_000
  await runner.runDue()
  expect(await messages()).toBe(1)
  expect(changes.flatMap((c) => c.events).at(-1)).toMatchObject({ kind: 'added', delivered: true })
  expect(await spool.list({})).toEqual([])
  await engine.close()
})
