/** Child process of the crash test: enqueues and delivers without end, and prints what was acknowledged. */
import { openSqlite } from '../../src/db/sqlite/engine.ts'
import { digestFor } from '../support/digest.ts'

const [folder = '', round = ''] = process.argv.slice(2)
const searchText = new URL('../../src/wire/mime/search-text.ts', import.meta.url)
const engine = await openSqlite(folder, { searchText })
await engine.directory.put('alice@example.net', 'secret')
const { id: account } = (await engine.directory.find('alice@example.net'))!
const inbox = (await engine.store.read(account, (view) => view.mailbox('INBOX')))!.id
process.stdout.write('ready\n')

const session = { peer: null, ehlo: 'x', ip: '127.0.0.1', port: 25, auth: null, tls: false, esmtp: true }
async function producer(name: string): Promise<void> {
  for (let n = 0; ; n++) {
    const id = `${round}-${name}-${n}`
    const octets = Buffer.from(`${id}\n${'x'.repeat(Math.floor(Math.random() * 20_000))}`)
    if (n % 2 === 0) {
      await engine.spool.enqueue([
        {
          queueId: id,
          receivedAt: Date.now(),
          origin: {
            carrier: 'mail',
            envelope: { session, mailFrom: { path: null, params: {} }, rcptTo: [], receivedAt: 0 },
          },
          octets: [octets],
          sender: '',
          deliveries: [
            {
              target: 'store',
              recipients: [{ index: 0, address: 'a@b.example' }],
              dueAt: 0,
              expiresAt: 9e12,
            },
          ],
        },
      ])
    } else {
      const message = { octets: [octets], digest: digestFor(octets), internalDate: Date.now(), flags: [] }
      await engine.store.write(account, [{ op: 'append', mailbox: inbox, messages: [message] }])
    }
    process.stdout.write(`${id}\n`)
  }
}
await Promise.all(['a', 'b', 'c', 'd'].map(producer))
