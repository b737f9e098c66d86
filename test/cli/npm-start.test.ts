/** What npm makes of the program: an operator starts and ends npm, not Node.js. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants } from 'node:fs'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'
import { configFile, testConfig } from '../support/gateway.ts'

const top = new URL('../..', import.meta.url).pathname

test('SIGTERM to npm start reaches the gateway: it drains, and npm ends with 0', async () => {
  const npm = spawn('npm', ['start', '--silent', '--', '--config', configFile(testConfig({ log: 'info' }))], {
    cwd: top,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let err = ''
  npm.stderr.on('data', (chunk) => (err += chunk))
  const ended = once(npm, 'close') as Promise<[number | null]>
  const [ready] = await Promise.race([
    once(createInterface({ input: npm.stdout }), 'line') as Promise<[string]>,
    ended.then(() => [err] as [string]),
  ])
  expect(JSON.parse(ready)).toMatchObject({ event: 'ready' })
  npm.kill('SIGTERM')
  expect((await ended)[0]).toBe(0)
  expect(err).toMatch(/"signal":"SIGTERM".*stopping/)
})

test('npx finds the command of a fresh clone: its file may be run', () => {
  accessSync(new URL('../../src/bin/lemonade.mjs', import.meta.url), constants.X_OK)
})
