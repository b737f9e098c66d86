/** Whole gateways for tests: in this process, or as the program that an operator starts. Ports are free ones. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { stringify } from 'yaml'
import { type ComposeOptions, compose, type Gateway } from '../../src/compose.ts'
import { checkConfig } from '../../src/config.ts'
import type { Log } from '../../src/log.ts'
import { atEnd } from './at-end.ts'

const any = '127.0.0.1:0'
export const main = new URL('../../src/main.ts', import.meta.url).pathname

/** Configuration keys over those of a gateway for tests; `store` is a folder of its own unless it is given. */
export function testConfig(over: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    listen: { mm7: any, smtp: any, imap: any, admin: any },
    log: 'warn',
    peers: {
      mmsc: {
        interface: 'mm7',
        role: 'rs',
        ip: '127.0.0.1',
        host: 'mmsc.example.com',
        url: 'http://127.0.0.1:9/mm7',
      },
    },
    accounts: [
      { address: 'alice@example.net', password: 'secret' },
      { address: 'bob@example.net', password: 'secret' },
    ],
    ...over,
    store: over.store ?? `sqlite:${folder()}`,
  }
}

export function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'lemonade-gw-'))
  atEnd(() => rmSync(made, { recursive: true, force: true }))
  return made
}

export interface LoggedGateway extends Gateway {
  readonly logged: readonly { readonly level: string; readonly message: string; readonly fields: unknown }[]
}

/** Closed at the end of the test file, if not before. */
export async function gatewayHere(
  over: Record<string, unknown> = {},
  options: ComposeOptions = {},
): Promise<LoggedGateway> {
  const logged: LoggedGateway['logged'][number][] = []
  const log: Log = (level, message, fields) => void logged.push({ level, message, fields })
  const gateway = await compose(checkConfig(testConfig(over), 'test'), log, options)
  let closed: Promise<void> | undefined
  const close = (): Promise<void> => (closed ??= gateway.close())
  atEnd(close)
  return { ...gateway, close, logged }
}

export interface Run {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Runs a command of the program to its end. */
export async function run(args: readonly string[], input = ''): Promise<Run> {
  const child = spawn(process.execPath, [main, ...args], { stdio: ['pipe', 'pipe', 'pipe'] })
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk) => (out += chunk))
  child.stderr.on('data', (chunk) => (err += chunk))
  child.stdin.end(input)
  const [code] = (await once(child, 'close')) as [number]
  return { code, out, err }
}

export function configFile(config: Record<string, unknown>): string {
  const file = join(folder(), 'gateway.yaml')
  writeFileSync(file, stringify(config))
  return file
}

export interface Served {
  readonly child: ChildProcess
  /** The ready line. */
  readonly ready: Record<string, string>
  readonly err: () => string
  /** Ends it and waits; resolves to the exit code, null after a signal that kills. */
  end(signal?: NodeJS.Signals): Promise<number | null>
}

/** `lemonade serve --config FILE`, once it is ready. */
export async function serve(file: string, env: Record<string, string> = {}): Promise<Served> {
  const child = spawn(process.execPath, [main, 'serve', '--config', file], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  })
  let err = ''
  child.stderr.on('data', (chunk) => (err += chunk))
  const exited = once(child, 'exit') as Promise<[number | null]>
  atEnd(() => void child.kill('SIGKILL'))
  const first = await Promise.race([
    once(createInterface({ input: child.stdout }), 'line') as Promise<[string]>,
    exited.then(() => {
      throw new Error(`serve ended: ${err}`)
    }),
  ])
  return {
    child,
    ready: JSON.parse(first[0]) as Record<string, string>,
    err: () => err,
    async end(signal = 'SIGTERM') {
      child.kill(signal)
      return (await exited)[0]
    },
  }
}
