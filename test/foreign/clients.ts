/** What the tests of other people's clients share: programs that may be absent, runs of them, mail to read. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'node:tls'
import type { TestContext } from 'vitest'
import { hostPort } from '../../src/config.ts'
import { folder, type LoggedGateway } from '../support/gateway.ts'

export const here = (name: string): string => new URL(name, import.meta.url).pathname

/** Skips the test, with a word, where a program is not installed. */
export function needs(context: TestContext, ...programs: readonly string[]): void {
  for (const program of programs)
    try {
      execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'pipe' })
    } catch {
      context.skip(`${program} is not installed here`)
    }
}

export interface RunOptions {
  readonly input?: string
  readonly env?: Readonly<Record<string, string>>
  /** Killed after that; the default is less than what a test may take. */
  readonly timeoutMs?: number
  /** Its exit code must be this. */
  readonly code?: number
}

/** Both its outputs, once it has ended well. @throws with them when it has not */
export async function run(
  program: string,
  args: readonly string[],
  { input = '', env = {}, timeoutMs = 15_000, code = 0 }: RunOptions = {},
): Promise<string> {
  const child = spawn(program, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, LC_ALL: 'C.UTF-8', TERM: 'xterm', ...env },
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  })
  let out = ''
  child.stdout.on('data', (chunk) => (out += chunk))
  child.stderr.on('data', (chunk) => (out += chunk))
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  const [ended, signal] = (await once(child, 'close')) as [number | null, string | null]
  if (ended !== code) throw new Error(`${program} ended with ${ended ?? signal}: ${out.slice(-4000)}`)
  return out
}

export const user = 'alice@example.net'
export const password = 'secret'

export const portsOf = ({ addresses }: Pick<LoggedGateway, 'addresses'>) => {
  const port = (address: string | undefined): number => (address ? hostPort(address).port : 0)
  return { smtp: port(addresses.smtp), imap: port(addresses.imap), imaps: port(addresses.imaps) }
}

export const listening = {
  mm7: '127.0.0.1:0',
  smtp: '127.0.0.1:0',
  imap: '127.0.0.1:0',
  imaps: '127.0.0.1:0',
  admin: '127.0.0.1:0',
}

/** A mail with text in UTF-8 and a picture in base64; no two are the same. */
export function mail(i: number, subject = `number ${i}`): string {
  return [
    `From: Person ${i % 17} <person${i % 17}@example.org>`,
    `To: ${user}`,
    `Subject: ${subject}`,
    `Message-ID: <${i}@example.org>`,
    `Date: Mon, 7 Feb 2022 10:00:${String(i % 60).padStart(2, '0')} +0100`,
    'MIME-Version: 1.0',
    'Content-Type: multipart/mixed; boundary=b',
    '',
    '--b',
    'Content-Type: text/plain; charset=utf-8',
    'Content-Transfer-Encoding: quoted-printable',
    '',
    `Gr=C3=BC=C3=9Fe number ${i}`,
    '--b',
    'Content-Type: image/png; name=picture.png',
    'Content-Disposition: attachment; filename=picture.png',
    'Content-Transfer-Encoding: base64',
    '',
    Buffer.alloc(60, i).toString('base64'),
    '--b--',
    '',
  ].join('\r\n')
}

/** Its own certificate, as a client finds it: the one to trust. */
export async function certificateOf(gateway: LoggedGateway): Promise<string> {
  const { imaps } = portsOf(gateway)
  const pem = await new Promise<string>((resolve, reject) => {
    const socket = connect({ port: imaps, host: '127.0.0.1', rejectUnauthorized: false }, () => {
      const { raw } = socket.getPeerCertificate()
      socket.destroy()
      resolve(
        `-----BEGIN CERTIFICATE-----\n${raw.toString('base64').replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`,
      )
    })
    socket.on('error', reject)
  })
  const file = join(folder(), 'certificate.pem')
  writeFileSync(file, pem)
  return file
}
