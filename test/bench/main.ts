/** `npm run bench`: the yardsticks of src/DESIGN.md in one run on one machine; ratios, so that noise cancels. Under two minutes. */
import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { cpus, loadavg, release, tmpdir, totalmem, type } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { stringify } from 'yaml'
import { openSqlite } from '../../src/db/sqlite/engine.ts'
import { digestMessage } from '../../src/wire/mime/digest.ts'
import type { LoadOptions, LoadResult } from './load.ts'
import { deliverRequest, heldRequest, mailContent } from './messages.ts'
import type { TranslateResult } from './translate.ts'

const octets = 60 * 1024
const connections = 8
const warmupMs = 1500
const ms = Number(process.env.BENCH_MS ?? 4000)
const here = (name: string): string => new URL(name, import.meta.url).pathname
const folder = mkdtempSync(join(process.env.BENCH_FOLDER ?? tmpdir(), 'lemonade-bench-'))
const children = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

async function answerOf<T>(file: string, message: object, args: readonly string[] = []): Promise<T> {
  const child = fork(here(file), [...args])
  children.add(child)
  child.send(message)
  const [answer] = await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(() => {
      throw new Error(`${file} failed`)
    }),
  ])
  children.delete(child)
  return answer as T
}

const load = (options: Pick<LoadOptions, 'kind' | 'port' | 'request'>): Promise<LoadResult> =>
  answerOf('load.ts', { connections, warmupMs, ms, ...options })

async function yardstick(...args: readonly string[]): Promise<{ port: number; end(): void }> {
  const child = fork(here('yardsticks.ts'), [...args])
  children.add(child)
  const [{ port }] = (await once(child, 'message')) as [{ port: number }]
  return {
    port,
    end() {
      child.disconnect()
      children.delete(child)
    },
  }
}

interface Running {
  readonly mm7: number
  readonly smtp: number
  readonly imap: number
  readonly admin: string
  end(): Promise<void>
}

async function gateway(store: string): Promise<Running> {
  const any = '127.0.0.1:0'
  const file = join(folder, 'gateway.yaml')
  writeFileSync(
    file,
    stringify({
      store: `sqlite:${store}`,
      log: 'warn',
      listen: { mm7: any, smtp: any, imap: any, admin: any },
      peers: {
        mmsc: { interface: 'mm7', role: 'rs', ip: '127.0.0.1', url: 'http://127.0.0.1:9/mm7' },
        bench: {
          interface: 'mm7',
          role: 'vasp',
          vaspIds: ['bench'],
          senders: ['7777'],
          auth: { scheme: 'basic', user: 'bench', password: 'secret' },
        },
      },
      accounts: [{ address: 'alice@example.net', password: 'secret' }],
    }),
  )
  const child = spawn(process.execPath, [here('../../src/main.ts'), 'serve', '--config', file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.add(child)
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  const ready = JSON.parse(line) as Record<string, string>
  const port = (address = ''): number => Number(/:(\d+)(?:\/|$)/.exec(address.replace(/^http:\/\//, ''))?.[1])
  return {
    mm7: port(ready.mm7),
    smtp: port(ready.smtp),
    imap: port(ready.imap),
    admin: ready.admin ?? '',
    async end() {
      const exited = once(child, 'exit')
      child.kill('SIGTERM')
      await exited
      children.delete(child)
    },
  }
}

async function deliveredCount(admin: string): Promise<number> {
  const text = await (await fetch(`${admin}/metrics`)).text()
  return Number(/^lemonade_recipients_total\{target="store",state="delivered"\} (\d+)/m.exec(text)?.[1] ?? 0)
}

/** Messages a second from the first octet in until the last one lies in its mailbox. */
async function throughput(
  running: Running,
  work: Promise<LoadResult>,
): Promise<{ accepted: LoadResult; perSecond: number }> {
  const before = await deliveredCount(running.admin)
  const begin = performance.now()
  const accepted = await work
  while ((await deliveredCount(running.admin)) - before < accepted.total)
    await new Promise((resolve) => setTimeout(resolve, 20))
  return { accepted, perSecond: Math.round((accepted.total * 1000) / (performance.now() - begin)) }
}

const listed = 10_000

async function fillMailbox(store: string): Promise<void> {
  const engine = await openSqlite(store)
  await engine.directory.put('alice@example.net', 'secret')
  const account = (await engine.directory.find('alice@example.net'))?.id ?? 0
  const mailbox = (await engine.store.read(account, (view) => view.mailbox('INBOX')))?.id ?? 0
  for (let n = 0; n < listed; n += 500)
    await engine.store.write(account, [
      {
        op: 'append',
        mailbox,
        messages: Array.from({ length: 500 }, (_, i) => {
          const message = Buffer.from(
            `From: Sender ${n + i} <sender${n + i}@example.org>\r\nTo: Alice <alice@example.net>\r\nSubject: Message number ${n + i}\r\nDate: Tue, 5 Mar 2024 10:00:00 +0000\r\nMessage-ID: <${n + i}@example.org>\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nHello\r\n`,
          )
          return { octets: [message], digest: digestMessage(message), internalDate: 0, flags: [] }
        }),
      },
    ])
  await engine.close()
}

/** One connection; the time of one command and the octets of its answer. */
async function imapList(port: number): Promise<{ ms: number; octets: number }> {
  const socket = connect(port, '127.0.0.1')
  let octets = 0
  let tail = ''
  let wanted = /^\* OK/
  let done: () => void = () => {}
  socket.on('data', (chunk: Buffer) => {
    octets += chunk.length
    tail = (tail + chunk.toString('latin1', Math.max(0, chunk.length - 2000))).slice(-2000)
    if (wanted.test(tail)) done()
  })
  const until = (pattern: RegExp): Promise<void> =>
    new Promise((resolve) => {
      wanted = pattern
      tail = ''
      done = resolve
    })
  await until(/\* OK/)
  const command = async (tag: string, text: string): Promise<void> => {
    const answered = until(new RegExp(`${tag} (OK|NO|BAD)[^\\n]*\\n$`))
    socket.write(`${tag} ${text}\r\n`)
    await answered
    if (!tail.includes(`${tag} OK`)) throw new Error(tail)
  }
  await command('a1', 'LOGIN alice@example.net secret')
  await command('a2', 'EXAMINE INBOX')
  const best = { ms: Number.POSITIVE_INFINITY, octets: 0 }
  for (let i = 0; i < 5; i++) {
    octets = 0
    const begin = performance.now()
    await command(`f${i}`, 'FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)')
    const took = performance.now() - begin
    if (took < best.ms) Object.assign(best, { ms: took, octets })
  }
  socket.destroy()
  return best
}

async function drain(port: number): Promise<number> {
  let best = Number.POSITIVE_INFINITY
  for (let i = 0; i < 5; i++) {
    const begin = performance.now()
    const socket = connect(port, '127.0.0.1')
    socket.resume()
    await once(socket, 'end')
    best = Math.min(best, performance.now() - begin)
  }
  return best
}

interface Row {
  readonly path: string
  readonly measured: string
  readonly yardstick: string
  readonly ratio: number
  readonly aim: number
}
const rows: Row[] = []
const row = (path: string, measured: number, yard: number, aim: number, unit = 'msg/s'): void => {
  const ratio = Number((measured / yard).toFixed(2))
  rows.push({ path, measured: `${measured} ${unit}`, yardstick: `${yard} ${unit}`, ratio, aim })
  process.stderr.write(`${path}: ${measured} ${unit}, yardstick ${yard}, ratio ${ratio} (aim ${aim})\n`)
}

const http = await yardstick('http', folder)
const bareHttp = await load({ kind: 'mm7', port: http.port, request: deliverRequest(octets) })
http.end()
const bare = await yardstick('sink', folder)
const bareSink = await load({ kind: 'sink', port: bare.port, request: mailContent(octets) })
bare.end()

let running = await gateway(join(folder, 'accept'))
const accepted = await load({ kind: 'mm7', port: running.mm7, request: heldRequest(octets) })
row('MM7 accept, 60 KiB, 8 connections', accepted.perSecond, bareHttp.perSecond, 0.6)
await running.end()
rmSync(join(folder, 'accept'), { recursive: true })

running = await gateway(join(folder, 'deliver'))
const mms = await throughput(
  running,
  load({ kind: 'mm7', port: running.mm7, request: deliverRequest(octets) }),
)
row('MM7 to mailbox, end to end', mms.perSecond, bareHttp.perSecond, 0.4)
const mail = await load({ kind: 'smtp', port: running.smtp, request: mailContent(octets) })
row('SMTP accept, 60 KiB, 8 connections', mail.perSecond, bareSink.perSecond, 0.5)
await running.end()
rmSync(join(folder, 'deliver'), { recursive: true })

const translated = await answerOf<TranslateResult>('translate.ts', {})
row('translate MM7 to mail', translated.mmsToMail, translated.yardstickMms, 0.2)
row('translate mail to MM7', translated.mailToMms, translated.yardstickMail, 0.2)

await fillMailbox(join(folder, 'list'))
running = await gateway(join(folder, 'list'))
const list = await imapList(running.imap)
await running.end()
const spout = await yardstick('spout', String(list.octets))
const written = await drain(spout.port)
spout.end()
row(
  `FETCH list of ${listed} messages, ${(list.octets / 1_048_576).toFixed(1)} MiB`,
  Math.round(listed / (list.ms / 1000)),
  Math.round(listed / (written / 1000)),
  0.3,
)

const machine = `${cpus().length} x ${cpus()[0]?.model ?? '?'}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${type()} ${release()}, Node ${process.version}, load ${loadavg()[0]?.toFixed(1)}`
process.stdout.write(`\n${machine}\n\n| path | measured | yardstick | ratio | aim |\n|---|---|---|---|---|\n`)
for (const r of rows)
  process.stdout.write(`| ${r.path} | ${r.measured} | ${r.yardstick} | ${r.ratio} | ${r.aim} |\n`)
process.stdout.write(
  `\n${JSON.stringify({ machine, rows, latency: { mm7: accepted, yardstickMm7: bareHttp, smtp: mail, yardstickSmtp: bareSink } })}\n`,
)
process.exit(0)
