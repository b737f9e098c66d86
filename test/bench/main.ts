/** `npm run bench`: the yardsticks of src/DESIGN.md in one run on one machine; ratios, so that noise cancels. Under two minutes. */
import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, release, tmpdir, totalmem, type } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { stringify } from 'yaml'
import { drain, fillMailbox, imapList, listed, resynchronise } from './imap.ts'
import type { IdleMemory } from './imap-idle.ts'
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

async function answerOf<T>(
  file: string,
  message: object,
  args: readonly string[] = [],
  execArgv: readonly string[] = [],
): Promise<T> {
  const child = fork(here(file), [...args], { execArgv: [...execArgv] })
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

async function metric(admin: string, pattern: RegExp): Promise<number> {
  return Number(pattern.exec(await (await fetch(`${admin}/metrics`)).text())?.[1] ?? 0)
}
const deliveredCount = (admin: string): Promise<number> =>
  metric(admin, /^lemonade_recipients_total\{target="store",state="delivered"\} (\d+)/m)

/** Messages a second from the first octet in until the last one lies in its mailbox. */
async function throughput(
  running: Running,
  work: Promise<LoadResult>,
): Promise<{ accepted: LoadResult; total: number; perSecond: number }> {
  const before = await deliveredCount(running.admin)
  const begin = performance.now()
  const accepted = await work
  while ((await deliveredCount(running.admin)) - before < accepted.total)
    await new Promise((resolve) => setTimeout(resolve, 20))
  return {
    accepted,
    total: accepted.total,
    perSecond: Math.round((accepted.total * 1000) / (performance.now() - begin)),
  }
}

interface Row {
  readonly path: string
  readonly measured: string
  readonly yardstick: string
  /** Of measured and yardstick; absent where the aim is a figure of its own. */
  readonly ratio?: number
  readonly aim: string
  /** Of the gateway, all threads: what a message costs, however busy the machine is. */
  readonly cpuMs?: number | undefined
}
const rows: Row[] = []
const add = (row: Row): void => {
  rows.push(row)
  process.stderr.write(`${line(row)}\n`)
}
const line = ({ path, measured, yardstick, ratio, aim, cpuMs }: Row): string =>
  `| ${[path, measured, yardstick, ratio ?? '', aim, cpuMs ?? ''].join(' | ')} |`
const ratioRow = (path: string, measured: number, yard: number, aim: number, cpuMs?: number): void =>
  add({
    path,
    measured: `${measured}/s`,
    yardstick: `${yard}/s`,
    ratio: Number((measured / yard).toFixed(2)),
    aim: `>= ${aim}`,
    cpuMs,
  })

/** Milliseconds of processor time of the gateway for each message of the work. */
async function costed<T extends { readonly total: number }>(
  { admin }: Running,
  work: Promise<T>,
): Promise<{ result: T; cpuMs: number }> {
  const before = await metric(admin, /^process_cpu_seconds_total ([\d.e-]+)/m)
  const result = await work
  const after = await metric(admin, /^process_cpu_seconds_total ([\d.e-]+)/m)
  return { result, cpuMs: Number((((after - before) * 1000) / result.total).toFixed(3)) }
}

const http = await yardstick('http', folder)
const bareHttp = await load({ kind: 'mm7', port: http.port, request: deliverRequest(octets) })
http.end()
const bare = await yardstick('sink', folder)
const bareSink = await load({ kind: 'sink', port: bare.port, request: mailContent(octets) })
bare.end()

let running = await gateway(join(folder, 'accept'))
const { result: accepted, cpuMs: acceptCpu } = await costed(
  running,
  load({ kind: 'mm7', port: running.mm7, request: heldRequest(octets) }),
)
ratioRow('MM7 accept, 60 KiB, 8 connections', accepted.perSecond, bareHttp.perSecond, 0.6, acceptCpu)
await running.end()
rmSync(join(folder, 'accept'), { recursive: true })

running = await gateway(join(folder, 'deliver'))
const { result: mms, cpuMs: mmsCpu } = await costed(
  running,
  throughput(running, load({ kind: 'mm7', port: running.mm7, request: deliverRequest(octets) })),
)
ratioRow('MM7 to mailbox, end to end', mms.perSecond, bareHttp.perSecond, 0.4, mmsCpu)
const { result: mail, cpuMs: mailCpu } = await costed(
  running,
  throughput(running, load({ kind: 'smtp', port: running.smtp, request: mailContent(octets) })),
)
ratioRow(
  'SMTP accept, 60 KiB, 8 connections, delivered meanwhile',
  mail.accepted.perSecond,
  bareSink.perSecond,
  0.5,
  mailCpu,
)
await running.end()
rmSync(join(folder, 'deliver'), { recursive: true })

const translated = await answerOf<TranslateResult>('translate.ts', {})
ratioRow('translate MM7 to mail', translated.mmsToMail, translated.yardstickMms, 0.2)
ratioRow('translate mail to MM7', translated.mailToMms, translated.yardstickMail, 0.2)

await fillMailbox(join(folder, 'list'))
running = await gateway(join(folder, 'list'))
const list = await imapList(running.imap)
const resync = await resynchronise(running.imap)
await running.end()
const spout = await yardstick('spout', String(list.octets))
const written = await drain(spout.port)
spout.end()
ratioRow(
  `FETCH list of ${listed} messages, ${(list.octets / 1_048_576).toFixed(1)} MiB`,
  Math.round(listed / (list.ms / 1000)),
  Math.round(listed / (written / 1000)),
  0.3,
)
add({
  path: `resynchronise ${resync.changes} changes in ${listed} messages`,
  measured: `${resync.received} octets received, ${resync.sent} sent, ${resync.roundTrips} round trip`,
  yardstick: '',
  aim: '<= 1500 octets, 1 round trip',
})
const idle = await answerOf<IdleMemory>('imap-idle.ts', {}, ['10000', '0'], ['--expose-gc'])
add({
  path: `an idle IMAP connection, ${idle.sessions} of them`,
  measured: `${idle.residentKiB} KiB resident`,
  yardstick: '',
  aim: '<= 20 KiB',
})

const machine = `${cpus().length} x ${cpus()[0]?.model ?? '?'}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${type()} ${release()}, Node ${process.version}, load ${loadavg()[0]?.toFixed(1)}`
process.stdout.write(
  `\n${machine}\n\n| path | measured | yardstick | ratio | aim | CPU ms a message |\n|---|---|---|---|---|---|\n${rows.map(line).join('\n')}\n`,
)
process.stdout.write(
  `\n${JSON.stringify({ machine, rows, latency: { mm7: accepted, yardstickMm7: bareHttp, smtp: mail.accepted, yardstickSmtp: bareSink } })}\n`,
)
process.exit(0)
