/** SIGTERM under load (QUE-052): who is told yes is served exactly once, nobody is left without an answer. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { request } from 'undici'
import { expect, test } from 'vitest'
import { checkStore } from '../../src/db/sqlite/check.ts'
import { openSqlite } from '../../src/db/sqlite/engine.ts'
import { readMm7 } from '../../src/wire/mm7/read.ts'
import { element, writeMm7 } from '../../src/wire/mm7/write.ts'
import { atEnd } from '../support/at-end.ts'
import { configFile, folder, serve, testConfig } from '../support/gateway.ts'
import { deliverReq, eventually, inbox, SmtpClient } from '../support/peers.ts'

const handset = '+12025550123@mms.example.net'

/** An MMSC that takes its time for each answer: some requests are always under way. */
async function slowMmsc() {
  const subjects: string[] = []
  const server = createServer(async (req, res) => {
    const chunks: Buffer[] = []
    for await (const chunk of req) chunks.push(chunk as Buffer)
    const message = readMm7(req.headers['content-type'] ?? '', Buffer.concat(chunks))
    subjects.push(message.body.children.find((c) => c.name === 'Subject')?.text ?? '')
    await new Promise((resolve) => setTimeout(resolve, 200))
    const answer = writeMm7({
      transactionId: message.transactionId ?? '',
      namespace: message.namespace,
      body: element('SubmitRsp', [
        element('MM7Version', '6.8.0'),
        element('Status', [element('StatusCode', '1000'), element('StatusText', 'ok')]),
        element('MessageID', `M-${subjects.length}`),
      ]),
    })
    res.setHeader('Content-Type', answer.contentType)
    res.end(Buffer.concat(answer.body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  atEnd(() => server.closeAllConnections())
  atEnd(() => void server.close())
  return { subjects, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mm7` }
}

test('QUE-052, QUE-001: SIGTERM under MM7 and SMTP load ends with 0; what was acknowledged is there once', async () => {
  const mmsc = await slowMmsc()
  const store = join(folder(), 'data')
  const peers = { mmsc: { interface: 'mm7', role: 'rs', ip: '127.0.0.1', url: mmsc.url } }
  const file = configFile(testConfig({ store: `sqlite:${store}`, log: 'error', peers }))
  const toMailbox = new Set<string>()
  const toHandset = new Set<string>()
  const lastReplies: string[] = []
  for (let round = 0; round < 2; round++) {
    const served = await serve(file)
    const statuses: number[] = []
    const posts = async (name: string): Promise<void> => {
      for (let n = 0; ; n++) {
        const id = `${round}-${name}-${n}`
        const content = deliverReq({ transactionId: id, subject: id })
        const answer = await request(served.ready.mm7!, {
          method: 'POST',
          headers: { 'content-type': content.contentType, soapaction: '""' },
          body: Buffer.concat(content.body),
        }).catch(() => undefined)
        if (!answer) return
        const text = await answer.body.text()
        statuses.push(answer.statusCode)
        if (answer.statusCode !== 200) return
        if (text.includes('>1000<')) toMailbox.add(id)
      }
    }
    const mails = async (name: string, to: string, into: Set<string>): Promise<void> => {
      const smtp = new SmtpClient(served.ready.smtp!)
      await smtp.reply()
      await smtp.command('EHLO load.example.org')
      for (let n = 0; ; n++) {
        const id = `${round}-${name}-${n}`
        const reply = await smtp.send('bob@example.net', [to], `Subject: ${id}\r\n\r\nx`)
        if (!reply.startsWith('250')) {
          lastReplies.push(reply)
          return
        }
        into.add(id)
      }
    }
    const load = [
      posts('post-a'),
      posts('post-b'),
      mails('box', 'alice@example.net', toMailbox),
      mails('out-a', handset, toHandset),
      mails('out-b', handset, toHandset),
    ]
    const before = toMailbox.size + toHandset.size
    await eventually(() => toMailbox.size + toHandset.size > before + 40 && mmsc.subjects.length > 0)
    expect(await served.end('SIGTERM')).toBe(0)
    await Promise.all(load)
    // 503 to who came too late; nobody was told that it failed for good.
    expect(statuses.filter((s) => s !== 200 && s !== 503)).toEqual([])
  }
  expect(lastReplies.filter((r) => r !== '' && !r.startsWith('421 4.3.2'))).toEqual([])

  // What waits goes out after the next start.
  const last = await serve(file)
  await eventually(async () => {
    const metrics = await (await request(`${last.ready.admin}/metrics`)).body.text()
    return /^lemonade_queue_entries 0$/m.test(metrics)
  })
  expect(await last.end('SIGTERM')).toBe(0)
  const engine = await openSqlite(store)
  const delivered = (await inbox({ engine })).map(
    (m) => /^Subject: (\S+)/m.exec(m.toString('latin1'))?.[1] ?? '',
  )
  await engine.close()
  const times = (list: readonly string[], id: string): number => list.filter((other) => other === id).length
  expect([...toMailbox].filter((id) => times(delivered, id) !== 1)).toEqual([])
  expect([...toHandset].filter((id) => times(mmsc.subjects, id) !== 1)).toEqual([])
  expect(await checkStore(store)).toMatchObject({ problems: [] })
}, 120_000)
