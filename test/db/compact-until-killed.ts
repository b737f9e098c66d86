/** Child process of the compaction test: delivers, expunges most, compacts and reads without end; says what is to be there. */
import { openSqlite } from '../../src/db/sqlite/engine.ts'
import { digestFor } from '../support/digest.ts'

const [folder = '', round = ''] = process.argv.slice(2)
const engine = await openSqlite(folder, {
  segmentOctets: 300_000,
  compaction: { graceMs: 0, lookEveryMs: 0 },
})
const { store, spool, directory } = engine
await directory.put('alice@example.net', 'secret')
const { id: account } = (await directory.find('alice@example.net'))!
const inbox = (await store.read(account, (view) => view.mailbox('INBOX')))!.id
process.stdout.write('ready\n')

const live = new Map<number, { readonly blob: number; readonly text: string }>()

async function deliver(): Promise<void> {
  for (let n = 0; ; n++) {
    const text = `${round}-${n}\n${'y'.repeat(Math.floor(Math.random() * 20_000))}`
    const octets = Buffer.from(text)
    const message = { octets: [octets], digest: digestFor(octets), internalDate: 1, flags: [] }
    const [appended] = await store.write(account, [{ op: 'append', mailbox: inbox, messages: [message] }])
    if (appended?.op !== 'append') throw new Error('not appended')
    const uid = appended.uids[0]!
    process.stdout.write(`+${uid} ${text.length}\n`)
    const blob = await store.read(account, async (view) => {
      for await (const [first] of view.messages(inbox, { uids: [{ from: uid, to: uid }] })) return first!.blob
      return 0
    })
    live.set(uid, { blob, text })
    const [oldest] = live.keys()
    // One in ten stays for good, in the middle of what goes.
    if (live.size <= 40 || oldest === undefined) continue
    live.delete(oldest)
    if (oldest % 10 === 0) continue
    process.stdout.write(`-${oldest}\n`)
    await store.write(account, [
      { op: 'expunge', mailbox: inbox, uids: [{ from: oldest, to: oldest }], onlyDeleted: false },
    ])
  }
}

async function compact(): Promise<void> {
  for (;;) {
    const later = Date.now() + 1000
    await spool.purge(0, 0, later, 200)
    while (await spool.compact()) process.stdout.write('.\n')
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}

async function read(): Promise<void> {
  for (;;) {
    for (const [uid, { blob, text }] of [...live]) {
      const octets = await store.readBlob(blob).catch((error: unknown) => {
        // Expunged and gone meanwhile.
        if (live.has(uid)) process.stdout.write(`!${uid} ${String(error)}\n`)
        return undefined
      })
      if (octets && Buffer.from(octets).toString() !== text) process.stdout.write(`!${uid} other octets\n`)
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
}
await Promise.all([deliver(), compact(), read()])
