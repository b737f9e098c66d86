/**
 * One delivery to a mailbox that many sessions watch in IDLE: memory of an idle connection, and the time until the last
 * client has been told. `node --expose-gc test/bench/imap-idle.ts [sessions [deliveries]]`; two processes, loopback, under
 * a minute. Without deliveries only the memory is measured.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSaslServices } from '../../src/auth/services.ts'
import { openSqlite } from '../../src/db/sqlite/engine.ts'
import { createImapServer } from '../../src/imap/server.ts'
import { digestMessage } from '../../src/wire/mime/digest.ts'

const sessions = Number(process.argv[2] ?? 10_000)
const deliveries = Number(process.argv[3] ?? 5)
/** Of the process that plays the clients. */
const serverPort = process.argv[4]
const address = 'bench@example.net'
const user = `LOGIN ${address} secret`

/** What the process that started this one is sent. */
export interface IdleMemory {
  readonly sessions: number
  readonly residentKiB: number
}

interface Told {
  /** Monotonic milliseconds at which the first and the last client had it. */
  readonly first: number
  readonly last: number
}

const clock = (): number => Number(process.hrtime.bigint()) / 1e6

const ms = (value: number): string => `${Math.round(value * 10) / 10} ms`
/** Microseconds of processor time. */
const used = (own: number, system: number): string =>
  `server: ${ms(own / 1000)} of its own, ${ms(system / 1000)} in the system`

/** The clients: all log in, select and idle; each delivery is reported when the last of them has heard of it. */
async function clients(port: number): Promise<void> {
  let heard = 0
  let first = 0
  const idle = async (i: number): Promise<void> => {
    const socket = connect({ port, host: '127.0.0.1', localAddress: `127.0.0.${2 + (i % 50)}` })
    let text = ''
    let idling: (() => void) | undefined
    socket.on('data', (chunk) => {
      if (!idling) {
        if (heard === 0) first = clock()
        if (!chunk.includes('EXISTS')) return
        heard += 1
        if (heard === sessions) {
          heard = 0
          process.send?.({ first, last: clock() } satisfies Told)
        }
        return
      }
      text += chunk.toString('latin1')
      if (text.includes('+ idling')) idling()
    })
    socket.write(`a ${user}\r\nb SELECT INBOX\r\nc IDLE\r\n`)
    await new Promise<void>((resolve) => {
      idling = () => {
        idling = undefined
        text = ''
        resolve()
      }
    })
  }
  for (let i = 0; i < sessions; i += 100)
    await Promise.all(Array.from({ length: Math.min(100, sessions - i) }, (_, j) => idle(i + j)))
  process.send?.('idling')
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'lemonade-idle-'))
  const engine = await openSqlite(folder, { now: Date.now })
  await engine.directory.put(address, 'secret')
  const account = await engine.directory.find(address)
  if (!account) throw new Error('no account')
  // Passwords are made to be slow to check; that is not what is measured here.
  const credentials = { verify: async () => account }
  const server = createImapServer({
    host: 'mail.example.net',
    store: engine.store,
    sasl: createSaslServices({ ...engine, credentials }, {}, Date.now),
    directory: engine.directory,
    folder,
    allowPlaintext: 'always',
    limits: {
      messageOctets: 1_000_000,
      maxConnections: sessions + 10,
      maxPerIp: sessions + 10,
      maxPerUser: sessions + 10,
      heldOctets: 268_435_456,
      lineOctets: 65_536,
      preAuthMs: 60_000,
      idleMs: 1_800_000,
    },
    now: Date.now,
    log: (level, message, fields) => {
      if (level !== 'info') console.error(message, fields)
    },
  })
  const inbox = await engine.store.read(account.id, (view) => view.mailbox('INBOX'))
  const deliver = async (): Promise<void> => {
    const octets = Buffer.from('Subject: hi\r\n\r\nhi\r\n')
    const message = { octets: [octets], digest: digestMessage(octets), internalDate: Date.now(), flags: [] }
    await engine.store.write(account.id, [{ op: 'append', mailbox: inbox?.id ?? 0, messages: [message] }])
  }
  const { port } = await server.listen('127.0.0.1', 0)
  await deliver()
  globalThis.gc?.()
  const before = process.memoryUsage()
  const child = fork(import.meta.filename, [String(sessions), '0', String(port)])
  await once(child, 'message')
  await new Promise((resolve) => setTimeout(resolve, 500))
  globalThis.gc?.()
  const after = process.memoryUsage()
  const perSession = (key: 'rss' | 'heapUsed' | 'external'): number =>
    Math.round(((after[key] - before[key]) / sessions / 1024) * 10) / 10
  if (deliveries > 0)
    console.log(
      `${sessions} idle sessions: ${perSession('rss')} KiB resident each (heap ${perSession('heapUsed')}, external ${perSession('external')})`,
    )
  process.send?.({ sessions, residentKiB: perSession('rss') } satisfies IdleMemory)
  for (let i = 0; i < deliveries; i++) {
    const asked = clock()
    const cpu = process.cpuUsage()
    const told = once(child, 'message') as Promise<[Told]>
    await deliver()
    const durable = clock()
    const [{ first, last }] = await told
    const { user: own, system } = process.cpuUsage(cpu)
    console.log(
      `durable after ${ms(durable - asked)}; then first told ${ms(first - durable)}, last told ${ms(last - durable)}; ${used(own, system)}`,
    )
    await new Promise((resolve) => setTimeout(resolve, 300))
  }
  child.kill()
  if (deliveries > 0) await yardstick()
  await server.close()
  await engine.close()
  rmSync(folder, { recursive: true, force: true })
}

/** The same octets to as many sockets, by a server that does nothing else. */
async function yardstick(): Promise<void> {
  const sockets = new Set<Socket>()
  const bare = createServer((socket) => {
    sockets.add(socket)
    socket.write('+ idling\r\n')
    socket.on('error', () => {})
    socket.on('data', () => {})
  })
  await new Promise<void>((resolve) => bare.listen(0, '127.0.0.1', resolve))
  const child = fork(import.meta.filename, [
    String(sessions),
    '0',
    String((bare.address() as AddressInfo).port),
  ])
  await once(child, 'message')
  for (let i = 0; i < deliveries; i++) {
    const asked = clock()
    const cpu = process.cpuUsage()
    const told = once(child, 'message') as Promise<[Told]>
    for (const socket of sockets) socket.write('* 2 EXISTS\r\n* 0 RECENT\r\n', 'latin1')
    const [{ last }] = await told
    const { user: own, system } = process.cpuUsage(cpu)
    console.log(`bare writes: last told after ${ms(last - asked)}; ${used(own, system)}`)
    await new Promise((resolve) => setTimeout(resolve, 300))
  }
  child.kill()
  for (const socket of sockets) socket.destroy()
  bare.close()
}

if (serverPort) await clients(Number(serverPort))
else await main()
