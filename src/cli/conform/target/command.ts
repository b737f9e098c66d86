/** `lemonade conform --target URL DIR...`: the cases against a live gateway (README.md, "Testing a gateway"). */
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { hostPort } from '../../../config.ts'
import { Fault } from '../../../model/fault.ts'
import { bundledSettings, type Case } from '../case-folder.ts'
import { type ConformOptions, chosenCases } from '../command.ts'
import { jsonOf, junitOf, leftOutLine, lineOf } from '../results.ts'
import type { CaseResult } from '../run-case.ts'
import { withoutMark } from './live-input.ts'
import { playInRounds } from './rounds.ts'
import type { Target } from './run-live.ts'
import { whyNot } from './runnable.ts'
import { openSinks, type SinkPlaces } from './sinks.ts'
import { targetConfig } from './target-config.ts'

export interface TargetOptions extends ConformOptions {
  /** The gateway's MM7 endpoint. */
  readonly target: string
  readonly smtp: string
  readonly listenMm7: string
  /** PEER=HOST:PORT */
  readonly listenSmtp: readonly string[]
  /** PEER=IP */
  readonly from: readonly string[]
  /** PEER=USER:PASSWORD */
  readonly login: readonly string[]
  /** Seconds. */
  readonly wait: string
  readonly quiet: string
  readonly printConfig?: boolean | undefined
}

/** A loopback address for each peer, so that the gateway knows them apart. */
const loopbackFrom = new Map([
  ['mmsc', '127.0.0.10'],
  ['vasp1', '127.0.0.20'],
  ['opb', '127.0.0.30'],
])
const smtpPlaces = new Map([
  ['relay', 'localhost:18025'],
  ['opb', 'localhost:18026'],
])

/**
 * Exit code: 0 all that can be run pass, 1 some fail, 2 none can be run.
 * @throws Fault 'malformed' for an option; 'unavailable' when the gateway cannot be reached; 'in-use' for our own ports
 */
export async function conformTarget(
  dirs: readonly string[],
  options: TargetOptions,
  out: (text: string) => void,
): Promise<number> {
  const target = targetOf(options)
  const places: SinkPlaces = {
    mm7: place('listen-mm7', options.listenMm7),
    smtp: new Map([...smtpPlaces, ...pairs('listen-smtp', options.listenSmtp)]),
  }
  if (options.printConfig) {
    out(targetConfig(target, places))
    return 0
  }
  const { cases, missing } = chosenCases(dirs, options.only ?? [])
  for (const id of missing) out(`no case has the id ${id}\n`)
  await reachable(
    'MM7',
    target.mm7.hostname,
    Number(target.mm7.port) || (target.mm7.protocol === 'https:' ? 443 : 80),
  )
  await reachable('SMTP', target.smtp.host, target.smtp.port)
  const sinks = await openSinks(places, bundledSettings(), (octets) =>
    withoutMark(target.token, octets),
  ).catch((error: unknown) => {
    const why = error instanceof Error ? error.message : String(error)
    throw new Fault('in-use', `cannot listen for what comes out: ${why}`, { cause: error })
  })
  const results: CaseResult[] = []
  const runnable: Case[] = []
  const leftOut: { id: string; reason: string }[] = []
  for (const one of cases) {
    const reason = whyNot(one)
    if (reason === undefined) runnable.push(one)
    else {
      leftOut.push({ id: one.json.id, reason })
      out(leftOutLine(one.json, reason))
    }
  }
  try {
    await playInRounds(runnable, target, sinks, (result) => {
      results.push(result)
      out(lineOf(result))
    })
  } finally {
    sinks.close()
  }
  const failed = results.filter((r) => !r.pass).length
  out(`${results.length - failed} passed, ${failed} failed, ${leftOut.length} left out\n`)
  if (options.json !== undefined) await writeFile(options.json, jsonOf(results, leftOut))
  if (options.junit !== undefined) await writeFile(options.junit, junitOf(results, leftOut))
  if (failed > 0) return 1
  return results.length === 0 || missing.length > 0 ? 2 : 0
}

function targetOf(options: TargetOptions): Target {
  const mm7 = URL.parse(options.target)
  if (!mm7 || !/^https?:$/.test(mm7.protocol))
    throw new Fault('malformed', `--target: expected an http or https URL`)
  const loopback = /^(127\.|localhost$)/.test(mm7.hostname)
  const logins = pairs('login', options.login).map(
    ([peer, text]): [string, { user: string; password: string }] => {
      const at = text.indexOf(':')
      if (at < 0) throw new Fault('malformed', '--login: expected PEER=USER:PASSWORD')
      return [peer, { user: text.slice(0, at), password: text.slice(at + 1) }]
    },
  )
  return {
    mm7,
    smtp: hostPort(place('smtp', options.smtp)),
    from: new Map([...(loopback ? loopbackFrom : []), ...pairs('from', options.from)]),
    logins: new Map(logins),
    waitMs: milliseconds('wait', options.wait),
    quietMs: milliseconds('quiet', options.quiet),
    token: `run${randomBytes(4).toString('hex')}`,
  }
}

function place(option: string, text: string): string {
  if (!/^(\[[0-9a-fA-F:]+\]|[^:\s]+):\d{1,5}$/.test(text))
    throw new Fault('malformed', `--${option}: expected HOST:PORT, got ${text}`)
  return text
}

function pairs(option: string, texts: readonly string[]): [string, string][] {
  return texts.map((text) => {
    const at = text.indexOf('=')
    if (at < 1) throw new Fault('malformed', `--${option}: expected PEER=..., got ${text}`)
    return [text.slice(0, at), text.slice(at + 1)]
  })
}

function milliseconds(option: string, text: string): number {
  const seconds = Number(text)
  if (!(seconds > 0 && seconds <= 3600))
    throw new Fault('malformed', `--${option}: expected seconds, got ${text}`)
  return seconds * 1000
}

async function reachable(what: string, host: string, port: number): Promise<void> {
  const socket = connect({ host: host.replace(/^\[|\]$/g, ''), port })
  try {
    await new Promise<void>((resolve, reject) => {
      socket.setTimeout(10_000, () => reject(new Error('no connection within 10 s')))
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new Fault('unavailable', `the gateway's ${what} at ${host}:${port} cannot be reached: ${why}`)
  } finally {
    socket.destroy()
  }
}
