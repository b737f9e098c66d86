/** Long work of one session holds nobody up (SC-40): the time of the processor between two turns of the event loop is measured. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startImap, type TestImap } from '../support/imap-server.ts'
import { fillInbox } from '../support/large-mailbox.ts'
import { loggedIn, type RawImap } from '../support/raw-imap.ts'

const messages = 60_000
let folder: string
let server: TestImap
let imap: RawImap

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lemonade-fair-'))
  const first = await startImap({ folder })
  await first.deliver(
    'alice@example.net',
    'INBOX',
    `Subject: one of many\nFrom: a@example.org\n\n${'words '.repeat(50)}\n`,
  )
  await first.close()
  fillInbox(join(folder, 'lemonade.sqlite'), 'alice@example.net', messages)
  server = await startImap({ folder })
  imap = await loggedIn(server.port)
  await imap.command('SELECT INBOX')
})
afterAll(async () => {
  imap.end()
  await server.close()
  rmSync(folder, { recursive: true, force: true })
})

/** Of this thread, in milliseconds: other work on the machine does not count. */
const used = (): number => {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}

/** The most that the thread computed without letting anything else run. */
async function longestTurn(work: Promise<unknown>): Promise<number> {
  let longest = 0
  let last = used()
  let done = false
  const look = (): void => {
    const now = used()
    longest = Math.max(longest, now - last)
    last = now
    if (!done) setImmediate(look)
  }
  look()
  await work.finally(() => {
    done = true
  })
  return longest
}

const wide = (count: number, key: (i: number) => string): string =>
  count === 1 ? key(0) : `OR ${key(count)} ${wide(count - 1, key)}`

test('SC-35, SC-40: many criteria look for text in a large message', async () => {
  const large = `Subject: large\n\n${'Some words, in many lines, and \u00fcber all of them.\n'.repeat(150_000)}`
  await server.deliver('alice@example.net', 'Large', large)
  const other = await loggedIn(server.port)
  await other.command('SELECT Large')
  let said = ''
  const longest = await longestTurn(
    other
      .command(`SEARCH${' NOT BODY xyz NOT TEXT "ARE BER NOBODY"'.repeat(20)} BODY ALL TEXT LARGE`)
      .then((text) => {
        said = text
      }),
  )
  expect(said).toMatch(/^\* SEARCH 1\r\n/)
  expect(longest).toBeLessThan(120)
  other.end()
})

test.each([
  ['SEARCH RETURN (COUNT) UNSEEN', /COUNT 601\r\n/],
  ['SEARCH RETURN (COUNT) SEEN', /COUNT 59399\r\n/],
  ['SEARCH RETURN (COUNT) NOT KEYWORD nothing', /COUNT 60000\r\n/],
  ['SEARCH RETURN (COUNT) SUBJECT of', /COUNT 60000\r\n/],
  ['SEARCH RETURN (COUNT) TEXT example', /COUNT 60000\r\n/],
  ['SEARCH RETURN (COUNT) SENTSINCE 1-Jan-1990', /COUNT 60000\r\n/],
  [`SEARCH RETURN (COUNT) ${wide(45, (i) => `LARGER ${1_000_000 + i}`)}`, /COUNT 0\r\n/],
  [
    `SEARCH RETURN (COUNT) ${Array.from({ length: 2000 }, (_, i) => `NOT ${2 * i + 1}`).join(' ')}`,
    /COUNT 58000\r\n/,
  ],
  [
    `SEARCH RETURN (COUNT) UID ${Array.from({ length: 5000 }, (_, i) => 10 * i + 1).join(',')} LARGER 1`,
    /COUNT 5000\r\n/,
  ],
  ['SORT RETURN (COUNT) (SUBJECT REVERSE DATE) UTF-8 ALL', /COUNT 60000\r\n/],
  ['SORT RETURN (COUNT UPDATE) (REVERSE ARRIVAL) UTF-8 ALL', /COUNT 60000\r\n/],
  ['UID SEARCH RETURN (PARTIAL 1:20) SEEN', /PARTIAL \(1:20 /],
])('SC-40, SC-35: %#', async (command, answer) => {
  let said = ''
  const longest = await longestTurn(
    imap.command(command).then((text) => {
      said = text
    }),
  )
  expect(said).toMatch(answer)
  // The aim is 20 ms; a collection of garbage may come on top.
  expect(longest).toBeLessThan(60)
})
