/** What a log may hold (SEC-014), and where passwords are not (SEC-062). */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openSqlite } from '../../src/db/sqlite/engine.ts'
import { configFile, folder, serve, testConfig } from '../support/gateway.ts'
import { eventually, inbox, SmtpClient } from '../support/peers.ts'

test('SEC-014, SEC-042, SEC-062: each log line is one JSON object, whatever peers say; no number and no password in it or in the store', async () => {
  const store = join(folder(), 'data')
  const password = 'battery-staple-77'
  const file = configFile(
    testConfig({
      store: `sqlite:${store}`,
      log: 'debug',
      accounts: [{ address: 'alice@example.net', password }],
      peers: {
        mmsc: {
          interface: 'mm7',
          role: 'rs',
          url: 'http://127.0.0.1:9/mm7',
          auth: { scheme: 'basic', user: 'mmsc', password },
          login: { user: 'gw', password },
        },
      },
    }),
  )
  const served = await serve(file)
  const smtp = new SmtpClient(served.ready.smtp!)
  await smtp.reply()
  await smtp.command('EHLO evil\u001b[2J\u0007.example')
  await smtp.command('EHLO load.example.org')
  await smtp.command('MAIL FROM:<"a\u001b]0;x\u0007"@example.org>')
  await smtp.command('RSET')
  expect(
    await smtp.send(
      'bob@example.net',
      ['alice@example.net', '+12025550123@mms.example.net'],
      'Subject: \u001b[31mred\r\n {"level":50,"msg":"forged"}\r\n\r\nx',
    ),
  ).toMatch(/^250/)
  for (const given of [`mmsc:${password}`, `mmsc:wrong${password}`])
    await fetch(served.ready.mm7!, {
      method: 'POST',
      headers: {
        authorization: `Basic ${Buffer.from(given).toString('base64')}`,
        'content-type': 'text/xml',
      },
      body: '<not\u001bxml',
    })
  await eventually(
    () => served.err().includes('recipient delivered') && served.err().includes('recipient deferred'),
  )
  expect(await served.end()).toBe(0)

  const lines = served.err().trim().split('\n')
  expect(lines.length).toBeGreaterThan(4)
  for (const line of lines) expect(() => JSON.parse(line) as unknown, line).not.toThrow()
  expect(served.err()).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f]/)
  expect(served.err()).not.toContain('2025550123')
  expect(served.err()).not.toContain(password)
  expect(served.err()).not.toContain(Buffer.from(`mmsc:${password}`).toString('base64'))

  const engine = await openSqlite(store)
  expect(await inbox({ engine })).toHaveLength(1)
  await engine.close()
  for (const name of readdirSync(store)) {
    const at = join(store, name)
    if (statSync(at).isFile()) expect(readFileSync(at).includes(password), name).toBe(false)
    expect(statSync(at).mode & 0o077, name).toBe(0)
  }
})
