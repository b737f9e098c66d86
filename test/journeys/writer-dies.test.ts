/** The store stops by itself while the gateway serves: it must not go on as if nothing had happened. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { checkStore } from '../../src/db/sqlite/check.ts'
import { configFile, folder, gatewayHere, serve, testConfig } from '../support/gateway.ts'
import { inbox, SmtpClient } from '../support/peers.ts'

const preload = new URL('../support/die-as-writer.ts', import.meta.url).href

test('QUE-001: a dead writer thread ends the process with 1; what was acknowledged is there after a restart', async () => {
  const store = join(folder(), 'data')
  const trigger = join(folder(), 'die')
  const file = configFile(testConfig({ store: `sqlite:${store}` }))
  const served = await serve(file, { NODE_OPTIONS: `--import ${preload}`, DIE_AS_WRITER: trigger })
  const acknowledged: string[] = []
  const answers: string[] = []
  const load = async (name: string): Promise<void> => {
    const smtp = new SmtpClient(served.ready.smtp!)
    await smtp.reply()
    await smtp.command('EHLO load.example.org')
    for (let n = 0; ; n++) {
      const subject = `${name}-${n}`
      const reply = await smtp.send('bob@example.net', ['alice@example.net'], `Subject: ${subject}\r\n\r\nx`)
      if (reply === '') return
      answers.push(reply)
      if (reply.startsWith('250')) acknowledged.push(subject)
      if (acknowledged.length === 20) writeFileSync(trigger, '')
    }
  }
  const code = new Promise((resolve) => served.child.once('exit', resolve))
  await Promise.all([load('a'), load('b'), load('c')])
  expect(await code).toBe(1)
  expect(served.err()).toContain('the store has stopped: ending')
  // Refused with a temporary code, if it was answered at all.
  expect(answers.filter((a) => !/^(250|451|421)/.test(a))).toEqual([])

  const gateway = await gatewayHere({ store: `sqlite:${store}` })
  const subjects = async (): Promise<string[]> =>
    (await inbox(gateway)).map((m) => /^Subject: (\S+)/m.exec(m.toString('latin1'))?.[1] ?? '').sort()
  await expect.poll(async () => (await gateway.engine.spool.stats()).entries, { timeout: 20_000 }).toBe(0)
  const there = await subjects()
  expect(acknowledged.filter((s) => there.filter((t) => t === s).length !== 1)).toEqual([])
  await gateway.close()
  expect((await checkStore(store)).problems).toEqual([])
})

test('QUE-001: the health of a gateway whose store is gone is 503, and says why', async () => {
  const gateway = await gatewayHere()
  const health = async (path: string): Promise<string> => {
    const answer = await fetch(`${gateway.addresses.admin}${path}`)
    return `${answer.status} ${await answer.text()}`
  }
  expect(await health('/healthz')).toBe('200 {"status":"ok"}')
  await gateway.engine.close()
  for (const path of ['/healthz', '/readyz'])
    expect(await health(path)).toBe('503 {"status":"failed","problem":"the store is closed"}')
})
