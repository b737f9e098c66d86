/**
 * Resident memory of an idle IMAP connection by what lies under it: bare sockets of Node, the clear, NOTIFY, COMPRESS, TLS.
 * `node test/bench/imap-memory.ts [sessions [kind ...]]`; a server process of its own for each kind, loopback, some minutes.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { createDeflateRaw, createInflateRaw } from 'node:zlib'
import { createSaslServices } from '../../src/auth/services.ts'
import { openSqlite } from '../../src/db/sqlite/engine.ts'
import { createImapServer } from '../../src/imap/server.ts'
import { tlsPair } from '../../src/tls.ts'
import { digestMessage } from '../../src/wire/mime/digest.ts'

const kinds = ['bare', 'clear', 'notify', 'compress', 'tls', 'tls+compress'] as const
type Kind = (typeof kinds)[number]

const address = 'bench@example.net'
const perAddress = 500

async function serve(kind: Kind, sessions: number): Promise<void> {
  const port = kind === 'bare' ? await bare() : await gateway(kind, sessions)
  const settled = async (): Promise<number> => {
    for (let i = 0; i < 4; i++) {
      globalThis.gc?.()
      await new Promise((resolve) => setTimeout(resolve, 400))
    }
    return process.memoryUsage().rss
  }
  process.on('message', async () => {
    // What passes through a layer rests after some seconds.
    await new Promise((resolve) => setTimeout(resolve, 3000))
    process.send?.({ rss: await settled() })
  })
  process.send?.({ port })
}

async function bare(): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', () => socket.write('c OK\r\n'))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

async function gateway(kind: Kind, sessions: number): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'lemonade-memory-'))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  process.on('SIGTERM', () => process.exit())
  const engine = await openSqlite(folder)
  await engine.directory.put(address, 'secret')
  const account = await engine.directory.find(address)
  if (!account) throw new Error('no account')
  const octets = Buffer.from('Subject: hi\r\n\r\nhi\r\n')
  const inbox = await engine.store.read(account.id, (view) => view.mailbox('INBOX'))
  const message = { octets: [octets], digest: digestMessage(octets), internalDate: 0, flags: [] }
  await engine.store.write(account.id, [{ op: 'append', mailbox: inbox?.id ?? 0, messages: [message] }])
  // Passwords are made to be slow to check; that is not what is measured here.
  const credentials = { verify: async () => account }
  const most = sessions + 10
  const server = createImapServer({
    host: 'mail.example.net',
    store: engine.store,
    sasl: createSaslServices({ ...engine, credentials }, {}, Date.now),
    directory: engine.directory,
    folder,
    tls: await tlsPair(undefined, folder, 'mail.example.net'),
    allowPlaintext: 'always',
    limits: {
      messageOctets: 1_000_000,
      maxConnections: most,
      maxPerIp: most,
      maxPerUser: most,
      heldOctets: 268_435_456,
      lineOctets: 65_536,
      preAuthMs: 60_000,
      idleMs: 1_800_000,
    },
    now: Date.now,
    log: () => {},
  })
  return (await server.listen('127.0.0.1', 0, { implicitTls: kind.startsWith('tls') })).port
}

/** Resolves when the connection is idle. */
async function client(kind: Kind, port: number, i: number): Promise<void> {
  const localAddress = `127.0.0.${2 + Math.floor(i / perAddress)}`
  const plain = connect({ port, host: '127.0.0.1', localAddress })
  plain.on('error', (error) => {
    throw error
  })
  const secure = kind.startsWith('tls')
  const socket: Socket = secure ? connectTls({ socket: plain, rejectUnauthorized: false }) : plain
  if (secure) await once(socket, 'secureConnect')
  let write = (text: string): void => {
    socket.write(text)
  }
  let wanted = ''
  let text = ''
  let done = (): void => {}
  const take = (octets: Buffer): void => {
    text += octets.toString('latin1')
    if (wanted !== '' && text.includes(wanted)) done()
  }
  socket.on('data', take)
  const exchange = (command: string, answer: string): Promise<void> =>
    new Promise((resolve) => {
      wanted = answer
      text = ''
      done = () => {
        wanted = ''
        resolve()
      }
      write(command)
    })
  if (kind === 'bare') {
    await exchange('c\r\n', 'c OK')
    return
  }
  await exchange(`a LOGIN ${address} secret\r\n`, 'a OK')
  if (kind.endsWith('compress')) {
    await exchange('z COMPRESS DEFLATE\r\n', 'z OK')
    const out = createDeflateRaw()
    const back = createInflateRaw()
    out.on('data', (octets: Buffer) => socket.write(octets))
    socket.off('data', take)
    socket.on('data', (octets: Buffer) => back.write(octets))
    back.on('data', take)
    write = (line) => {
      out.write(line)
      out.flush()
    }
  }
  await exchange('b SELECT INBOX\r\n', 'b OK')
  if (kind === 'notify')
    await exchange(
      'n NOTIFY SET (SELECTED (MessageNew MessageExpunge FlagChange)) (PERSONAL (MessageNew MessageExpunge))\r\n',
      'n OK',
    )
  await exchange('c IDLE\r\n', '+ idling')
}

const sessions = Number(process.argv[2] ?? 5000)

/** KiB of each; what a process frees while it starts hides one KiB of some thousand connections. */
async function measure(kind: Kind): Promise<number> {
  const server: ChildProcess = fork(import.meta.filename, [String(sessions), 'serve', kind], {
    execArgv: ['--expose-gc'],
  })
  const [{ port }] = (await once(server, 'message')) as [{ port: number }]
  const resident = async (): Promise<number> => {
    server.send('measure')
    const [{ rss }] = (await once(server, 'message')) as [{ rss: number }]
    return rss / 1024
  }
  const before = await resident()
  for (let i = 0; i < sessions; i += 50)
    await Promise.all(Array.from({ length: Math.min(50, sessions - i) }, (_, k) => client(kind, port, i + k)))
  const after = await resident()
  server.kill('SIGTERM')
  await once(server, 'exit')
  return (after - before) / sessions
}

const [role, only] = process.argv.slice(3)
if (role === 'serve') await serve(only as Kind, sessions)
else {
  const chosen = kinds.filter((kind) => process.argv.length < 4 || process.argv.slice(3).includes(kind))
  console.log(
    `${sessions} idle connections of each kind, Node ${process.version}\n\n| kind | KiB resident each |\n|---|---|`,
  )
  for (const kind of chosen) console.log(`| ${kind} | ${(await measure(kind)).toFixed(1)} |`)
  process.exit(0)
}
