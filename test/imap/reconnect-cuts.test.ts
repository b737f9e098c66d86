/**
 * A scripted session whose link drops after any number of octets, either way: plain and compressed, in literals, in IDLE.
 * The client comes back with QRESYNC, and knows what the store has (lemonade.md 4). CUT_EVERY=1 cuts at every octet.
 */
import { connect, createServer, type Server, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { quickPasswords, startImap, type TestImap } from '../support/imap-server.ts'
import { chance, compare, type Truth } from '../support/law.ts'
import { LawClient } from '../support/law-client.ts'
import { loggedIn } from '../support/raw-imap.ts'

const every = Number(process.env.CUT_EVERY ?? 41)
const user = 'alice@example.net'
let server: TestImap
let account = 0

beforeAll(async () => {
  // Thousands of logins: what a password costs is not what is looked at.
  server = await startImap({ derive: quickPasswords })
  account = (await server.directory.find(user))!.id
  await server.store.write(account, [
    { op: 'create', name: 'Law' },
    { op: 'create', name: 'Away' },
  ])
})
afterAll(async () => {
  expect(server.logged).toEqual([])
  await server.close()
})

type Way = 'up' | 'down'

/** A link that is cut once so many octets have gone that way. */
async function link(
  way: Way,
  octets: number,
): Promise<{ port: number; cut: () => boolean; close: () => void }> {
  let left = octets
  let cut = false
  const sockets = new Set<Socket>()
  const relay: Server = createServer((near) => {
    const far = connect(server.port, '127.0.0.1')
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => {})
    }
    const pass = (from: Socket, to: Socket, counted: boolean) => {
      from.on('data', (chunk) => {
        const through = counted ? chunk.subarray(0, left) : chunk
        if (counted) left -= through.length
        to.write(through)
        if (!counted || through.length === chunk.length) return
        cut = true
        to.end()
        from.destroy()
      })
      from.on('close', () => to.destroy())
    }
    pass(near, far, way === 'up')
    pass(far, near, way === 'down')
  })
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve))
  return {
    port: (relay.address() as { port: number }).port,
    cut: () => cut,
    close() {
      for (const socket of sockets) socket.destroy()
      relay.close()
    },
  }
}

const message = `Subject: m\r\n\r\n${'body '.repeat(12)}\r\n`

async function stored(): Promise<Truth[]> {
  return server.store.read(account, async (view) => {
    const mailbox = await view.mailbox('Law')
    const messages: Truth[] = []
    for await (const batch of view.messages(mailbox!.id, { digest: true }))
      for (const { uid, flags, digest, size } of batch) {
        // Whole, or not there (RC-05).
        expect(size).toBe(message.length)
        messages.push({ uid, flags: new Set(flags), subject: digest.baseSubject })
      }
    return messages
  })
}

const deliver = () => server.deliver(user, 'Law', message)

/** What somebody else does meanwhile. */
async function others(first: number): Promise<void> {
  const { id } = (await server.store.read(account, (view) => view.mailbox('Law')))!
  await server.store.write(account, [
    {
      op: 'flags',
      mailbox: id,
      uids: [{ from: first + 1, to: first + 1 }],
      change: { mode: 'add', flags: ['\\Answered'] },
    },
    { op: 'expunge', mailbox: id, uids: [{ from: first + 2, to: first + 2 }], onlyDeleted: false },
  ])
  await deliver()
}

async function session(client: LawClient, first: number): Promise<void> {
  await client.start()
  const set = `${first}:${first + 1}`
  const silent = { mode: '+', flag: '\\Flagged', numbers: [first, first + 1], uid: true }
  await client.commands([`UID STORE ${set} +FLAGS.SILENT (\\Flagged)`, { silent }])
  await client.commands(`APPEND Law (\\Seen) {${message.length}+}\r\n${message}`, 'NOOP')
  await client.idle(async () => {
    await others(first)
    await new Promise((resolve) => setTimeout(resolve, 10))
  })
  await client.commands(`UID STORE ${first} +FLAGS (\\Deleted)`, 'EXPUNGE')
  await client.commands(`UID MOVE ${first + 1} Away`, 'NOOP')
}

test.each([
  ['down', false],
  ['up', false],
  ['down', true],
  ['up', true],
] as const)(
  'RC-01, RC-02, RC-05, RC-16: cut at any octet %s, compressed: %s',
  async (way, compress) => {
    let cuts = 0
    for (let octets = Math.floor(Math.random() * every); ; octets += every) {
      const uids: number[] = []
      for (let i = 0; i < 3; i += 1) uids.push(await deliver())
      const line = await link(way, octets)
      let port = line.port
      const kind = { kind: `${way} ${octets}`, setup: ['ENABLE QRESYNC'], compress }
      const client = new LawClient(kind, chance(octets), () => loggedIn(port))
      // Cut in the middle of a login, it is no client yet.
      const began = await session(client, uids[0]!).then(
        () => true,
        () => false,
      )
      const wasCut = line.cut()
      line.close()
      if (began) client.lost()
      port = server.port
      await client.start()
      for (let i = 0; ; i += 1) {
        await client.commands('NOOP', 'UID FETCH 1:* (UID FLAGS)', 'NOOP')
        const messages = await stored()
        try {
          compare(client, messages)
          break
        } catch (error) {
          // The session that was cut may still be at its last command.
          if (i >= 100 || client.problems.length > 0) throw error
          await new Promise((resolve) => setTimeout(resolve, 10))
        }
      }
      client.end()
      // Nothing that grows.
      const { id } = (await server.store.read(account, (view) => view.mailbox('Law')))!
      await server.store.write(account, [{ op: 'expunge', mailbox: id, uids: 'all', onlyDeleted: false }])
      if (!wasCut) break
      cuts += 1
    }
    console.log(`${way}, compressed: ${compress}: ${cuts} cuts`)
    expect(cuts).toBeGreaterThan(5)
  },
  600_000,
)
