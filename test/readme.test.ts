/** The README's tour, as pasted into a shell: only ports and the program's name are those of a gateway for the test. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { hostPort } from '../src/config.ts'
import { configFile, main, serve, testConfig } from './support/gateway.ts'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')

test('the commands that CI runs stand in it', () => {
  for (const command of ['npm ci', 'npm start', 'npm test'])
    expect(readme).toMatch(new RegExp(`^${command}$`, 'm'))
})

test('the tour works as pasted', async (context) => {
  for (const program of ['curl', 'python3', 'bash'])
    try {
      execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'pipe' })
    } catch {
      context.skip(`${program} is not installed here`)
    }
  const config = testConfig()
  const listen = { ...(config.listen as object), submission: '127.0.0.1:0' }
  const file = configFile({ ...config, listen })
  const served = await serve(file)
  const port = (address: string): string => String(hostPort(address.replace(/^http:\/\/|\/mm7$/g, '')).port)
  const tour = readme.slice(readme.indexOf('<!-- tour -->'), readme.indexOf('<!-- /tour -->'))
  const script = [...tour.matchAll(/```sh\n([\s\S]*?)```/g)]
    .map((match) => match[1])
    .join('\n')
    .replaceAll('127.0.0.1:8080', `127.0.0.1:${port(served.ready.mm7!)}`)
    .replaceAll('127.0.0.1:2525', `127.0.0.1:${port(served.ready.smtp!)}`)
    .replace(/127\.0\.0\.1(:|', )1143/g, `127.0.0.1$1${port(served.ready.imap!)}`)
    .replace("127.0.0.1', 1587", `127.0.0.1', ${port(served.ready.submission!)}`)
    // Whoever reads this types slower than a busy machine delivers.
    .replaceAll('sleep 1\n', 'sleep 3\n')
    .replace(/npx lemonade (queue \w+)/g, `${process.execPath} ${main} $1 --config ${file}`)
  const shell = spawn('bash', ['-eu'], { stdio: ['pipe', 'pipe', 'pipe'] })
  let out = ''
  shell.stdout.on('data', (chunk) => (out += chunk))
  shell.stderr.on('data', (chunk) => (out += chunk))
  shell.stdin.end(script)
  await once(shell, 'close')
  expect(out).toMatch(/StatusCode>1000</)
  expect(out).toMatch(/^Subject: =\?utf-8\?Q\?Gr=C3=BC=C3=9Fe\?=\r$/m)
  expect(out).toMatch(/^image\/png 74$/m)
  expect(out).toMatch(/^BURL \(250, b'2\.6\.0 Queued as /m)
  expect(out).toMatch(/to=mm7-submit:mmsc from=<alice@example\.net> \+12025550123@mms\.example\.net=deferred/)
  expect(out).toMatch(/gave up 1 recipients/)
  expect(out).toMatch(/^Action: failed\r$/m)
  expect(await served.end()).toBe(0)
}, 120_000)
